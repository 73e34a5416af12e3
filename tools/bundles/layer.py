"""The FFmpeg layer: one pinned, static FFmpeg as `bin/ffmpeg`, which Lambda mounts as `/opt/bin/ffmpeg`."""

from __future__ import annotations

import functools
import hashlib
import zipfile
from pathlib import Path

from tools.bundles.bundler import ROOT, Target, machine_of
from tools.bundles.tree import finished_once, write_file
from tools.bundles.wheels import checked_wheel, read_lock
from tools.set_up import FFMPEG_LOCK, WHEELS
from video_production.errors import OperatorError

__all__ = ["BINARIES", "ffmpeg_layer"]

BINARIES = {
    "x86_64": "e7e7fb30477f717e6f55f9180a70386c62677ef8a4d4d1a5d948f4098aa3eb99",
    "aarch64": "6bb182d0d75d23028db82e9e4f723ca69b853d055698486e6984ddb2c06fb8ce",
}
"""SHA-256 of the FFmpeg programs, by machine type."""
_RECIPE = ROOT / "layers" / "ffmpeg"
_DOCUMENTS = ("NOTICE.txt", "GPL-3.0.txt")


@functools.cache
def ffmpeg_layer(architecture: Target = "x86_64") -> Path:
    """The folder of the layer. Raises OperatorError when the wheel is missing or anything is not what was pinned."""
    machine = machine_of(architecture)
    if machine not in BINARIES:
        raise OperatorError(f"There is no FFmpeg layer for '{machine}'; there are: {', '.join(BINARIES)}.")
    name = "arm64" if machine == "aarch64" else machine
    folder = ROOT / "build" / "layers" / f"ffmpeg-{name}-{BINARIES[machine][:16]}"
    if not folder.is_dir():
        with finished_once(folder) as work:
            write_file(work / "bin" / "ffmpeg", _program(ROOT / WHEELS / name, machine), executable=True)
            for document in _DOCUMENTS:
                write_file(work / "licenses" / "ffmpeg" / document, (_RECIPE / document).read_bytes())
    return folder


def _program(wheels: Path, machine: str) -> bytes:
    """The FFmpeg program in the wheel for `machine`."""
    wheel = checked_wheel(read_lock(ROOT / FFMPEG_LOCK)["imageio-ffmpeg"], wheels)
    members = [member for member in wheel.members if f"/binaries/ffmpeg-linux-{machine}-" in member]
    if len(members) != 1:
        raise OperatorError(f"{wheel.path.name} holds {len(members)} FFmpeg programs for {machine}; one is needed.")
    with zipfile.ZipFile(wheel.path) as archive:
        program = archive.read(members[0])
    sha256 = hashlib.sha256(program).hexdigest()
    if sha256 != BINARIES[machine]:
        raise OperatorError(
            f"{members[0]} is not the FFmpeg that was pinned (SHA-256 {sha256}); the layer was not built. "
            "If the pin was moved on purpose, write the new checksum into tools/bundles/layer.py."
        )
    return program

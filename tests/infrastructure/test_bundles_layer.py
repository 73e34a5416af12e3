"""The FFmpeg layer: the pinned program, its licence, nothing else."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

import pytest

from tools.bundles import Target, ffmpeg_layer, layer, size_of
from tools.bundles.bundler import ROOT, machine_of
from tools.bundles.tree import files_of
from tools.bundles.wheels import read_lock
from tools.set_up import FFMPEG_LOCK, WHEELS
from video_production.errors import OperatorError

ARCHITECTURES: list[Target] = ["x86_64", "arm64"]
E_MACHINE = {"x86_64": 62, "arm64": 183}
"""ELF's numbers of the machine types."""
_PT_INTERP = 3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_layer_holds_the_program_and_its_licence_and_nothing_else(architecture: Target) -> None:
    folder = ffmpeg_layer(architecture)
    assert {path.relative_to(folder).as_posix(): oct(path.stat().st_mode & 0o777) for path in files_of(folder)} == {
        "bin/ffmpeg": "0o755",
        "licenses/ffmpeg/GPL-3.0.txt": "0o644",
        "licenses/ffmpeg/NOTICE.txt": "0o644",
    }
    assert "GNU GENERAL PUBLIC LICENSE" in (folder / "licenses" / "ffmpeg" / "GPL-3.0.txt").read_text()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_program_is_static_and_for_its_machine(architecture: Target) -> None:
    header = (ffmpeg_layer(architecture) / "bin" / "ffmpeg").read_bytes()[:4096]
    assert header[:5] == b"\x7fELF\x02"
    assert int.from_bytes(header[18:20], "little") == E_MACHINE[architecture]
    first, size, count = (int.from_bytes(header[a:b], "little") for a, b in ((32, 40), (54, 56), (56, 58)))
    kinds = {int.from_bytes(header[first + n * size :][:4], "little") for n in range(count)}
    assert _PT_INTERP not in kinds, "it needs a dynamic linker"


@pytest.mark.skipif(platform.system() != "Linux", reason="Lambda's FFmpeg is a Linux program")
def test_the_layer_for_this_machine_runs_and_its_notice_names_the_version_that_it_prints() -> None:
    folder = ffmpeg_layer("local")
    printed = subprocess.run([folder / "bin" / "ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout
    version = re.match(r"ffmpeg version (\S+) (\S+)", printed)
    notice = (folder / "licenses" / "ffmpeg" / "NOTICE.txt").read_text()
    assert version
    assert f'"{version[1]}"' in notice
    assert version[2] in notice
    assert "--enable-gpl --enable-version3" in printed


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_program_with_another_checksum_is_refused(architecture: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = machine_of(architecture)
    monkeypatch.setitem(layer.BINARIES, machine, "0" * 64)
    with pytest.raises(OperatorError, match=r"is not the FFmpeg that was pinned .* the layer was not built"):
        ffmpeg_layer.__wrapped__(architecture)
    assert not list((ROOT / "build" / "layers").glob("ffmpeg-*-0000000000000000"))


def test_a_missing_wheel_and_a_machine_without_a_layer_are_one_sentence_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer, "WHEELS", tmp_path)
    monkeypatch.setitem(layer.BINARIES, "x86_64", "1" * 64)
    with pytest.raises(OperatorError, match=r"^The wheel of imageio-ffmpeg 0\.7\.0 is missing in .*; run `python3"):
        ffmpeg_layer.__wrapped__("x86_64")
    with pytest.raises(OperatorError, match="There is no FFmpeg layer for 'riscv64'; there are: x86_64, aarch64"):
        ffmpeg_layer.__wrapped__("riscv64")


def test_the_layer_s_ffmpeg_is_the_laptop_s() -> None:
    mine, laptop = read_lock(ROOT / FFMPEG_LOCK)["imageio-ffmpeg"], read_lock(ROOT / "requirements" / "demo.lock")
    assert mine.version == laptop["imageio-ffmpeg"].version
    assert mine.hashes < laptop["imageio-ffmpeg"].hashes
    assert len(mine.hashes) == len(list((ROOT / WHEELS).glob("*/imageio_ffmpeg-*.whl"))) == 2


def test_the_readme_states_the_sizes() -> None:
    readme = (ROOT / "layers" / "ffmpeg" / "README.md").read_text()
    stated = re.findall(r"^\| (x86_64|arm64) \| 7\.0\.2 \| ([\d.]+) MB \|$", readme, re.MULTILINE)
    assert [architecture for architecture, _ in stated] == ARCHITECTURES
    for architecture, size in stated:
        assert float(size) == pytest.approx(size_of(ffmpeg_layer(architecture)) / 1e6, abs=0.06)

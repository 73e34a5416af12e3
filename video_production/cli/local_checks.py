"""`doctor` on this machine: what the local cloud needs of it."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local_cloud.state import StateFolder
from video_production.cli.findings import Finding, broken, note, well
from video_production.cli.local_workspace import HOME, read_snapshot
from video_production.cli.place import ON_THIS_MACHINE
from video_production.cli.words import count
from video_production.errors import OperatorError

__all__ = ["examine"]

_PYTHON = (3, 11)
_SET_UP = "run make demo, which sets the checkout up"
_PACKAGES = ("moto", "flask", "imageio_ffmpeg", "espeakng_loader", "PIL", "pydantic", "rich", "yaml")
_LITTLE, _TOO_LITTLE = 2 << 30, 200 << 20
"""Bytes on the disk: a lesson takes a few hundred megabytes while it is made."""


def examine(home: Path = HOME) -> tuple[str, Iterator[Finding]]:
    """The banner, and every finding as soon as it is known."""
    return f"{ON_THIS_MACHINE.banner} · {home}", _findings(home)


def _findings(home: Path) -> Iterator[Finding]:
    yield _python()
    yield _packages()
    yield _ffmpeg()
    yield _ports()
    yield _folder(home)
    yield _disk(home)
    yield _journal(home)
    yield _cloud(home)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _PYTHON:
        return broken("Python", version, f"install Python {_PYTHON[0]}.{_PYTHON[1]} or newer, then {_SET_UP}")
    return well("Python", version)


def _packages() -> Finding:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        return broken("packages", f"missing: {', '.join(missing)}", _SET_UP)
    return well("packages", f"{len(_PACKAGES)} of {len(_PACKAGES)} that the local cloud needs")


def _ffmpeg() -> Finding:
    try:
        import imageio_ffmpeg

        program = imageio_ffmpeg.get_ffmpeg_exe()
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=20, check=True)
    except (ImportError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        return broken("FFmpeg", f"does not run: {error}", _SET_UP)
    return well("FFmpeg", answer.stdout.split(" Copyright")[0].removeprefix("ffmpeg version "))


def _ports() -> Finding:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), 2):
            return well("ports", "127.0.0.1 can be listened on and reached")
    except OSError as error:
        advice = "let programs of yours talk to each other on 127.0.0.1 (firewall, sandbox, proxy)"
        return broken("ports", f"127.0.0.1 can't be used: {error.strerror or error}", advice)


def _folder(home: Path) -> Finding:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=home, prefix=".", suffix=".part"):
            pass
    except OSError as error:
        advice = "make it writable, or name another folder with JIKI_VIDEO_HOME"
        return broken("folder", f"{home} can't be written: {error.strerror}", advice)
    return well("folder", f"{home} can be written")


def _disk(home: Path) -> Finding:
    while not home.exists():
        home = home.parent
    free = shutil.disk_usage(home).free
    words = f"{free / (1 << 30):.1f} GB free"
    if free < _TOO_LITTLE:
        return broken("disk", words, "make room: a lesson takes some hundred megabytes while it is made")
    return note("disk", words, "a long lesson may not fit") if free < _LITTLE else well("disk", words)


def _journal(home: Path) -> Finding:
    try:
        found = read_snapshot(home).pipelines()
    except OperatorError as error:
        return broken("pipelines", str(error))
    return well("pipelines", f"{count(len(found), 'pipeline')} so far" if found else "none yet")


def _cloud(home: Path) -> Finding:
    state = StateFolder(home)
    info = state.running()
    if info is not None:
        return well("local cloud", f"runs as process {info.pid} at {info.endpoints.aws}")
    if state.alive():
        return note("local cloud", f"process starts or ends just now; its log: {state.log}")
    return well("local cloud", "does not run; it starts with the first command that needs it")

"""Folders as values: equal content, equal bytes, whenever and wherever they were written."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["EPOCH", "files_of", "finished_once", "size_of", "tree_hash", "write_file", "zipped"]

EPOCH = 315_532_800
"""Every file's time of change, in Unix seconds: 1 January 1980, the earliest that a zip file can hold."""


def write_file(path: Path, content: bytes, *, executable: bool = False) -> None:
    """Write a file with a mode and a time that depend on nothing but the arguments."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755 if executable else 0o644)
    os.utime(path, (EPOCH, EPOCH))


def files_of(folder: Path) -> list[Path]:
    """All files below `folder`, in one fixed order."""
    return sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.as_posix())


def size_of(folder: Path) -> int:
    """The bytes of all files below `folder`: what Lambda counts against its 250 MB."""
    return sum(path.stat().st_size for path in files_of(folder))


def tree_hash(folder: Path) -> str:
    """SHA-256 (hex) over names, modes and contents below `folder`."""
    digest = hashlib.sha256()
    for path in files_of(folder):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        executable = "x" if path.stat().st_mode & 0o100 else "-"
        digest.update(f"{path.relative_to(folder).as_posix()}\0{executable}\0{content}\n".encode())
    return digest.hexdigest()


def zipped(folder: Path) -> bytes:
    """`folder` as a zip file as Lambda takes it; the same folder gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in files_of(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100755 if path.stat().st_mode & 0o100 else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


@contextmanager
def finished_once(folder: Path) -> Iterator[Path]:
    """Give an empty folder that becomes `folder` when all went well; nobody ever sees it half-written.

    Two processes may do so at once: the later one finds `folder` made, and throws its own away.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    work.chmod(0o755)
    try:
        yield work
        try:
            work.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)

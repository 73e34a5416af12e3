"""Files for FFmpeg that never touch a disk, where the operating system has such files (Linux)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Scratch", "scratch"]


@dataclass(frozen=True, slots=True)
class Scratch:
    """A file for a moment: FFmpeg knows it as `path`; `inherited` are the descriptors that it needs for that."""

    path: str
    inherited: tuple[int, ...]

    def open_path(self) -> Path:
        """The same file for this process."""
        return Path(self.path)


@contextmanager
def scratch(name: str) -> Iterator[Scratch]:
    """An empty file in memory, or in a temporary folder where there are none in memory."""
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryDirectory(prefix="scratch-") as folder:
            path = Path(folder) / name
            path.touch()
            yield Scratch(str(path), ())
        return
    descriptor = os.memfd_create(name)
    try:
        yield Scratch(f"/dev/fd/{descriptor}", (descriptor,))
    finally:
        os.close(descriptor)

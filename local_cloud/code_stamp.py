"""Notices that source code changed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["CodeWatch", "code_stamp"]


class CodeWatch:
    """The stamp of `folders`; those who ask at the same time share one look at the files."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)
        self._guard = threading.Lock()
        self._looked_at = 0.0
        self._stamp = 0

    def stamp(self) -> int:
        """What the files are now: never from a look that began before this call."""
        asked_at = time.monotonic()
        with self._guard:
            if self._looked_at <= asked_at:
                begun_at = time.monotonic()
                self._stamp = code_stamp(self._folders)
                self._looked_at = begun_at
            return self._stamp


def code_stamp(folders: Iterable[Path]) -> int:
    """A number that changes whenever a file below `folders` is saved, added or removed (bytecode left out)."""
    return hash(tuple(sorted(entry for folder in folders for entry in _files(str(folder)))))


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files(entry.path)
            continue
        try:
            state = entry.stat()
        except FileNotFoundError:
            continue
        yield entry.path, state.st_mtime_ns, state.st_size

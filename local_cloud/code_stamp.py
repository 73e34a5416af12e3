"""Notices that source code changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["code_stamp"]


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

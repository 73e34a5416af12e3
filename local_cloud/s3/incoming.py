"""Files on their way in: written under a random name, then renamed to where they belong, or gone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["Incoming", "receiving", "write_json"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A new file that has no name yet. `path` is on the filesystem of the objects."""

    path: Path
    file: BinaryIO


@contextmanager
def receiving(folder: Path) -> Iterator[Incoming]:
    """A new file in `folder`, gone at the end unless it was renamed."""
    path = folder / os.urandom(16).hex()
    try:
        with path.open("xb") as file:
            yield Incoming(path, file)
    finally:
        path.unlink(missing_ok=True)


def write_json(path: Path, value: Any, folder: Path) -> None:
    """Write a JSON file in one atomic step, by way of `folder` on the same filesystem."""
    with receiving(folder) as incoming:
        incoming.file.write(json.dumps(value, ensure_ascii=False).encode())
        incoming.file.flush()
        incoming.path.replace(path)

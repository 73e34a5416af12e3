"""Small JSON files that survive a crash: a reader sees the old content or the new one, never half of it."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["read_json", "write_json"]


def read_json(path: Path, default: Any) -> Any:
    """The content of `path`, or `default` where there is no such file."""
    return json.loads(path.read_bytes()) if path.exists() else default


def write_json(path: Path, content: Any) -> None:
    """Replace `path` at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False)
    Path(name).replace(path)

"""One line of JSON per request: what was asked, what came of it, and how many bytes moved."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["AccessLog", "Entry"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One request.

    `operation` is "" for a request that was refused before it was understood. `bytes_in` and `bytes_out` count bodies
    on the wire, `bytes_copied` what was copied from object to object on the server. `range` is the `Range` header, or
    the copied range. `time` is seconds since 1970, `seconds` how long the answer took.
    """

    time: float
    operation: str
    method: str
    bucket: str
    key: str
    status: int
    bytes_in: int
    bytes_out: int
    bytes_copied: int
    range: str
    seconds: float


class AccessLog:
    """Appends to a file, each line at once, from any thread; without a path it drops everything."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8", buffering=1) if path else None

    def write(self, entry: Entry) -> None:
        line = json.dumps(asdict(entry), ensure_ascii=False, separators=(",", ":"))
        with self._lock:
            if self._file and not self._file.closed:
                self._file.write(f"{line}\n")

    def close(self) -> None:
        with self._lock:
            if self._file:
                self._file.close()

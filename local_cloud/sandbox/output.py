"""What a sandbox prints. It prints into a file, so it never waits for a reader; we follow the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock

__all__ = ["OutputReader"]

KEEP = 4 << 20
"""Bytes from which the file is emptied between two invocations."""


class OutputReader:
    """Reads complete lines as they come. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b", buffering=0)
        self._partial = b""
        self._lock = Lock()

    def read(self, *, final: bool = False) -> list[str]:
        """The lines since the last call; with `final`, also an unfinished last line.

        As in CloudWatch, carriage returns inside a message (awslambdaric's stack traces) become line breaks.
        """
        with self._lock:
            return self._read(final)

    def pass_on(self, write: Callable[[list[str]], None]) -> None:
        """Give `write` the lines since the last call; whoever reads next waits until they are written."""
        with self._lock:
            write(self._read(final=False))

    def _read(self, final: bool) -> list[str]:
        if self._file.closed:
            return []
        data = self._partial + self._file.read()
        lines = data.split(b"\n")
        self._partial = lines.pop()
        if final:
            lines.append(self._partial)
            self._partial = b""
            if self._file.tell() > KEEP:
                # The writer appends, so it goes on at the new end.
                self._file.truncate(0)
                self._file.seek(0)
        return [text for line in lines if (text := line.decode(errors="replace").replace("\r", "\n").rstrip())]

    def close(self) -> None:
        with self._lock:
            self._file.close()

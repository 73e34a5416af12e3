"""What every stand-in keeps in its folder, and the lock that keeps a second process out of it."""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Iterable
from pathlib import Path

from stand_ins.charge_book import ChargeBook
from stand_ins.faults import FaultBook
from stand_ins.server import RequestLog

__all__ = ["CHARGE_BOOK", "Home"]

CHARGE_BOOK = "charge_book.jsonl"


class Home:
    """The books of one stand-in, in `folder`; one process at a time may hold it.

    `operations` are what rules of misbehaviour can be set on.
    """

    def __init__(self, folder: Path, operations: Iterable[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock_file = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock_file.close()
            raise SystemExit(
                f"Another draft provider already runs in {folder}; stop it or choose another folder."
            ) from None
        self.book = ChargeBook(folder / CHARGE_BOOK)
        self.faults = FaultBook(folder / "faults.json", operations)
        self.log = RequestLog(folder / "requests.jsonl")

    def close(self) -> None:
        """Let another process have the folder."""
        self._lock_file.close()

    def secret(self, name: str) -> bytes:
        """Random bytes that stay the same from start to start, such as the key that download links are signed with."""
        path = self.folder / name
        if not path.exists():
            path.write_bytes(secrets.token_bytes(32))
        return path.read_bytes()

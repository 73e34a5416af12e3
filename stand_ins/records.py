"""What stand-ins keep on disk: one JSON file per record, so that a kill loses nothing that was answered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from stand_ins.files import read_json, write_json

__all__ = ["Kept", "Records"]


class Kept(Protocol):
    """What can be kept: a dataclass of plain values with an id that can name a file, and Unix seconds."""

    @property
    def id(self) -> str: ...

    @property
    def created_at(self) -> float: ...


Record = TypeVar("Record", bound=Kept)


class Records(Generic[Record]):
    """The records of one folder, newest first. Safe from several threads."""

    def __init__(self, folder: Path, load: type[Record]) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        loaded = [load(**read_json(path, {})) for path in folder.glob("[!.]*.json")]
        self._records: dict[str, Record] = {
            record.id: record for record in sorted(loaded, key=lambda record: record.created_at)
        }

    def save(self, record: Record) -> None:
        write_json(self._folder / f"{record.id}.json", _plain(record))
        with self._lock:
            self._records[record.id] = record

    def get(self, record_id: str) -> Record | None:
        with self._lock:
            return self._records.get(record_id)

    def change(self, record_id: str, change: Callable[[Record], Record]) -> None:
        """Replace a record by what `change` makes of it, in one step; nothing where it is gone."""
        with self._lock:
            record = self._records.get(record_id)
            if record is not None:
                changed = change(record)
                write_json(self._folder / f"{record_id}.json", _plain(changed))
                self._records[record_id] = changed

    def delete(self, record_id: str) -> None:
        with self._lock:
            self._records.pop(record_id, None)
            (self._folder / f"{record_id}.json").unlink(missing_ok=True)

    def newest_first(self) -> list[Record]:
        with self._lock:
            return sorted(self._records.values(), key=lambda record: record.created_at, reverse=True)


def _plain(record: Any) -> dict[str, Any]:
    return asdict(record)

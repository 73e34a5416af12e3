"""Jobs and history on disk: one JSON file per record, one audio file per result."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from stand_ins.files import read_json, write_json

__all__ = ["HistoryItem", "Job", "Records", "Webhook"]


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """A result as the history shows it. `hidden` results exist and are billed, but no listing finds them."""

    id: str
    request_id: str
    created_at: float
    kind: str
    source: Literal["TTS", "Flows"]
    text: str
    voice: str
    model: str
    output_format: str
    settings: dict[str, Any]
    credits: int
    credits_before: int
    charge_id: str
    hidden: bool = False
    alignments: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """An asynchronous job. Times in Unix seconds; `fate` is what a rule ordained ("fail" or "never").

    `webhooks` are the ids of those that hear of its end, with a link below `base_url`.
    """

    id: str
    request_id: str
    history_item_id: str
    created_at: float
    starts_at: float
    due_at: float
    text: str
    voice: str
    model: str
    output_format: str
    language: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    fate: Literal["", "fail", "never"] = ""
    hidden: bool = False
    finished_at: float | None = None
    failure_reason: str = ""
    error_message: str = ""
    webhooks: list[str] = field(default_factory=list)
    base_url: str = ""

    def status(self, now: float) -> Literal["pending", "generating", "completed", "failed"]:
        if self.finished_at is not None:
            return "failed" if self.failure_reason else "completed"
        return "pending" if now < self.starts_at else "generating"

    def finished(self, now: float) -> Job:
        return replace(self, finished_at=now)

    def failed(self, now: float, reason: str, message: str) -> Job:
        return replace(self, finished_at=now, failure_reason=reason, error_message=message)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of events. `failures` counts those since the last success; times in Unix seconds."""

    id: str
    created_at: float
    name: str
    url: str
    secret: str
    request_headers: dict[str, str] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    retry_enabled: bool = False
    is_disabled: bool = False
    is_auto_disabled: bool = False
    failures: int = 0
    failure_code: int | None = None
    failed_at: int | None = None
    succeeded_at: float | None = None

    @property
    def enabled(self) -> bool:
        return not self.is_disabled and not self.is_auto_disabled


Record = TypeVar("Record", HistoryItem, Job, Webhook)


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
        write_json(self._folder / f"{record.id}.json", asdict(record))
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
                write_json(self._folder / f"{record_id}.json", asdict(changed))
                self._records[record_id] = changed

    def delete(self, record_id: str) -> None:
        with self._lock:
            self._records.pop(record_id, None)
            (self._folder / f"{record_id}.json").unlink(missing_ok=True)

    def newest_first(self) -> list[Record]:
        with self._lock:
            return sorted(self._records.values(), key=lambda record: record.created_at, reverse=True)

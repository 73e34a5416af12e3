"""Jobs, history and webhooks as the ElevenLabs stand-in keeps them: one JSON file per record."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

__all__ = ["HistoryItem", "Job", "Webhook"]


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

"""What the stand-in keeps: videos, assets, webhook endpoints, and the events that it sent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

__all__ = ["Asset", "Endpoint", "Event", "Video"]


@dataclass(frozen=True, slots=True)
class Asset:
    """An uploaded file. `seconds` is the length of a sound; one that is not `ready` was announced and not completed."""

    id: str
    created_at: float
    name: str
    content_type: str
    size: int
    sha256: str = ""
    seconds: float | None = None
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Video:
    """One job. Times in Unix seconds; `fate` is what a rule ordained ("fail" or "never").

    `speech_sha256` is the hash of the sound or script; `seconds` how long the result lasts, once that is known.
    """

    id: str
    created_at: float
    request_id: str
    starts_at: float
    due_at: float
    title: str
    avatar: str
    model: str
    size: tuple[int, int]
    speech_sha256: str
    audio_asset: str = ""
    script: str = ""
    voice: str = ""
    background_asset: str = ""
    background_color: str = ""
    idempotency_key: str = ""
    callback_id: str = ""
    callback_url: str = ""
    folder_id: str = ""
    base_url: str = ""
    estimate: float = 0.0
    fate: Literal["", "fail", "never"] = ""
    hidden: bool = False
    deleted: bool = False
    seconds: float | None = None
    finished_at: float | None = None
    failure_code: str = ""
    failure_message: str = ""

    @property
    def running(self) -> bool:
        return self.finished_at is None

    def status(self, now: float) -> Literal["pending", "processing", "completed", "failed"]:
        if self.finished_at is not None:
            return "failed" if self.failure_code else "completed"
        return "pending" if now < self.starts_at else "processing"

    def finished(self, now: float, seconds: float) -> Video:
        return replace(self, finished_at=now, seconds=seconds)

    def failed(self, now: float, code: str, message: str) -> Video:
        return replace(self, finished_at=now, failure_code=code, failure_message=message)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A receiver of webhooks; `events` None means all."""

    id: str
    created_at: float
    url: str
    secret: str
    events: list[str] | None = None
    entity_id: str | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """What webhooks told, as `GET /v3/webhooks/events` shows it."""

    id: str
    created_at: float
    event_type: str
    entity_id: str
    data: dict[str, Any] = field(default_factory=dict)

"""Tasks: what they hold, and how their owner sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

__all__ = ["ENDED", "Router", "Task", "Upload", "moment"]

Status = Literal["PENDING", "THROTTLED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


@dataclass(frozen=True, slots=True)
class Task:
    """One generation. Times in Unix seconds; `fate` is what a rule ordained ("fail" or "never").

    `picture` is whether it starts from one; `credits` is what it costs, `cost` what was charged when it ended.
    """

    id: str
    created_at: float
    request_id: str
    kind: str
    model: str
    prompt: str
    ratio: str
    duration: int
    sound: bool
    credits: float
    picture: bool = False
    seed: int | None = None
    fate: Literal["", "fail", "never"] = ""
    failure: str = ""
    failure_code: str | None = None
    fail_charged: bool = False
    status: Status = "PENDING"
    started_at: float = 0.0
    ended_at: float = 0.0
    cost: float = 0.0

    @property
    def over(self) -> bool:
        return self.status in ENDED

    @property
    def size(self) -> tuple[int, int]:
        width, _, height = self.ratio.partition(":")
        return int(width), int(height)

    def ended(self, status: Status, now: float, cost: float, failure: str = "", code: str | None = None) -> Task:
        return replace(self, status=status, ended_at=now, cost=cost, failure=failure, failure_code=code)

    def to_json(self, now: float, seconds: float, output: str) -> dict[str, Any]:
        """As `GET /v1/tasks/{id}` shows it. `seconds` is how long tasks run, `output` the address of the clip."""
        shown: dict[str, Any] = {"id": self.id, "status": self.status, "createdAt": moment(self.created_at)}
        if not self.over:
            shown["estimatedCost"] = {"credits": self.credits}
            if self.status == "RUNNING":
                part = (now - self.started_at) / seconds if seconds > 0 else 1.0
                shown["progress"] = round(min(max(part, 0.0), 0.99), 2)
            return shown
        shown["cost"] = {"credits": int(self.cost)}
        if self.status == "SUCCEEDED":
            shown["output"] = [output]
        if self.status == "FAILED":
            shown["failure"] = self.failure
            if self.failure_code is not None:
                shown["failureCode"] = self.failure_code
        return shown


@dataclass(frozen=True, slots=True)
class Upload:
    """A place for a file, and, once it lies there, the file; it lives for 24 hours."""

    id: str
    created_at: float
    filename: str
    received: bool = False


@dataclass(frozen=True, slots=True)
class Router:
    """A saved Model Router: `settings` as they were given, `requests` what it decided, oldest first."""

    id: str
    created_at: float
    slug: str
    name: str
    description: str
    settings: dict[str, Any]
    requests: tuple[dict[str, Any], ...] = ()


def moment(seconds: float) -> str:
    """Unix seconds as Runway writes them."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(seconds * 1000) % 1000:03}Z"

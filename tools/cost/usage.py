"""What one lesson used: counted, as data that is kept between runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["POLL_TRANSITIONS", "WATCH_TRANSITIONS", "FunctionUse", "Usage"]

POLL_TRANSITIONS, WATCH_TRANSITIONS = 5, 3
"""States of one round: Wait, Count, Submit again?, Check, Is it finished? · Watch, Schedule, Is it over?"""


@dataclass(frozen=True, slots=True)
class FunctionUse:
    """The REPORT lines of one role: `seconds` of all invocations together, `starts` the seconds of cold starts."""

    invocations: int
    seconds: float
    starts: float
    memory_mb: int
    peak_mb: int


@dataclass(frozen=True, slots=True)
class Usage:
    """One lesson on a laptop.

    `transitions` are those of all executions without waiting: what rounds of the two waiting loops add is counted
    apart (`polls` and `watches`), since a laptop waits less than AWS. `jobs` are voiceovers ordered as a job. Sizes in
    bytes, `duration` of the finished video and `wall` of the whole run in seconds; `read_units` and `write_units` are
    DynamoDB's, without what the command line reads to follow the run; `provider_usd` is what the providers take;
    `metrics` are distinct custom metrics. `cores` of the laptop, all of which FFmpeg uses.
    """

    date: str
    lesson: str
    cores: int
    wall: float
    duration: float
    video_bytes: int
    provider_usd: float
    executions: int
    transitions: int
    polls: int
    watches: int
    jobs: int
    functions: Mapping[str, FunctionUse]
    s3_puts: int
    s3_gets: int
    s3_bytes_in: int
    s3_bytes_out: int
    stored_bytes: int
    read_units: int
    write_units: int
    table_bytes: int
    log_bytes: int
    history_events: int
    metrics: int
    sqs_requests: int
    events: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Usage:
        functions = {role: FunctionUse(**use) for role, use in data["functions"].items()}
        return cls(**{**data, "functions": functions})

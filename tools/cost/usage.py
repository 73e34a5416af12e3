"""What one document used when it was produced: counted, as data that is kept between runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["POLL_TRANSITIONS", "WATCH_TRANSITIONS", "FunctionUse", "ProviderUse", "Usage"]

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
class ProviderUse:
    """What one provider sold, by its price list: at least and at most by the plan, `settled` by the ledger.

    Quantities in `unit`, prices in US dollars. `jobs` are the requests that were waited for, in `polls` rounds.
    """

    requests: int
    jobs: int
    polls: int
    unit: str
    quantity: tuple[float, float]
    usd: tuple[float, float]
    settled: float

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ProviderUse:
        return cls(**{**data, "quantity": tuple(data["quantity"]), "usd": tuple(data["usd"])})


@dataclass(frozen=True, slots=True)
class Usage:
    """One document produced on a laptop, from nothing.

    `transitions` are those of all executions without waiting: what rounds of the two waiting loops add is counted
    apart (`polls` of each provider and `watches`), since a laptop waits less than AWS. Sizes in bytes, `duration` of
    the finished video and `wall` of the whole run in seconds; `read_units` and `write_units` are DynamoDB's, without
    what the command line reads to follow the run; `metrics` are the distinct custom metrics. `cores` of the laptop,
    all of which FFmpeg uses.
    """

    date: str
    pipeline: str
    cores: int
    wall: float
    duration: float
    video_bytes: int
    executions: int
    transitions: int
    watches: int
    providers: Mapping[str, ProviderUse]
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
    metrics: tuple[str, ...]
    sqs_requests: int
    events: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Usage:
        functions = {role: FunctionUse(**use) for role, use in data["functions"].items()}
        providers = {name: ProviderUse.from_json(use) for name, use in data["providers"].items()}
        return cls(**{**data, "functions": functions, "providers": providers, "metrics": tuple(data["metrics"])})

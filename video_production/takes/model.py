"""Takes, attempts and ledger records as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from video_production.providers.made import Made, Price

__all__ = ["LedgerEvent", "Take", "TakeAttempt", "TakeState"]


class TakeState(StrEnum):
    """Where a take stands. RELEASED: a person decided that it may be bought again; ABANDONED: that it may not."""

    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    RELEASED = "released"
    ABANDONED = "abandoned"
    MADE = "made"


class LedgerEvent(StrEnum):
    """What happened to the money of one attempt, in the order in which it can happen."""

    RESERVED = "reserved"
    SUBMITTED = "submitted"
    SETTLED = "settled"
    REFUNDED = "refunded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TakeAttempt:
    """One try to buy a take. Times are Unix seconds; `quiet_at` is when the sender can't be alive any more.

    `asked_at` is the wish that it fulfils (`Node.asked_at`): one wish buys one attempt, whatever the clocks say.
    `bucket` is where its files lie, `pipeline_id` and `node_id` what it was sent for: another node may follow it.

    `orphan` is a paid job that this attempt led to and that its take does not follow.
    """

    id: str
    number: int
    state: TakeState
    way: str
    sent_at: float
    quiet_at: float
    asked_at: float = 0.0
    bucket: str = ""
    pipeline_id: str = ""
    node_id: str = ""
    ended_at: float | None = None
    external_id: str | None = None
    code: str = ""
    message: str = ""
    retry_at: float | None = None
    charged: bool | None = None
    fallback: str | None = None
    orphan: str | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """One paid (or stand-in) result. `id` is the fingerprint; `attempt` names the current one of `attempts`."""

    id: str
    state: TakeState
    attempt: str
    attempts: Mapping[str, TakeAttempt]
    provider: str
    mode: str
    price: Price
    made: Made | None = None
    account: str = ""

    @property
    def current(self) -> TakeAttempt:
        return self.attempts[self.attempt]

    @property
    def cost(self) -> Price:
        """What it costs: as the provider reported it, else the price that was promised."""
        return (self.made.cost if self.made else None) or self.price

    @property
    def refused_ways(self) -> tuple[str, ...]:
        """Ways that refused themselves and named another one."""
        return tuple(a.way for a in self.attempts.values() if a.state == TakeState.REFUSED and a.fallback)

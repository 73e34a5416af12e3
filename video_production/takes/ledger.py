"""The money of pipelines and months: totals that budgets are held against, and one entry for each paid request.

    take_id                          record               what
    ────────────────────────────────────────────────────────────────────────────────────────────────────────────
    {take}                           ledger#{attempt}#…   one record for each event of an attempt, never changed
    money#pipeline#{id}#{mode}       attempt#{attempt}    an attempt with its money as it stands; also found by month
    money#pipeline#{id}#{mode}       total                the sums of these entries
    money#month#{2026-11}#{mode}     total                the sums over all pipelines

Everything is written in the transaction of the event that it tells of. Sums are whole millionths of a dollar, so that
adding never rounds. `committed` is reserved + settled + unknown: what is spent, or may turn out to be. Drafts have
books of their own. An attempt belongs to the pipeline that sent it, and to the month (UTC) in which it was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from video_production.errors import BudgetExceeded
from video_production.nodes.table import Claim
from video_production.providers.made import Price
from video_production.tables import ConditionFailed, Put, Update
from video_production.takes.model import LedgerEvent, Take, TakeAttempt, TakeState

__all__ = [
    "ENTRY",
    "TOTAL",
    "Counted",
    "Ledger",
    "Totals",
    "micro",
    "month_of",
    "read_totals",
]

TOTAL = "total"
ENTRY = "attempt#"
"""What the records of entries begin with; `takes.entries` reads them."""
_SUMS = ("reserved", "settled", "unknown", "committed")
_QUANTITY = "quantity_"
_REFUSALS_SHOWN = 7 * 86400
"""Seconds."""
_UNKNOWN_STATES = (TakeState.UNKNOWN, TakeState.RELEASED, TakeState.ABANDONED)


def micro(usd: float) -> int:
    """US dollars as whole millionths."""
    return round(usd * 1_000_000)


def month_of(at: float) -> str:
    """The month of a moment in Unix seconds, in UTC: `2026-11`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m")


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums in US dollars. `quantities` counts what was paid for, by unit."""

    reserved: float = 0.0
    settled: float = 0.0
    unknown: float = 0.0
    quantities: Mapping[str, float] = field(default_factory=dict)

    @property
    def committed(self) -> float:
        return self.reserved + self.settled + self.unknown


@dataclass(frozen=True, slots=True)
class Counted:
    """Where an attempt's money stands in the sums, and how much of it, in millionths."""

    state: LedgerEvent
    amount: int


def read_totals(item: Mapping[str, Any] | None) -> Totals:
    """The sums of a pipeline or a month; zeros where nothing was ever bought."""
    item = item or {}
    reserved, settled, unknown = (item.get(name, 0) / 1e6 for name in _SUMS[:3])
    quantities = {name.removeprefix(_QUANTITY): n for name, n in item.items() if name.startswith(_QUANTITY)}
    return Totals(reserved, settled, unknown, quantities)


class Ledger:
    """Makes the ledger's part of a transaction on the take table `name`. Nothing is written here."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.name = name
        self.clock = clock

    def record(self, take_id: str, attempt_id: str, event: LedgerEvent, price: Price, **details: Any) -> Put:
        """One record per attempt and event: writing it twice writes the same thing."""
        item = {
            "take_id": take_id,
            "record": f"ledger#{attempt_id}#{event}",
            "attempt": attempt_id,
            "event": event,
            "at": self.clock(),
            "quantity": price.quantity,
            "unit": price.unit,
            "usd": price.usd,
            **details,
        }
        return Put(table=self.name, item=item)

    # Row 3

    def reserve(
        self,
        claim: Claim,
        take_id: str,
        attempt: TakeAttempt,
        price: Price,
        *,
        provider: str,
        mode: str,
        budget: float | None,
        monthly: float | None,
    ) -> list[Put | Update]:
        """Promise the price of a new attempt, if both budgets (US dollars, None: no limit) have room for it."""
        amount = micro(price.usd)
        entry = Put(
            table=self.name,
            item={
                **self.entry_key(claim.pipeline_id, mode, attempt.id),
                "pipeline_id": claim.pipeline_id,
                "node_id": claim.node_id,
                "provider": provider,
                "mode": mode,
                "take": take_id,
                "counted": LedgerEvent.RESERVED,
                "amount": amount,
                "quantity": price.quantity,
                "unit": price.unit,
                "at": attempt.sent_at,
                "ledger_month": f"{month_of(attempt.sent_at)}#{mode}",
            },
        )
        of_pipeline, of_month = self._total_keys(claim.pipeline_id, mode, attempt.sent_at)
        return [entry, self._promise(of_pipeline, amount, budget), self._promise(of_month, amount, monthly)]

    def _promise(self, key: dict[str, str], amount: int, limit: float | None) -> Update:
        sums = {"reserved": amount, "committed": amount}
        if limit is None:
            return Update(table=self.name, key=key, add=sums)
        room = micro(limit) - amount
        condition = "{committed} <= :room" if room < 0 else "attribute_not_exists({committed}) OR {committed} <= :room"
        return Update(table=self.name, key=key, add=sums, condition=condition, values={"room": room})

    # Every later row

    def counted(self, take: Take) -> Counted:
        """Where the money of the current attempt stood when `take` was read."""
        state = LedgerEvent.UNKNOWN if take.state in _UNKNOWN_STATES else LedgerEvent.RESERVED
        return Counted(state, micro(take.price.usd))

    def move(
        self,
        take: Take,
        attempt_id: str,
        before: Counted | None,
        state: LedgerEvent,
        cost: Price,
        *,
        passing: bool = False,
    ) -> list[Update]:
        """Move an attempt's money in the sums, if it stands at `before`; None: it was never counted.

        The entry comes first. `passing` lets it expire: a request that was not accepted is no purchase, and a busy
        provider may refuse for days.
        """
        attempt = take.attempts[attempt_id]
        if before is None or not attempt.pipeline_id:
            return []
        after = 0 if state == LedgerEvent.REFUNDED else micro(cost.usd)
        moved = {"counted": state, "amount": after, "quantity": cost.quantity, "unit": cost.unit}
        entry = Update(
            table=self.name,
            key=self.entry_key(attempt.pipeline_id, take.mode, attempt_id),
            # One that stands where it should is written all the same: nobody may move it in between.
            set=({"counted": state} if before.state == state else moved)
            | ({"expires_at": round(self.clock() + _REFUSALS_SHOWN)} if passing else {}),
            condition="{counted} = :counted AND {amount} = :amount",
            values={"counted": before.state, "amount": before.amount},
        )
        if before.state == state:
            return [entry]
        sums: dict[str, float] = {str(before.state): -before.amount, "committed": after - before.amount}
        if state != LedgerEvent.REFUNDED:
            sums[str(state)] = after
        if state == LedgerEvent.SETTLED:
            sums[f"{_QUANTITY}{cost.unit}"] = cost.quantity
        keys = self._total_keys(attempt.pipeline_id, take.mode, attempt.sent_at)
        return [entry, *(Update(table=self.name, key=total, add=sums) for total in keys)]

    # Keys

    @staticmethod
    def pipeline_key(pipeline_id: str, mode: str) -> str:
        return f"money#pipeline#{pipeline_id}#{mode}"

    @staticmethod
    def month_key(month: str, mode: str) -> str:
        return f"money#month#{month}#{mode}"

    def entry_key(self, pipeline_id: str, mode: str, attempt_id: str) -> dict[str, str]:
        return {"take_id": self.pipeline_key(pipeline_id, mode), "record": f"{ENTRY}{attempt_id}"}

    def _total_keys(self, pipeline_id: str, mode: str, at: float) -> tuple[dict[str, str], dict[str, str]]:
        return (
            {"take_id": self.pipeline_key(pipeline_id, mode), "record": TOTAL},
            {"take_id": self.month_key(month_of(at), mode), "record": TOTAL},
        )


def refuse_for_budget(
    failure: ConditionFailed,
    totals: Sequence[int],
    price: Price,
    *,
    title: str,
    limits: Sequence[float | None],
    at: float,
) -> None:
    """Raise BudgetExceeded where a budget alone was in the way of a reservation.

    `totals` are the places of the pipeline's and the month's sums among the actions, `limits` their budgets.
    """
    if any(flag for place, flag in enumerate(failure.failed) if place not in totals):
        return  # something else moved, too: the next look tells what
    from video_production.providers.prices import dollars

    wanted = f"{price.quantity:,.0f} {price.unit} from {title} for about {dollars(price.usd)}"
    for number, (place, limit) in enumerate(zip(totals, limits, strict=True)):
        if not failure.failed[place] or limit is None:
            continue
        left = dollars(max(0.0, limit - read_totals(failure.olds[place]).committed))
        if number == 0:
            raise BudgetExceeded(
                f"Nothing was sent: this needs {wanted}, and {left} of the pipeline's budget of {dollars(limit)} is "
                "left. Raise it with produce --budget USD, or with 'budget' in the document."
            )
        raise BudgetExceeded(
            f"Nothing was sent: this needs {wanted}, and {left} of the {dollars(limit)} that this environment may "
            f"spend in {month_of(at)} is left. Raise its monthly budget, or wait for the next month."
        )

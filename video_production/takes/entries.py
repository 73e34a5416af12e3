"""The ledger's entries as people are told of them: one for each paid request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from video_production.takes.ledger import ENTRY, micro
from video_production.takes.model import LedgerEvent

__all__ = ["Balance", "Entry", "balance", "read_entries", "read_entry"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One paid request. `state` is reserved, settled, refunded or unknown; `usd` what it costs, or may cost.

    `at` is when it was sent, in Unix seconds.
    """

    pipeline_id: str
    node_id: str
    provider: str
    mode: str
    take_id: str
    attempt: str
    state: LedgerEvent
    quantity: float
    unit: str
    usd: float
    at: float


@dataclass(frozen=True, slots=True)
class Balance:
    """What entries say of a provider's bill, in US dollars: `known ≤ bill ≤ known + unknown` must hold."""

    known: float
    unknown: float

    def admits(self, bill: float) -> bool:
        """Whether a bill can be this. Half a cent per million dollars is forgiven for sums of floats."""
        slack = 1e-6 + 5e-9 * abs(bill)
        return self.known - slack <= bill <= self.known + self.unknown + slack


def balance(entries: Iterable[Entry]) -> Balance:
    """What is known to be charged, and what may be charged besides: requests under way, and undecided ones."""
    listed = list(entries)
    open_states = (LedgerEvent.RESERVED, LedgerEvent.UNKNOWN)
    known = sum(micro(entry.usd) for entry in listed if entry.state == LedgerEvent.SETTLED)
    unknown = sum(micro(entry.usd) for entry in listed if entry.state in open_states)
    return Balance(known / 1e6, unknown / 1e6)


def read_entry(item: Mapping[str, Any]) -> Entry | None:
    """An entry from its item; None for other items of the table."""
    if not str(item["take_id"]).startswith("money#pipeline#") or not str(item["record"]).startswith(ENTRY):
        return None
    return Entry(
        pipeline_id=item["pipeline_id"],
        node_id=item["node_id"],
        provider=item["provider"],
        mode=item["mode"],
        take_id=item["take"],
        attempt=str(item["record"]).removeprefix(ENTRY),
        state=LedgerEvent(item["counted"]),
        quantity=float(item["quantity"]),
        unit=item["unit"],
        usd=item["amount"] / 1e6,
        at=float(item["at"]),
    )


def read_entries(items: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """The entries among items of the table, oldest first."""
    return sorted((entry for item in items if (entry := read_entry(item))), key=lambda entry: entry.at)

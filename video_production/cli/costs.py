"""What was spent: rows and sums of paid requests, for people and for programs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from video_production.cli.place import Place
from video_production.cli.words import amount, money
from video_production.cli.workspace import Snapshot
from video_production.errors import RequestError
from video_production.nodes.model import Pipeline
from video_production.takes.entries import Entry, balance
from video_production.takes.model import LedgerEvent

__all__ = [
    "Costs",
    "Row",
    "cost_lines",
    "cost_object",
    "costs_of_month",
    "costs_of_pipeline",
    "month_named",
    "spent_lines",
    "spent_object",
]

_OPEN = (LedgerEvent.RESERVED, LedgerEvent.UNKNOWN)
_MODES = {"live": "Real providers", "draft": "Drafts, which cost nothing, at the prices of the real ones"}


@dataclass(frozen=True, slots=True)
class Row:
    """Requests of one `provider` for one `name`: a node or a pipeline. `free` ended without a charge; `paid` and `open`
    (under way, or nobody knows) in US dollars; `quantity` is what was paid for."""

    name: str
    provider: str
    mode: str
    requests: int
    free: int
    quantity: float
    unit: str
    paid: float
    open: float

    @property
    def usd(self) -> float:
        return self.paid + self.open


@dataclass(frozen=True)
class Costs:
    """`about` is a pipeline or a month; `rows`, the dearest first, drafts last, are of nodes or pipelines (`of`)."""

    about: str
    of: str
    rows: tuple[Row, ...]
    entries: tuple[Entry, ...]

    def mode(self, mode: str) -> list[Row]:
        return [row for row in self.rows if row.mode == mode]


def costs_of_pipeline(pipeline_id: str, entries: Sequence[Entry]) -> Costs:
    return Costs(pipeline_id, "node", tuple(_rows(entries, lambda entry: entry.node_id)), tuple(entries))


def costs_of_month(month: str, entries: Sequence[Entry]) -> Costs:
    return Costs(month, "pipeline", tuple(_rows(entries, lambda entry: entry.pipeline_id)), tuple(entries))


def month_named(text: str) -> str:
    """A month as people write it. Raises RequestError."""
    if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", text):
        raise RequestError(f"'{text}' is no month; write it as {datetime.now(UTC):%Y-%m}.")
    return text


def _rows(entries: Iterable[Entry], name: Any) -> list[Row]:
    groups: dict[tuple[str, str, str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.mode, name(entry), entry.provider, entry.unit), []).append(entry)
    rows = []
    for (mode, who, provider, unit), group in groups.items():
        standing = balance(group)
        rows.append(
            Row(
                name=who,
                provider=provider,
                mode=mode,
                requests=len(group),
                free=sum(entry.state == LedgerEvent.REFUNDED for entry in group),
                quantity=sum(entry.quantity for entry in group if entry.state == LedgerEvent.SETTLED),
                unit=unit,
                paid=standing.known,
                open=standing.unknown,
            )
        )
    return sorted(rows, key=lambda row: (row.mode != "live", -row.usd, row.name))


def cost_lines(place: Place, costs: Costs) -> Iterator[str]:
    """The table for a person."""
    yield f"{place.banner} · {costs.about}"
    if not costs.rows:
        yield " Nothing was bought."
        return
    for mode, title in _MODES.items():
        rows = costs.mode(mode)
        if rows:
            yield f" {title}"
            yield from _table(rows, costs.of)


def _table(rows: Sequence[Row], of: str) -> Iterator[str]:
    price = "paid" if rows[0].mode == "live" else "price"
    cells = [(row.name, row.provider, *_figures([row])) for row in rows]
    providers = sorted({row.provider for row in rows})
    sums = [("all", name, *_figures([row for row in rows if row.provider == name])) for name in providers]
    total = ("all", "", *_figures(rows))
    columns = 6 if any(row.open for row in rows) else 5
    lines = [(of, "provider", "requests", "quantity", price, "may be paid"), *cells]
    lines += [*sums, total] if len(providers) > 1 else [total]
    widths = [max(len(line[column]) for line in lines) for column in range(columns)]
    ends = len(lines) - (len(sums) + 1 if len(providers) > 1 else 1)
    for number, line in enumerate(lines):
        if number == ends:
            yield "   " + "─" * (sum(widths) + 2 * (columns - 1))
        left = [text.ljust(width) for text, width in zip(line[:2], widths[:2], strict=True)]
        right = [text.rjust(width) for text, width in zip(line[2:columns], widths[2:], strict=True)]
        yield f"   {'  '.join([*left, *right])}".rstrip()


def _figures(rows: Sequence[Row]) -> tuple[str, str, str, str]:
    requests, free = sum(row.requests for row in rows), sum(row.free for row in rows)
    quantities: dict[str, float] = {}
    for row in rows:
        quantities[row.unit] = quantities.get(row.unit, 0.0) + row.quantity
    known = " ".join(amount(quantity, unit) for unit, quantity in quantities.items()) if len(quantities) == 1 else ""
    paid, still = sum(row.paid for row in rows), sum(row.open for row in rows)
    shown = f"{requests} ({free} free)" if free else str(requests)
    return shown, known, money(paid), money(still) if still else ""


def cost_object(place: Place, costs: Costs) -> dict[str, Any]:
    """The same for programs."""
    return {
        **place.to_dict(),
        ("month" if costs.of == "pipeline" else "pipeline"): costs.about,
        "rows": [
            {
                costs.of: row.name,
                "provider": row.provider,
                "mode": row.mode,
                "requests": row.requests,
                "free": row.free,
                "quantity": round(row.quantity, 3),
                "unit": row.unit,
                "paid_usd": round(row.paid, 6),
                "open_usd": round(row.open, 6),
            }
            for row in costs.rows
        ],
        "totals": {
            mode: {
                "requests": sum(row.requests for row in costs.mode(mode)),
                "paid_usd": round(sum(row.paid for row in costs.mode(mode)), 6),
                "open_usd": round(sum(row.open for row in costs.mode(mode)), 6),
            }
            for mode in _MODES
        },
    }


def spent_lines(found: Snapshot, pipeline: Pipeline) -> Iterator[str]:
    """One line on what a pipeline has spent, for `status`; none where nothing was bought and nothing is limited."""
    real, drafts = found.totals(pipeline.id, "live"), found.totals(pipeline.id, "draft")
    parts = []
    if real.committed:
        bought = ", ".join(amount(quantity, unit) for unit, quantity in real.quantities.items())
        parts.append(f"{money(real.settled)} paid" + (f" for {bought}" if bought else ""))
        parts += [f"{money(real.reserved)} under way"] if real.reserved else []
        parts += [f"{money(real.unknown)} may have been paid"] if real.unknown else []
    if drafts.committed:
        parts.append(f"drafts worth {money(drafts.committed)}, which cost nothing")
    if pipeline.budget_usd is not None:
        parts.append(f"budget {money(pipeline.budget_usd)}")
    if parts:
        yield f" money: {' · '.join(parts)}"


def spent_object(found: Snapshot, pipeline: Pipeline) -> dict[str, Any]:
    """The same for programs."""
    sums = {mode: found.totals(pipeline.id, mode) for mode in _MODES}
    return {
        "budget_usd": pipeline.budget_usd,
        **{
            mode: {
                "paid_usd": round(totals.settled, 6),
                "under_way_usd": round(totals.reserved, 6),
                "unknown_usd": round(totals.unknown, 6),
                "quantities": dict(totals.quantities),
            }
            for mode, totals in sums.items()
        },
    }

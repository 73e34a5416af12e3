"""Reading the take table: takes, to whom a job belongs, and the books."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from video_production.settings import LEDGER_INDEX
from video_production.tables import Table
from video_production.takes.ledger import TOTAL, Ledger, Totals, read_totals
from video_production.takes.model import LedgerEvent, Take
from video_production.takes.reading import read_take

if TYPE_CHECKING:
    from video_production.takes.entries import Entry

__all__ = ["TAKE", "TakeReader", "binding_key", "follower_item", "take_key"]

TAKE = "take"
_FOLLOWER = "follower#"
_MODES = ("live", "draft")


class TakeReader:
    """Reads takes and the books; all but a month's entries consistently. `clock` gives Unix seconds."""

    def __init__(self, client: Any, name: str, clock: Callable[[], float]) -> None:
        self.client = client
        self.name = name
        self.clock = clock
        self.table = Table(client, name)
        self.money = Ledger(name, clock)

    def get(self, take_id: str) -> Take | None:
        item = self.table.get(take_key(take_id))
        return read_take(item) if item else None

    def bound_to(self, provider: str, external_id: str) -> str | None:
        """The take that an external id belongs to, if any."""
        item = self.table.get(binding_key(provider, external_id))
        return str(item["bound_to"]) if item else None

    def followers(self, take: Take) -> list[tuple[str, str]]:
        """The nodes (pipeline, node) that have followed a take which was bought for another one."""
        records = self.table.query("take_id", take.id)
        return [(item["pipeline_id"], item["node_id"]) for item in records if item["record"].startswith(_FOLLOWER)]

    def ledger(self, take_id: str) -> list[dict[str, Any]]:
        """The ledger records of one take, oldest first."""
        records = [item for item in self.table.query("take_id", take_id) if item["record"].startswith("ledger#")]
        order = list(LedgerEvent)
        return sorted(records, key=lambda record: (float(record["at"]), order.index(LedgerEvent(record["event"]))))

    def entries(self, pipeline_id: str) -> list[Entry]:
        """Every paid request of a pipeline, drafts too, oldest first."""
        from video_production.takes.entries import read_entries

        items = [
            item for mode in _MODES for item in self.table.query("take_id", self.money.pipeline_key(pipeline_id, mode))
        ]
        return read_entries(items)

    def entries_of_month(self, month: str, mode: str) -> list[Entry]:
        """Every paid request that was sent in a month (`2026-11`, UTC), oldest first; the latest may be missing yet."""
        from video_production.takes.entries import read_entries

        pages = self.table.index_pages(LEDGER_INDEX, "ledger_month", f"{month}#{mode}")
        return read_entries(item for page in pages for item in page)

    def totals(self, pipeline_id: str, mode: str) -> Totals:
        """What a pipeline has spent and promised."""
        return read_totals(self.table.get({"take_id": self.money.pipeline_key(pipeline_id, mode), "record": TOTAL}))

    def totals_of_month(self, month: str, mode: str) -> Totals:
        """What all pipelines together have spent and promised in a month."""
        return read_totals(self.table.get({"take_id": self.money.month_key(month, mode), "record": TOTAL}))


def take_key(take_id: str) -> dict[str, str]:
    return {"take_id": take_id, "record": TAKE}


def follower_item(take_id: str, pipeline_id: str, node_id: str) -> dict[str, str]:
    """The record that a node follows a take which was bought for another one."""
    record = f"{_FOLLOWER}{pipeline_id}#{node_id}"
    return {"take_id": take_id, "record": record, "pipeline_id": pipeline_id, "node_id": node_id}


def binding_key(provider: str, external_id: str) -> dict[str, str]:
    return {"take_id": f"external#{provider}#{external_id}", "record": "binding"}

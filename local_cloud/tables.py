"""The tables of the local environment: the stack's keys and indexes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from local_cloud.functions import NAMES
from video_production.settings import ACTIVE_INDEX, LEDGER_INDEX, OPEN_INDEX

__all__ = ["KEY_NAMES", "TABLES", "Index", "Table"]


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index: attribute names and their types (`S`, `N`), partition key first.

    It shows keys only, or with `whole` the items.
    """

    name: str
    keys: Mapping[str, str]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """`keys` are the key attributes, partition key first; they are strings."""

    keys: tuple[str, str]
    indexes: tuple[Index, ...]


TABLES = {
    NAMES.nodes_table: Table(("pipeline_id", "id"), (Index(ACTIVE_INDEX, {"active": "S", "pipeline_id": "S"}),)),
    NAMES.takes_table: Table(
        ("take_id", "record"),
        (
            Index(OPEN_INDEX, {"open": "S", "open_since": "N"}),
            Index(LEDGER_INDEX, {"ledger_month": "S", "at": "N"}, whole=True),
        ),
    ),
}
KEY_NAMES: Mapping[str, tuple[str, ...]] = {name: table.keys for name, table in TABLES.items()}

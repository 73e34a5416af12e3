"""The tables of the local environment: the stack's keys and indexes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from local_cloud.functions import NAMES

__all__ = ["KEY_NAMES", "TABLES", "Index", "Table"]


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index of keys only: attribute names and their types (`S`, `N`), partition key first."""

    name: str
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """`keys` are the key attributes, partition key first; they are strings."""

    keys: tuple[str, str]
    index: Index


TABLES = {
    NAMES.nodes_table: Table(("pipeline_id", "id"), Index("active", {"active": "S", "pipeline_id": "S"})),
    NAMES.takes_table: Table(("take_id", "record"), Index("open", {"open": "S", "open_since": "N"})),
}
KEY_NAMES: Mapping[str, tuple[str, ...]] = {name: table.keys for name, table in TABLES.items()}

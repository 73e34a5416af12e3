"""A query on the local cloud's tables: moto's answers, at the price of one partition."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from local_cloud import moto_patches, moto_savings
from local_cloud.functions import ACCOUNT, REGION
from local_cloud.replacing import replace
from local_cloud.tables import TABLES

[NODES, TAKES] = TABLES
[INDEX] = [index.name for index in TABLES[NODES].indexes]


@pytest.fixture
def undo() -> Iterator[contextlib.ExitStack]:
    moto_patches.prepare(1)
    with contextlib.ExitStack() as stack:
        moto_savings._forget_instances(stack)
        yield stack


@pytest.fixture
def tables(undo: contextlib.ExitStack) -> Iterator[Any]:
    """moto's DynamoDB with our tables and four pipelines of five nodes in it."""
    from moto.core.base_backend import BackendDict
    from moto.dynamodb.models import dynamodb_backends

    from local_cloud.backend import MotoTables

    BackendDict.reset()
    MotoTables(TABLES)
    backend = dynamodb_backends[ACCOUNT][REGION]
    for pipeline in "dbca":
        for node in "31452":
            item = {"pipeline_id": {"S": pipeline}, "id": {"S": node}, "words": {"S": pipeline + node}}
            backend.put_item(NODES, item | ({"active": {"S": "pipeline"}} if node == "1" else {}))
    yield backend
    BackendDict.reset()


def query(tables: Any, pipeline: str, **more: Any) -> Any:
    """The words of the items found, how many were looked at, and where the next page begins."""
    given = {"range": None, "values": [], "limit": None, "start": None, "forward": True, "projection": None} | more
    names = ("range", "values", "limit", "start", "forward", "projection")
    items, looked_at, last = tables.query(NODES, {"S": pipeline}, *(given.pop(name) for name in names), **given)
    return [item.attrs["words"].value for item in items], looked_at, last


QUERIES: dict[str, dict[str, Any]] = {
    "all": {},
    "backwards": {"forward": False},
    "a page": {"limit": 2},
    "the next page": {"limit": 2, "start": {"pipeline_id": {"S": "b"}, "id": {"S": "2"}}},
    "from a key on": {"range": ">=", "values": [{"S": "3"}]},
    "between keys": {"range": "BETWEEN", "values": [{"S": "2"}, {"S": "4"}]},
}


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("pipeline", ["b", "unknown"])
def test_a_query_finds_what_moto_finds(tables: Any, undo: contextlib.ExitStack, name: str, pipeline: str) -> None:
    before = query(tables, pipeline, **QUERIES[name])
    moto_savings._query_one_partition(undo)
    assert query(tables, pipeline, **QUERIES[name]) == before
    assert bool(before[0]) == (pipeline == "b")


def test_an_index_is_queried_over_all_partitions(tables: Any, undo: contextlib.ExitStack) -> None:
    moto_savings._query_one_partition(undo)
    found, _, _ = tables.query(
        NODES,
        {"S": "pipeline"},
        None,
        [],
        None,
        None,
        True,
        None,
        INDEX,
        hash_key_conditions=[("active", {"S": "pipeline"})],
    )
    assert [item.attrs["pipeline_id"].value for item in found] == ["a", "b", "c", "d"]


def test_a_query_looks_at_no_other_partition_and_changes_no_table(tables: Any, undo: contextlib.ExitStack) -> None:
    from moto.dynamodb.models.table import Table

    seen: list[int] = []

    def noted(table: Any) -> Any:
        found = all_items(table)
        seen.append(len(found))
        return found

    all_items = replace(Table, "all_items", noted, undo)
    moto_savings._query_one_partition(undo)
    query(tables, "b")
    query(tables, "unknown")
    assert seen == [5, 0]
    assert len(all_items(tables.tables[NODES])) == 20
    assert len(tables.tables[NODES].items) == 4


def test_a_partition_of_more_than_a_page_is_cut_as_moto_does(tables: Any, undo: contextlib.ExitStack) -> None:
    for node in "6789":
        tables.put_item(NODES, {"pipeline_id": {"S": "b"}, "id": {"S": node}, "words": {"S": node * 300_000}})
    page = query(tables, "b")
    assert page[1] < 9
    moto_savings._query_one_partition(undo)
    assert query(tables, "b") == page


VALUES: dict[str, Any] = {
    "text": {"S": "Grüße, 東京"},
    "number": {"N": "12.50"},
    "truth": {"BOOL": True},
    "nothing": {"NULL": True},
    "words": {"SS": ["one", "zwölf"]},
    "list": {"L": [{"S": "é"}, {"N": "1"}, {"L": []}]},
    "map": {"M": {"ключ": {"S": "value"}, "inner": {"M": {"a": {"N": "7"}, "b": {"BOOL": False}}}}},
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_values_are_as_large_as_moto_finds_them(value: Any, undo: contextlib.ExitStack) -> None:
    from moto.dynamodb.models.dynamo_type import DynamoType

    size = DynamoType(value).size()
    moto_savings._measure_without_copies(undo)
    assert DynamoType(value).size() == size

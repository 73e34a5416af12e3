"""A transaction on the local cloud's tables: whole or not at all, at the price of the items that it names."""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from local_cloud.functions import ACCOUNT, REGION
from local_cloud.tables import TABLES

[NODES, TAKES] = TABLES


@pytest.fixture
def tables() -> Iterator[Any]:
    """moto's DynamoDB with our changes, and our tables in it."""
    from local_cloud import moto_patches, moto_savings

    moto_patches.prepare(1)
    from moto.core.base_backend import BackendDict
    from moto.dynamodb.models import dynamodb_backends

    from local_cloud.backend import MotoTables

    BackendDict.reset()
    with contextlib.ExitStack() as undo:
        moto_savings._copy_no_tables(undo)
        moto_savings._forget_instances(undo)
        MotoTables(TABLES)
        yield dynamodb_backends[ACCOUNT][REGION]
    BackendDict.reset()


def key(name: str) -> dict[str, Any]:
    return {"pipeline_id": {"S": "lesson"}, "id": {"S": name}}


def put(name: str, words: str) -> dict[str, Any]:
    return {"Put": {"TableName": NODES, "Item": {**key(name), "words": {"S": words}}}}


def change(name: str, words: str, condition: str | None = None) -> dict[str, Any]:
    update = {
        "TableName": NODES,
        "Key": key(name),
        "UpdateExpression": "SET #w = :w",
        "ExpressionAttributeNames": {"#w": "words"},
        "ExpressionAttributeValues": {":w": {"S": words}},
    }
    return {"Update": update | ({"ConditionExpression": condition} if condition else {})}


def delete(name: str) -> dict[str, Any]:
    return {"Delete": {"TableName": NODES, "Key": key(name)}}


def words(tables: Any) -> dict[str, str]:
    rows = tables.tables[NODES].items.values()
    return {item.range_key.value: item.attrs["words"].value for row in rows for item in row.values()}


def test_a_transaction_is_carried_out(tables: Any) -> None:
    tables.transact_write_items([put("one", "a"), put("two", "b")])
    tables.transact_write_items([change("one", "c"), delete("two"), put("three", "d")])
    assert words(tables) == {"one": "c", "three": "d"}


@pytest.mark.parametrize(
    "stops",
    [
        change("stop", "x", "attribute_exists(words)"),
        {"ConditionCheck": {"TableName": NODES, "Key": key("stop"), "ConditionExpression": "attribute_exists(words)"}},
        change("one", "x"),
        {"Put": {"TableName": NODES, "Item": {"pipeline_id": {"S": "lesson"}}}},
        {"Put": {"TableName": "no-such-table", "Item": key("stop")}},
    ],
    ids=["a condition", "a check", "the same item twice", "no whole key", "no such table"],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_transaction_that_is_cancelled_changes_nothing(tables: Any, stops: dict[str, Any], first: bool) -> None:
    tables.transact_write_items([put("one", "a"), put("two", "b")])
    actions = [change("one", "c"), delete("two"), put("three", "d")]
    with pytest.raises(Exception, match=r".+"):
        tables.transact_write_items([stops, *actions] if first else [*actions, stops])
    assert words(tables) == {"one": "a", "two": "b"}


def test_a_transaction_leaves_no_copy_of_the_table_behind(tables: Any) -> None:
    tables.transact_write_items([put(str(number), "a") for number in range(50)])
    before = alive()
    for number in range(20):
        tables.transact_write_items([change(str(number), "b"), delete(str(49 - number))])
    after = alive()
    assert after["Table"] == before["Table"]
    assert after["Item"] == before["Item"] - 20


def alive() -> Counter[str]:
    """How many of moto's tables and items there are in this process."""
    from moto.dynamodb.models.dynamo_type import Item
    from moto.dynamodb.models.table import Table

    gc.collect()
    return Counter(type(thing).__name__ for thing in gc.get_objects() if type(thing) in (Table, Item))

"""DynamoDB in memory, as far as the two tables use it: thousands of steps a second for the model tests.

It is stricter than moto where AWS is: a nested path needs its parent, a transaction touches an item once. It passes the
contract tests of the tables (`test_memory.py`).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer

Item = dict[str, Any]
_KEYS = (("pipeline_id", "id"), ("take_id", "record"))
_TOKEN = re.compile(r"\s*(<>|<=|[(),=]|[#:.\w]+)")
_CLAUSE = re.compile(r"\b(SET|REMOVE|ADD)\b")


class MemoryDynamo:
    """The calls of a boto3 client; tables exist as soon as they are written."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[str, str], Item]] = {}
        client = boto3.client("dynamodb", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        self.exceptions = client.exceptions
        self._lock = threading.RLock()

    def get_item(self, *, TableName: str, Key: Item, **_: Any) -> dict[str, Any]:  # noqa: N803
        with self._lock:
            item = self._table(TableName).get(_key(Key))
            return {"Item": _copied(item)} if item else {}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        with self._lock:
            found = {
                name: [self._table(name)[key] for key in map(_key, wanted["Keys"]) if key in self._table(name)]
                for name, wanted in RequestItems.items()
            }
            return {"Responses": _copied(found), "UnprocessedKeys": {}}

    def query(
        self,
        *,
        TableName: str,  # noqa: N803
        ExpressionAttributeValues: Item,  # noqa: N803
        Limit: int | None = None,  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        wanted = ExpressionAttributeValues[":k"]["S"]
        with self._lock:
            table = self._table(TableName)
            keys = sorted(key for key in table if key[0] == wanted)
            return {"Items": [_copied(table[key]) for key in keys[:Limit]]}

    def delete_item(self, **request: Any) -> None:
        self._alone("DeleteItem", {"Delete": request})

    def put_item(self, **request: Any) -> None:
        self._alone("PutItem", {"Put": request})

    def update_item(self, **request: Any) -> None:
        self._alone("UpdateItem", {"Update": request})

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> None:  # noqa: N803
        with self._lock:
            places = [self._place(action) for action in TransactItems]
            if len(set(places)) != len(places):
                raise self._error("TransactWriteItems", "ValidationException", "one item twice")
            held = [self._holds(action) for action in TransactItems]
            if not all(held):
                raise self.exceptions.TransactionCanceledException(
                    {
                        "Error": {"Code": "TransactionCanceledException"},
                        "CancellationReasons": [
                            {"Code": "None"}
                            if ok
                            else {"Code": "ConditionalCheckFailed", **self._old(action, "ALL_OLD" in str(action))}
                            for ok, action in zip(held, TransactItems, strict=True)
                        ],
                    },
                    "TransactWriteItems",
                )
            written = [self._written(action) for action in TransactItems]
            for action, (table, key), item in zip(TransactItems, places, written, strict=True):
                if "Delete" in action:
                    self._table(table).pop(key, None)
                elif item is not None:
                    self._table(table)[key] = item

    def _alone(self, name: str, action: dict[str, Any]) -> None:
        with self._lock:
            if not self._holds(action):
                raise self.exceptions.ConditionalCheckFailedException(
                    {"Error": {"Code": "ConditionalCheckFailedException"}, **self._old(action, True)}, name
                )
            table, key = self._place(action)
            item = self._written(action)
            if "Delete" in action:
                self._table(table).pop(key, None)
            else:
                assert item is not None
                self._table(table)[key] = item

    def _table(self, name: str) -> dict[tuple[str, str], Item]:
        return self.tables.setdefault(name, {})

    def _place(self, action: dict[str, Any]) -> tuple[str, tuple[str, str]]:
        [request] = action.values()
        return request["TableName"], _key(request.get("Key") or request["Item"])

    def _item(self, action: dict[str, Any]) -> Item | None:
        table, key = self._place(action)
        return self._table(table).get(key)

    def _old(self, action: dict[str, Any], wanted: bool) -> dict[str, Any]:
        item = self._item(action)
        return {"Item": _copied(item)} if item and wanted else {}

    def _holds(self, action: dict[str, Any]) -> bool:
        [request] = action.values()
        condition = request.get("ConditionExpression")
        return not condition or _Condition(condition, request, self._item(action) or {}).holds()

    def _written(self, action: dict[str, Any]) -> Item | None:
        [(kind, request)] = action.items()
        if kind in ("ConditionCheck", "Delete"):
            return None
        if kind == "Put":
            return _copied(request["Item"])  # type: ignore[no-any-return]
        item: Item = _copied(self._item(action) or request["Key"])
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        pieces = _CLAUSE.split(request["UpdateExpression"])[1:]
        clauses = dict(zip(pieces[::2], pieces[1::2], strict=True))
        for assignment in re.split(r",\s*(?=#)(?![^(]*\))", clauses.get("SET", "").strip()):
            if assignment:
                path, value = (side.strip() for side in assignment.split("=", 1))
                steps = _steps(path, names)
                fallback = re.fullmatch(r"if_not_exists\((\S+), (\S+)\)", value)
                if fallback:
                    value = fallback[2]
                    if _find(item, _steps(fallback[1], names)) is not None:
                        continue
                self._parent(item, steps)[steps[-1]] = _copied(values[value])
        for path in filter(None, (part.strip() for part in clauses.get("REMOVE", "").split(","))):
            steps = _steps(path, names)
            self._parent(item, steps).pop(steps[-1], None)
        for addition in filter(None, (part.strip() for part in clauses.get("ADD", "").split(","))):
            path, amount = addition.split()
            [step] = _steps(path, names)
            before = Decimal(item.get(step, {"N": "0"})["N"])
            item[step] = {"N": str(before + Decimal(values[amount]["N"]))}
        return item

    def _parent(self, item: Item, steps: list[str]) -> Item:
        for step in steps[:-1]:
            if "M" not in item.get(step, {}):
                raise self._error("UpdateItem", "ValidationException", "the document path is invalid for update")
            item = item[step]["M"]
        return item

    def _error(self, name: str, code: str, message: str) -> Exception:
        error: Exception = self.exceptions.ClientError({"Error": {"Code": code, "Message": message}}, name)
        return error


class _Condition:
    """AND, OR, NOT, `=`, `<>`, `<=`, IN, contains, attribute_exists and attribute_not_exists."""

    def __init__(self, text: str, request: Mapping[str, Any], item: Item) -> None:
        self.tokens: list[str] = _TOKEN.findall(text)
        self.names = request.get("ExpressionAttributeNames", {})
        self.values = request.get("ExpressionAttributeValues", {})
        self.item = item

    def holds(self) -> bool:
        result = self._either()
        assert not self.tokens
        return result

    def _either(self) -> bool:
        result = self._both()
        while self.tokens and self.tokens[0] == "OR":
            self.tokens.pop(0)
            result = self._both() or result
        return result

    def _both(self) -> bool:
        result = self._one()
        while self.tokens and self.tokens[0] == "AND":
            self.tokens.pop(0)
            result = self._one() and result
        return result

    def _one(self) -> bool:
        first = self.tokens.pop(0)
        if first == "(":
            result = self._either()
            self._expect(")")
            return result
        if first in ("attribute_exists", "attribute_not_exists"):
            self._expect("(")
            there = self._at(self.tokens.pop(0)) is not None
            self._expect(")")
            return there == (first == "attribute_exists")
        if first == "NOT":
            return not self._one()
        if first == "contains":
            self._expect("(")
            entries = (self._at(self.tokens.pop(0)) or {}).get("L", [])
            self._expect(",")
            wanted = self.values[self.tokens.pop(0)]
            self._expect(")")
            return any(_same(entry, wanted) for entry in entries)
        found, operator = self._at(first), self.tokens.pop(0)
        if operator == "IN":
            self._expect("(")
            end = self.tokens.index(")")
            choices = [token for token in self.tokens[:end] if token != ","]
            del self.tokens[: end + 1]
            return any(_same(found, self.values[choice]) for choice in choices)
        value = self.values[self.tokens.pop(0)]
        if operator == "<=":
            return found is not None and Decimal(found["N"]) <= Decimal(value["N"])
        return _same(found, value) == (operator == "=")

    def _at(self, path: str) -> Any:
        return _find(self.item, _steps(path, self.names))

    def _expect(self, token: str) -> None:
        assert self.tokens.pop(0) == token


def _key(values: Item) -> tuple[str, str]:
    [(partition, sort)] = [names for names in _KEYS if set(names) <= values.keys()]
    return values[partition]["S"], values[sort]["S"]


def _steps(path: str, names: Mapping[str, str]) -> list[str]:
    return [names[step] for step in path.split(".")]


def _find(item: Item, steps: list[str]) -> Any:
    value: Any = {"M": item}
    for step in steps:
        value = value.get("M", {}).get(step)
        if value is None:
            return None
    return value


def _same(found: Any, value: Any) -> bool:
    decode = TypeDeserializer().deserialize
    return found is not None and decode(found) == decode(value)


def _copied(value: Any) -> Any:
    """A deep copy of what items are made of; a third of the model tests' time went into `copy.deepcopy`."""
    if isinstance(value, dict):
        return {name: _copied(entry) for name, entry in value.items()}
    return [_copied(entry) for entry in value] if isinstance(value, list) else value

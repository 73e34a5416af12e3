"""DynamoDB as both tables use it: plain Python values in and out, conditional writes, transactions.

Whoever loses a condition gets the item as it is (`ConditionFailed.old`), decides from that, and never guesses. A write
whose answer was lost and that the SDK repeated fails its own condition: callers recognise their own token in `old`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from video_production.attributes import decode, encode
from video_production.clients import LazyClient
from video_production.errors import OperatorError, TransientError, VideoProductionError

__all__ = ["Check", "ConditionFailed", "Delete", "Put", "Table", "Update", "connect", "decode", "encode", "transact"]

_CONFLICT_ATTEMPTS = 12
_LONGEST_PAUSE = 1.0
"""Seconds. Every purchase of a month meets in one item, so some patience is needed: about four seconds in all."""
_BATCH_GET = 100
"""Keys that one BatchGetItem takes."""


def connect() -> Any:
    """A DynamoDB client with bounded retries; a repeated write is recognised by its token, so retrying is safe."""
    config = Config(retries={"mode": "standard", "max_attempts": 6}, connect_timeout=5, read_timeout=10)
    return LazyClient("dynamodb", config)


class ConditionFailed(VideoProductionError):
    """A condition did not hold. `old` is the item whose condition failed, as it is now (None: there is none).

    In a transaction `failed` tells for each action whether its condition failed, and `olds` what stands there.
    """

    def __init__(
        self, old: dict[str, Any] | None, olds: Sequence[dict[str, Any] | None] = (), failed: Sequence[bool] = ()
    ):
        super().__init__("A condition of a conditional write did not hold.")
        self.old = old
        self.olds = tuple(olds)
        self.failed = tuple(failed)


@dataclass(frozen=True, slots=True)
class _Expression:
    """In `condition`, `{path}` stands for an attribute and `:name` for `values["name"]`.

    Paths into maps are written whole, `{metadata.stage}`; every step is escaped, so reserved words are no concern.
    """

    condition: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check(_Expression):
    """A transaction's condition on an item that it does not write."""

    table: str = ""
    key: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Put(_Expression):
    """Write a whole item."""

    table: str = ""
    item: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Update(_Expression):
    """Write parts of an item: `set` maps attribute paths to values, `remove` lists paths, `add` increments numbers."""

    table: str = ""
    key: Mapping[str, str] = field(default_factory=dict)
    set: Mapping[str, Any] = field(default_factory=dict)
    remove: Sequence[str] = ()
    add: Mapping[str, float] = field(default_factory=dict)
    set_if_absent: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delete(_Expression):
    """Remove an item; where there is none, nothing happens."""

    table: str = ""
    key: Mapping[str, str] = field(default_factory=dict)


class Table:
    """One table. Reads are consistent, but for `index_pages`: nothing is decided by an index."""

    def __init__(self, client: Any, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self.client = client
        self.name = name
        self.sleep = sleep

    def get(self, key: Mapping[str, str]) -> dict[str, Any] | None:
        with _translated(self.name):
            answer = self.client.get_item(TableName=self.name, Key=_item(key), ConsistentRead=True)
        return decode(answer["Item"]) if "Item" in answer else None

    def query(self, key_name: str, value: str) -> list[dict[str, Any]]:
        """Every item of one partition."""
        items: list[dict[str, Any]] = []
        more: dict[str, Any] = {}
        while True:
            with _translated(self.name):
                answer = self.client.query(
                    TableName=self.name,
                    KeyConditionExpression="#k = :k",
                    ExpressionAttributeNames={"#k": key_name},
                    ExpressionAttributeValues={":k": encode(value)},
                    ConsistentRead=True,
                    **more,
                )
            items += [decode(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return items
            more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def first(self, key_name: str, value: str, count: int) -> list[dict[str, Any]]:
        """The first `count` items of one partition, in the order of the sort key. Small items: one page holds them."""
        with _translated(self.name):
            answer = self.client.query(
                TableName=self.name,
                KeyConditionExpression="#k = :k",
                ExpressionAttributeNames={"#k": key_name},
                ExpressionAttributeValues={":k": encode(value)},
                ConsistentRead=True,
                Limit=count,
            )
        return [decode(item) for item in answer["Items"]]

    def get_many(self, keys: Iterable[Mapping[str, str]]) -> list[dict[str, Any]]:
        """The items with these keys, as far as they exist, in no order. Raises TransientError when not all are read."""
        wanted = [_item(key) for key in {tuple(sorted(key.items())): key for key in keys}.values()]
        found: list[dict[str, Any]] = []
        for start in range(0, len(wanted), _BATCH_GET):
            left: dict[str, Any] = {self.name: {"Keys": wanted[start : start + _BATCH_GET], "ConsistentRead": True}}
            for attempt in range(_CONFLICT_ATTEMPTS):
                if attempt:
                    self.sleep(random.uniform(0, 0.05 * 2**attempt))
                with _translated(self.name):
                    answer = self.client.batch_get_item(RequestItems=left)
                found += [decode(item) for item in answer["Responses"].get(self.name, ())]
                left = answer.get("UnprocessedKeys") or {}
                if not left:
                    break
            else:
                raise TransientError(f"Table {self.name}: DynamoDB left reads undone; try again.")
        return found

    def index_pages(
        self, index: str, key_name: str, value: str, *, up_to: tuple[str, float] | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """What an index shows under one key, page by page; `up_to` bounds its sort key, `(name, largest value)`."""
        names, values, condition = {"#k": key_name}, {":k": encode(value)}, "#k = :k"
        if up_to:
            names["#s"], values[":s"] = up_to[0], encode(up_to[1])
            condition += " AND #s <= :s"
        more: dict[str, Any] = {}
        while True:
            with _translated(self.name):
                answer = self.client.query(
                    TableName=self.name,
                    IndexName=index,
                    KeyConditionExpression=condition,
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=values,
                    **more,
                )
            yield [decode(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return
            more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def write(self, action: Delete | Put | Update) -> None:
        """Carry out one write. Raises ConditionFailed, TransientError or OperatorError."""
        request = _request(action)
        client = self.client
        methods = {Delete: client.delete_item, Put: client.put_item, Update: client.update_item}
        method = methods[type(action)]

        def send() -> None:
            try:
                method(**request)
            except self.client.exceptions.ConditionalCheckFailedException as error:
                old = error.response.get("Item")
                raise ConditionFailed(decode(old) if old else None) from error

        _repeat_on_conflict(send, self.name, self.sleep)


def transact(
    client: Any, actions: Sequence[Check | Delete | Put | Update], sleep: Callable[[float], None] = time.sleep
) -> None:
    """Carry out all actions or none. Raises ConditionFailed with one entry per action in `failed` and `olds`."""
    items = [{_KIND[type(action)]: _request(action)} for action in actions]
    where = ", ".join(dict.fromkeys(action.table for action in actions))

    def send() -> None:
        try:
            client.transact_write_items(TransactItems=items)
        except client.exceptions.TransactionCanceledException as error:
            reasons = error.response.get("CancellationReasons", [])
            failed = [reason.get("Code") == "ConditionalCheckFailed" for reason in reasons]
            if any(failed):
                olds = [decode(reason["Item"]) if reason.get("Item") else None for reason in reasons]
                raise ConditionFailed(olds[failed.index(True)], olds, failed) from error
            raise

    _repeat_on_conflict(send, where, sleep)


_KIND: dict[type, str] = {Check: "ConditionCheck", Delete: "Delete", Put: "Put", Update: "Update"}


def _request(action: Check | Delete | Put | Update) -> dict[str, Any]:
    names: dict[str, str] = {}
    values = {f":{name}": encode(value) for name, value in action.values.items()}

    def path(text: str) -> str:
        steps = []
        for step in text.split("."):
            alias = names.get(step) or f"#p{len(names)}"
            names[step] = alias
            steps.append(alias)
        return ".".join(steps)

    request: dict[str, Any] = {"TableName": action.table}
    if isinstance(action, Put):
        request["Item"] = _item(action.item)
    else:
        request["Key"] = _item(action.key)
    if isinstance(action, Update):
        clauses = []
        for number, (name, value) in enumerate(action.set.items()):
            values[f":s{number}"] = encode(value)
            clauses.append(f"{path(name)} = :s{number}")
        for number, (name, value) in enumerate(action.set_if_absent.items()):
            values[f":i{number}"] = encode(value)
            clauses.append(f"{path(name)} = if_not_exists({path(name)}, :i{number})")
        expression = f"SET {', '.join(clauses)}" if clauses else ""
        if action.remove:
            expression += f" REMOVE {', '.join(path(name) for name in action.remove)}"
        if action.add:
            for name, amount in action.add.items():
                values[f":a_{name}"] = encode(amount)
            expression += f" ADD {', '.join(f'{path(name)} :a_{name}' for name in action.add)}"
        request["UpdateExpression"] = expression.strip()
    if action.condition:
        request["ConditionExpression"] = _escape(action.condition, path)
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    if names:
        request["ExpressionAttributeNames"] = {alias: name for name, alias in names.items()}
    if values:
        request["ExpressionAttributeValues"] = values
    return request


def _escape(condition: str, path: Callable[[str], str]) -> str:
    """Replace every `{attribute.path}` of a condition by its escaped form."""
    pieces = condition.split("{")
    return pieces[0] + "".join(path(name) + rest for name, rest in (piece.split("}", 1) for piece in pieces[1:]))


def _item(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: encode(value) for name, value in values.items() if value is not None}


def _repeat_on_conflict(send: Callable[[], None], where: str, sleep: Callable[[float], None]) -> None:
    """DynamoDB refuses a write that meets a running transaction; nothing was written, so it may be repeated."""
    for attempt in range(_CONFLICT_ATTEMPTS):
        try:
            with _translated(where):
                send()
            return
        except _Conflict:
            sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.05 * 2**attempt)))
    raise TransientError(f"Table {where}: another transaction stayed in the way; try again.")


class _Conflict(Exception):
    pass


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
        if code == "TransactionConflictException" or "TransactionConflict" in reasons:
            raise _Conflict from error
        if code in ("AccessDeniedException", "UnrecognizedClientException", "ResourceNotFoundException"):
            raise OperatorError(f"Table {where}: {error.response['Error'].get('Message', code)}") from error
        if code == "ValidationException":
            raise
        raise TransientError(f"Table {where}: DynamoDB answered {code or error}.") from error
    except BotoCoreError as error:
        raise TransientError(f"Table {where}: DynamoDB could not be reached ({error}).") from error

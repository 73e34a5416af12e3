"""The door in front of moto: journals every table write before its answer, and closes before anything else ends.

All DynamoDB requests pass one at a time. That costs nothing (moto is Python), keeps the journal in the order in which
writes took effect, and hides what moto would show: a transaction half applied, or a write that is not on disk yet.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from threading import Event, Lock
from typing import Any, Protocol

from local_cloud.journal import Item, Journal, Write

__all__ = ["Gateway", "TableStore", "touched_items"]

_TARGET = "DynamoDB_20120810."
_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
_NOT_JOURNALED = frozenset({"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction", "DeleteTable"})

StartResponse = Callable[..., Any]
WsgiApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class TableStore(Protocol):
    """The tables behind the door, item by item."""

    def get(self, table: str, key: Item) -> Item | None: ...

    def restore(self, table: str, key: Item, item: Item | None) -> None: ...


class Gateway:
    """A WSGI application around moto's.

    `key_names` holds the journaled tables and their key attributes, partition key first; other tables pass unjournaled.
    """

    def __init__(
        self, app: WsgiApp, store: TableStore, journal: Journal, key_names: Mapping[str, tuple[str, ...]]
    ) -> None:
        self._app = app
        self._store = store
        self._journal = journal
        self._key_names = key_names
        self._tables = Lock()
        self._closed = Event()

    def close(self) -> None:
        """Refuse everything from now on; returns when the table request under way, if any, has been answered.

        Must come before functions are stopped: else their executions would see them fail and write that down.
        """
        with self._tables:
            self._closed.set()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if self._closed.is_set():
            return _stopping(start_response)
        target: str = environ.get("HTTP_X_AMZ_TARGET", "")
        if not target.startswith(_TARGET):
            return self._app(environ, start_response)
        with self._tables:
            if self._closed.is_set():
                return _stopping(start_response)
            return self._table_request(target.removeprefix(_TARGET), environ, start_response)

    def _table_request(self, operation: str, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if operation in _NOT_JOURNALED:
            why = f"{operation} is not available here: the local cloud keeps tables on disk for item operations only."
            return _refuse(start_response, "400 Bad Request", "ValidationException", why)
        if operation not in _WRITES:
            return _Answer(self._app, environ).send(start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        touched = touched_items(operation, body, self._key_names)
        before = [Write(table, key, self._store.get(table, key)) for table, key in touched]
        answer = _Answer(self._app, environ)
        if answer.status.startswith("200") and touched:
            try:
                self._journal.append([Write(table, key, self._store.get(table, key)) for table, key in touched])
            except OSError as error:
                for write in before:
                    self._store.restore(write.table, write.key, write.item)
                why = f"The local cloud could not write {self._journal.path}: {error.strerror}. Nothing was changed."
                return _refuse(start_response, "500 Internal Server Error", "InternalServerError", why)
        return answer.send(start_response)


class _Answer:
    """A WSGI answer, held back until it may be sent."""

    def __init__(self, app: WsgiApp, environ: dict[str, Any]) -> None:
        chunks = app(environ, self._start)
        try:
            self._body = list(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:  # noqa: ARG002
        self.status = status
        self._headers = headers

    def send(self, start_response: StartResponse) -> Iterable[bytes]:
        start_response(self.status, self._headers)
        return self._body


def touched_items(operation: str, body: bytes, key_names: Mapping[str, tuple[str, ...]]) -> list[tuple[str, Item]]:
    """The journaled items that a write request names, as (table, key); none where it is malformed (moto refuses it)."""
    try:
        request = json.loads(body)
        named = list(_named_items(operation, request))
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    touched: list[tuple[str, Item]] = []
    for table_or_arn, attributes in named:
        table = table_or_arn.rpartition("/")[2]
        names = key_names.get(table, ())
        if names and all(name in attributes for name in names):
            touched.append((table, {name: attributes[name] for name in names}))
    return touched


def _named_items(operation: str, request: dict[str, Any]) -> Iterable[tuple[str, Item]]:
    if operation == "PutItem":
        yield request["TableName"], request["Item"]
    elif operation in ("UpdateItem", "DeleteItem"):
        yield request["TableName"], request["Key"]
    elif operation == "BatchWriteItem":
        for table, requests in request["RequestItems"].items():
            for each in requests:
                yield table, each["PutRequest"]["Item"] if "PutRequest" in each else each["DeleteRequest"]["Key"]
    else:
        for action in request["TransactItems"]:
            if "Put" in action:
                yield action["Put"]["TableName"], action["Put"]["Item"]
            for kind in ("Update", "Delete"):
                if kind in action:
                    yield action[kind]["TableName"], action[kind]["Key"]


def _stopping(start_response: StartResponse) -> list[bytes]:
    return _refuse(start_response, "503 Service Unavailable", "ServiceUnavailable", "The local cloud is stopping.")


def _refuse(start_response: StartResponse, status: str, code: str, message: str) -> list[bytes]:
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}).encode()
    headers = [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [body]

"""The door in front of moto, with a small table service behind it instead of moto."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_cloud.gateway import Gateway, touched_items
from local_cloud.journal import Item, Journal, Write, read_tables

KEY_NAMES = {"nodes": ("pipeline_id", "id")}


def key(name: str) -> Item:
    return {"pipeline_id": {"S": "lesson"}, "id": {"S": name}}


class Service:
    """Knows PutItem, DeleteItem and GetItem; notes how many requests it serves at once."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.at_once = 0
        self.most_at_once = 0
        self.hold = 0.0
        self.status = "200 OK"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.hold)
        body = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        if self.status == "200 OK":
            operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
            if operation == "PutItem":
                self.items[body["Item"]["id"]["S"]] = body["Item"]
            elif operation == "DeleteItem":
                self.items.pop(body["Key"]["id"]["S"], None)
        self.at_once -= 1
        start_response(self.status, [("X-From", "service")])
        return [b"answer"]

    def get(self, table: str, key: Item) -> Item | None:
        return self.items.get(key["id"]["S"])

    def restore(self, table: str, key: Item, item: Item | None) -> None:
        if item is None:
            self.items.pop(key["id"]["S"], None)
        else:
            self.items[key["id"]["S"]] = item


class FailingJournal(Journal):
    def append(self, writes: Any) -> None:
        raise OSError(28, "No space left on device")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def gateway(service: Service, path: Path) -> Iterator[Gateway]:
    with Journal(path) as journal:
        yield Gateway(service, service, journal, KEY_NAMES)


def ask(gateway: Gateway, operation: str, request: dict[str, Any]) -> tuple[str, bytes]:
    body = json.dumps(request).encode()
    environ = {
        "HTTP_X_AMZ_TARGET": f"DynamoDB_20120810.{operation}",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    answers: list[str] = []
    chunks = gateway(environ, lambda status, headers, exc_info=None: answers.append(status))
    return answers[0], b"".join(chunks)


def put(gateway: Gateway, name: str, table: str = "nodes") -> tuple[str, bytes]:
    return ask(gateway, "PutItem", {"TableName": table, "Item": {**key(name), "status": {"S": "pending"}}})


def test_a_write_is_in_the_journal_before_its_answer_is_started(gateway: Gateway, path: Path) -> None:
    seen: list[int] = []
    body = json.dumps({"TableName": "nodes", "Item": key("intro")}).encode()
    environ = {
        "HTTP_X_AMZ_TARGET": "DynamoDB_20120810.PutItem",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    assert b"".join(gateway(environ, lambda *_: seen.append(len(read_tables(path)["nodes"])))) == b"answer"
    assert seen == [1]


def test_a_deletion_is_journaled(gateway: Gateway, path: Path) -> None:
    put(gateway, "intro")
    ask(gateway, "DeleteItem", {"TableName": "nodes", "Key": key("intro")})
    assert read_tables(path) == {"nodes": {}}
    assert len(path.read_text().splitlines()) == 2


def test_a_refused_write_is_not_journaled(gateway: Gateway, service: Service, path: Path) -> None:
    service.status = "400 BAD REQUEST"
    assert put(gateway, "intro") == ("400 BAD REQUEST", b"answer")
    assert path.read_bytes() == b""


def test_reads_and_other_tables_are_not_journaled(gateway: Gateway, path: Path) -> None:
    assert ask(gateway, "GetItem", {"TableName": "nodes", "Key": key("intro")})[1] == b"answer"
    assert put(gateway, "intro", table="mine")[1] == b"answer"
    assert path.read_bytes() == b""


def test_a_table_may_be_named_by_its_arn(gateway: Gateway, path: Path) -> None:
    put(gateway, "intro", table="arn:aws:dynamodb:us-east-1:123456789012:table/nodes")
    assert list(read_tables(path)) == ["nodes"]


def test_a_write_that_the_disk_refuses_is_undone_and_answered_as_an_error(service: Service, path: Path) -> None:
    with FailingJournal(path) as journal:
        gateway = Gateway(service, service, journal, KEY_NAMES)
        service.items["intro"] = {**key("intro"), "status": {"S": "before"}}
        status, body = put(gateway, "intro")
        new_status, _ = put(gateway, "new")
    assert status == new_status == "500 Internal Server Error"
    assert "No space left on device" in json.loads(body)["message"]
    assert service.items == {"intro": {**key("intro"), "status": {"S": "before"}}}


def test_table_requests_pass_one_at_a_time(gateway: Gateway, service: Service, path: Path) -> None:
    service.hold = 0.01
    threads = [threading.Thread(target=put, args=(gateway, f"n{number}")) for number in range(8)]
    threads += [
        threading.Thread(target=ask, args=(gateway, "GetItem", {"TableName": "nodes", "Key": key("n0")}))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert service.most_at_once == 1
    assert len(read_tables(path)["nodes"]) == 8


def test_what_could_write_past_the_journal_is_refused(gateway: Gateway, service: Service) -> None:
    status, body = ask(gateway, "ExecuteStatement", {"Statement": "DELETE FROM nodes"})
    assert status == "400 Bad Request"
    assert "ExecuteStatement" in json.loads(body)["message"]
    assert service.most_at_once == 0


def test_closing_waits_for_the_request_under_way_and_refuses_the_next(
    gateway: Gateway, service: Service, path: Path
) -> None:
    service.hold = 0.2
    writer = threading.Thread(target=put, args=(gateway, "intro"))
    writer.start()
    while not service.at_once:
        time.sleep(0.001)
    gateway.close()
    assert list(read_tables(path)["nodes"]) == [("lesson", "intro")]
    assert put(gateway, "late")[0] == "503 Service Unavailable"
    writer.join()
    assert "late" not in service.items


@pytest.mark.parametrize(
    ("operation", "request_", "names"),
    [
        ("PutItem", {"TableName": "nodes", "Item": {**key("a"), "x": {"N": "1"}}}, ["a"]),
        ("UpdateItem", {"TableName": "nodes", "Key": key("a"), "UpdateExpression": "SET x = :x"}, ["a"]),
        ("DeleteItem", {"TableName": "nodes", "Key": key("a")}, ["a"]),
        (
            "BatchWriteItem",
            {"RequestItems": {"nodes": [{"PutRequest": {"Item": key("a")}}, {"DeleteRequest": {"Key": key("b")}}]}},
            ["a", "b"],
        ),
        (
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"ConditionCheck": {"TableName": "nodes", "Key": key("z")}},
                    {"Put": {"TableName": "nodes", "Item": key("a")}},
                    {"Update": {"TableName": "nodes", "Key": key("b")}},
                    {"Delete": {"TableName": "nodes", "Key": key("c")}},
                    {"Put": {"TableName": "mine", "Item": key("d")}},
                ]
            },
            ["a", "b", "c"],
        ),
        ("PutItem", {"Nonsense": 1}, []),
        ("PutItem", {"TableName": "nodes", "Item": {"id": {"S": "keyless"}}}, []),
    ],
)
def test_every_kind_of_write_names_the_items_it_touches(
    operation: str, request_: dict[str, Any], names: list[str]
) -> None:
    touched = touched_items(operation, json.dumps(request_).encode(), KEY_NAMES)
    assert [(table, tuple(item), item["id"]["S"]) for table, item in touched] == [
        ("nodes", ("pipeline_id", "id"), name) for name in names
    ]


def test_a_body_that_is_no_json_touches_nothing() -> None:
    assert touched_items("PutItem", b"\xff", KEY_NAMES) == []
    assert Write("nodes", key("a"), None).key_values == ("lesson", "a")

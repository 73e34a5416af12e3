"""The sweep finds what is under way by the sparse indexes, and sends one message for each."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.unit.conftest import CREDENTIALS
from video_production.errors import TransientError
from video_production.queues import send
from video_production.scheduling.sweeping import Sweep
from video_production.tables import Put, Table

NOW = 1_000_000.0


class Queues:
    """An SQS client that keeps what it takes; `refuse` entries of the next request are refused."""

    def __init__(self) -> None:
        self.sent: dict[str, list[dict[str, Any]]] = {}
        self.batches: list[int] = []
        self.refuse = 0

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        self.batches.append(len(Entries))
        bad, self.refuse = Entries[: self.refuse], 0
        for entry in Entries[len(bad) :]:
            self.sent.setdefault(QueueUrl, []).append(json.loads(entry["MessageBody"]))
        return {"Successful": [], "Failed": [{"Id": entry["Id"]} for entry in bad]}


@pytest.fixture(scope="module")
def client(moto_url: str) -> Any:
    return boto3.client("dynamodb", endpoint_url=moto_url, **CREDENTIALS)


@pytest.fixture
def indexed(client: Any) -> Iterator[tuple[Table, Table]]:
    """Both tables with their sparse indexes, as the stack makes them."""
    suffix = uuid.uuid4().hex[:8]
    plan = (
        (f"nodes-{suffix}", ("pipeline_id", "id"), "active", ("active", "S"), ("pipeline_id", "S")),
        (f"takes-{suffix}", ("take_id", "record"), "open", ("open", "S"), ("open_since", "N")),
    )
    for name, keys, index, *index_keys in plan:
        attributes = dict([(keys[0], "S"), (keys[1], "S"), *index_keys])
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": k, "KeyType": t} for k, t in zip(keys, ("HASH", "RANGE"), strict=True)],
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": t} for k, t in attributes.items()],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": index,
                    "KeySchema": [
                        {"AttributeName": k, "KeyType": t}
                        for (k, _), t in zip(index_keys, ("HASH", "RANGE"), strict=True)
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    yield Table(client, plan[0][0]), Table(client, plan[1][0])
    for name, *_ in plan:
        client.delete_table(TableName=name)


def sweep(tables: tuple[Table, Table], queues: Queues) -> Sweep:
    return Sweep(
        *tables, queues, scheduling_queue="schedule", provider_queues={"elevenlabs": "poll"}, clock=lambda: NOW
    )


def pipelines(table: Table, count: int) -> None:
    for number in range(count):
        item = {"pipeline_id": f"p{number:03}", "id": "#pipeline", "active": "pipeline"}
        table.write(Put(table=table.name, item=item))


def test_everything_under_way_is_looked_at_and_nothing_else(indexed: tuple[Table, Table]) -> None:
    nodes, takes = indexed
    pipelines(nodes, 23)
    nodes.write(Put(table=nodes.name, item={"pipeline_id": "over", "id": "#pipeline"}))
    for name, seconds in (("old", 301.0), ("young", 299.0)):
        item = {"take_id": name, "record": "take", "open": "elevenlabs", "open_since": NOW - seconds}
        takes.write(Put(table=takes.name, item=item))
    takes.write(Put(table=takes.name, item={"take_id": "made", "record": "take"}))
    queues = Queues()
    swept = sweep(indexed, queues).run()
    assert (swept.pipelines, swept.jobs, swept.complete) == (23, 1, True)
    assert queues.batches == [10, 10, 3, 1, 1]
    assert queues.sent["poll"] == [{"take_id": "old"}]
    *told, slots = queues.sent["schedule"]
    assert sorted(message["pipeline_id"] for message in told) == [f"p{n:03}" for n in range(23)]
    assert slots == {"provider": "elevenlabs"}


def test_the_index_is_read_to_its_end(indexed: tuple[Table, Table]) -> None:
    """As DynamoDB does it at 1 MB: a page, and where to go on."""
    nodes, _ = indexed
    pipelines(nodes, 7)
    query = nodes.client.query
    nodes.client = type("Paged", (), {"query": staticmethod(lambda **request: query(**request, Limit=3))})()
    assert [len(page) for page in nodes.index_pages("active", "active", "pipeline")] == [3, 3, 1]


def test_a_sweep_that_runs_out_of_time_says_so(indexed: tuple[Table, Table]) -> None:
    pipelines(indexed[0], 15)
    time_left = iter([True] * 12)
    queues = Queues()
    swept = sweep(indexed, queues).run(enough_time=lambda: next(time_left, False))
    assert (swept.pipelines, swept.complete) == (12, False)
    assert queues.batches == [10, 2, 1]


def test_with_nothing_under_way_only_slots_and_queues_are_looked_after(indexed: tuple[Table, Table]) -> None:
    queues = Queues()
    assert sweep(indexed, queues).run().pipelines == 0
    assert queues.sent == {"schedule": [{"provider": "elevenlabs"}]}


def test_messages_that_a_queue_refuses_are_sent_again() -> None:
    queues = Queues()
    queues.refuse = 2
    assert send(queues, "q", [{"n": number} for number in range(4)], sleep=lambda seconds: None) == 4
    assert queues.batches == [4, 2]
    assert sorted(message["n"] for message in queues.sent["q"]) == [0, 1, 2, 3]


def test_messages_that_a_queue_keeps_refusing_are_no_secret() -> None:
    class Full(Queues):
        def send_message_batch(self, **request: Any) -> dict[str, Any]:
            self.refuse = 1
            return super().send_message_batch(**request)

    with pytest.raises(TransientError, match="1 messages were not taken by the queue q"):
        send(Full(), "q", [{"n": 1}, {"n": 2}], sleep=lambda seconds: None)

"""Event source mappings: what a function sees of a queue, and what becomes of the messages."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from local_cloud.sandbox.sandbox import Outcome
from tests.integration.local_cloud.tiny import wait_for

REPORTS = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}


def test_a_message_reaches_the_function_in_lambdas_shape_and_is_gone(doors: Any, moto: Any, functions: Any) -> None:
    queue = moto.queue("work")
    moto.feed(queue, moto.function("worker"))
    moto.send("work", '{"pipeline_id": "lesson"}')
    [(name, event)] = functions.await_calls(1)
    [record] = event["Records"]
    attributes = record.pop("attributes")
    assert name == "worker"
    assert len(record.pop("messageId")) == 36
    assert record.pop("receiptHandle")
    assert record == {
        "body": '{"pipeline_id": "lesson"}',
        "messageAttributes": {},
        "md5OfBody": "3582071ca23d75f66f266cbbcaaebd8f",
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
        "awsRegion": "us-east-1",
    }
    assert attributes["ApproximateReceiveCount"] == "1"
    assert int(attributes["SentTimestamp"]) <= int(attributes["ApproximateFirstReceiveTimestamp"])
    wait_for(lambda: moto.held("work") == 0)


def test_messages_are_delivered_in_batches(doors: Any, moto: Any, functions: Any) -> None:
    mapping = moto.feed(moto.queue("work"), moto.function("worker"), BatchSize=3, Enabled=False)
    moto.send("work", *map(str, range(7)))
    mapping.enabled = True
    batches = [[record["body"] for record in event["Records"]] for _, event in functions.await_calls(3)]
    assert sorted(map(len, batches)) == [1, 3, 3]
    assert sorted(body for batch in batches for body in batch) == sorted(map(str, range(7)))


def test_a_batch_that_may_still_fill_waits_for_its_window(doors: Any, moto: Any, functions: Any) -> None:
    moto.feed(moto.queue("work"), moto.function("worker"), BatchSize=10, MaximumBatchingWindowInSeconds=1)
    moto.send("work", "1")
    moto.send("work", "2")
    [(_, event)] = functions.await_calls(1)
    assert len(event["Records"]) == 2


def test_what_fails_comes_again_and_at_last_goes_to_the_dead_letters(doors: Any, moto: Any, functions: Any) -> None:
    redrive = {"deadLetterTargetArn": moto.queue("dead"), "maxReceiveCount": 2}
    queue = moto.queue("work", VisibilityTimeout=1, RedrivePolicy=json.dumps(redrive))

    def fail(event: Any) -> None:
        raise ValueError("as told")

    moto.feed(queue, moto.function("worker", fail))
    moto.send("work", '"poison"')
    assert moto.receive("dead") == ["poison"]
    counts = [event["Records"][0]["attributes"]["ApproximateReceiveCount"] for _, event in functions.calls]
    assert counts == ["1", "2"]
    assert moto.held("work") == 0


def test_only_the_messages_that_are_reported_come_again(doors: Any, moto: Any, functions: Any) -> None:
    def refuse_bad(event: Any) -> Any:
        bad = [record["messageId"] for record in event["Records"] if record["body"] == "bad"]
        return {"batchItemFailures": [{"itemIdentifier": each} for each in bad]}

    mapping = moto.feed(
        moto.queue("work", VisibilityTimeout=1), moto.function("worker", refuse_bad), Enabled=False, **REPORTS
    )
    moto.send("work", "good", "bad", "good")
    mapping.enabled = True
    first, second = ([record["body"] for record in event["Records"]] for _, event in functions.await_calls(2)[:2])
    assert (first, second) == (["good", "bad", "good"], ["bad"])


def test_a_mapping_follows_the_alias_that_it_names(doors: Any, moto: Any, functions: Any) -> None:
    from moto.awslambda.models import lambda_backends

    arn = moto.function("worker")
    lambdas = lambda_backends["123456789012"]["us-east-1"]
    lambdas.publish_version("worker")
    lambdas.create_alias("live", "worker", "1", "", "")
    moto.feed(moto.queue("work"), f"{arn}:live")
    moto.send("work", "1")
    assert functions.await_calls(1)[0][0] == "worker"


def test_nothing_is_lost_when_many_send_while_messages_are_deleted(doors: Any, moto: Any, functions: Any) -> None:
    moto.feed(moto.queue("work"), moto.function("worker"), BatchSize=1)
    senders = [threading.Thread(target=moto.send, args=("work", *(f"{n}-{i}" for i in range(12)))) for n in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    calls = functions.await_calls(48)
    bodies = [event["Records"][0]["body"] for _, event in calls]
    assert sorted(bodies) == sorted(f"{n}-{i}" for n in range(4) for i in range(12))
    wait_for(lambda: moto.held("work") == 0)


BATCH = {"a", "b"}


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (b"", set()),
        (b"null", set()),
        (b"{}", set()),
        (b'{"batchItemFailures": null}', set()),
        (b'{"batchItemFailures": []}', set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', {"b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', BATCH),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', BATCH),
        (b'{"batchItemFailures": [{"id": "b"}]}', BATCH),
        (b'{"batchItemFailures": [{"itemIdentifier": "of another batch"}]}', BATCH),
        (b'"done"', BATCH),
        (b"<html>", BATCH),
    ],
)
def test_an_answer_that_can_not_be_understood_is_a_complete_failure(answer: bytes, failed: set[str]) -> None:
    from local_cloud.doors.queues import failed_messages

    assert failed_messages(Outcome(answer), BATCH, reports=True) == failed


def test_answers_count_only_where_the_mapping_wants_reports() -> None:
    from local_cloud.doors.queues import failed_messages

    answer = b'{"batchItemFailures": [{"itemIdentifier": "b"}]}'
    assert failed_messages(Outcome(answer), BATCH, reports=False) == set()
    assert failed_messages(Outcome(answer, failed=True), BATCH, reports=False) == BATCH


def test_a_mapping_whose_queue_or_function_is_gone_does_not_stop_the_others(
    doors: Any, moto: Any, functions: Any
) -> None:
    from moto.awslambda.models import lambda_backends
    from moto.sqs.models import sqs_backends

    moto.feed(moto.queue("gone"), moto.function("orphan"))
    moto.feed(moto.queue("unread"), moto.function("deleted"))
    moto.feed(moto.queue("work"), moto.function("worker"))
    sqs_backends["123456789012"]["us-east-1"].delete_queue("gone")
    lambda_backends["123456789012"]["us-east-1"].delete_function("deleted")
    moto.send("unread", "1")
    moto.send("work", "2")
    assert [name for name, _ in functions.await_calls(1)] == ["worker"]
    assert moto.held("unread") == 1

"""SQS → Lambda: event source mappings, polled as Lambda polls them.

moto invokes the function inside SendMessage, one message at a time, and forgets what fails; so the mappings are ours.
Source: "Using Lambda with Amazon SQS", Lambda developer guide.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections import Counter
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.sqs.models import sqs_backends

from local_cloud.doors.crew import Crew
from local_cloud.doors.lambdas import Invoke, existing, find_function
from local_cloud.sandbox.sandbox import Outcome

__all__ = ["QueuePump", "failed_messages"]

log = logging.getLogger(__name__)

LOOK_EVERY = 0.5
"""Seconds between two looks for messages whose delay or visibility timeout is over; new ones are noticed at once."""
CONCURRENCY = 5
"""Batches of one mapping under way at once, unless its ScalingConfig says otherwise; Lambda begins with five."""


class QueuePump:
    """Delivers the messages of every queue that has an enabled event source mapping."""

    def __init__(self, invoke: Invoke) -> None:
        self._invoke = invoke
        self._arrived = threading.Event()
        self._under_way: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._crew = Crew("queue-pump")
        self._crew.start(self._look)

    def message_arrived(self) -> None:
        self._arrived.set()

    def shut(self) -> None:
        self._crew.shut()
        self._arrived.set()

    def close(self) -> None:
        self.shut()
        self._crew.close()

    def _look(self) -> None:
        while not self._crew.closing.is_set():
            self._arrived.clear()
            try:
                for backend in existing(lambda_backends):
                    for mapping in list(backend._event_source_mappings.values()):
                        if mapping.enabled and mapping.event_source_arn.split(":")[2] == "sqs":
                            self._serve(mapping)
            except Exception:
                # Definitions may change under our hands; the next look sees them whole.
                log.exception("a look at the queues failed")
            self._arrived.wait(LOOK_EVERY)

    def _serve(self, mapping: Any) -> None:
        """Start a batch for whatever waits, as far as the mapping's concurrency goes."""
        _, _, _, region, account, name = mapping.event_source_arn.split(":")
        sqs = sqs_backends[account][region]
        queue = sqs.queues.get(name)
        if queue is None:
            return
        limit = int((mapping.scaling_config or {}).get("MaximumConcurrency", CONCURRENCY))
        while self._under_way[mapping.uuid] < limit and _batch_is_due(mapping, queue):
            messages = sqs.receive_message(name, mapping.batch_size, 0, queue.visibility_timeout, ["All"])
            if not messages:
                return
            with self._lock:
                self._under_way[mapping.uuid] += 1
            if not self._crew.start(self._deliver, mapping, sqs, queue, messages):
                return

    def _deliver(self, mapping: Any, sqs: Any, queue: Any, messages: list[Any]) -> None:
        """Invoke the function with a batch; delete what it did not report as failed.

        The others stay invisible until their visibility timeout is over, as on AWS.
        """
        try:
            function = find_function(mapping.function_name)
            records = [_record(message, queue) for message in messages]
            outcome = self._invoke(function, json.dumps({"Records": records}).encode(), str(uuid.uuid4()))
            reports = "ReportBatchItemFailures" in (mapping.function_response_types or [])
            failed = failed_messages(outcome, {message.id for message in messages}, reports=reports)
            for message in messages:
                if message.id not in failed:
                    sqs.delete_message(queue.name, message.receipt_handle)
        finally:
            with self._lock:
                self._under_way[mapping.uuid] -= 1
            self._arrived.set()


def failed_messages(outcome: Outcome, batch: set[str], *, reports: bool) -> set[str]:
    """The ids of the messages to be delivered again; `reports` says whether the function names them.

    An answer that names nothing is a complete success, one that can't be understood a complete failure.
    """
    if outcome.failed:
        return batch
    if not reports:
        return set()
    try:
        answer = json.loads(outcome.payload or b"null") or {}
        named = {failure["itemIdentifier"] for failure in answer.get("batchItemFailures") or []}
    except (ValueError, AttributeError, KeyError, TypeError):
        return batch
    return named if named <= batch else batch


def _batch_is_due(mapping: Any, queue: Any) -> bool:
    """Whether there is a full batch, or the oldest message waited as long as the mapping's batching window."""
    messages = queue.messages
    if not messages or not mapping.max_batch_window or len(messages) >= mapping.batch_size:
        return bool(messages)
    waited = time.time() - min(message.sent_timestamp for message in messages) / 1000
    return bool(waited >= mapping.max_batch_window)


def _record(message: Any, queue: Any) -> dict[str, Any]:
    record = {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        },
        "messageAttributes": {name: _attribute(value) for name, value in message.message_attributes.items()},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.queue_arn,
        "awsRegion": queue.region,
    }
    if queue.fifo_queue:
        record["attributes"] |= {
            "MessageGroupId": message.group_id,
            "MessageDeduplicationId": message.deduplication_id,
            "SequenceNumber": message.sequence_number,
        }
    return record


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    """A message attribute as Lambda spells it."""
    given = {
        "stringValue": value.get("StringValue"),
        "binaryValue": value.get("BinaryValue"),
        "dataType": value["DataType"],
    }
    present = {name: each for name, each in given.items() if each is not None}
    return {**present, "stringListValues": [], "binaryListValues": []}

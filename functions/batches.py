"""Batches of SQS messages: each stands for itself, and only those that failed come back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger

__all__ = ["each_message", "is_batch"]

logger = Logger(child=True)


def is_batch(event: Mapping[str, Any]) -> bool:
    """Whether an event comes from a queue."""
    return "Records" in event


def each_message(
    event: Mapping[str, Any],
    act: Callable[[dict[str, Any]], None],
    *,
    enough_time: Callable[[], bool] = lambda: True,
) -> dict[str, Any]:
    """Let `act` handle the body of every message; name those that SQS shall deliver again (ReportBatchItemFailures).

    A message that keeps failing ends in the dead-letter queue. Without `enough_time`, what is left is delivered again.
    """
    failures = []
    for record in event["Records"]:
        if not enough_time():
            logger.warning("too little time is left; the message is delivered again")
            failures.append({"itemIdentifier": record["messageId"]})
            continue
        try:
            message = json.loads(record["body"])
            if not isinstance(message, dict):
                raise ValueError("the message is no JSON object")
            act(message)
        except Exception:
            logger.exception("a message could not be handled", extra={"message_id": record["messageId"]})
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}

"""Receive what happens: events of nodes and pipelines, from a queue that an EventBridge rule feeds.

Usage: receive_events.py [NUMBER]

Prints one line of JSON per event, and ends after NUMBER of them (without it, never).
Environment: EVENTS_QUEUE_URL, and what boto3 reads (region, credentials, endpoints).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import boto3

sqs = boto3.client("sqs")


def messages(queue_url: str) -> Iterator[dict[str, Any]]:
    """Messages as they come; asks again every twenty seconds."""
    while True:
        yield from sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20).get(
            "Messages", []
        )


def main(arguments: list[str]) -> None:
    queue_url = os.environ["EVENTS_QUEUE_URL"]
    wanted = int(arguments[0]) if arguments else None
    seen: set[str] = set()  # an event may come twice; an application keeps `detail.id` under a unique index instead
    for message in messages(queue_url):
        event = json.loads(message["Body"])
        if event["detail"]["id"] not in seen:
            print(json.dumps({"type": event["detail-type"], **event["detail"]}), flush=True)
            seen.add(event["detail"]["id"])
        # Only now, when the event was worked on: what a crash interrupts comes again.
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        if len(seen) == wanted:
            return


if __name__ == "__main__":
    main(sys.argv[1:])

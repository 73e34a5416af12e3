"""Messages to SQS queues: JSON, in batches, with what a batch left out sent again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from video_production.errors import TransientError

__all__ = ["send"]

_BATCH = 10
"""SQS takes as many messages in one request."""
_TRIES = 3


def send(
    client: Any, url: str, messages: Iterable[Mapping[str, Any]], sleep: Callable[[float], None] = time.sleep
) -> int:
    """Send every message to the queue at `url`; return how many. `client` is a boto3 SQS client.

    Raises TransientError when SQS can't be reached or keeps refusing some of them.
    """
    sent, waiting = 0, iter(messages)
    while batch := list(islice(waiting, _BATCH)):
        entries = [{"Id": str(number), "MessageBody": json.dumps(body)} for number, body in enumerate(batch)]
        for attempt in range(_TRIES):
            if attempt:
                sleep(0.2 * 2**attempt)
            refused = _send_batch(client, url, entries)
            entries = [entry for entry in entries if entry["Id"] in refused]
            if not entries:
                break
        else:
            raise TransientError(f"{len(entries)} messages were not taken by the queue {url}.")
        sent += len(batch)
    return sent


def _send_batch(client: Any, url: str, entries: list[dict[str, str]]) -> set[str]:
    try:
        answer = client.send_message_batch(QueueUrl=url, Entries=entries)
    except (ClientError, BotoCoreError) as error:
        raise TransientError(f"The queue {url} could not be reached ({error}).") from error
    return {entry["Id"] for entry in answer.get("Failed", [])}

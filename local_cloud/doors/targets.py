"""Where events and records go: the queue or the function that an ARN names."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any

from moto.sqs.models import sqs_backends

from local_cloud.doors.lambdas import find_function

__all__ = ["InvokeLater", "Targets"]

log = logging.getLogger(__name__)

InvokeLater = Callable[[Any, bytes, str], None]
"""(moto's function, event, request id): takes an asynchronous invocation and returns at once."""


class Targets:
    """Delivers to SQS queues and Lambda functions (asynchronously)."""

    def __init__(self, invoke_later: InvokeLater) -> None:
        self._invoke_later = invoke_later

    def serves(self, arn: str) -> bool:
        """Whether this is a kind of target that can be delivered to."""
        return arn.split(":")[2] in ("sqs", "lambda")

    def deliver(self, arn: str, body: str, message_group: str | None = None) -> None:
        """Send `body` (JSON) to a queue or a function. Raises moto's errors where there is none."""
        _, _, service, region, account, *rest = arn.split(":")
        if service == "sqs":
            sqs_backends[account][region].send_message(queue_name=rest[0], message_body=body, group_id=message_group)
        elif service == "lambda":
            self._invoke_later(find_function(arn), body.encode(), str(uuid.uuid4()))
        else:
            log.warning("nothing was sent to %s: the local cloud delivers to queues and functions only", arn)

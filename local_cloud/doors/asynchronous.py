"""Asynchronous invocations: tried again as the function's settings say, then reported to its destinations.

Sources: "Asynchronous invocation" and "Capturing records of asynchronous invocations", Lambda developer guide.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from local_cloud.doors.crew import Crew
from local_cloud.doors.lambdas import Invoke
from local_cloud.doors.targets import Targets
from local_cloud.sandbox.sandbox import Outcome

__all__ = ["AsynchronousInvocations"]

RETRIES = 2
MAX_AGE = 21600.0
WAITS = (60.0, 120.0)
"""Seconds before the second and the third attempt."""

Condition = Literal["Success", "RetriesExhausted", "EventAgeExceeded"]


@dataclass(frozen=True, slots=True)
class _Settings:
    """What `PutFunctionEventInvokeConfig` set; `max_age` in seconds, destinations are ARNs or empty."""

    retries: int
    max_age: float
    on_success: str
    on_failure: str

    @classmethod
    def of(cls, function: Any) -> _Settings:
        configs = function.event_invoke_config
        config = configs[-1].config if configs else {}
        destinations = config.get("DestinationConfig") or {}
        retries, max_age = config.get("MaximumRetryAttempts"), config.get("MaximumEventAgeInSeconds")
        return cls(
            retries=RETRIES if retries is None else int(retries),
            max_age=MAX_AGE if max_age is None else float(max_age),
            on_success=(destinations.get("OnSuccess") or {}).get("Destination", ""),
            on_failure=(destinations.get("OnFailure") or {}).get("Destination", ""),
        )


class AsynchronousInvocations:
    """Lambda's internal queue of events, in memory: what is in it is lost when the process ends.

    `speed` shortens the waits between attempts.
    """

    def __init__(self, invoke: Invoke, speed: float) -> None:
        self._invoke = invoke
        self._speed = speed
        self._targets = Targets(self.accept)
        self._crew = Crew("asynchronous-invocation")

    def accept(self, function: Any, event: bytes, request_id: str) -> None:
        """Take an event and return at once."""
        self._crew.start(self._see_through, function, event, request_id)

    def shut(self) -> None:
        self._crew.shut()

    def close(self) -> None:
        self._crew.close()

    def _see_through(self, function: Any, event: bytes, request_id: str) -> None:
        settings = _Settings.of(function)
        expires = time.monotonic() + settings.max_age / self._speed
        attempt = 0
        while True:
            attempt += 1
            outcome = self._invoke(function, event, request_id)
            if not outcome.failed:
                condition: Condition = "Success"
                break
            if attempt > settings.retries:
                condition = "RetriesExhausted"
                break
            wait = WAITS[min(attempt, len(WAITS)) - 1] / self._speed
            if self._crew.closing.wait(max(0.0, min(wait, expires - time.monotonic()))):
                return
            if time.monotonic() >= expires:
                condition = "EventAgeExceeded"
                break
        destination = settings.on_success if condition == "Success" else settings.on_failure
        if destination:
            record = _record(function, event, request_id, condition, attempt, outcome)
            self._targets.deliver(destination, json.dumps(record))


def _record(
    function: Any, event: bytes, request_id: str, condition: Condition, attempts: int, outcome: Outcome
) -> dict[str, Any]:
    """The invocation record that a destination receives."""
    version = str(function.version)
    arn = function.function_arn if version in function.function_arn.split(":") else f"{function.function_arn}:{version}"
    response: dict[str, Any] = {"statusCode": 200, "executedVersion": version}
    if outcome.failed:
        response["functionError"] = "Unhandled"
    return {
        "version": "1.0",
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "requestContext": {
            "requestId": request_id,
            "functionArn": arn,
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": _json(event),
        "responseContext": response,
        "responsePayload": _json(outcome.payload),
    }


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace")

"""All doors together."""

from __future__ import annotations

import contextlib
from typing import Any

from moto.events.models import Rule

from local_cloud import moto_patches
from local_cloud.doors.asynchronous import AsynchronousInvocations
from local_cloud.doors.event_bus import EventBus
from local_cloud.doors.http_api import HttpApis
from local_cloud.doors.iam import IamAuthorizer
from local_cloud.doors.lambdas import Invoke
from local_cloud.doors.queues import QueuePump
from local_cloud.doors.schedules import Clock
from local_cloud.doors.targets import Targets
from local_cloud.functions import ACCESS_KEY, SECRET_KEY
from local_cloud.sandbox.sandbox import Outcome

__all__ = ["Doors", "open_doors"]


class Doors:
    """The open doors of one moto. A context manager; see `open_doors`."""

    def __init__(self, invoke: Invoke, speed: float, access_key: str, secret_key: str) -> None:
        self._invoke = invoke
        self._asynchronous = AsynchronousInvocations(invoke, speed)
        targets = Targets(self._asynchronous.accept)
        self._event_bus = EventBus(targets, Rule.send_to_targets)  # moto's own, before it is replaced
        self._installed = contextlib.ExitStack()
        self._installed.enter_context(moto_patches.installed(self))
        self._pump = QueuePump(invoke)
        self._clock = Clock(targets, speed)
        self._apis = HttpApis(invoke, IamAuthorizer(access_key, secret_key))

    def api_url(self, api_id: str) -> str:
        """The base URL of an HTTP API on this machine; its listener is opened when it is first asked for."""
        return self._apis.url(api_id)

    def shut(self) -> None:
        """Let nothing new in. What is under way goes on, until it is done or the Lambda host closes."""
        for door in (self._apis, self._clock, self._pump, self._asynchronous):
            door.shut()

    def close(self) -> None:
        """Shut, wait for what is under way, and leave moto as it was. Close the Lambda host in between to hurry it."""
        self.shut()
        for door in (self._apis, self._clock, self._pump, self._asynchronous):
            door.close()
        self._installed.close()

    def __enter__(self) -> Doors:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # What moto tells (see `moto_patches.Hooks`).

    def invoke(self, function: Any, event: bytes, request_id: str) -> Outcome:
        return self._invoke(function, event, request_id)

    def invoke_later(self, function: Any, event: bytes, request_id: str) -> None:
        self._asynchronous.accept(function, event, request_id)

    def message_arrived(self) -> None:
        self._pump.message_arrived()

    def execution_ended(self, execution: Any) -> None:
        self._event_bus.execution_ended(execution)

    def event_sent(self, rule: Rule, event: dict[str, Any]) -> None:
        self._event_bus.event_sent(rule, event)


def open_doors(
    invoke: Invoke, *, speed: float = 1.0, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY
) -> Doors:
    """Connect moto's services of this process: queues, events, schedules, asynchronous invocations, HTTP APIs.

    `invoke` runs a function and waits for it. `speed` divides the intervals of schedules and the waits between
    asynchronous attempts. HTTP APIs take requests signed with the one pair of keys. One call per process at a time.
    """
    return Doors(invoke, speed, access_key, secret_key)

"""The doors of a moto in this process, over functions that a test makes up."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local_cloud.functions import ACCOUNT, REGION
from local_cloud.sandbox.sandbox import Outcome

Answer = Callable[[Any], Any]


class Functions:
    """What answers invocations: `answer` maps a function's name to what it does with an event.

    A ValueError that it raises is a function error. `calls` has every (name, event), oldest first.
    """

    def __init__(self) -> None:
        self.answer: dict[str, Answer] = {}
        self.calls: list[tuple[str, Any]] = []
        self._changed = threading.Condition()

    def __call__(self, function: Any, event: bytes, request_id: str) -> Outcome:
        given = json.loads(event)
        with self._changed:
            self.calls.append((function.function_name, given))
            self._changed.notify_all()
        try:
            return Outcome(json.dumps(self.answer[function.function_name](given)).encode())
        except ValueError as error:
            problem = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return Outcome(json.dumps(problem).encode(), failed=True)

    def await_calls(self, count: int, seconds: float = 10) -> list[tuple[str, Any]]:
        """The calls, once there are `count`."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.calls) >= count, seconds), self.calls
            return list(self.calls)


class Moto:
    """Definitions in moto's backends, as the local cloud or CloudFormation would write them."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def function(self, name: str, answer: Answer = lambda _: None, **config: Any) -> str:
        """Make a function; `config` is its configuration for asynchronous invocations. Returns its ARN."""
        from moto.awslambda.models import lambda_backends

        from local_cloud import backend
        from local_cloud.functions import Function

        self._functions.answer[name] = answer
        made = Function(name, f"{name}.handler", 256, 30.0, 1, {})
        backend.create_functions([made])
        if config:
            lambda_backends[ACCOUNT][REGION].put_function_event_invoke_config(name, config)
        return made.arn

    def queue(self, name: str, **attributes: Any) -> str:
        """Make a queue; returns its ARN."""
        from moto.sqs.models import sqs_backends

        return str(sqs_backends[ACCOUNT][REGION].create_queue(name, **attributes).queue_arn)

    def feed(self, queue_arn: str, function_arn: str, **settings: Any) -> Any:
        """Make an event source mapping."""
        from moto.awslambda.models import lambda_backends

        spec = {"EventSourceArn": queue_arn, "FunctionName": function_arn, **settings}
        return lambda_backends[ACCOUNT][REGION].create_event_source_mapping(spec)

    def rule(self, name: str, target: dict[str, Any], pattern: Any = None, **settings: Any) -> None:
        events = self.events()
        events.put_rule(name, event_pattern=json.dumps(pattern) if pattern else None, **settings)
        events.put_targets(name, None, [{"Id": "one", **target}])

    def events(self) -> Any:
        from moto.events.models import events_backends

        return events_backends[ACCOUNT][REGION]

    def send(self, queue: str, *bodies: str) -> None:
        from moto.sqs.models import sqs_backends

        for body in bodies:
            sqs_backends[ACCOUNT][REGION].send_message(queue, body)

    def receive(self, queue: str, seconds: float = 10) -> list[Any]:
        """The bodies of the messages that come, decoded; at least one unless `seconds` is over. They are deleted."""
        from moto.sqs.models import sqs_backends

        sqs = sqs_backends[ACCOUNT][REGION]
        deadline = time.monotonic() + seconds
        while not (messages := sqs.receive_message(queue, 10, 0, 30)) and time.monotonic() < deadline:
            time.sleep(0.02)
        for message in messages:
            sqs.delete_message(queue, message.receipt_handle)
        return [json.loads(message.body) for message in messages]

    def held(self, queue: str) -> int:
        """How many messages there are, visible or not."""
        from moto.sqs.models import sqs_backends

        return len(sqs_backends[ACCOUNT][REGION].queues[queue]._messages)


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture
def moto(functions: Functions) -> Iterator[Moto]:
    from local_cloud import moto_patches

    moto_patches.prepare(1)
    from moto.core.base_backend import BackendDict

    BackendDict.reset()
    yield Moto(functions)
    BackendDict.reset()


@pytest.fixture
def doors(moto: Moto, functions: Functions) -> Iterator[Any]:
    """Open doors; schedules and waits are 600 times as fast."""
    from local_cloud.doors import open_doors

    with open_doors(functions, speed=600.0) as opened:
        yield opened

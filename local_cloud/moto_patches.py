"""What we mend and connect in moto; `tests/unit/local_cloud/test_moto_patches.py` fails when moto moves.

    LambdaFunction.invoke          runs our Lambda host instead of Docker; `Event` answers at once; the caller hears the
                                   request id under which the function ran
    SQS queues                     messages are received, added and deleted one at a time: moto loses some otherwise;
                                   event source mappings are not served inside SendMessage
    EventBridge rules              deliver through our doors
    executions                     tell when they end
    Step Functions clients         made once and shared: boto3's default session is not safe to use from many threads
    StartExecution                 one at a time: the check for a duplicate name and the start must not interleave
    moto.batch                     not loaded: one exception class of it costs a second of start-up

What moto is only spared, with the same results, is in `moto_savings`. moto is private inside; pyproject.toml pins it
exactly.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sys
import threading
import time
import types
import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from local_cloud.lambda_host import HostClosed
from local_cloud.moto_savings import spare
from local_cloud.replacing import replace
from local_cloud.sandbox.sandbox import Outcome

__all__ = ["Hooks", "installed", "prepare"]

_REQUEST_ID = "x-amzn-requestid"


class Hooks(Protocol):
    """What happens inside moto, told to the doors. `function`, `execution` and `rule` are moto's own objects."""

    def invoke(self, function: Any, event: bytes, request_id: str) -> Outcome:
        """Run a function and wait for it; see `local_cloud.doors.lambdas.Invoke`."""
        ...

    def invoke_later(self, function: Any, event: bytes, request_id: str) -> None:
        """Take an asynchronous invocation."""
        ...

    def message_arrived(self) -> None:
        """A message was added to some queue."""
        ...

    def execution_ended(self, execution: Any) -> None:
        """An execution's status is final. Called in the execution's own thread."""
        ...

    def event_sent(self, rule: Any, event: dict[str, Any]) -> None:
        """An event on the bus of `rule`; whether it matches is not known yet."""
        ...


def prepare(port: int) -> None:
    """Before anything of moto is imported: where it will listen, and that state machines are executed."""
    os.environ["MOTO_PORT"] = str(port)
    _leave_out_batch()
    from moto.core.config import default_user_config

    default_user_config["stepfunctions"] = {"execute_state_machine": True}


@contextlib.contextmanager
def installed(hooks: Hooks) -> Iterator[None]:
    """Our replacements are in place while the block runs."""
    with contextlib.ExitStack() as undo:
        _replace_lambda(hooks, undo)
        _mend_queues(hooks, undo)
        _hand_over_events(hooks, undo)
        _watch_executions(hooks, undo)
        _share_step_functions_clients(undo)
        _serialise_start_execution(undo)
        spare(undo)
        yield


def _leave_out_batch() -> None:
    spec = find_spec("moto")
    if spec is None or spec.origin is None:
        raise ImportError("moto is not installed")
    package = types.ModuleType("moto.batch")
    package.__path__ = [str(Path(spec.origin).parent / "batch")]
    sys.modules.setdefault("moto.batch", package)


def _replace_lambda(hooks: Hooks, undo: contextlib.ExitStack) -> None:
    from moto.awslambda.exceptions import LambdaClientError
    from moto.awslambda.models import LambdaFunction
    from moto.awslambda.responses import LambdaResponse

    def run_now(function: Any, event: bytes, request_id: str) -> Outcome:
        try:
            return hooks.invoke(function, event, request_id)
        except HostClosed:
            raise LambdaClientError("ServiceException", "The local cloud is stopping.") from None
        except KeyError:
            message = f"The local cloud runs only its own functions; {function.function_name} is none of them."
            raise LambdaClientError("ServiceException", message) from None

    def run(function: Any, event: Any = None) -> tuple[str, bool, str]:
        outcome = run_now(function, json.dumps({} if event is None else event).encode(), str(uuid.uuid4()))
        return outcome.payload.decode(), outcome.failed, outcome.log_tail

    def serve(function: Any, body: str | bytes, request_headers: Any, response_headers: Any) -> bytes:
        event = (body.encode() if isinstance(body, str) else body) or b"{}"
        kind = request_headers.get("x-amz-invocation-type", "RequestResponse")
        if kind == "DryRun":
            return b""
        request_id = str(uuid.uuid4())
        response_headers[_REQUEST_ID] = request_id
        if kind == "Event":
            hooks.invoke_later(function, event, request_id)
            return b""
        outcome = run_now(function, event, request_id)
        if outcome.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        response_headers["x-amz-log-result"] = base64.b64encode(outcome.log_tail.encode()).decode()
        return outcome.payload

    def keep_request_id(headers: dict[str, str], body: Any) -> Any:
        own = {_REQUEST_ID: headers[_REQUEST_ID]} if _REQUEST_ID in headers else {}
        headers, body = enrich(headers, body)
        return {**headers, **own}, body

    replace(LambdaFunction, "_invoke_lambda", run, undo)
    replace(LambdaFunction, "invoke", serve, undo)
    enrich = replace(LambdaResponse, "_enrich_response", staticmethod(keep_request_id), undo)


def _mend_queues(hooks: Hooks, undo: contextlib.ExitStack) -> None:
    from moto.sqs.models import Queue, SQSBackend

    def add_message(queue: Any, message: Any) -> None:
        with queue._messages_lock:
            add(queue, message)
        hooks.message_arrived()

    def delete_message(queue: Any, receipt_handle: str) -> None:
        with queue._messages_lock:
            delete(queue, receipt_handle)

    def receive_message(
        backend: Any, queue_name: str, count: int, wait: int, visibility: int, names: list[str] | None = None
    ) -> list[Any]:
        queue = backend.get_queue(queue_name)
        deadline = time.monotonic() + (wait or 0)
        while True:
            with queue._messages_lock:
                messages: list[Any] = receive(backend, queue_name, count, 0, visibility, names)
            left = deadline - time.monotonic()
            if messages or left <= 0:
                return messages
            queue.wait_for_messages(min(left, 1.0))

    add = replace(Queue, "add_message", add_message, undo)
    delete = replace(Queue, "delete_message", delete_message, undo)
    receive = replace(SQSBackend, "receive_message", receive_message, undo)
    # Reads as empty, so that moto never serves a mapping itself.
    key = "lambda_event_source_mappings"
    setattr(Queue, key, property(lambda _: {}, lambda queue, mappings: vars(queue).__setitem__(key, mappings)))
    undo.callback(delattr, Queue, key)


def _hand_over_events(hooks: Hooks, undo: contextlib.ExitStack) -> None:
    from moto.events.models import Rule

    def send_to_targets(rule: Any, original_event: dict[str, Any], transform_input: bool = True) -> None:  # noqa: ARG001
        hooks.event_sent(rule, original_event)

    replace(Rule, "send_to_targets", send_to_targets, undo)


def _watch_executions(hooks: Hooks, undo: contextlib.ExitStack) -> None:
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication

    def ended(communication: Any) -> None:
        terminated(communication)
        hooks.execution_ended(communication.execution)

    terminated = replace(BaseExecutionWorkerCommunication, "terminated", ended, undo)


def _share_step_functions_clients(undo: contextlib.ExitStack) -> None:
    import boto3
    from moto.stepfunctions.parser.asl.utils import boto_client

    clients: dict[tuple[str, str], Any] = {}
    lock = threading.Lock()
    session = boto3.Session()

    def client(*, service_name: str, region_name: str, **settings: Any) -> Any:
        with lock:
            key = (service_name, region_name)
            if key not in clients:
                settings["config"] = settings["config"].merge(
                    type(settings["config"])(max_pool_connections=64, proxies={})
                )
                clients[key] = session.client(service_name=service_name, region_name=region_name, **settings)
            return clients[key]

    replace(boto_client, "boto3", types.SimpleNamespace(client=client), undo)


def _serialise_start_execution(undo: contextlib.ExitStack) -> None:
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    lock = threading.Lock()

    def start_execution(backend: Any, state_machine_arn: str, name: str | None = None, *rest: Any, **more: Any) -> Any:
        with lock:
            return start(backend, state_machine_arn, name or str(uuid.uuid4()), *rest, **more)

    start = replace(StepFunctionsParserBackend, "start_execution", start_execution, undo)

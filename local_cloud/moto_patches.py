"""Everything that we change in moto, in one place; `tests/unit/local_cloud/test_moto_patches.py` fails when moto moves.

    LambdaFunction.invoke          runs our Lambda host instead of Docker; `Event` answers at once
    Step Functions clients         made once and shared: boto3's default session is not safe to use from many threads
    StartExecution                 one at a time: the check for a duplicate name and the start must not interleave
    moto.batch                     not loaded: one exception class of it costs a second of start-up

moto is private inside; pyproject.toml pins it exactly.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import sys
import threading
import types
import uuid
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from local_cloud.lambda_host import HostClosed
from local_cloud.sandbox.sandbox import Outcome

__all__ = ["Invoke", "install", "prepare"]

log = logging.getLogger(__name__)


Invoke = Callable[[str, bytes], Outcome]
"""(function name, event) → outcome; see `LambdaHost.invoke`."""


def prepare(port: int) -> None:
    """Before anything of moto is imported: where it will listen, and that state machines are executed."""
    os.environ["MOTO_PORT"] = str(port)
    _leave_out_batch()
    from moto.core.config import default_user_config

    default_user_config["stepfunctions"] = {"execute_state_machine": True}


def install(invoke: Invoke) -> None:
    """Put our replacements in place. `invoke` runs functions."""
    _replace_lambda(invoke)
    _share_step_functions_clients()
    _serialise_start_execution()


def _leave_out_batch() -> None:
    spec = find_spec("moto")
    if spec is None or spec.origin is None:
        raise ImportError("moto is not installed")
    package = types.ModuleType("moto.batch")
    package.__path__ = [str(Path(spec.origin).parent / "batch")]
    sys.modules.setdefault("moto.batch", package)


def _replace_lambda(invoke: Invoke) -> None:
    from moto.awslambda.exceptions import LambdaClientError
    from moto.awslambda.models import LambdaFunction

    def run_now(function: Any, event: bytes) -> Outcome:
        try:
            return invoke(function.function_name, event)
        except HostClosed:
            raise LambdaClientError("ServiceException", "The local cloud is stopping.") from None
        except KeyError:
            message = f"The local cloud runs only its own functions; {function.function_name} is none of them."
            raise LambdaClientError("ServiceException", message) from None

    def run(function: Any, event: Any = None) -> tuple[str, bool, str]:
        outcome = run_now(function, json.dumps({} if event is None else event).encode())
        return outcome.payload.decode(), outcome.failed, outcome.log_tail

    def serve(function: Any, body: str | bytes, request_headers: Any, response_headers: Any) -> bytes:
        event = body.encode() if isinstance(body, str) else body
        kind = request_headers.get("x-amz-invocation-type", "RequestResponse")
        if kind == "DryRun":
            return b""
        if kind == "Event":
            threading.Thread(target=_run_event, args=(invoke, function.function_name, event or b"{}")).start()
            return b""
        outcome = run_now(function, event or b"{}")
        if outcome.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        response_headers["x-amz-log-result"] = base64.b64encode(outcome.log_tail.encode()).decode()
        return outcome.payload

    LambdaFunction._invoke_lambda = run
    LambdaFunction.invoke = serve


def _run_event(invoke: Invoke, name: str, event: bytes) -> None:
    try:
        invoke(name, event)
    except Exception:
        log.exception("asynchronous invocation of %s", name)


def _share_step_functions_clients() -> None:
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

    boto_client.boto3 = types.SimpleNamespace(client=client)


def _serialise_start_execution() -> None:
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    start = StepFunctionsParserBackend.start_execution
    lock = threading.Lock()

    def start_execution(backend: Any, state_machine_arn: str, name: str | None = None, *rest: Any, **more: Any) -> Any:
        with lock:
            return start(backend, state_machine_arn, name or str(uuid.uuid4()), *rest, **more)

    StepFunctionsParserBackend.start_execution = start_execution

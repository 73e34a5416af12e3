"""Inside a sandbox where awslambdaric does not exist (anything but Linux): the same Runtime API, in plain Python.

Run by path, like `aws_runtime`. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from email.message import Message
from typing import Any

_API = "/2018-06-01/runtime"
Handler = Callable[[Any, "Context"], Any]


class Context:
    """What a handler may ask about its invocation (the part of Lambda's context object that exists locally)."""

    def __init__(self, headers: Message) -> None:
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.client_context = None
        self.identity = None
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self._deadline_ms - int(time.time() * 1000))


class RuntimeApi:
    """The client's side of the Runtime API, over one kept-alive connection."""

    def __init__(self, address: str) -> None:
        host, _, path = address.partition("/")
        self._connection = http.client.HTTPConnection(host)
        self._path = (f"/{path}" if path else "") + _API

    def next(self) -> tuple[Message, bytes]:
        self._connection.request("GET", f"{self._path}/invocation/next")
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise ConnectionError(f"the Runtime API answered {answer.status}")
        return answer.headers, body

    def post(self, path: str, body: bytes) -> None:
        self._connection.request("POST", f"{self._path}{path}", body, {"Content-Type": "application/json"})
        self._connection.getresponse().read()


def main() -> None:
    logging.basicConfig(stream=sys.stdout, format="[%(levelname)s]\t%(asctime)s\t%(message)s")
    api = RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as error:  # noqa: BLE001 - whatever a module raises while it is imported is reported as Lambda does
        kind = "Runtime.ImportModuleError" if isinstance(error, ImportError) else type(error).__name__
        message = f"Unable to import module '{os.environ['_HANDLER'].rpartition('.')[0]}': {error}"
        api.post("/init/error", describe(error, kind, message if isinstance(error, ImportError) else str(error)))
        sys.exit(1)
    while True:
        headers, body = api.next()
        context = Context(headers)
        try:
            result = json.dumps(handler(json.loads(body), context)).encode()
        except Exception as error:  # noqa: BLE001 - a handler's exception is its answer
            failure = describe(error, type(error).__name__, str(error), context.aws_request_id)
            api.post(f"/invocation/{context.aws_request_id}/error", failure)
        else:
            api.post(f"/invocation/{context.aws_request_id}/response", result)


def load_handler(name: str) -> Handler:
    """`package.module.function` → the function."""
    module, _, function = name.rpartition(".")
    handler: Handler = getattr(importlib.import_module(module), function)
    return handler


def describe(error: Exception, kind: str, message: str, request_id: str = "") -> bytes:
    """An error as Lambda answers it; also printed, for the log."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    stack = traceback.format_list(frames)
    print("\r".join([f"[ERROR] {kind}: {message}", "Traceback (most recent call last):", *(s.rstrip() for s in stack)]))
    answer = {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": stack}
    return json.dumps(answer).encode()


if __name__ == "__main__":
    main()

"""A Lambda host over tiny handlers that a test writes itself."""

from __future__ import annotations

import importlib.util
import json
import textwrap
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local_cloud.functions import Function
from local_cloud.lambda_host import LambdaHost
from local_cloud.sandbox.sandbox import Outcome

RUNTIMES = ["plain", *(["aws"] if importlib.util.find_spec("awslambdaric") else [])]


class Bench:
    """One function `worker`, whose module a test writes with `code`; what it logged is in `logs`."""

    def __init__(self, root: Path, runtime: str) -> None:
        self.root = root
        self.runtime = runtime
        self.sandboxes = root / "sandboxes"
        self.logs: list[tuple[str, str, str]] = []
        self.host: LambdaHost | None = None
        (root / "code").mkdir()
        (root / "layer").mkdir()

    def code(self, text: str) -> None:
        (self.root / "code" / "worker.py").write_text(textwrap.dedent(text))

    def start(
        self, *, timeout: float = 20.0, concurrency: int = 1, environment: Mapping[str, str] | None = None
    ) -> LambdaHost:
        function = Function("worker", "worker.handler", 256, timeout, concurrency, environment or {})
        self.host = LambdaHost(
            [function],
            code_roots=(self.root / "code",),
            watched=(self.root / "code",),
            folder=self.sandboxes,
            layer_bin=self.root / "layer",
            logs=self._log,
            runtime=self.runtime,
        )
        return self.host

    def invoke(self, event: Any = None) -> Any:
        """The handler's answer; the outcome must not be an error."""
        outcome = self.outcome(event)
        assert not outcome.failed, outcome
        return json.loads(outcome.payload)

    def outcome(self, event: Any = None) -> Outcome:
        assert self.host is not None
        return self.host.invoke("worker", json.dumps(event).encode())

    def error(self, event: Any = None) -> dict[str, Any]:
        """The error object that the invocation ended with."""
        outcome = self.outcome(event)
        assert outcome.failed, outcome
        body: dict[str, Any] = json.loads(outcome.payload)
        return body

    def together(self, *events: Any) -> list[Any]:
        """The answers to events that are sent at once."""
        answers: list[Any] = [None] * len(events)

        def one(index: int) -> None:
            answers[index] = self.invoke(events[index])

        threads = [threading.Thread(target=one, args=(index,)) for index in range(len(events))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    @property
    def messages(self) -> list[str]:
        return [message for _, _, message in self.logs]

    def _log(self, group: str, stream: str, messages: list[str]) -> None:
        self.logs += [(group, stream, message) for message in messages]


@pytest.fixture(params=RUNTIMES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Once with AWS's runtime client, once with our plain one."""
    yield from _bench(tmp_path, request.param)


@pytest.fixture
def quick_bench(tmp_path: Path) -> Iterator[Bench]:
    """For what does not depend on the runtime client."""
    yield from _bench(tmp_path, RUNTIMES[-1])


def _bench(tmp_path: Path, runtime: str) -> Iterator[Bench]:
    bench = Bench(tmp_path, runtime)
    yield bench
    if bench.host is not None:
        bench.host.close()

"""One warm sandbox: a subprocess with its own environment, folder, temporary files and log stream."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from local_cloud.functions import REGION, Function
from local_cloud.runtime_api import Delivery, RuntimeApi
from local_cloud.sandbox.memory import memory_in_use, memory_limit
from local_cloud.sandbox.output import OutputReader

__all__ = ["INIT_LIMIT", "Outcome", "Sandbox", "SandboxSettings"]

INIT_LIMIT = 60.0
"""Seconds that importing a handler may take. Lambda gives 10; a laptop may be busy."""

_HERE = Path(__file__).resolve().parent
_LIFELINE = _HERE.parent / "lifeline.py"


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """What all sandboxes of a host share.

    `code_roots` are put on Python's path; `layer_bin` goes first on PATH (None: no layer); `folder` holds one folder
    per sandbox; `runtime` is `aws` (awslambdaric) or `plain`; `python` is the command that starts the interpreter.
    """

    code_roots: tuple[Path, ...]
    folder: Path
    layer_bin: Path | None
    runtime: str
    python: tuple[str, ...] = (sys.executable,)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an invocation ended: the answer's JSON, and whether it is an error object (AWS: FunctionError).

    `platform_error` is set when Lambda itself ended the invocation: "Task timed out after 3.00 seconds".
    """

    payload: bytes
    failed: bool = False
    platform_error: str = ""
    log_tail: str = ""


class Sandbox:
    """Serves one invocation at a time with `run`.

    Ends with `end`, by a timeout, for want of memory, or by itself when its process dies.
    """

    def __init__(self, function: Function, settings: SandboxSettings, api: RuntimeApi, stamp: int) -> None:
        self.id = uuid.uuid4().hex
        self.function = function
        self.stamp = stamp
        """The state of the source code that was loaded."""
        self.log_stream = f"{datetime.now(UTC):%Y/%m/%d}/[{function.version}]{self.id}"
        self.peak_memory = 0
        self._above_limit = False
        self._api = api
        self._folder = settings.folder / self.id
        (self._folder / "tmp").mkdir(parents=True)
        self._started_at = time.monotonic()
        self._init_seconds: float | None = None
        self._initialised = threading.Event()
        self._init_error: bytes | None = None
        self._inbox: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._answer: tuple[str, Future[Outcome]] | None = None
        api.register(self.id, self)
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [*settings.python, "-P", "-u", str(_LIFELINE), str(_HERE / f"{settings.runtime}_runtime.py")],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=settings.code_roots[0],
                env=self._environment(settings),
                start_new_session=True,
            )
        self.output = OutputReader(self._folder / "output")
        self._reaper = threading.Thread(target=self._reap, name=f"reaper-{self.id[:8]}")
        self._reaper.start()

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and self._init_error is None

    def _environment(self, settings: SandboxSettings) -> dict[str, str]:
        """The function's whole environment: nothing of the user's own shell is in it."""
        function = self.function
        path = [str(settings.layer_bin)] if settings.layer_bin else []
        return {
            "PATH": os.pathsep.join([*path, "/usr/local/bin", "/usr/bin", "/bin"]),
            "PYTHONPATH": os.pathsep.join(map(str, settings.code_roots)),
            # A file saved twice within a second could otherwise be answered from stale bytecode.
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder / "tmp"),
            "_HANDLER": function.handler,
            "AWS_LAMBDA_RUNTIME_API": self._api.address(self.id),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log_stream,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "LAMBDA_TASK_ROOT": str(settings.code_roots[0]),
            **function.environment,
        }

    # What the Runtime API calls, in threads of its own.

    def next_delivery(self) -> Delivery | None:
        if self._init_seconds is None:
            self._init_seconds = time.monotonic() - self._started_at
            self._initialised.set()
        return self._inbox.get()

    def answered(self, request_id: str, payload: bytes, *, failed: bool) -> None:
        self._settle(Outcome(payload, failed), request_id)

    def failed_to_start(self, payload: bytes) -> None:
        self._init_error = payload
        self._initialised.set()

    # What the host calls.

    def run(self, request_id: str, payload: bytes) -> tuple[Outcome, float]:
        """Serve one invocation; return its outcome and the seconds it took. A sandbox that died is not `alive` then."""
        if not self._initialised.wait(INIT_LIMIT):
            self.end()
            return _platform_error(request_id, "Sandbox.Timedout", f"Init timed out after {INIT_LIMIT:.0f} s"), 0.0
        if self._init_error is not None:
            self._reaper.join()
            return Outcome(self._init_error, failed=True), 0.0
        future: Future[Outcome] = Future()
        self._answer = (request_id, future)
        if self._process.returncode is not None:
            self._settle_exit()
        started = time.monotonic()
        timeout = self.function.timeout
        self._inbox.put(Delivery(request_id, self.function.arn, payload, time.time() + timeout))
        try:
            outcome = future.result(timeout)
        except TimeoutError:
            self._settle(_platform_error(request_id, "Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds"))
            outcome = future.result()
            if outcome.platform_error:
                self.end()
        finally:
            self._answer = None
        return outcome, time.monotonic() - started

    def take_init_seconds(self) -> float | None:
        """How long initialisation took, once: only the first invocation reports it."""
        seconds, self._init_seconds = self._init_seconds, 0.0
        return seconds or None

    def measure_memory(self) -> int:
        """Update and return the highest memory use seen, in bytes."""
        self._look_at_memory()
        return self.peak_memory

    def enforce_memory(self) -> None:
        """Kill the process group when it uses more than the function's memory at two looks in a row.

        A single look may count a child twice that was just forked.
        """
        above = self._look_at_memory() > memory_limit(self.function.memory_mb)
        if above and self._above_limit:
            self._kill_group()
        self._above_limit = above

    def _look_at_memory(self) -> int:
        """Note how much is resident; return how much of it can't be reclaimed."""
        resident, unreclaimable = memory_in_use(self._process.pid)
        self.peak_memory = max(self.peak_memory, resident)
        return unreclaimable

    def end(self) -> None:
        """Kill the process and its children, wait for it, remove its folder. Safe to call twice."""
        self._kill_group()
        self._reaper.join()
        self.output.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _kill_group(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _reap(self) -> None:
        self._process.wait()
        # Children that outlived it (FFmpeg after a crash) still are in its group.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._api.forget(self.id)
        self._inbox.put(None)
        self._initialised.set()
        self._settle_exit()

    def _settle_exit(self) -> None:
        code = self._process.returncode
        # In Lambda's words: "signal: killed", "signal: segmentation fault".
        how = (
            f"signal: {(signal.strsignal(-code) or '').partition(':')[0].lower()}"
            if code < 0
            else f"exit status {code}"
        )
        if answer := self._answer:
            self._settle(_platform_error(answer[0], "Runtime.ExitError", f"Runtime exited with error: {how}"))

    def _settle(self, outcome: Outcome, request_id: str | None = None) -> None:
        """The first outcome counts: an answer, the timeout, or the end of the process."""
        answer = self._answer
        if answer is not None and request_id in (None, answer[0]):
            with contextlib.suppress(InvalidStateError):
                answer[1].set_result(outcome)


def _platform_error(request_id: str, kind: str, message: str) -> Outcome:
    """An error that Lambda itself reports, in its own words and shape."""
    body = {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {message}"}
    return Outcome(json.dumps(body).encode(), failed=True, platform_error=message)

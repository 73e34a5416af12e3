"""The Lambda host: keeps warm sandboxes per function, invokes them, writes their logs.

What Lambda does and this does too: an own process, environment and `/tmp` per sandbox; one invocation at a time in
each; a limit of sandboxes per function; limits of time and (on Linux) of memory, enforced by killing; START, END and
REPORT lines; errors in Lambda's words. What it does differently: callers beyond the limit wait instead of being
refused, and a saved source file is live at the next invocation.
"""

from __future__ import annotations

import json
import math
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from local_cloud.code_stamp import CodeWatch
from local_cloud.functions import Function
from local_cloud.runtime_api import RuntimeApi
from local_cloud.sandbox.sandbox import Outcome, Sandbox, SandboxSettings

__all__ = ["HostClosed", "LambdaHost", "LogSink"]

LogSink = Callable[[str, str, list[str]], None]
"""Receives (log group, log stream, messages)."""

_LOG_TAIL = 4096
_TICK = 0.25
"""Seconds between two looks at what running functions print and how much memory they use."""


class HostClosed(Exception):
    """The host is stopping: this invocation has no outcome, as if the machine had lost power."""


class LambdaHost:
    """Runs `functions` (by name).

    `code_roots` go on Python's path; `watched` are the folders whose files count as source code; `layer_bin` holds the
    layers' executables; `folder` is for the sandboxes' files. `runtime` is chosen by what is installed. `python` starts
    the interpreter.
    """

    def __init__(
        self,
        functions: Iterable[Function],
        *,
        code_roots: tuple[Path, ...],
        watched: tuple[Path, ...],
        folder: Path,
        layer_bin: Path | None,
        logs: LogSink,
        runtime: str | None = None,
        python: tuple[str, ...] = (sys.executable,),
    ) -> None:
        runtime = runtime or ("aws" if find_spec("awslambdaric") and find_spec("runtime_client") else "plain")
        self._settings = SandboxSettings(code_roots, folder, layer_bin, runtime, python)
        self._code = CodeWatch(watched)
        self._logs = logs
        self._api = RuntimeApi()
        self._pools: Mapping[str, _Pool] = {f.name: _Pool(f, self._start) for f in functions}
        self._busy: set[Sandbox] = set()
        self._closing = threading.Event()
        self._follower = threading.Thread(target=self._follow, name="log-follower")
        self._follower.start()

    def __enter__(self) -> LambdaHost:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def invoke(self, name: str, payload: bytes, request_id: str = "") -> Outcome:
        """Run function `name` on an event and wait for it. Raises KeyError for an unknown function, HostClosed.

        `request_id` is for a caller who told it to somebody already; otherwise there is a new one.
        """
        pool = self._pools[name]
        try:
            sandbox = pool.acquire(self._code.stamp())
        except OSError as error:
            why = f"{name} could not be started on this machine: {error.strerror}. Make room, then try again."
            return Outcome(json.dumps({"errorType": "OperatorError", "errorMessage": why}).encode(), failed=True)
        self._busy.add(sandbox)
        try:
            outcome = self._run(sandbox, payload, request_id or str(uuid.uuid4()))
        finally:
            self._busy.discard(sandbox)
            pool.release(sandbox)
        if self._closing.is_set():
            raise HostClosed(name)
        return outcome

    def resize(self, name: str, memory_mb: int) -> None:
        """Give function `name` so much memory from the next invocation on."""
        self._pools[name].resize(memory_mb)

    def prewarm(self, name: str) -> None:
        """Start a sandbox ahead of the first invocation, if there is none yet. Does not wait for it."""
        self._pools[name].prewarm(self._code.stamp())

    def close(self) -> None:
        """Kill every sandbox. Invocations under way raise HostClosed."""
        self._closing.set()
        for pool in self._pools.values():
            pool.close()
        self._follower.join()
        self._api.close()

    def _start(self, function: Function, stamp: int) -> Sandbox:
        return Sandbox(function, self._settings, self._api, stamp)

    def _run(self, sandbox: Sandbox, payload: bytes, request_id: str) -> Outcome:
        self._write(sandbox, [f"START RequestId: {request_id} Version: {sandbox.function.version}"])
        outcome, seconds = sandbox.run(request_id, payload)
        printed = sandbox.output.read(final=True)
        if outcome.platform_error:
            printed.append(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {request_id} {outcome.platform_error}")
        report = self._report(sandbox, request_id, seconds)
        tail = [*printed, f"END RequestId: {request_id}", report]
        self._write(sandbox, tail)
        return replace(outcome, log_tail="\n".join(tail)[-_LOG_TAIL:])

    def _report(self, sandbox: Sandbox, request_id: str, seconds: float) -> str:
        duration = seconds * 1000
        start = (sandbox.take_init_seconds() or 0.0) * 1000
        parts = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {duration:.2f} ms",
            f"Billed Duration: {math.ceil(duration + start)} ms",
            f"Memory Size: {sandbox.function.memory_mb} MB",
            f"Max Memory Used: {math.ceil(sandbox.measure_memory() / (1 << 20))} MB",
        ]
        if start:
            parts.append(f"Init Duration: {start:.2f} ms")
        return "\t".join(parts)

    def _follow(self) -> None:
        """While functions run: pass on what they print, see that they stay within their memory."""
        while not self._closing.wait(_TICK):
            for sandbox in list(self._busy):
                sandbox.enforce_memory()
                sandbox.output.pass_on(partial(self._write, sandbox))

    def _write(self, sandbox: Sandbox, messages: list[str]) -> None:
        if messages and not self._closing.is_set():
            self._logs(sandbox.function.log_group, sandbox.log_stream, messages)


class _Pool:
    """The sandboxes of one function: at most `concurrency`, each idle or out."""

    def __init__(self, function: Function, start: Callable[[Function, int], Sandbox]) -> None:
        self._function = function
        self._start = start
        self._changed = threading.Condition()
        self._idle: list[Sandbox] = []
        self._out: set[Sandbox] = set()
        self._starting = 0
        self._closed = False

    def acquire(self, stamp: int) -> Sandbox:
        """An idle sandbox with current code, else a new one, else wait for one."""
        with self._changed:
            while True:
                if self._closed:
                    raise HostClosed(self._function.name)
                self._retire(stamp)
                if self._idle:
                    sandbox = self._idle.pop()
                    self._out.add(sandbox)
                    return sandbox
                if len(self._out) + self._starting < self._function.concurrency:
                    break
                self._changed.wait()
            self._starting += 1
        return self._start_one(stamp, self._out.add)

    def resize(self, memory_mb: int) -> None:
        with self._changed:
            if memory_mb != self._function.memory_mb:
                self._function = replace(self._function, memory_mb=memory_mb)

    def prewarm(self, stamp: int) -> None:
        with self._changed:
            if self._closed or self._idle or self._out or self._starting:
                return
            self._starting += 1
        self._start_one(stamp, self._idle.append)

    def _start_one(self, stamp: int, keep: Callable[[Sandbox], None]) -> Sandbox:
        sandbox = None
        try:
            sandbox = self._start(self._function, stamp)
        finally:
            with self._changed:
                self._starting -= 1
                if sandbox is not None:
                    keep(sandbox)
                closed = self._closed
                self._changed.notify()
        if closed:
            sandbox.end()
            raise HostClosed(self._function.name)
        return sandbox

    def release(self, sandbox: Sandbox) -> None:
        """Take a sandbox back. Whether its code is still current is asked when it is wanted again."""
        with self._changed:
            self._out.discard(sandbox)
            keep = self._usable(sandbox) and not self._closed
            if keep:
                self._idle.append(sandbox)
            self._changed.notify()
        if not keep:
            sandbox.end()

    def _retire(self, stamp: int) -> None:
        """Drop idle sandboxes that died, hold old code or have another size."""
        for sandbox in [s for s in self._idle if not (self._usable(s) and s.stamp == stamp)]:
            self._idle.remove(sandbox)
            sandbox.end()

    def _usable(self, sandbox: Sandbox) -> bool:
        return sandbox.alive and sandbox.function is self._function

    def close(self) -> None:
        with self._changed:
            self._closed = True
            sandboxes = [*self._idle, *self._out]
            self._idle.clear()
            self._changed.notify_all()
        for sandbox in sandboxes:
            sandbox.end()

"""A stand-in in a process of its own, and the handle to it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from stand_ins.charge_book import Charge

__all__ = ["LOG_NAME", "RunningStandIn", "StandInFailed"]

CHECKOUT = Path(__file__).resolve().parents[1]
LOG_NAME = "stand-in.log"
START_SECONDS = 30.0
STOP_SECONDS = 10.0


class StandInFailed(RuntimeError):
    """The process ended or stayed silent instead of serving; the message holds its last words."""


class RunningStandIn:
    """Start with `start`; leave the `with` block, or call `stop`, to end it. What it keeps stays in `home`."""

    def __init__(self, process: subprocess.Popen[str], url: str, home: Path) -> None:
        self._process = process
        self.url = url
        self.home = home

    @classmethod
    def start(cls, home: Path, *arguments: str, provider: str = "elevenlabs", port: int = 0) -> RunningStandIn:
        """Start the stand-in of `provider` with its state in `home` and wait until it serves.

        It stops when this process ends. `arguments` are passed on (`"--job-seconds", "0.1"`). Raises StandInFailed.
        """
        home = home.resolve()
        home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", f"stand_ins.{provider}", "--home", str(home), "--port", str(port)]
        with (home / LOG_NAME).open("ab") as log:
            process = subprocess.Popen(
                [*command, "--parent", str(os.getpid()), *arguments],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for the command line, which then stops the stand-in in order.
            )
        return cls(process, _first_line(process, home), home)

    @property
    def pid(self) -> int:
        return self._process.pid

    def misbehave(self, *rules: dict[str, Any]) -> None:
        """Add rules of misbehaviour (see `stand_ins.faults`)."""
        self._control("POST", "faults", list(rules))

    def behave(self) -> None:
        """Drop every rule."""
        self._control("DELETE", "faults")

    def charges(self) -> list[Charge]:
        """Everything that was billed, oldest first."""
        return [Charge(**row) for row in self._control("GET", "book")]

    def requests(self) -> list[dict[str, Any]]:
        """Every request received: `at`, `method`, `path`, `query`, `body`."""
        rows: list[dict[str, Any]] = self._control("GET", "requests")
        return rows

    def set_balance(self, amount: float | None) -> None:
        """Leave that much to spend, in what the provider counts (credits, US dollars); None: without limit."""
        self._control("POST", "balance", {"balance": amount})

    def change_plan(self, **fields: Any) -> None:
        """Change what the account may do; the fields are those of the provider's `Plan`."""
        self._control("POST", "plan", fields)

    def stop(self) -> None:
        """End it in order."""
        self._process.terminate()
        self._wait()

    def kill(self) -> None:
        """End it like a power cut."""
        self._process.kill()
        self._wait()

    def __enter__(self) -> RunningStandIn:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.stop()

    def _wait(self) -> None:
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _control(self, method: str, what: str, content: Any = None) -> Any:
        answer = requests.request(method, f"{self.url}/stand-in/{what}", json=content, timeout=10)
        if answer.status_code != 200:
            raise ValueError(answer.json()["error"])
        return answer.json()


def _first_line(process: subprocess.Popen[str], home: Path) -> str:
    """The URL that the process prints when it is ready."""
    output = process.stdout
    if output is not None and select.select([output], [], [], START_SECONDS)[0] and (line := output.readline().strip()):
        return line
    process.kill()
    process.wait()
    if output is not None:
        output.close()
    words = (home / LOG_NAME).read_text(errors="replace").strip().splitlines() or ["it printed nothing"]
    raise StandInFailed(f"The draft provider did not start: {words[-1]}")

"""A provider's stand-in, as a child process that ends with the cloud."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

from video_production.errors import OperatorError

__all__ = ["StandIn"]

_LIFELINE = Path(__file__).resolve().parent / "lifeline.py"
START_LIMIT = 20.0
STOP_LIMIT = 3.0


class StandIn:
    """Starts `python -m stand_ins.PROVIDER`, which prints its base URL on its first line. A context manager.

    Starting does not wait; `url` does.
    """

    def __init__(self, provider: str, home: Path, checkout: Path, layer_bin: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._provider = provider
        self._url: str | None = None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        module = f"stand_ins.{provider}"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-u", str(_LIFELINE), module, "--port", "0", "--home", str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=checkout,
            env={
                "PATH": os.pathsep.join([str(layer_bin), "/usr/local/bin", "/usr/bin", "/bin"]),
                "PYTHONPATH": str(checkout),
                "HOME": str(home),
                "LANG": "en_US.UTF-8",
            },
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"stand-in-{provider}")
        self._reader.start()

    def url(self) -> str:
        """Its base URL, once it serves. Raises OperatorError when it does not come up."""
        if self._url is None:
            try:
                self._url = self._lines.get(timeout=START_LIMIT)
            except queue.Empty:
                self._url = ""
            if not self._url:
                raise OperatorError(f"The draft provider for {self._provider} did not start; cloud.log says why.")
        return self._url

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_LIMIT)
        # Its own children too: while one of them keeps our pipe open, reading it would never end.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._reader.join()

    def _read(self) -> None:
        """The first line is the URL; the rest goes to the log. An empty line stands for its end."""
        if self._process.stdout is not None:
            with self._process.stdout as output:
                self._lines.put(output.readline().strip())
                for line in output:
                    print(f"{self._provider}: {line}", end="", file=sys.stderr, flush=True)

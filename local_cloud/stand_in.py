"""A provider's stand-in, as a child process that starts when it is first needed and ends with the cloud.

Four of them cost four times 40 MB and a fifth of a second of processor time each, and most runs need one or two. So the
cloud opens the port, and the process that answers there comes with the first connection, which it inherits.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from stand_ins.server import INHERITED_SOCKET

__all__ = ["StandIn"]

_LIFELINE = Path(__file__).resolve().parent / "lifeline.py"
STOP_LIMIT = 3.0


class StandIn:
    """Listens at `url` at once; `python -m stand_ins.PROVIDER` serves there. A context manager."""

    def __init__(self, provider: str, home: Path, checkout: Path, layer_bin: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._provider = provider
        self._home = home
        self._checkout = checkout
        self._layer_bin = layer_bin
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._woken, self._waker = socket.socketpair()
        self._starting = threading.Lock()
        self._ended = False
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._serve, name=f"stand-in-{provider}")
        self._thread.start()

    def start(self) -> None:
        """Start it ahead of the first connection. Does not wait."""
        self._waker.send(b"x")

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *error: object) -> None:
        with self._starting:
            self._ended = True
        self.start()
        if self._process is not None:
            self._stop(self._process)
        self._thread.join()
        self._socket.close()
        self._woken.close()
        self._waker.close()

    def _serve(self) -> None:
        select.select([self._socket, self._woken], [], [])
        with self._starting:
            if self._ended:
                return
            process = self._process = self._spawn()
        # Its own from now on: when it has died, connections are refused instead of waiting for nobody.
        self._socket.close()
        with process.stdout or contextlib.nullcontext() as output:
            served = bool(output and output.readline().strip())
            for line in output or ():
                self._log(line.rstrip())
        if not served and not self._ended:
            self._log("it did not start, so no draft of this provider can be made.")

    def _spawn(self) -> subprocess.Popen[str]:
        number = self._socket.fileno()
        return subprocess.Popen(
            [sys.executable, "-P", "-u", str(_LIFELINE), f"stand_ins.{self._provider}", "--home", str(self._home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self._checkout,
            env={
                "PATH": os.pathsep.join([str(self._layer_bin), "/usr/local/bin", "/usr/bin", "/bin"]),
                "PYTHONPATH": str(self._checkout),
                "HOME": str(self._home),
                "LANG": "en_US.UTF-8",
                INHERITED_SOCKET: str(number),
            },
            pass_fds=(number,),
            start_new_session=True,
        )

    def _stop(self, process: subprocess.Popen[str]) -> None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_LIMIT)
        # Its own children too: while one of them keeps our pipe open, reading it would never end.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def _log(self, line: str) -> None:
        print(f"{self._provider}: {line}", file=sys.stderr, flush=True)

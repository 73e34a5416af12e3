"""The cloud's own process: `python -m local_cloud --home DIR`, options as JSON on standard input.

It serves until nobody uses it any more (see `state.py`) or it is told to end (SIGTERM, SIGINT). The command line starts
it; by hand, `jiki-video up` is the way.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from local_cloud.cloud import CloudOptions, LocalCloud
from local_cloud.state import FileLock, StateFolder
from video_production.errors import VideoProductionError


class _Cloud(Protocol):
    def close(self) -> None: ...


def main() -> None:
    serve("local_cloud", lambda home, options: LocalCloud.start(home, CloudOptions(**_typed(options))))


def serve(module: str, start: Callable[[Path, dict[str, Any]], _Cloud]) -> None:
    """What `python -m MODULE` does: start a cloud, serve until nobody uses it any more, end this process."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--home", type=Path, required=True, help="the state folder")
    home: Path = parser.parse_args().home
    options = json.loads(sys.stdin.read() or "{}")
    told, tell = os.pipe()
    _heed_signals(tell)
    try:
        cloud = start(home, options)
    except VideoProductionError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    gc.freeze()  # what is here stays, and what comes is mostly freed at once: looking through all of it, every few
    gc.set_threshold(20_000)  # requests, costs more than the requests
    threading.Thread(target=_wait_until_unused, args=(StateFolder(home), tell), daemon=True).start()
    os.read(told, 1)
    try:
        cloud.close()
    except Exception:  # noqa: BLE001 - whatever went wrong, the process must end now
        traceback.print_exc()
    sys.stderr.flush()
    # Threads of interrupted executions may still wait for answers that will never come.
    os._exit(0)


def _typed(options: dict[str, Any]) -> dict[str, Any]:
    typed = dict(options)
    if "prewarm" in typed:
        typed["prewarm"] = tuple(typed["prewarm"])
    if "checkout" in typed:
        typed["checkout"] = Path(typed["checkout"])
    return typed


def _heed_signals(tell: int) -> None:
    """Write to `tell` when this process is told to end.

    Through a pipe, since the system may hand a signal to any thread: a main thread that waits for a lock sleeps on.
    """
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)


def _wait_until_unused(state: StateFolder, tell: int) -> None:
    """Users hold the lock together; getting it alone means that the last is gone, and keeps new ones waiting."""
    FileLock(state.users_lock).wait_to_own()
    os.write(tell, b"\0")


if __name__ == "__main__":
    main()

"""The threads of a door: counted while they run, waited for at its end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from local_cloud.lambda_host import HostClosed

__all__ = ["Crew"]

log = logging.getLogger(__name__)


class Crew:
    """Runs jobs in threads of their own. `shut` refuses new ones, `close` also waits for those under way.

    What a job raises is logged; that the Lambda host is closing ends it without a word.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self.closing = threading.Event()
        """Set from `shut` on: jobs that wait, wait for this too."""

    def start(self, job: Callable[..., None], *arguments: Any) -> bool:
        """Run a job; False when this crew takes none any more."""
        thread = threading.Thread(target=self._run, args=(job, arguments), name=self._name, daemon=True)
        with self._lock:
            if self.closing.is_set():
                return False
            self._threads.add(thread)
            thread.start()
        return True

    def shut(self) -> None:
        with self._lock:
            self.closing.set()

    def close(self) -> None:
        self.shut()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _run(self, job: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        try:
            job(*arguments)
        except HostClosed:
            pass
        except Exception:
            log.exception("%s", self._name)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

"""A clock that runs on while nothing happens. Import it first: whoever has taken `time.time` before keeps the real one.

Every thread reads it, so that a provider's stand-in and the product agree on the time. Only the main thread, which does
the product's work, never waits: its pauses move the clock instead.
"""

from __future__ import annotations

import threading
import time

__all__ = ["CLOCK"]

_real_time, _real_sleep = time.time, time.sleep


class _Clock:
    """Unix seconds, ahead of the real ones by what has been skipped."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        return _real_time() + self._ahead

    def skip(self, seconds: float) -> None:
        self._ahead += max(0.0, seconds)

    def reset(self) -> None:
        self._ahead = 0.0

    def rest(self, seconds: float) -> None:
        """Wait for real: other threads get that long."""
        _real_sleep(seconds)

    def sleep(self, seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():
            self.skip(seconds)
        else:
            _real_sleep(seconds)


CLOCK = _Clock()
time.time = CLOCK.now
time.sleep = CLOCK.sleep

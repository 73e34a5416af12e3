"""Whether encoding fits into the time that is left, said before the time is spent.

The speed is measured on the encoding itself: after its first seconds, what is still to be done is projected with a
margin, and a merge that would not end in time stops at once instead of at the limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction

from video_production.errors import OutOfTime

__all__ = ["TimeBudget"]

_MARGIN = 1.3
_USABLE = 0.8
"""The share of the time left that encoding may take; the rest is for joining, checking and storing."""

_MEASURED = 2.0
"""Seconds of video after which the speed is believed."""


class TimeBudget:
    """`seconds` of video are to be encoded until `deadline` (a `time.monotonic` value, None: no limit)."""

    def __init__(self, deadline: float | None, seconds: Fraction, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._deadline = deadline
        self._clock = clock
        self._started = clock()
        self._judged = False

    def progress(self, fraction: float) -> None:
        """`fraction` of everything is encoded. Raises OutOfTime when the rest would not fit."""
        done = fraction * float(self.seconds)
        if self._judged or self._deadline is None or done < _MEASURED:
            return
        self._judged = True
        now = self._clock()
        speed = done / max(now - self._started, 1e-6)
        needed = (float(self.seconds) - done) / speed * _MARGIN
        left = self._deadline - now
        if needed > _USABLE * left:
            raise OutOfTime(
                f"Encoding {float(self.seconds):.0f} s of video here would take about {needed:.0f} s more, and "
                f"{max(left, 0):.0f} s are left; encode the clips alike beforehand so that they can be copied, merge "
                "fewer at once, or give the function more memory."
            )

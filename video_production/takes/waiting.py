"""How long a job is left alone before it is looked at again, and when its node stops waiting for it.

All times are in seconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from video_production.settings import ProviderSettings

__all__ = ["looks_until", "next_look", "waited_enough"]

_JITTER = 0.1
"""Jobs that were sent together are not asked about together: up to this share is added to each wait."""


def next_look(
    age: float, settings: ProviderSettings, chance: Callable[[], float] = random.random, *, awaited: bool = False
) -> float:
    """The wait before the next look at a job of this age: it grows with the age, between the shortest and the longest.

    A job that is young is nearly done or has just begun; one that is old will not be much older when it ends. While
    others wait for its slot (`awaited`) it is looked at twice as often: between its end and the look that finds it the
    slot stands empty; but never sooner than the provider allows. `chance` gives 0 to 1.
    """
    longest = max(settings.poll_interval, settings.poll_longest)
    wait = min(max(age * settings.poll_growth, settings.poll_interval), longest)
    if awaited:
        wait = min(wait, max(wait / 2, settings.poll_fastest))
    return wait * (1 + _JITTER * chance())


def looks_until(age: float, settings: ProviderSettings, *, awaited: bool = True) -> int:
    """How often a job is looked at, at most, until one look finds it at this age or older.

    While others wait for its slot (`awaited`) that is about twice as often as when nobody does.
    """
    passed, count = 0.0, 0
    while passed < age:
        passed += next_look(passed, settings, chance=lambda: 0.0, awaited=awaited)
        count += 1
    return count


def waited_enough(now: float, sent_at: float, asked_at: float, settings: ProviderSettings) -> bool:
    """Whether a node stops waiting for a job. A person who asks for the node again has it waited for anew."""
    return now - max(sent_at, asked_at) >= settings.deadline

"""Encoding that would not end in time is refused once its speed is known."""

from __future__ import annotations

from fractions import Fraction

import pytest

from video_production.errors import OutOfTime
from video_production.media.time_budget import TimeBudget


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_would_not_end_in_time_is_refused_after_two_seconds_of_video() -> None:
    clock = Clock()
    budget = TimeBudget(clock.now + 60, Fraction(60), clock)
    clock.now += 1.5
    budget.progress(1.9 / 60)  # too little to be believed
    clock.now += 0.5
    with pytest.raises(OutOfTime, match=r"Encoding 60 s of video here would take about 75 s more, and 58 s are left"):
        budget.progress(2 / 60)


def test_what_fits_with_its_margin_goes_on() -> None:
    clock = Clock()
    budget = TimeBudget(clock.now + 100, Fraction(60), clock)
    clock.now += 2.0
    budget.progress(2 / 60)  # 58 s × 1.3 are 75 s; 80 % of 98 s are 78 s
    clock.now += 90
    budget.progress(3 / 60)  # what has begun is left to its deadline


def test_without_a_deadline_there_is_all_the_time() -> None:
    clock = Clock()
    budget = TimeBudget(None, Fraction(60), clock)
    clock.now += 1e6
    budget.progress(0.5)


def test_nothing_left_is_said_as_such() -> None:
    clock = Clock()
    budget = TimeBudget(clock.now + 1, Fraction(60), clock)
    clock.now += 5
    with pytest.raises(OutOfTime, match="and 0 s are left"):
        budget.progress(0.1)

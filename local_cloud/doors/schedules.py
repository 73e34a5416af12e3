"""Schedules: rules with a rate, and those of EventBridge Scheduler; moto keeps both and never fires one."""

from __future__ import annotations

import logging
import re
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.events.models import events_backends

from local_cloud.doors.crew import Crew
from local_cloud.doors.event_bus import enabled, iso_time, target_input
from local_cloud.doors.lambdas import existing
from local_cloud.doors.targets import Targets

__all__ = ["Clock", "rate_in_seconds"]

log = logging.getLogger(__name__)

TICK = 0.5
"""Seconds between two looks at the schedules."""
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNITS = {"minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True, slots=True)
class _Schedule:
    arn: str
    expression: str
    targets: tuple[dict[str, Any], ...]
    event: dict[str, Any]
    """What targets without an input of their own receive; id and time are filled in."""


def rate_in_seconds(expression: str) -> float | None:
    """`rate(5 minutes)` → 300; None for any other kind of expression."""
    found = _RATE.fullmatch(expression.strip())
    return float(found[1]) * _UNITS[found[2]] if found else None


class Clock:
    """Fires schedules, each for the first time one interval after it was first seen. `speed` shortens the intervals."""

    def __init__(self, targets: Targets, speed: float) -> None:
        self._targets = targets
        self._speed = speed
        self._due: dict[tuple[str, str], float] = {}
        self._crew = Crew("schedules")
        self._crew.start(self._tick)

    def shut(self) -> None:
        self._crew.shut()

    def close(self) -> None:
        self._crew.close()

    def _tick(self) -> None:
        while not self._crew.closing.wait(TICK):
            try:
                seen = {(each.arn, each.expression): each for each in _schedules()}
            except RuntimeError:
                continue  # definitions changed under our hands; the next look sees them whole
            self._due = {key: due for key, due in self._due.items() if key in seen}
            for key, schedule in seen.items():
                self._look_at(key, schedule)

    def _look_at(self, key: tuple[str, str], schedule: _Schedule) -> None:
        interval = rate_in_seconds(schedule.expression)
        now = time.monotonic()
        if key not in self._due:
            if interval is None:
                log.warning("%s never fires here: the local cloud knows rates, not %s", *key)
            self._due[key] = now + (interval or float("inf")) / self._speed
        elif interval is not None and now >= self._due[key]:
            self._due[key] = now + interval / self._speed
            self._fire(schedule)

    def _fire(self, schedule: _Schedule) -> None:
        event = {**schedule.event, "id": str(uuid.uuid4()), "time": iso_time(time.time())}
        for target in schedule.targets:
            try:
                self._targets.deliver(target["Arn"], target_input(target, event))
            except Exception:
                log.exception("%s could not reach %s", schedule.arn, target["Arn"])


def _schedules() -> Iterator[_Schedule]:
    for backend in existing(events_backends):
        for bus in list(backend.event_buses.values()):
            for rule in list(bus.rules.values()):
                if rule.scheduled_expression and enabled(rule):
                    yield _schedule(backend, rule.arn, rule.scheduled_expression, tuple(rule.targets), "aws.events", {})
    scheduler = sys.modules.get("moto.scheduler.models")  # importing it just to find it empty would be a waste
    for backend in existing(scheduler.scheduler_backends) if scheduler else ():
        for group in list(backend.schedule_groups.values()):
            for each in list(group.schedules.values()):
                if enabled(each):
                    target, detail = (each.target,), "{}"  # Scheduler, unlike a rule, spells the empty detail as text
                    yield _schedule(backend, each.arn, each.schedule_expression, target, "aws.scheduler", detail)


def _schedule(
    backend: Any, arn: str, expression: str, targets: tuple[dict[str, Any], ...], source: str, detail: Any
) -> _Schedule:
    event = {
        "version": "0",
        "id": "",
        "detail-type": "Scheduled Event",
        "source": source,
        "account": backend.account_id,
        "time": "",
        "region": backend.region_name,
        "resources": [arn],
        "detail": detail,
    }
    return _Schedule(arn, expression, targets, event)

"""The tables of docs/scaling.md: what lessons a day mean for the busiest seconds."""

from __future__ import annotations

from collections.abc import Iterator

from tools.cost.estimate import HIGH, LOW, Assumed, invocations, machine_log_bytes, seconds, transitions
from tools.cost.markdown import table
from tools.cost.usage import Usage
from video_production.settings import ROLES

__all__ = ["load_tables"]

_DAY = 86_400
_PEAK = 4
"""How many times busier than the average of a day the busiest seconds are."""
_VOLUMES = (10, 100, 1_000, 10_000)


def load_tables(lesson: Usage, explainer: Usage) -> str:
    """Both tables as Markdown; the second is of lessons."""
    names, cells = zip(*_one(lesson), strict=True)
    one = [list(row) for row in zip(names, cells, (cell for _, cell in _one(explainer)), strict=True)]
    return "\n\n".join((table(["", "a lesson", "an explainer"], one), _many(lesson)))


def _one(usage: Usage) -> Iterator[tuple[str, str]]:
    low, high = (_others(usage, end) for end in (LOW, HIGH))
    yield "executions started", str(usage.executions)
    yield "state transitions", f"{transitions(usage, LOW)}–{transitions(usage, HIGH)}"
    yield "Lambda: seconds with FFmpeg", f"{_ffmpeg(usage, LOW):.0f}–{_ffmpeg(usage, HIGH):.0f}"
    yield "Lambda: other invocations", f"{low}–{high}"
    yield "DynamoDB: write units, read units", f"{usage.write_units}, {usage.read_units}"
    yield "S3 requests", str(usage.s3_puts + usage.s3_gets)
    yield "logs", f"{(usage.log_bytes + machine_log_bytes(usage)) / 1e6:.1f} MB"


def _ffmpeg(usage: Usage, end: Assumed) -> float:
    return sum(seconds(usage, role, end) for role in usage.functions if ROLES[role].ffmpeg)


def _others(usage: Usage, end: Assumed) -> int:
    return sum(number for role, number in invocations(usage, end).items() if not ROLES[role].ffmpeg)


def _many(usage: Usage) -> str:
    head = [
        "lessons a day",
        "lessons a second",
        "FFmpeg functions at once",
        "executions started a second",
        "transitions a second",
        "table writes a second",
        "S3 requests a second",
    ]
    return table(head, [list(_row(usage, lessons)) for lessons in _VOLUMES])


def _row(usage: Usage, lessons: int) -> Iterator[str]:
    rate = lessons / _DAY * _PEAK
    yield f"{lessons:,}"
    yield f"{rate:.2g}"
    yield str(max(1, round(rate * _ffmpeg(usage, HIGH))))
    for each in (usage.executions, transitions(usage, HIGH), usage.write_units, usage.s3_puts + usage.s3_gets):
        yield f"{float(f'{rate * each:.2g}'):g}"

"""Invented numbers for the picture of the dashboard: a working day of a healthy system, with one thing to decide."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Literal

from tools.dashboard.template import Line, Widget
from video_production.settings import poller_of

__all__ = ["RINGING", "Series", "series_of"]

RINGING = ("may-have-been-paid-runway",)
"""The alarms that ring in the picture, by what their names contain."""

_SECONDS = {"-P1D": 86400, "-P7D": 7 * 86400, "-P28D": 28 * 86400}
_ENDS_AT = 14
"""The hour at which the picture ends."""
_VALUES = {
    "node_type": ("generate-voiceover", "generate-talking-head", "generate-animation", "merge-videos", "mix-audio"),
    "operation": ("submit", "check", "download"),
    "method": ("splice", "splice-inband", "reencode-some", "reencode-all"),
}
"""What searches find, by the dimension that they make lines of."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`busy`: follows the working day up to `high`. `level`: wavers between `low` and `high`. `rare`: `high`, `times`
    times in all. `rising`: from `low` to `high`. `like` names the line whose ups and downs it shares."""

    shape: Literal["busy", "level", "rare", "rising"]
    high: float
    low: float = 0
    times: int = 1
    like: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """The points of one line, oldest first; `total` is what a single number or a bar shows of them."""

    label: str
    color: str
    points: tuple[float, ...]
    total: float


_NEVER = Sample("rare", 0, times=0)
_POLLS = {"elevenlabs": 52, "heygen": 31, "veo3": 22, "runway": 9}
_ONCE = Sample("rare", 1)
_SAMPLES = {
    "ExecutionsStarted": Sample("busy", 14),
    "PipelinesEnded Completed": Sample("busy", 13.6, like="ExecutionsStarted Started"),
    "PipelinesEnded Failed": Sample("rare", 1, times=2),
    "PipelinesEnded Cancelled": _ONCE,
    "SweptPipelines": Sample("busy", 6),
    "SweptJobs": Sample("busy", 4),
    "NodesEnded generate-voiceover": Sample("rare", 1, times=3),
    "NodesEnded generate-animation": Sample("rare", 1, times=2),
    "NodesEnded": _NEVER,
    "NodeSeconds generate-voiceover": Sample("level", 38, 21),
    "NodeSeconds generate-talking-head": Sample("level", 290, 170),
    "NodeSeconds generate-animation": Sample("level", 120, 70),
    "NodeSeconds merge-videos": Sample("level", 74, 45),
    "NodeSeconds mix-audio": Sample("level", 17, 9),
    "ProviderCalls": Sample("busy", 62),
    "ProviderErrors": Sample("rare", 2, times=2),
    "RateLimited": Sample("rare", 4, times=3),
    "ProviderLatency submit": Sample("level", 820, 540),
    "ProviderLatency check": Sample("level", 240, 150),
    "ProviderLatency download": Sample("level", 1450, 900),
    "Polls": Sample("busy", 44),
    "WebhooksReceived": Sample("busy", 12),
    "WebhooksRejected": _NEVER,
    "SpendUSD": Sample("level", 11, 4),
    "SpendUSD elevenlabs": Sample("level", 6, 2),
    "SpendUSD heygen": Sample("level", 38, 21),
    "AccountRefusals": _NEVER,
    "ProviderRefusals": Sample("rare", 1, times=3),
    "MayHaveBeenPaid": _NEVER,
    "MayHaveBeenPaid runway: may have been paid": _ONCE,
    "OrphanPaidJobs": _NEVER,
    "VideosMerged splice": Sample("busy", 9.2),
    "VideosMerged splice-inband": Sample("rare", 1, times=2),
    "VideosMerged reencode-some": Sample("busy", 3.4),
    "VideosMerged reencode-all": Sample("busy", 1),
    "BytesRead": Sample("busy", 2.6e9),
    "BytesWritten": Sample("busy", 1.9e9),
    "TmpPercent merger": Sample("level", 37, 12),
    "TmpPercent audio_mixer": Sample("level", 9, 4),
    "Invocations": Sample("busy", 18),
    **{f"Invocations {poller_of(name)}": Sample("busy", calls) for name, calls in _POLLS.items()},
    "Invocations scheduler": Sample("busy", 41),
    "Invocations sweeper": Sample("level", 1, 1),
    "Invocations error_callback": _NEVER,
    "Errors": _NEVER,
    "Errors audio_mixer": _ONCE,
    "Throttles": _NEVER,
    "ConcurrentExecutions": Sample("busy", 3),
    **{f"ConcurrentExecutions {poller_of(name)}": Sample("busy", calls / 7) for name, calls in _POLLS.items()},
    "ConcurrentExecutions merger": Sample("busy", 6),
    "Duration": Sample("level", 12, 4),
    "Duration merger": Sample("level", 41, 15),
    "Duration elevenlabs_submitter": Sample("level", 27, 8),
    "MemoryUsedMB": Sample("level", 34, 27),
    "MemoryUsedMB merger": Sample("level", 63, 41),
    "MemoryUsedMB audio_mixer": Sample("level", 47, 31),
    "ApproximateAgeOfOldestMessage": Sample("busy", 4),
    "ApproximateNumberOfMessagesVisible": _NEVER,
    "ExecutionsFailed": _NEVER,
    "ExecutionsTimedOut": _NEVER,
    "ExecutionsAborted": _NEVER,
    "Count": Sample("busy", 26),
    "4xx": Sample("rare", 1, times=3),
    "5xx": _NEVER,
    "ReadThrottleEvents": _NEVER,
    "WriteThrottleEvents": _NEVER,
    "BucketSizeBytes": Sample("rising", 412e9, 353e9),
}


def series_of(widget: Widget) -> list[Series]:
    """Every line of a widget with its points. Raises KeyError for a metric without sample data."""
    seconds = _SECONDS[widget.start or "-P1D"]
    period = widget.period if widget.view == "timeSeries" else 3600
    return [
        _series(line, label, seconds, line.period or period, widget.title)
        for line in widget.lines
        for label in (_VALUES[line.each] if line.each else (line.label,))
    ]


def _series(line: Line, label: str, seconds: int, period: int, title: str) -> Series:
    sample = _SAMPLES.get(f"{line.metric} {label}") or _SAMPLES[line.metric]
    chance = random.Random(f"{title} {sample.like or f'{line.metric} {label}'}")
    points = tuple(_points(sample, seconds // period, seconds, chance))
    counts = sample.shape in ("busy", "rare") and not line.metric.startswith("Swept")
    return Series(label, line.color, points, float(round(sum(points)) if counts else round(points[-1])))


def _points(sample: Sample, number: int, seconds: int, chance: random.Random) -> list[float]:
    if sample.shape == "rare":
        hits = chance.sample(range(number // 3, number), sample.times)
        return [sample.high if index in hits else 0.0 for index in range(number)]
    points, wander = [], chance.random()
    for index in range(number):
        hour = (_ENDS_AT - (number - 1 - index) * seconds / number / 3600) % 24
        wander = min(1.0, max(0.0, wander + chance.uniform(-0.25, 0.25)))
        if sample.shape == "busy":
            points.append(float(round(sample.high * _busy(hour) * (0.6 + 0.4 * wander))))
        elif sample.shape == "rising":
            points.append(sample.low + (sample.high - sample.low) * (index + 0.3 * wander) / number)
        else:
            points.append(sample.low + (sample.high - sample.low) * wander)
    return points


def _busy(hour: float) -> float:
    """How much is going on at an hour of the day, 0 to 1: little at night, most before and after noon."""
    return 0.04 + 0.96 * max(0.0, math.sin(math.pi * (hour - 6.5) / 12)) ** 0.8 if 6.5 <= hour <= 18.5 else 0.04

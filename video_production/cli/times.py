"""How long a run is likely to take, for people who wait for it. Rough on purpose: nothing is decided by it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Work", "likely", "makespan"]

Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Pace:
    """Seconds for one job, and for each unit of what it makes (a second of media, a character): at least, at most."""

    job: Bounds
    unit: Bounds = (0.0, 0.0)


_REAL = {
    "elevenlabs": _Pace((3, 15), (0.004, 0.02)),
    "heygen": _Pace((45, 150), (1.0, 6.0)),
    "veo3": _Pace((40, 180)),
    "runway": _Pace((45, 240)),
}
"""As the providers' users report it, with the wait between two looks."""
_DRAFT = {
    "elevenlabs": _Pace((1, 4), (0.001, 0.01)),
    "heygen": _Pace((2, 5), (0.1, 0.8)),
    "veo3": _Pace((2, 8)),
    "runway": _Pace((2, 8)),
}
_FFMPEG = _Pace((1.5, 5), (0.05, 0.5))
_UNKNOWN = _Pace((30, 300))


@dataclass(frozen=True, slots=True)
class Work:
    """One node's work: who does it, after which nodes, and for how long, in seconds."""

    id: str
    maker: str
    after: tuple[str, ...]
    seconds: Bounds


def likely(provider: str, mode: str, quantity: Bounds) -> Bounds:
    """How long one node takes. `quantity` is in characters for speech and in seconds for everything else."""
    pace = _FFMPEG if provider == "ffmpeg" else (_REAL if mode == "live" else _DRAFT).get(provider, _UNKNOWN)
    low, high = (job + unit * amount for job, unit, amount in zip(pace.job, pace.unit, quantity, strict=True))
    return low, high


def makespan(works: Sequence[Work], capacity: Mapping[str, int]) -> Bounds:
    """How long everything takes together. `works` stand behind what they wait for; `capacity` is how many jobs a maker
    does at once. The longest chain of nodes, or the busiest maker: whichever takes longer."""
    ends: dict[str, Bounds] = {}
    busy: dict[str, Bounds] = defaultdict(lambda: (0.0, 0.0))
    for work in works:
        waits = [ends[id] for id in work.after if id in ends]
        begin = max((low for low, _ in waits), default=0.0), max((high for _, high in waits), default=0.0)
        ends[work.id] = begin[0] + work.seconds[0], begin[1] + work.seconds[1]
        share = capacity.get(work.maker, 1)
        busy[work.maker] = busy[work.maker][0] + work.seconds[0] / share, busy[work.maker][1] + work.seconds[1] / share
    both = [*ends.values(), *busy.values()]
    return max((low for low, _ in both), default=0.0), max((high for _, high in both), default=0.0)

"""The example lesson's merge: what encoding took, against what is copied now. Part of `make bench-concat`.

Before there was a splice, the clips went through `reencode-all`, which is still there. Both ways merge the same local
clips in turn, in this process; FFmpeg's processor time is counted, too.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from video_production.media.merge import MergeInput, Wish, merge

__all__ = ["Timed", "compare", "lines"]

_ROUNDS = 5


@dataclass(frozen=True)
class Timed:
    """Medians of some merges of the same clips: wall-clock and processor seconds."""

    what: str
    method: str
    wall_s: float
    cpu_s: float


def compare(clips: Sequence[Path], alike: Sequence[Path], ffmpeg: str) -> list[Timed]:
    """All clips, then those that need no encoding, each the old and the new way."""
    found = []
    for what, paths in ((f"all {len(clips)} clips", clips), (f"the {len(alike)} that are alike", alike)):
        taken: dict[str, list[tuple[float, float]]] = {}
        for _ in range(_ROUNDS):
            for wish in ("reencode-all", "auto"):
                method, *seconds = _timed(paths, wish, ffmpeg)
                taken.setdefault(wish if wish == "reencode-all" else method, []).append((seconds[0], seconds[1]))
        for method, times in taken.items():
            walls, cpus = zip(*times, strict=True)
            found.append(Timed(what, method, round(statistics.median(walls), 2), round(statistics.median(cpus), 2)))
    return found


def lines(timed: Sequence[Timed]) -> list[str]:
    """The rows of a table; "before" is the row above of the same clips."""
    rows = ["| merged | way | seconds | processor seconds | times faster |", "|---|---|---|---|---|"]
    before = {each.what: each.wall_s for each in timed if each.method == "reencode-all"}
    for each in timed:
        ratio = "" if each.method == "reencode-all" else f"{before[each.what] / each.wall_s:.1f}"
        rows.append(f"| {each.what} | {each.method} | {each.wall_s:.2f} | {each.cpu_s:.2f} | {ratio} |")
    return rows


def _timed(paths: Sequence[Path], wish: Wish, ffmpeg: str) -> tuple[str, float, float]:
    with tempfile.TemporaryDirectory(prefix="jiki-lesson-") as folder:
        inputs = [MergeInput(path.name, path) for path in paths]
        begun, used = time.perf_counter(), _processor()
        merged = merge(inputs, Path(folder) / "out.mp4", Path(folder), method=wish, ffmpeg=ffmpeg)
        return merged.result.method, time.perf_counter() - begun, _processor() - used


def _processor() -> float:
    """Seconds of processor time of this process and of all that it started and that ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)

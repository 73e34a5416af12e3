"""Loudness after EBU R 128 / ITU-R BS.1770: measured in a first pass, corrected by a filter of the second.

The correction never rides the level: it is one constant gain. Where that gain would lift peaks above the ceiling, a
limiter that looks at true peaks holds just those back. (FFmpeg's `loudnorm` would switch to its dynamic mode there,
which breathes, and misses the target by several LU on sounds under three seconds.)
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from video_production.errors import VideoProductionError
from video_production.media.ffmpeg import run_ffmpeg

__all__ = ["FIRST_PASS", "Loudness", "filter_for", "measure", "parse", "true_peak_limiter"]

TARGET_LUFS = -16.0
TARGET_TRUE_PEAK = -1.5
"""dBTP. Leaves room for what AAC adds to a peak."""
SILENCE_LUFS = -60.0
"""What is quieter than this is no voice: lifting it would only make hiss audible."""

FIRST_PASS = f"loudnorm=I={TARGET_LUFS}:TP={TARGET_TRUE_PEAK}:LRA=50:print_format=json"
"""The filter whose report `parse` reads."""

_REPORT = re.compile(r"\{[^{}]*\"input_i\"[^{}]*\}")


@dataclass(frozen=True, slots=True)
class Loudness:
    """What the first pass measured.

    `integrated` in LUFS and `true_peak` in dBTP (both −inf for digital silence; `integrated` also for sounds under
    400 ms, which have no loudness by definition), `range` in LU, `threshold` in LUFS, `offset` in LU.
    """

    integrated: float
    true_peak: float
    range: float
    threshold: float
    offset: float

    @property
    def silent(self) -> bool:
        """Whether there is nothing whose loudness could be corrected."""
        return self.integrated < SILENCE_LUFS


def measure(path: Path, ffmpeg: str = "ffmpeg", *, chain: str = "anull", deadline: float | None = None) -> Loudness:
    """Measure the first sound track of `path` behind the filters of `chain`, by decoding all of it.

    `chain` holds what the sound goes through before it is corrected (resampling, mono to both channels): loudness
    depends on the number of channels. Raises what `run_ffmpeg` raises; VideoProductionError when nothing is reported.
    """
    arguments = ["-i", f"file:{path}", "-map", "0:a:0", "-af", f"{chain},{FIRST_PASS}", "-f", "null", "-"]
    return parse(run_ffmpeg(arguments, deadline=deadline, ffmpeg=ffmpeg))


def parse(messages: str) -> Loudness:
    """Read the report of the first pass out of FFmpeg's messages."""
    report = _REPORT.search(messages)
    if report is None:
        raise VideoProductionError("FFmpeg measured no loudness. Check that the sound file is not empty.")
    values = json.loads(report[0])
    return Loudness(
        integrated=float(values["input_i"]),
        true_peak=float(values["input_tp"]),
        range=float(values["input_lra"]),
        threshold=float(values["input_thresh"]),
        offset=float(values["target_offset"]),
    )


def filter_for(measured: Loudness) -> str:
    """The filters that bring a sound to `TARGET_LUFS` at 48 kHz; `anull` where there is nothing to correct.

    Belongs behind the same filters that it was measured behind.
    """
    if measured.silent:
        return "anull"
    gain = TARGET_LUFS - measured.integrated
    if measured.true_peak + gain > TARGET_TRUE_PEAK or measured.integrated >= 0:
        return f"volume={gain:.2f}dB,{true_peak_limiter(TARGET_TRUE_PEAK)}"
    # A measured range of 0 (short or even sounds) makes loudnorm leave its linear mode.
    measured_range = min(max(measured.range, 0.1), 50.0)
    return (
        f"loudnorm=I={TARGET_LUFS}:TP={TARGET_TRUE_PEAK}:LRA=50:linear=true"
        f":measured_I={measured.integrated:.2f}:measured_TP={max(measured.true_peak, -99.0):.2f}"
        f":measured_LRA={measured_range:.2f}:measured_thresh={min(measured.threshold, 0.0):.2f}"
        f":offset={_finite(measured.offset):.2f},aresample=48000"
    )


def true_peak_limiter(ceiling: float) -> str:
    """Filters that keep true peaks (between the samples, too) under `ceiling` dBTP, for sound at 48 kHz.

    Sound below the ceiling passes unchanged up to 21 kHz (−100 dB) and is not delayed.
    """
    limit = 10 ** (ceiling / 20)
    precise = "filter_size=64:cutoff=0.99"
    return (
        f"aresample=192000:{precise},alimiter=limit={limit:.5f}:level=false:latency=true:attack=5:release=50"
        f",aresample=48000:{precise}"
    )


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0

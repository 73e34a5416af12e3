"""Where every sample of every clip lies in the result: exact positions first, ticks last.

Clip *i* begins at T(i); T(0) = 0 and T(i+1) = T(i) + the clip's duration, picture or sound, whichever is longer. Times
are exact fractions; a position is rounded once, from its absolute value, so nothing ever adds up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, lcm

import numpy as np
import numpy.typing as npt

from video_production.media.splice.spans import AAC_FRAME, Clip, Numbers, SoundSpan, Unfit

__all__ = ["PictureTable", "Placed", "SoundTable", "lay_out_picture", "lay_out_sound", "starts"]

FINEST = 20_000_000
"""Ticks per second beyond which a common time scale is given up for a rounded one."""

_LONGEST = 100 * 3600
"""Seconds of a result; a damaged file can state centuries."""

_ROUNDED = 90_000 * 16
"""The time scale that stands for one that would be too fine."""

_WIDEST = (1 << 31) - 1
"""Ticks that a sample may last, or be seen after it is decoded: what every reader takes."""


def starts(clips: Sequence[Clip]) -> list[Fraction]:
    """T(0) … T(n) in seconds; the last one is the duration of the result."""
    times = [Fraction(0)]
    for clip in clips:
        times.append(times[-1] + clip.duration)
    return times


@dataclass(frozen=True, slots=True)
class PictureTable:
    """The samples of the spliced picture: decoding times from 0 and composition offsets, in ticks of `timescale`.

    `late` is how many ticks after the result's start the first frame is seen; `shown` its presentation time; `length`
    from there to the end of the last frame, in ticks. `clip` is the clip of each sample.
    """

    timescale: int
    dts: Numbers
    composition: Numbers
    end: int
    sync: npt.NDArray[np.bool_]
    sizes: Numbers
    offsets: Numbers
    clip: Numbers
    late: int
    shown: int
    length: int


def lay_out_picture(clips: Sequence[Clip]) -> PictureTable:
    """Put the pictures of all clips on one timeline.

    Each clip's decoding begins the same time before its first frame: the longest that any of them needs. So decoding
    times rise steadily whatever the clips' own structures of B-frames. Raises Unfit naming a clip where they would not.
    """
    times = starts(clips)
    if times[-1] > _LONGEST:
        raise Unfit("together they would last more than 100 hours")
    scale = lcm(*(clip.picture.timescale for clip in clips))
    scale = scale if scale <= FINEST else _ROUNDED
    delay = max(Fraction(clip.picture.delay, clip.picture.timescale) for clip in clips)
    delay_ticks = ceil(delay * scale)
    all_pts: list[Numbers] = []
    all_dts: list[Numbers] = []
    ends: list[int] = []
    for clip, begin in zip(clips, times, strict=False):
        span = clip.picture
        seen = begin + span.start - clip.start
        own_early = _ticks(Fraction(span.early, span.timescale), scale)
        pts = _scaled(span.pts - span.shown, span.timescale, seen, scale)
        dts = _scaled(span.dts - span.shown, span.timescale, seen, scale) - (delay_ticks - own_early)
        if all_dts and len(dts) and dts[0] <= all_dts[-1][-1]:
            raise Unfit(
                f"{clip.name}: its first frames would have to be decoded before the last ones of the clip before"
            )
        all_pts.append(pts)
        all_dts.append(dts)
        ends.append(_ticks(seen + span.end - span.start, scale))
    dts, pts = np.concatenate(all_dts), np.concatenate(all_pts)
    if len(dts) > 1 and int(np.diff(dts).min()) <= 0:
        raise Unfit("two pictures with the same decoding time")
    stands = max(1, _ticks(Fraction(clips[-1].picture.stands, clips[-1].picture.timescale), scale))
    if max(int(np.diff(dts, append=dts[-1] + stands).max()), int(np.abs(pts - dts).max())) > _WIDEST:
        raise Unfit("a picture that stands too long")
    base = int(dts[0])
    first = int(all_pts[0].min())
    return PictureTable(
        timescale=scale,
        dts=dts - base,
        composition=pts - dts,
        end=int(dts[-1]) - base + stands,
        sync=np.concatenate([clip.picture.sync for clip in clips]),
        sizes=np.concatenate([clip.picture.sizes for clip in clips]),
        offsets=np.concatenate([clip.picture.offsets for clip in clips]),
        clip=np.repeat(np.arange(len(clips)), [len(clip.picture.dts) for clip in clips]),
        late=first,
        shown=first - base,
        length=ends[-1] - first,
    )


def _scaled(ticks: Numbers, timescale: int, at: Fraction, scale: int) -> Numbers:
    """Absolute times in ticks of `scale`: `at` seconds plus `ticks` of `timescale`, each rounded by itself, half up.

    Exact, without a common denominator, which could be too large for a 64-bit number.
    """
    whole, part = divmod(at * scale + Fraction(1, 2), 1)
    seconds, rest = np.divmod(ticks, timescale)
    ticks_of_rest, rest = np.divmod(rest * scale, timescale)
    # What is left is rest / timescale + part, less than two: it carries where rest reaches this.
    carries = (rest >= ceil((1 - part) * timescale)).astype(np.int64)
    placed: Numbers = (seconds * scale + ticks_of_rest + carries).astype(np.int64, copy=False) + int(whole)
    return placed


def _ticks(seconds: Fraction, scale: int) -> int:
    return floor(seconds * scale + Fraction(1, 2))


@dataclass(frozen=True, slots=True)
class Placed:
    """A run of packets in the result: `count` packets of clip `clip` from its packet `first`, or silence (first -1)."""

    clip: int
    first: int
    count: int

    @property
    def silent(self) -> bool:
        return self.first < 0


@dataclass(frozen=True, slots=True)
class SoundTable:
    """The packets of the spliced sound, one after the other. `hidden` samples come before the result's start."""

    rate: int
    runs: tuple[Placed, ...]
    hidden: int

    @property
    def packets(self) -> int:
        return sum(run.count for run in self.runs)


def lay_out_sound(clips: Sequence[Clip]) -> SoundTable | None:
    """Put the packets of all clips' sound behind each other; None where no clip has sound.

    A clip's sound begins within half a packet (10.7 ms at 48 kHz) of where its picture says, at every join; silence
    fills what has no sound. One packet before the first audible one is kept: a decoder needs it to start cleanly.
    """
    spans = [clip.sound for clip in clips]
    rate = next((span.rate for span in spans if span), 0)
    if not rate:
        return None
    times = starts(clips)
    hidden: int | None = None
    layer = _Layer(0)
    for index, (clip, span) in enumerate(zip(clips, spans, strict=True)):
        if span is None:
            continue
        surplus = _surplus(span)
        at = (times[index] + span.start - clip.start) * rate
        position = at - (span.hidden - AAC_FRAME * surplus)
        if hidden is None:  # the first sound lies exactly where it belongs
            hidden = -round(position) if position <= 0 else -round(position) % AAC_FRAME
            layer = _Layer(-hidden)
        stop = at + (span.end - span.start) * rate
        wanted = floor((stop - position) / AAC_FRAME + Fraction(1, 2))
        if index == len(clips) - 1:
            wanted = ceil((stop - position) / AAC_FRAME)
        cut = layer.fill_until(position, index)
        layer.place(index, surplus + cut, min(max(wanted, 1), len(span.sizes) - surplus) - cut)
    layer.fill_until(times[-1] * rate, len(clips) - 1, overlap=False)
    return SoundTable(rate, tuple(layer.runs), hidden or 0)


def _surplus(span: SoundSpan) -> int:
    """Hidden packets that no decoder needs: all but the last one before the sound."""
    return max(0, floor(span.hidden / AAC_FRAME) - 1)


class _Layer:
    """Packets on a grid that begins at `origin` (samples, the result's start is 0)."""

    def __init__(self, origin: int) -> None:
        self.runs: list[Placed] = []
        self._origin = origin
        self._count = 0

    def fill_until(self, position: Fraction, clip: int, *, overlap: bool = True) -> int:
        """Make the next packet begin within half a packet of `position`: drop what is too much, add silence.

        Return how many packets would have to be dropped beyond those that are there.
        """
        slots = floor((position - self._origin) / AAC_FRAME + Fraction(1, 2)) - self._count
        if slots > 0:
            self._append(Placed(clip, -1, slots))
        elif overlap:
            return self._drop(-slots)
        return 0

    def place(self, clip: int, first: int, count: int) -> None:
        if count > 0:
            self._append(Placed(clip, first, count))

    def _append(self, run: Placed) -> None:
        self.runs.append(run)
        self._count += run.count

    def _drop(self, count: int) -> int:
        while count > 0 and self.runs:
            last = self.runs.pop()
            self._count -= min(last.count, count)
            if last.count > count:
                self.runs.append(Placed(last.clip, last.first, last.count - count))
            count -= min(count, last.count)
        return count

"""Which samples of a track are presented, and when, after its edit list.

A sample of the picture is presented when its presentation time lies inside an edit, the edit's end rounded to the
nearest media tick: what FFmpeg decodes. Sound is cut at the edit to the tick.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction

from video_production.media.mp4.model import Samples, Track

__all__ = ["Presented", "average_rate", "evenly_spaced", "present_picture", "present_sound"]


@dataclass(frozen=True, slots=True)
class Presented:
    """What a track shows. `start` and `duration` in seconds on the movie timeline; `samples` counts presentations.

    `first` is the index of the sample that is presented first. `constant` is true when all are equally far apart.
    `rate` is samples per second on average. `edits` counts the edits that are not empty. `reorder` is the depth of
    reordering in media ticks. For sound, `samples` to `reorder` but `edits` mean nothing and are zero.
    """

    start: Fraction
    duration: Fraction
    edits: int
    samples: int = 0
    first: int = 0
    constant: bool = True
    rate: Fraction = Fraction(0)
    reorder: int = 0


@dataclass(frozen=True, slots=True)
class _Span:
    """An edit that shows media: seconds on the movie timeline, media ticks [begin, end)."""

    at: Fraction
    begin: int
    end: int


def _spans(track: Track, movie_timescale: int, media_start: int, media_end: int) -> list[_Span]:
    """The edits that show media; without an edit list, the media as it is."""
    if not track.edits:
        return [_Span(Fraction(media_start, track.timescale), media_start, media_end)]
    spans: list[_Span] = []
    at = Fraction(0)
    for edit in track.edits:
        if edit.media_time is None:
            at += Fraction(edit.duration or 0, movie_timescale)
            continue
        end = media_end
        if edit.duration is not None:
            ticks = (2 * edit.duration * track.timescale + movie_timescale) // (2 * movie_timescale)
            end = edit.media_time + ticks
        spans.append(_Span(at, edit.media_time, end))
        at += Fraction(edit.duration or 0, movie_timescale)
    return spans


def present_picture(track: Track, movie_timescale: int) -> Presented | None:
    """How the picture is presented; None when the edit list shows none of it."""
    samples, scale = track.samples, track.timescale
    times = _presentation_times(samples)
    order = array("q", sorted(times))
    spans = _spans(track, movie_timescale, order[0], order[-1] + 1)
    shown = [(span, bisect_left(order, span.begin), bisect_left(order, span.end)) for span in spans]
    shown = [(span, begin, end) for span, begin, end in shown if end > begin]
    if not shown:
        return None
    span, begin, end = shown[0]
    start = span.at + Fraction(order[begin] - span.begin, scale)
    last_span, _, last_end = shown[-1]
    last = order[last_end - 1]
    # A last frame that states no duration stands as long as the one before it.
    stands = samples.duration(times.index(last)) or (last - order[last_end - 2] if last_end > 1 else 0)
    finish = last_span.at + Fraction(last + stands - last_span.begin, scale)
    count = sum(end - begin for _, begin, end in shown)
    constant = len(shown) == 1 and evenly_spaced(order[begin:end])
    return Presented(
        start=start,
        duration=finish - start,
        edits=len(spans) if track.edits else 0,
        samples=count,
        first=times.index(order[begin]),
        constant=constant,
        rate=average_rate(order[begin:end], Fraction(1, scale), constant, count, finish - start),
        reorder=_reorder(samples, track, order[0]),
    )


def present_sound(track: Track, movie_timescale: int) -> Presented | None:
    """How the sound is presented; None when the edit list lets none of it be heard."""
    first, end, scale = track.samples.dts[0], track.samples.end, track.timescale
    heard = [
        (span.at, max(span.begin, first), min(span.end, end), span.begin)
        for span in _spans(track, movie_timescale, first, end)
    ]
    heard = [part for part in heard if part[2] > part[1]]
    if not heard:
        return None
    at, begin, _, origin = heard[0]
    start = at + Fraction(begin - origin, scale)
    at, _, stop, origin = heard[-1]
    return Presented(start, at + Fraction(stop - origin, scale) - start, edits=len(heard) if track.edits else 0)


def _presentation_times(samples: Samples) -> array[int]:
    if samples.composition is None:
        return samples.dts
    return array("q", map(int.__add__, samples.dts, samples.composition))


def evenly_spaced(order: array[int]) -> bool:
    """True when the times lie on a grid, give or take the rounding of a grid that the timescale can't express."""
    steps = len(order) - 1
    if steps < 1:
        return True
    span = order[-1] - order[0]
    # A tolerance of a tick means nothing where a frame lasts only some ticks.
    slack = steps if span > 10 * steps else 1
    return all(abs((time - order[0]) * steps - index * span) < slack for index, time in enumerate(order))


def average_rate(order: array[int], tick: Fraction, constant: bool, count: int, duration: Fraction) -> Fraction:
    """Samples per second: from first to last where they are evenly spaced, else `count` over `duration` (seconds).

    `order` holds presentation times, rising, in ticks of `tick` seconds.
    """
    span = order[-1] - order[0]
    if constant and span:
        return (len(order) - 1) / (span * tick)
    return count / duration if duration else Fraction(0)


def _reorder(samples: Samples, track: Track, earliest: int) -> int:
    begin = next((edit.media_time for edit in track.edits if edit.media_time is not None), earliest)
    depth = max(0, min(begin, earliest))
    lowest = min(samples.composition) if samples.composition is not None else 0
    return max(depth, depth - lowest)

"""What a splice tells, in the same words as every other way of merging."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from video_production.media.merge_result import Join, MergeResult
from video_production.media.mp4.model import VideoEntry
from video_production.media.profile import Picture, snap_frame_rate
from video_production.media.splice.engine import Splice
from video_production.media.splice.spans import AAC_FRAME, Clip
from video_production.media.verify import Verification

__all__ = ["spliced_result"]

_SNAP = Fraction(1, 1000)


def spliced_result(splice: Splice) -> MergeResult:
    """The result of a splice that has been verified. Nothing was decoded but the pictures around the joins."""
    assembly, clips = splice.assembly, splice.clips
    entry = clips[0].video.entry
    assert isinstance(entry, VideoEntry)
    rate = Fraction(splice.frames) / splice.duration
    house = snap_frame_rate(rate)
    picture = Picture(entry.width, entry.height, house if abs(rate - house) / house < _SNAP else rate)
    joins = tuple(
        Join(
            clip.name, float(begin), float(end - begin), "copied", _why(clip.sound is None, assembly.sound is not None)
        )
        for clip, (begin, end) in zip(clips, pairwise(assembly.starts), strict=True)
    )
    sound = assembly.sound
    samples = sound.packets * AAC_FRAME - sound.hidden if sound else 0
    error = Fraction(samples, sound.rate) - splice.duration if sound else Fraction(0)
    return MergeResult(
        picture=picture,
        method="splice-inband" if splice.inband else "splice",
        reason=_reason(len(clips), splice.inband),
        duration=float(splice.duration),
        frames=splice.frames,
        joins=joins,
        verification=Verification(splice.frames, samples, float(error)),
        warnings=tuple(_warnings(clips)),
    )


def _warnings(clips: Sequence[Clip]) -> Iterator[str]:
    for clip in clips:
        count = len(clip.movie.of_kind("audio")) - 1
        if count > 0:
            tracks = "1 further sound track was" if count == 1 else f"{count} further sound tracks were"
            yield f"{clip.name}: {tracks} left out; only the default one is used."


def _why(lacks_sound: bool, others_have_it: bool) -> str:
    if lacks_sound and others_have_it:
        return "no sound → silence added, picture copied without re-encoding"
    return "copied without re-encoding"


def _reason(clips: int, inband: bool) -> str:
    if inband:
        return "Codec settings were put into the stream in front of every key frame; nothing was re-encoded."
    if clips == 1:
        return "A single video needs no joining; it was copied without re-encoding."
    return f"All {clips} videos are encoded alike, so picture and sound were copied without re-encoding."

"""What probing tells about a media file, in exact numbers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

__all__ = ["AudioTrack", "MediaInfo", "VideoTrack"]


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """The picture of a file.

    `width`/`height` are coded pixels before `rotation` (degrees clockwise: 0, 90, 180, 270). `frames` counts samples that
    are presented (inside the edit); `frame_rate` is the average over them. `start` and `duration` are seconds on the
    movie timeline. `constant_rate` is true when every frame lasts equally long (the last one may differ).
    `sample_entry` is the track's `stsd` entry as bytes ("avc1"/"hvc1"/… box), compared byte for byte with bit rates
    left out; empty for files that our MP4 reader does not read. `color` is (primaries, transfer, matrix, full range) as
    in ISO 23091-4, or None when untagged. `starts_with_key` is true when the first presented frame is a sync sample that
    is also first in the track. `timescale` is ticks per second (0 when unknown). `reorder` is the depth of
    frame reordering in ticks.
    """

    codec: str
    width: int
    height: int
    frames: int
    frame_rate: Fraction
    start: Fraction
    duration: Fraction
    rotation: int = 0
    pixel_aspect: Fraction = Fraction(1)
    pixel_format: str = ""
    interlaced: bool = False
    color: tuple[int, int, int, bool] | None = None
    constant_rate: bool = True
    starts_with_key: bool = True
    timescale: int = 0
    reorder: int = 0
    edits: int = 0
    sample_entry: bytes = b""


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """The sound of a file. `start` and `duration` are seconds on the movie timeline, priming left out."""

    codec: str
    sample_rate: int
    channels: int
    start: Fraction
    duration: Fraction
    default: bool = True


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """One file. `duration` in seconds is the end of its longest track; `size` in bytes.

    `container` is "mp4" for everything our own reader reads (MP4, MOV, fragmented or not), "other" where `ffmpeg -i` told.
    """

    container: Literal["mp4", "other"]
    size: int
    duration: Fraction
    video: VideoTrack | None
    audio: AudioTrack | None
    dropped_audio: int = 0
    fragmented: bool = False

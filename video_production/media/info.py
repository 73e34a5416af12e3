"""What probing tells about a media file, in exact numbers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

__all__ = ["AudioTrack", "Chapter", "MediaInfo", "VideoTrack"]


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """The picture of a file. `stream` is FFmpeg's N in `0:v:N`.

    `width`/`height` are coded pixels before `rotation` (degrees clockwise: 0, 90, 180, 270); `mirrored` means that
    the picture is flipped left to right before it is rotated. FFmpeg applies both when it decodes. `frames` counts
    samples that are presented (inside the edit); for containers that are not ours it counts packets. `frame_rate` is
    the average over them. `start` and `duration` are seconds on the movie timeline. `constant_rate` is true when
    every frame lasts equally long (the last one may differ). `pixel_format` is FFmpeg's name, "" when unknown.
    `color` is (primaries, transfer, matrix, full range) as in ISO 23091-2, or None when untagged. `sample_entry` is
    the track's `stsd` entry as bytes ("avc1"/"hvc1"/… box) without what makes no difference to a decoder (bit rates,
    compressor name, SEI), to be compared byte for byte; empty for files that our MP4 reader does not read.
    `starts_with_key` is true when the first presented frame is a sync sample that is also first in the track.
    `timescale` is ticks per second (0 when unknown). `reorder` is the depth of frame reordering in ticks. `edits`
    counts the edit list's entries that show something (0: no edit list). `samples` and `sync_samples` count all that
    the file holds, presented or not (0 in files that our MP4 reader does not read).
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
    mirrored: bool = False
    stream: int = 0
    samples: int = 0
    sync_samples: int = 0


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """The sound of a file. `start` and `duration` are seconds on the movie timeline, priming left out.

    `stream` is FFmpeg's N in `0:a:N`. `priming` is the number of samples before the sound that FFmpeg decodes all the
    same, because the file does not declare them (an MP3 without a Xing header: 1105): whoever decodes trims them.
    `packets`, `timescale` and `edits` are as for the picture.
    """

    codec: str
    sample_rate: int
    channels: int
    start: Fraction
    duration: Fraction
    default: bool = True
    stream: int = 0
    priming: int = 0
    packets: int = 0
    timescale: int = 0
    edits: int = 0


@dataclass(frozen=True, slots=True)
class Chapter:
    """Begins at `start` seconds."""

    start: Fraction
    title: str


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """One file. `duration` in seconds is the end of its longest track; `size` in bytes.

    `container` is "mp4" for everything our own reader reads (MP4, MOV, fragmented or not), "other" where FFmpeg
    told. `chapters` are those of MP4 files that stand in `chpl`.
    """

    container: Literal["mp4", "other"]
    size: int
    duration: Fraction
    video: VideoTrack | None
    audio: AudioTrack | None
    dropped_audio: int = 0
    fragmented: bool = False
    chapters: tuple[Chapter, ...] = ()

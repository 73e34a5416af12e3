"""What FFmpeg finds in a file, frame by frame: times and counts, never pictures or sound."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from video_production.media.ffmpeg import run_ffmpeg
from video_production.media.scratch import scratch

__all__ = ["DECODE_PICTURE", "DECODE_SOUND", "StreamFrames", "list_frames"]

DECODE_SOUND = ("-c:a", "pcm_s16le")
"""Output options that decode sound; two bytes a sample tell the number of channels."""

DECODE_PICTURE = ("-fps_mode", "passthrough", "-enc_time_base:v", "demux", "-c:v", "wrapped_avframe")
"""Output options that decode every frame without copying, dropping or re-timing any."""

_UNORDERED = ("-max_interleave_delta", "1")
"""Microseconds. A listing needs no order among streams; waiting for one keeps decoded pictures in memory."""

_SAMPLE_BYTES = 2
_NO_TIME = -(1 << 63)


@dataclass(slots=True)
class StreamFrames:
    """The frames (or packets) of one stream. Times are in ticks of `time_base` seconds.

    `times` holds the presentation time of each one in the order of output and `end` is where the latest one ends. For
    sound, `samples` per channel, `sample_rate` and `channels` are those of the decoded sound.
    """

    kind: Literal["video", "audio"] = "video"
    time_base: Fraction = Fraction(1)
    sample_rate: int = 0
    channels: int = 0
    times: array[int] = field(default_factory=lambda: array("q"))
    end: int = 0
    samples: int = 0

    @property
    def timed(self) -> bool:
        """Whether everything has a presentation time; some containers (AVI) give their packets only an order."""
        return _NO_TIME not in self.times

    @property
    def start(self) -> Fraction:
        """Seconds."""
        return min(self.times) * self.time_base if self.times else Fraction(0)

    @property
    def duration(self) -> Fraction:
        """Seconds from the first frame to the end of the last one; for sound, of its decoded samples."""
        if self.kind == "audio":
            return Fraction(self.samples, self.sample_rate) if self.sample_rate else Fraction(0)
        return self.end * self.time_base - self.start


def list_frames(
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    ffmpeg: str,
    deadline: float | None = None,
    inherited: Sequence[int] = (),
) -> tuple[list[StreamFrames], str]:
    """Run FFmpeg and list what reaches its output; also return FFmpeg's messages.

    `inputs` are the options up to and with `-i FILE`; `outputs` choose the streams and their codecs. Errors and
    `inherited` are those of `run_ffmpeg`. The listing goes through memory: some 60 bytes per frame.
    """
    with scratch("frames") as listing:
        arguments = [*inputs, *outputs, *_UNORDERED, "-f", "framecrc", f"file:{listing.path}"]
        messages = run_ffmpeg(arguments, deadline=deadline, inherited=(*inherited, *listing.inherited), ffmpeg=ffmpeg)
        return _read_listing(listing.open_path()), messages


def _read_listing(path: Path) -> list[StreamFrames]:
    """Read FFmpeg's framecrc format: `#key stream: value` lines, then `stream, dts, pts, duration, size, checksum`."""
    streams: dict[int, StreamFrames] = {}
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("#"):
                _read_property(line, streams)
                continue
            index, _, pts, duration, size = line.split(",", 5)[:5]
            _add(streams[int(index)], int(pts), int(duration), int(size))
    return [streams[index] for index in sorted(streams)]


def _read_property(line: str, streams: dict[int, StreamFrames]) -> None:
    key, _, value = line[1:].partition(":")
    name, _, index = key.partition(" ")
    if not index.isdigit():
        return
    stream = streams.setdefault(int(index), StreamFrames())
    value = value.strip()
    if name == "tb":
        stream.time_base = Fraction(value)
    elif name == "media_type":
        stream.kind = "audio" if value == "audio" else "video"
    elif name == "sample_rate":
        stream.sample_rate = int(value)


def _add(stream: StreamFrames, pts: int, duration: int, size: int) -> None:
    stream.end = max(stream.end, pts + duration)
    if stream.kind == "video":
        stream.times.append(pts)
        return
    if not stream.times:
        stream.times.append(pts)
    samples = round(duration * stream.time_base * stream.sample_rate)
    if samples:
        stream.channels = size // (_SAMPLE_BYTES * samples)
    stream.samples += samples

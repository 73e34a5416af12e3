"""Proof by decoding that a file holds the frames and the sound that were meant. A header's duration is no evidence."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from video_production.errors import OperatorError, OutOfTime, VerificationFailed, VideoProductionError
from video_production.media.frames import DECODE_PICTURE, DECODE_SOUND, StreamFrames, list_frames

__all__ = ["AUDIO_TOLERANCE", "Verification", "verify_video"]

AUDIO_TOLERANCE = 1024
"""Samples by which sound may be longer or shorter than its picture: one AAC frame."""

_NOTICEABLE = Fraction(1, 20)
"""Seconds by which a late start earns a warning."""

_MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Verification:
    """What decoding found: `frames` of picture, `audio_samples` per channel (0 without sound).

    `audio_error_seconds` is how much longer (+) or shorter (−) the sound is than expected. `warnings` are sentences for
    people about what passed but deserves a look.
    """

    frames: int
    audio_samples: int
    audio_error_seconds: float
    warnings: tuple[str, ...] = ()


def verify_video(
    path: Path,
    *,
    expected_frames: int,
    expected_duration: Fraction | float,
    has_audio: bool,
    sample_rate: int = 48000,
    joins: Sequence[Fraction | float] = (),
    ffmpeg: str = "ffmpeg",
    deadline: float | None = None,
) -> Verification:
    """Decode a whole file once and compare it with what was meant.

    `expected_duration` and `joins` (where one clip ends and the next begins) in seconds; `deadline` is a
    `time.monotonic()` instant. Raises VerificationFailed when a frame is missing or too many, when frames do not follow
    each other in time, when no frame stands at a join, when the sound is absent, unexpected, of another rate or off by
    more than `AUDIO_TOLERANCE` samples, or when the decoder warns of anything at all; OutOfTime past the deadline;
    OperatorError when FFmpeg can't run.
    """
    picture, sound = _decode(path, ffmpeg, deadline)
    if len(picture.times) != expected_frames:
        raise VerificationFailed(
            f"{path.name} failed its check: it decodes to {len(picture.times)} frames instead of {expected_frames}."
        )
    _check_order(path, picture)
    _check_joins(path, picture, joins)
    if (sound is not None) != has_audio:
        problem = "its sound is missing" if has_audio else "it has sound although none was meant"
        raise VerificationFailed(f"{path.name} failed its check: {problem}.")
    warnings = _late_starts(path, (picture, sound))
    if sound is None:
        return Verification(expected_frames, 0, 0.0, warnings)
    error = _check_sound(path, sound, Fraction(expected_duration), sample_rate)
    return Verification(expected_frames, sound.samples, error, warnings)


def _decode(path: Path, ffmpeg: str, deadline: float | None) -> tuple[StreamFrames, StreamFrames | None]:
    """Decode the first picture and the first sound, if any; any word of the decoder's is a failure."""
    inputs = ["-v", "warning", "-xerror", "-i", f"file:{path}"]
    outputs = ["-map", "0:v:0", "-map", "0:a:0?", *DECODE_PICTURE, *DECODE_SOUND]
    try:
        streams, messages = list_frames(inputs, outputs, ffmpeg=ffmpeg, deadline=deadline)
    except (OperatorError, OutOfTime):
        raise
    except VideoProductionError as error:
        raise VerificationFailed(f"{path.name} failed its check: it does not decode ({error}).") from error
    if messages.strip():
        said = messages.strip().splitlines()[0][:_MOST_SHOWN]
        raise VerificationFailed(f"{path.name} failed its check: its decoder warns '{said}'.")
    picture = next((stream for stream in streams if stream.kind == "video"), StreamFrames())
    return picture, next((stream for stream in streams if stream.kind == "audio"), None)


def _check_order(path: Path, picture: StreamFrames) -> None:
    for number, (earlier, later) in enumerate(pairwise(picture.times), start=2):
        if later <= earlier:
            at = float(later * picture.time_base)
            raise VerificationFailed(
                f"{path.name} failed its check: frame {number} at {at:.3f} s does not come after the frame before it."
            )


def _check_joins(path: Path, picture: StreamFrames, joins: Sequence[Fraction | float]) -> None:
    """A frame must stand at every join; where none does, the picture before it is frozen over the join."""
    if not picture.times:
        return
    frame = picture.duration / len(picture.times)
    for join in joins:
        ticks = Fraction(join) / picture.time_base
        after = bisect_left(picture.times, ticks)
        nearest = min(abs(time - ticks) for time in picture.times[max(0, after - 1) : after + 1])
        if nearest * picture.time_base > frame / 2:
            raise VerificationFailed(
                f"{path.name} failed its check: no frame stands at the join at {float(join):.3f} s."
            )


def _check_sound(path: Path, sound: StreamFrames, duration: Fraction, sample_rate: int) -> float:
    """Seconds by which the sound is longer than expected."""
    if sound.sample_rate != sample_rate:
        raise VerificationFailed(
            f"{path.name} failed its check: its sound has {sound.sample_rate} Hz instead of {sample_rate} Hz."
        )
    error = sound.samples - duration * sample_rate
    if abs(error) > AUDIO_TOLERANCE:
        raise VerificationFailed(
            f"{path.name} failed its check: its sound decodes to {float(sound.duration):.3f} s"
            f" instead of {float(duration):.3f} s."
        )
    return float(error / sample_rate)


def _late_starts(path: Path, streams: Sequence[StreamFrames | None]) -> tuple[str, ...]:
    """Sentences about picture or sound that begins noticeably after the file does."""
    words = {"video": "picture", "audio": "sound"}
    return tuple(
        f"The {words[stream.kind]} of {path.name} starts {float(stream.start):.3f} s after the file does."
        for stream in streams
        if stream is not None and abs(stream.start) > _NOTICEABLE
    )

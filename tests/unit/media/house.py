"""Clips of our own encoder for merge tests, and where clicks are heard in what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from tests.unit.media.clips import run_ffmpeg
from tests.unit.media.listening import RATE, Samples, heard, write_wav
from video_production.media.info import VideoTrack
from video_production.media.profile import Picture, audio_encoder, muxer, video_encoder, video_filters

SIZE = (160, 90)
CLICK = 0.004
"""Seconds that a click lasts."""


def clicks(seconds: float, at: Sequence[float], rate: int = RATE) -> Samples:
    """Silence with short loud bursts at the given seconds. One channel."""
    sound = np.zeros(round(seconds * rate))
    for moment in at:
        begin, length = round(moment * rate), round(CLICK * rate)
        sound[begin : begin + length] = 0.9 * np.sign(np.sin(2 * np.pi * 3000 * np.arange(length) / rate + 0.5))
    return sound


def heard_clicks(path: Path) -> list[float]:
    """The seconds at which clicks begin in the sound as a player hears it; at least 50 ms apart."""
    loud = np.flatnonzero(np.abs(heard(path)).max(axis=1) > 0.3) / RATE
    return [float(moment) for index, moment in enumerate(loud) if index == 0 or moment - loud[index - 1] > 0.05]


def house_clip(
    path: Path,
    *,
    frames: int = 25,
    rate: Fraction | int = 25,
    size: tuple[int, int] = SIZE,
    sound: Samples | None = None,
    source: str = "testsrc2",
    encoder: Sequence[str] = (),
) -> Path:
    """A clip in the house profile; `sound` at 48 kHz, None for no sound; `encoder` options come last and win."""
    target = Picture(*size, Fraction(rate))
    track = VideoTrack(
        "", *size, frames, target.frame_rate, Fraction(0), frames / target.frame_rate, color=(1, 1, 1, False)
    )
    joint = ":" if "=" in source else "="
    picture = ["-f", "lavfi", "-i", f"{source}{joint}size={size[0]}x{size[1]}:rate={rate}"]
    pcm = ["-i", write_wav(path.with_suffix(".wav"), sound)] if sound is not None else []
    encoded = audio_encoder() if sound is not None else []
    filters = ["-vf", f"trim=end_frame={frames},{video_filters(track, target)}"]  # -frames:v would end the sound, too
    run_ffmpeg(*picture, *pcm, *filters, *video_encoder(target), *encoded, *muxer(target.frame_rate), *encoder, path)
    return path

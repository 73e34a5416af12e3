"""Clips whose every frame says which one it is, and whose sound is a tone of their own.

The upper half of a frame holds sixteen bars, white for 1 and black for 0: the number of the frame in eight bits, then
that of the clip. Below them stand the same bars inverted, so that a torn or a mixed frame can be told.
"""

from __future__ import annotations

import colorsys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.unit.media.clips import run_ffmpeg

__all__ = ["Frame", "make_numbered_clip", "numbered_frames", "tone_of"]

WIDTH, HEIGHT, BARS = 320, 180, 16
_BAR = WIDTH // BARS
_QUARTER = HEIGHT // 4

Frame = tuple[int, int]
"""The number of a clip, and of a frame in it."""


def tone_of(clip: int) -> int:
    """The frequency (Hz) of a clip's sound."""
    return 300 + 40 * clip


def make_numbered_clip(
    path: Path,
    number: int,
    *,
    frames: int = 25,
    rate: str = "25",
    codec: str = "libx264",
    sound: bool = True,
    options: tuple[str, ...] = (),
    remux: tuple[str, ...] = (),
) -> Path:
    """Encode clip `number`; `options` are for the encoder, `remux` for a copy that is made afterwards."""
    raw = path.with_suffix(".raw")
    raw.write_bytes(np.stack([_picture(number, frame) for frame in range(frames)]).tobytes())
    seconds = float(frames / Fraction(rate))
    inputs = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", rate, "-i", str(raw)]
    if sound:
        inputs += ["-f", "lavfi", "-i", f"sine=frequency={tone_of(number)}:sample_rate=48000:duration={seconds}"]
        options = ("-c:a", "aac", "-ac", "2", *options)
    made = path.with_name(f"{path.stem}.encoded.mp4") if remux else path
    speed = ("-preset", "ultrafast", *(("-x265-params", "log-level=none") if codec == "libx265" else ()))
    run_ffmpeg(*inputs, "-c:v", codec, *speed, "-pix_fmt", "yuv420p", *options, made)
    if remux:
        run_ffmpeg("-i", made, "-c", "copy", *remux, path)
        made.unlink()
    raw.unlink()
    return path


def _picture(clip: int, frame: int) -> np.ndarray:
    bits = [frame >> bit & 1 for bit in range(8)] + [clip >> bit & 1 for bit in range(8)]
    bars = np.repeat(np.array(bits, np.uint8) * 255, _BAR)
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:_QUARTER] = bars[None, :, None]
    picture[_QUARTER : 2 * _QUARTER] = 255 - bars[None, :, None]
    picture[2 * _QUARTER :] = [round(255 * part) for part in colorsys.hsv_to_rgb(clip * 0.381966 % 1, 0.7, 0.8)]
    picture[-20:, : 4 + 12 * (frame % 25)] = 255
    return picture


def numbered_frames(path: Path) -> list[tuple[float, Frame]]:
    """When each frame of a clip is seen (seconds on its own timeline) and what it says it is, as FFmpeg decodes it."""
    seen: list[tuple[float, Frame]] = []
    with av.open(str(path)) as container:
        for picture in container.decode(video=0):
            luma = picture.to_ndarray(format="gray")
            bits = [bool(luma[_QUARTER // 2, _BAR * bar + _BAR // 2] > 127) for bar in range(BARS)]
            number = sum(bit << place for place, bit in enumerate(bits))
            assert picture.time is not None
            seen.append((picture.time, (number >> 8, number & 255)))
    return seen

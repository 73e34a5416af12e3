"""From drawn pictures and synthesised samples to files, by the pinned FFmpeg. The same input gives the same bytes."""

from __future__ import annotations

import subprocess
import wave
from array import array
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
from PIL import Image

from video_production.media.profile import Picture, video_encoder

__all__ = ["encode", "frames_of", "run_ffmpeg", "write_wav"]

_COLORS = "scale=out_color_matrix=bt709:out_range=limited:flags=accurate_rnd+full_chroma_int,format=yuv420p,setsar=1"
_TAGS = ("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv")
_REPEATABLE = ("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1")


def frames_of(draw: Callable[[float], Image.Image], seconds: float, rate: Fraction) -> Iterable[Image.Image]:
    """The pictures of a scene that is drawn by its time in seconds, each at the middle of its frame."""
    for number in range(round(seconds * rate)):
        yield draw(float((number + Fraction(1, 2)) / rate))


def encode(
    pictures: Iterable[Image.Image],
    rate: Fraction,
    path: Path,
    *,
    sound: Sequence[str] = (),
    house: bool = False,
    crf: int = 22,
) -> None:
    """Write an MP4 file; `sound` are FFmpeg's arguments for the sound: its input, its encoder.

    With `house` the picture has the house profile, so that joining can copy it; otherwise it is as small as it gets.
    """
    source: subprocess.Popen[bytes] | None = None
    for picture in pictures:
        if source is None:
            source = _start(picture.size, rate, path, sound, house, crf)
        assert source.stdin is not None
        source.stdin.write(picture.tobytes())
    if source is None:
        raise ValueError(f"{path.name} would have no pictures")
    source.communicate()
    if source.returncode != 0:
        raise RuntimeError(f"FFmpeg could not write {path.name}")


def _start(
    size: tuple[int, int], rate: Fraction, path: Path, sound: Sequence[str], house: bool, crf: int
) -> subprocess.Popen[bytes]:
    raw = ("-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", f"{size[0]}x{size[1]}", "-framerate", str(rate))
    slow = ("-c:v", "libx264", "-profile:v", "high", "-preset", "veryslow", "-tune", "animation", *_TAGS)
    picture = (*(video_encoder(Picture(*size, rate)) if house else slow), "-crf", str(crf))
    shape = ("-vf", _COLORS, *picture, "-g", str(round(rate * (2 if house else 10))))
    arguments = [*raw, "-i", "-", *sound, *shape, *_REPEATABLE, "-movflags", "+faststart", str(path)]
    return subprocess.Popen([*_command(), *arguments], stdin=subprocess.PIPE)


def run_ffmpeg(*arguments: str) -> None:
    """Run FFmpeg; CalledProcessError when it fails."""
    subprocess.run([*_command(), *arguments], check=True, stdin=subprocess.DEVNULL)


def _command() -> list[str]:
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-y", "-v", "error"]


def write_wav(path: Path, samples: array[int], sample_rate: int) -> None:
    """Mono, 16 bit."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.tobytes())

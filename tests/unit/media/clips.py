"""Small clips for media tests, made by the pinned FFmpeg: `from tests.unit.media.clips import make_clip`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg

FFMPEG: str = imageio_ffmpeg.get_ffmpeg_exe()
"""The FFmpeg that the Lambda layer holds, too."""

_SPEED = {
    "libx264": ("-preset", "ultrafast"),
    "libx265": ("-preset", "ultrafast", "-x265-params", "log-level=none"),
}


def run_ffmpeg(*arguments: str | Path) -> bytes:
    """Run FFmpeg quietly and return what it writes to stdout; AssertionError with its words when it fails."""
    command = [FFMPEG, "-hide_banner", "-nostdin", "-y", "-v", "error", *map(str, arguments)]
    environment = {**os.environ, "GCONV_PATH": os.devnull}  # without it the static build crashes on MPEG-TS
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr.decode(errors='replace')}"
    return done.stdout


def make_clip(
    path: Path,
    *,
    size: tuple[int, int] = (320, 180),
    rate: str = "25",
    seconds: float = 1.0,
    codec: str = "libx264",
    sample_rate: int | None = 48000,
    channels: int = 2,
    audio_codec: str = "aac",
    frequency: int = 440,
    source: str = "testsrc2",
    bframes: int | None = None,
    gop: int | None = None,
    pixel_format: str = "yuv420p",
    rotation: int = 0,
    extra: Sequence[str] = (),
) -> Path:
    """A moving test picture of `seconds` seconds, with a sine tone unless `sample_rate` is None.

    `rate` is frames per second ("25", "30000/1001"); `source` any lavfi picture source ("testsrc2", "color=red");
    `bframes` and `gop` go to the encoder; `rotation` (degrees clockwise) is a display matrix beside the untouched
    picture; `extra` are output options placed before the path. The container follows the path's suffix.
    """
    frames = round(seconds * float(Fraction(rate)))
    joint = ":" if "=" in source else "="
    arguments: list[str] = ["-f", "lavfi", "-i", f"{source}{joint}size={size[0]}x{size[1]}:rate={rate}"]
    if sample_rate is not None:
        arguments += ["-f", "lavfi", "-i", f"sine=frequency={frequency}:sample_rate={sample_rate}:duration={seconds}"]
    arguments += ["-frames:v", str(frames), "-c:v", codec, *_SPEED.get(codec, ()), "-pix_fmt", pixel_format]
    if bframes is not None:
        arguments += ["-bf", str(bframes), *(("-b_strategy", "0") if codec == "libx264" else ())]
    if gop is not None:
        arguments += ["-g", str(gop), "-keyint_min", str(gop), "-sc_threshold", "0"]
    if sample_rate is not None:
        arguments += ["-c:a", audio_codec, "-ac", str(channels), "-ar", str(sample_rate)]
    if not rotation:
        run_ffmpeg(*arguments, *extra, path)
        return path
    upright = path.with_name(f"{path.stem}.upright{path.suffix}")
    run_ffmpeg(*arguments, *extra, upright)
    # FFmpeg's own option counts counter-clockwise.
    run_ffmpeg("-display_rotation", str(-rotation), "-i", upright, "-c", "copy", path)
    upright.unlink()
    return path


def make_tone(
    path: Path,
    *,
    seconds: float = 1.0,
    frequency: int = 440,
    sample_rate: int = 44100,
    channels: int = 1,
    volume: float = 1.0,
    extra: Sequence[str] = (),
) -> Path:
    """A sine tone without a picture; codec and container follow the path's suffix (mp3, wav, m4a, opus, …).

    `volume` is a linear gain over FFmpeg's own sine, whose amplitude is 1/8.
    """
    source = f"sine=frequency={frequency}:sample_rate={sample_rate}:duration={seconds}"
    shape = ["-af", f"volume={volume}", "-ac", str(channels), "-ar", str(sample_rate)]
    run_ffmpeg("-f", "lavfi", "-i", source, *shape, *extra, path)
    return path


def make_still(path: Path, *, size: tuple[int, int] = (320, 180), color: str = "teal") -> Path:
    """A one-colour picture (png, jpg, webp, …); `color` is FFmpeg's word for it, "red@0.5" with alpha in a png."""
    pixels = ("-pix_fmt", "rgba") if "@" in color else ()
    picture = f"color={color}:size={size[0]}x{size[1]}" + (",format=rgba" if pixels else "")
    run_ffmpeg("-f", "lavfi", "-i", picture, "-frames:v", "1", "-update", "1", *pixels, path)
    return path


def decoded_video_hashes(path: Path) -> list[str]:
    """One hash per presented frame, as FFmpeg decodes and presents it."""
    listing = run_ffmpeg("-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-")
    return [line.rsplit(b",", 1)[1].strip().decode() for line in listing.splitlines() if not line.startswith(b"#")]


def decoded_audio_samples(path: Path, stream: int = 0) -> int:
    """The number of samples per channel that FFmpeg decodes of an audio stream, priming and edits applied."""
    pcm = run_ffmpeg("-i", path, "-map", f"0:a:{stream}", "-ac", "1", "-f", "s16le", "-")
    return len(pcm) // 2

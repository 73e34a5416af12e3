"""Frames of a video and their times in one picture: `python tools/contact_sheet.py VIDEO PICTURE [--at SECONDS …]`."""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.lesson.look import ACCENT, BACKGROUND, font

__all__ = ["contact_sheet", "main"]

MOMENTS = (4.0, 15.5, 20.6, 27.6, 30.55, 38.8, 47.5, 54.9, 66.9)
"""Seconds: one telling frame of each part of the example lesson."""

_COLUMNS, _TILE, _GAP, _MARGIN, _LABEL = 3, (480, 270), 20, 28, 40


def contact_sheet(video: Path, moments: Sequence[float]) -> Image.Image:
    """The frames of `video` at these moments (seconds), in rows of three, their times below them."""
    rows = -(-len(moments) // _COLUMNS)
    width = 2 * _MARGIN + _COLUMNS * (_TILE[0] + _GAP) - _GAP
    height = 2 * _MARGIN + rows * (_TILE[1] + _LABEL + _GAP) - _GAP - 4
    sheet = Image.new("RGB", (width, height), "#0b1826")
    draw = ImageDraw.Draw(sheet)
    for number, moment in enumerate(moments):
        x = _MARGIN + number % _COLUMNS * (_TILE[0] + _GAP)
        y = _MARGIN + number // _COLUMNS * (_TILE[1] + _LABEL + _GAP)
        sheet.paste(_frame(video, moment).resize(_TILE, Image.Resampling.LANCZOS), (x, y))
        draw.rectangle((x - 1, y - 1, x + _TILE[0], y + _TILE[1]), outline=BACKGROUND)
        draw.text((x, y + _TILE[1] + 26), _clock(moment), font=font(9, True), fill=ACCENT, anchor="ls")
    return sheet


def _clock(moment: float) -> str:
    return f"{int(moment) // 60}:{int(moment) % 60:02d}"


def _frame(video: Path, moment: float) -> Image.Image:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-ss", str(moment), "-i", str(video)]
    shown = subprocess.run(
        [*command, "-frames:v", "1", "-c:v", "png", "-f", "image2pipe", "-"], capture_output=True, check=False
    )
    if shown.returncode or not shown.stdout:
        raise SystemExit(f"{video} has no frame at {moment} s. {shown.stderr.decode(errors='replace').strip()}")
    return Image.open(io.BytesIO(shown.stdout)).convert("RGB")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Make a contact sheet of a video.")
    parser.add_argument("video", type=Path)
    parser.add_argument("picture", type=Path, help="the PNG file to write")
    parser.add_argument("--at", type=float, nargs="+", default=MOMENTS, metavar="SECONDS")
    options = parser.parse_args(arguments)
    sheet = contact_sheet(options.video, options.at)
    sheet.quantize(192, dither=Image.Dither.NONE).save(options.picture, "PNG", optimize=True)


if __name__ == "__main__":
    main()

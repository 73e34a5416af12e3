"""What the whole lesson looks like: one palette, one font, one way of moving, and a canvas to draw on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

__all__ = [
    "ACCENT",
    "BACKGROUND",
    "GOOD",
    "LINE",
    "PANEL",
    "PAPER",
    "QUIET",
    "SIZE",
    "TEXT",
    "Canvas",
    "Color",
    "blend",
    "ease",
    "font",
    "moved",
    "text_width",
]

Color = str
Point = tuple[float, float]
Box = tuple[float, float, float, float]

SIZE = (1280, 720)
BACKGROUND, PANEL, LINE = "#12263a", "#1c3a55", "#33526e"
TEXT, QUIET, PAPER = "#f4f1de", "#9db4c0", "#e9e2c8"
ACCENT, GOOD = "#f2a65a", "#67c7a4"

_FONTS = Path(__file__).resolve().parent.parent.parent / "video_production" / "pipelines" / "fonts"
_FINE = 2
"""Everything is drawn this much larger and scaled down, which makes edges smooth."""


@cache
def font(size: float, bold: bool) -> ImageFont.FreeTypeFont:
    """The lesson's font for a canvas, which is finer than its picture: twice as large in a picture drawn directly."""
    return ImageFont.truetype(_FONTS / f"SourceSansPro-{'Bold' if bold else 'Regular'}.ttf", round(size * _FINE))


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Pixels that a line of text takes."""
    return font(size, bold).getlength(text) / _FINE


@cache
def _rgb(color: Color) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def blend(first: Color, second: Color, amount: float) -> Color:
    """The colour between two: `first` at 0, `second` at 1."""
    parts = (round(a + (b - a) * min(1.0, max(0.0, amount))) for a, b in zip(_rgb(first), _rgb(second), strict=True))
    return "#" + "".join(f"{part:02x}" for part in parts)


def ease(moment: float, start: float, seconds: float = 0.45) -> float:
    """How much of a movement is done: 0 before `start`, 1 after `seconds`, slow at both ends in between."""
    x = min(1.0, max(0.0, (moment - start) / seconds))
    return x * x * x * (x * (6 * x - 15) + 10)


def moved(moment: float, first: float, steps: Sequence[tuple[float, float]], seconds: float = 0.45) -> float:
    """A value that starts as `first` and goes smoothly to each step's (start, value)."""
    value = first
    for start, target in steps:
        value += (target - value) * ease(moment, start, seconds)
    return value


class Canvas:
    """A picture under way. All lengths are pixels of the finished picture, fractions included."""

    def __init__(self, size: tuple[int, int] = SIZE, background: Color = BACKGROUND) -> None:
        self._image = Image.new("RGB", (size[0] * _FINE, size[1] * _FINE), background)
        self._draw = ImageDraw.Draw(self._image)

    def box(
        self, box: Box, fill: Color | None = None, *, radius: float = 0, outline: Color | None = None, width: float = 0
    ) -> None:
        """A rectangle (left, top, right, bottom) with round corners."""
        if box[2] <= box[0] or box[3] <= box[1]:
            return
        scaled = tuple(round(value * _FINE) for value in box)
        inside = (scaled[0], scaled[1], max(scaled[0], scaled[2] - 1), max(scaled[1], scaled[3] - 1))
        self._draw.rounded_rectangle(
            inside, round(radius * _FINE), fill=fill, outline=outline, width=round(width * _FINE)
        )

    def disc(self, center: Point, radius: float, fill: Color | None = None, *, outline: Color | None = None) -> None:
        x, y, r = center[0] * _FINE, center[1] * _FINE, radius * _FINE
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=fill, outline=outline, width=2 * _FINE)

    def shape(self, points: Sequence[Point], fill: Color) -> None:
        """A filled polygon."""
        self._draw.polygon([(x * _FINE, y * _FINE) for x, y in points], fill=fill)

    def line(self, points: Sequence[Point], color: Color, width: float) -> None:
        scaled = [(x * _FINE, y * _FINE) for x, y in points]
        self._draw.line(scaled, fill=color, width=max(1, round(width * _FINE)), joint="curve")

    def text(
        self,
        at: Point,
        text: str,
        size: float,
        color: Color = TEXT,
        *,
        bold: bool = False,
        align: Literal["left", "center", "right"] = "left",
    ) -> None:
        """One line on the baseline `at`."""
        anchor = {"left": "ls", "center": "ms", "right": "rs"}[align]
        self._draw.text((at[0] * _FINE, at[1] * _FINE), text, fill=color, font=font(size, bold), anchor=anchor)

    def finish(self, *, tilt: float = 0.0, shift: Point = (0.0, 0.0), zoom: float = 1.0) -> Image.Image:
        """The finished picture; `tilt` (degrees), `shift` and `zoom` move the whole of it, as a hand does."""
        if (tilt, shift, zoom) != (0.0, (0.0, 0.0), 1.0):
            self._image = self._swayed(math.radians(tilt), shift, zoom)
        return self._image.reduce(_FINE)

    def _swayed(self, angle: float, shift: Point, zoom: float) -> Image.Image:
        middle_x, middle_y = self._image.width / 2, self._image.height / 2
        a, b = math.cos(angle) / zoom, math.sin(angle) / zoom
        x, y = middle_x + shift[0] * _FINE, middle_y + shift[1] * _FINE
        matrix = (a, b, middle_x - a * x - b * y, -b, a, middle_y + b * x - a * y)
        return self._image.transform(self._image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)

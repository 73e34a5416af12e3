"""Drawing a dashboard in the way that CloudWatch lays it out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tools.dashboard.samples import RINGING, Series, series_of
from tools.dashboard.template import Widget

__all__ = ["SAMPLE_DATA", "Box", "Drawing", "Written"]

SAMPLE_DATA = "sample data"
_FONTS = Path(__file__).resolve().parent.parent.parent / "video_production" / "pipelines" / "fonts"
_FINE = 2
"""Everything is drawn this much larger and scaled down, which makes edges smooth."""
_COLUMN, _ROW, _GAP, _MARGIN, _HEAD = 60, 44, 8, 20, 64
_PAGE, _PAPER, _EDGE, _INK, _QUIET, _GRID = "#eef0f2", "#ffffff", "#d0d7dc", "#16191f", "#5a6470", "#e6eaed"
_RED, _WELL = "#d13212", "#1d8102"
_COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#17becf")
_BIG_UNITS = (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the finished picture."""

    left: float
    top: float
    right: float
    bottom: float

    def inside(self, other: Box) -> bool:
        return (
            self.left >= other.left
            and self.top >= other.top
            and self.right <= other.right
            and self.bottom <= other.bottom
        )


@dataclass(frozen=True, slots=True)
class Written:
    """A text of the picture with the place that it takes and the widget's box that it must stay in."""

    text: str
    place: Box
    within: Box


@dataclass(slots=True)
class Drawing:
    """A picture under way: `columns` × `rows` of CloudWatch's grid. `written` lists every text on it."""

    name: str
    columns: int
    rows: int
    written: list[Written] = field(default_factory=list)
    _image: Image.Image = field(init=False)
    _draw: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        size = (self.columns * _COLUMN + 2 * _MARGIN, self.rows * _ROW + _MARGIN + _HEAD)
        self._image = Image.new("RGB", (size[0] * _FINE, size[1] * _FINE), _PAGE)
        self._draw = ImageDraw.Draw(self._image)
        page = Box(0, 0, *size)
        self._write(self.name, (_MARGIN, 40), page, size=24, bold=True)
        self._write(SAMPLE_DATA.upper(), (size[0] - _MARGIN, 40), page, size=24, bold=True, color=_RED, anchor="rs")

    def finished(self) -> Image.Image:
        """The picture in its final size."""
        return self._image.resize(
            (self._image.width // _FINE, self._image.height // _FINE), resample=Image.Resampling.LANCZOS
        )

    def add(self, widget: Widget) -> None:
        left, top = _MARGIN + widget.x * _COLUMN, _HEAD + widget.y * _ROW
        box = Box(left, top, left + widget.width * _COLUMN - _GAP, top + widget.height * _ROW - _GAP)
        if widget.kind == "text":
            self._write(widget.title, (box.left + 2, box.bottom - 6), box, size=19, bold=True)
            return
        self._draw.rounded_rectangle(_fine(box), radius=6 * _FINE, fill=_PAPER, outline=_EDGE, width=_FINE)
        self._write(widget.title, (box.left + 12, box.top + 22), box, size=15, bold=True)
        self._write(SAMPLE_DATA, (box.right - 10, box.top + 21), box, size=10, color=_QUIET, anchor="rs")
        inner = Box(box.left + 12, box.top + 34, box.right - 12, box.bottom - 8)
        if widget.kind == "alarm":
            self._alarms(widget, inner)
        elif widget.view == "singleValue":
            self._numbers(series_of(widget), inner)
        elif widget.view == "timeSeries":
            self._graph(widget, series_of(widget), inner)
        else:
            self._bars(series_of(widget), widget.unit, inner)

    def _alarms(self, widget: Widget, box: Box) -> None:
        ringing = [name for name in widget.alarms if any(part in name for part in RINGING)]
        top = box.top + 6
        for name in ringing:
            tile = Box(box.left, top, box.right, top + 40)
            self._draw.rounded_rectangle(_fine(tile), radius=4 * _FINE, fill="#fdf3f1", outline=_RED, width=_FINE)
            self._draw.rectangle(_fine(Box(tile.left, tile.top, tile.left + 5, tile.bottom)), fill=_RED)
            self._write(name, (tile.left + 16, tile.top + 26), tile, size=14, bold=True)
            self._write("In alarm", (tile.right - 10, tile.top + 26), tile, size=13, color=_RED, anchor="rs")
            top += 48
        well = f"{len(widget.alarms) - len(ringing)} of {len(widget.alarms)} alarms are quiet and not shown"
        self._write(well, (box.left, top + 14), box, size=13, color=_QUIET)

    def _numbers(self, every: Sequence[Series], box: Box) -> None:
        width = (box.right - box.left) / len(every)
        for index, series in enumerate(every):
            left = box.left + index * width
            cell = Box(left, box.top, left + width, box.bottom)
            color = _color(series, index)
            self._draw.rectangle(_fine(Box(left, box.top + 26, left + 10, box.top + 36)), fill=color)
            self._write(series.label, (left + 15, box.top + 36), cell, size=13, color=_QUIET)
            self._write(_short(series.total), (left, box.top + 84), cell, size=40, bold=True)

    def _bars(self, every: Sequence[Series], unit: str, box: Box) -> None:
        """One bar for each line, with its total."""
        plot = Box(box.left + 40, box.top + 18, box.right, box.bottom - 20)
        top = _nice(max(series.total for series in every))
        self._axis(plot, top, unit, box)
        width = (plot.right - plot.left) / len(every)
        for index, series in enumerate(every):
            middle = plot.left + (index + 0.5) * width
            height = plot.bottom - (plot.bottom - plot.top) * series.total / top
            bar = Box(middle - width * 0.3, height, middle + width * 0.3, plot.bottom)
            self._draw.rectangle(_fine(bar), fill=_color(series, index))
            self._write(_short(series.total), (middle, height - 4), box, size=12, bold=True, anchor="ms")
            self._write(series.label, (middle, box.bottom - 5), box, size=12, anchor="ms")

    def _graph(self, widget: Widget, every: Sequence[Series], box: Box) -> None:
        legend = self._legend(every, box)
        plot = Box(box.left + 44, box.top + 18, box.right - 4, legend - 24)
        layers = _stacked(every) if widget.stacked else [series.points for series in every]
        marks = [value for value, _ in widget.marks]
        top = widget.top or _nice(max([1.0, *marks, *(max(points) for points in layers)]))
        self._axis(plot, top, widget.unit, box)
        self._times(plot, widget.start, box)
        for number, points in reversed(list(enumerate(layers))):
            self._line(plot, points, top, _color(every[number], number), filled=widget.stacked)
        for value, label in widget.marks:
            height = plot.bottom - (plot.bottom - plot.top) * value / top
            self._draw.line(_fine(Box(plot.left, height, plot.right, height)), fill=_RED, width=_FINE)
            self._write(label, (plot.right, height - 3), box, size=11, color=_RED, anchor="rs")

    def _line(self, plot: Box, points: Sequence[float], top: float, color: str, *, filled: bool) -> None:
        step = (plot.right - plot.left) / max(1, len(points) - 1)
        path = [
            ((plot.left + index * step) * _FINE, (plot.bottom - (plot.bottom - plot.top) * value / top) * _FINE)
            for index, value in enumerate(points)
        ]
        if filled:
            floor = plot.bottom * _FINE
            self._draw.polygon([(path[0][0], floor), *path, (path[-1][0], floor)], fill=_pale(color))
        self._draw.line(path, fill=color, width=3, joint="curve")

    def _axis(self, plot: Box, top: float, unit: str, box: Box) -> None:
        for part in range(3):
            height = plot.bottom - (plot.bottom - plot.top) * part / 2
            self._draw.line(_fine(Box(plot.left, height, plot.right, height)), fill=_GRID, width=_FINE)
            label = _short(top * part / 2)
            self._write(label, (plot.left - 6, height + 4), box, size=11, color=_QUIET, anchor="rs")
        self._write(unit, (box.left, plot.top - 10), box, size=11, color=_QUIET)

    def _times(self, plot: Box, start: str, box: Box) -> None:
        labels = {
            "-P7D": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
            "-P28D": ("4 weeks ago", "3 weeks", "2 weeks", "1 week", "today"),
        }.get(start, ("14:00", "18:00", "22:00", "02:00", "06:00", "10:00", "14:00"))
        for index, label in enumerate(labels):
            left = plot.left + (plot.right - plot.left) * index / (len(labels) - 1)
            anchor = "ls" if index == 0 else "rs" if index == len(labels) - 1 else "ms"
            self._write(label, (left, plot.bottom + 15), box, size=11, color=_QUIET, anchor=anchor)

    def _legend(self, every: Sequence[Series], box: Box) -> float:
        """Write the legend at the bottom, wrapped; return where it begins."""
        lines: list[list[tuple[int, Series]]] = [[]]
        used = 0.0
        for number, series in enumerate(every):
            width = 14 + _font(12, False).getlength(series.label) / _FINE + 14
            if lines[-1] and used + width > box.right - box.left:
                lines.append([])
                used = 0
            lines[-1].append((number, series))
            used += width
        top = box.bottom - 16 * len(lines)
        for row, line in enumerate(lines):
            left, base = box.left, top + 16 * row + 13
            for number, series in line:
                self._draw.rectangle(_fine(Box(left, base - 8, left + 9, base + 1)), fill=_color(series, number))
                self._write(series.label, (left + 14, base), box, size=12, color=_QUIET)
                left += 14 + _font(12, False).getlength(series.label) / _FINE + 14
        return top

    def _write(
        self,
        text: str,
        at: tuple[float, float],
        within: Box,
        *,
        size: float,
        bold: bool = False,
        color: str = _INK,
        anchor: str = "ls",
    ) -> None:
        place = (at[0] * _FINE, at[1] * _FINE)
        font = _font(size, bold)
        left, top, right, bottom = self._draw.textbbox(place, text, font=font, anchor=anchor)
        self._draw.text(place, text, font=font, fill=color, anchor=anchor)
        self.written.append(Written(text, Box(left / _FINE, top / _FINE, right / _FINE, bottom / _FINE), within))


@cache
def _font(size: float, bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONTS / f"SourceSansPro-{'Bold' if bold else 'Regular'}.ttf", round(size * _FINE))


def _fine(box: Box) -> tuple[float, float, float, float]:
    return box.left * _FINE, box.top * _FINE, box.right * _FINE, box.bottom * _FINE


def _color(series: Series, number: int) -> str:
    return series.color or _COLORS[number % len(_COLORS)]


def _stacked(every: Sequence[Series]) -> list[tuple[float, ...]]:
    """Each line on top of those before it."""
    layers: list[tuple[float, ...]] = []
    below: tuple[float, ...] = (0.0,) * len(every[0].points)
    for series in every:
        below = tuple(a + b for a, b in zip(below, series.points, strict=True))
        layers.append(below)
    return layers


def _nice(value: float) -> float:
    """The next round number: 1, 2, 4, 5, 6, 8 or 10 times a power of ten."""
    power = 10 ** math.floor(math.log10(value)) if value > 0 else 1
    return next(float(step * power) for step in (1, 2, 4, 5, 6, 8, 10) if step * power >= value)


def _short(value: float) -> str:
    """A number as an axis shows it: `250`, `1.5k`, `2G`."""
    for letter, size in _BIG_UNITS:
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _pale(color: str) -> str:
    """The colour for the area under a line."""
    parts = (int(color[index : index + 2], 16) for index in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * 0.45):02x}" for part in parts)

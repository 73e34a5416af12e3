"""Scene 1, a still: what the lesson is about."""

from __future__ import annotations

from PIL import Image

from tools.lesson.look import ACCENT, LINE, QUIET, TEXT, Canvas, blend

__all__ = ["draw"]

_LEFT, _BOTTOM, _BARS, _PITCH = 96, 640, 64, 17
_WANTED = 44


def draw() -> Image.Image:
    """The title slide: a sorted list as bars, the brighter the later they are ruled out."""
    canvas = Canvas()
    canvas.box((_LEFT, 96, _LEFT + 8, 252), ACCENT, radius=4)
    canvas.text((_LEFT + 36, 176), "Binary search", 104, TEXT, bold=True)
    canvas.text((_LEFT + 38, 244), "in one minute", 50, QUIET)
    canvas.text((_LEFT, 356), "One name in a sorted list of", 42, TEXT)
    canvas.text((_LEFT, 414), "1,000,000", 60, ACCENT, bold=True)
    canvas.text((_LEFT + 284, 414), "How many looks?", 42, TEXT)
    for bar in range(_BARS):
        looks = _looks_until_out(bar)
        color = ACCENT if bar == _WANTED else blend(LINE, TEXT, (looks - 1) / 6)
        left, height = _LEFT + bar * _PITCH, 40 + bar * 3.6
        canvas.box((left, _BOTTOM - height, left + 11, _BOTTOM), color, radius=3)
    return canvas.finish()


def _looks_until_out(bar: int) -> int:
    """After how many looks a bar is known not to be the wanted one."""
    low, high, looks = 0, _BARS - 1, 0
    while low <= bar <= high:
        looks += 1
        middle = (low + high) // 2
        if middle in (bar, _WANTED):
            break
        low, high = (middle + 1, high) if middle < _WANTED else (low, middle - 1)
    return looks

"""Scene 5, a clip with music: why halving is worth it, one dot per look."""

from __future__ import annotations

from fractions import Fraction

from PIL import Image

from tools.lesson.look import ACCENT, BACKGROUND, GOOD, PANEL, QUIET, TEXT, Canvas, blend, ease, moved, text_width
from tools.lesson.narration import Narration

__all__ = ["RATE", "Outro"]

RATE = Fraction(30)

_ROWS = (("1,000", 10), ("1,000,000", 20), ("1,000,000,000", 30))
_DOTS_LEFT, _PITCH, _TOP, _STEP = 396, 23, 276, 96
_TAIL = 1.6


class Outro:
    """The scene; `draw` gives the picture at a time in seconds."""

    def __init__(self, narration: Narration) -> None:
        at = narration.at
        self.seconds = narration.duration + _TAIL
        self.doubled, self.one_more = at("double"), at("one more")
        self.named = (at("a thousand"), at("a million"), at("a billion"))
        self.counted = (at("ten"), at("twenty"), at("thirty"))
        self.sorted, self.halving, self.spoken = at("keep it"), at("keep halving"), narration.duration

    def draw(self, moment: float) -> Image.Image:
        canvas = Canvas()
        self._rule(canvas, moment)
        for row in range(len(_ROWS)):
            self._row(canvas, moment, row)
        self._closing(canvas, moment)
        return canvas.finish()

    def _rule(self, canvas: Canvas, moment: float) -> None:
        """Twice the names, one more look: a bar that doubles, a dot that is added."""
        shown = ease(moment, self.doubled - 0.3)
        grown = 130 * moved(moment, 1, [(self.doubled + 0.25, 2)], 0.7)
        canvas.box((96, 84, 96 + grown * shown, 124), blend(BACKGROUND, QUIET, shown), radius=8)
        canvas.text((380, 118), "twice the names", 40, blend(BACKGROUND, TEXT, ease(moment, self.doubled)))
        added = ease(moment, self.one_more, 0.4)
        x = 760
        canvas.text((x, 118), "+", 48, blend(BACKGROUND, QUIET, added), bold=True)
        if added > 0:
            canvas.disc((x + 58, 104), 17 * added, ACCENT)
        canvas.text((x + 96, 118), "one more look", 40, blend(BACKGROUND, TEXT, added))
        canvas.box((96, 168, 96 + 1088 * ease(moment, self.named[0] - 0.5, 0.8), 170), PANEL)

    def _row(self, canvas: Canvas, moment: float, row: int) -> None:
        names, looks = _ROWS[row]
        shown = ease(moment, self.named[row] - 0.05)
        y = _TOP + row * _STEP
        canvas.text((356, y + 13 + 12 * (1 - shown)), names, 40, blend(BACKGROUND, TEXT, shown), align="right")
        start = self.counted[row]
        for dot in range(looks):
            lit = ease(moment, start - 0.1 + dot * 0.6 / looks, 0.3)
            if lit > 0:
                center = (_DOTS_LEFT + 9 + dot * _PITCH, y)
                canvas.disc(center, 8 * lit, blend(ACCENT, GOOD, ease(moment, self.halving + 0.015 * dot, 0.4)))
        told = ease(moment, start + 0.15, 0.4)
        color = blend(ACCENT, GOOD, ease(moment, self.halving + 0.4, 0.4))
        x = _DOTS_LEFT + looks * _PITCH + 14 - 14 * (1 - told)
        canvas.text((x, y + 14), str(looks), 42, blend(BACKGROUND, color, told), bold=True)
        if row == 0:
            canvas.text((356, y - 36), "names", 30, blend(BACKGROUND, QUIET, shown), align="right")
            canvas.text((_DOTS_LEFT, y - 36), "looks", 30, blend(BACKGROUND, QUIET, told))

    def _closing(self, canvas: Canvas, moment: float) -> None:
        first, second = ease(moment, self.sorted), ease(moment, self.halving)
        whole = "Keep it sorted, keep halving."
        x = 640 - text_width(whole, 52, bold=True) / 2
        y = 606 + 14 * (1 - first)
        canvas.text((x, y), "Keep it sorted,", 52, blend(BACKGROUND, TEXT, first), bold=True)
        x += text_width("Keep it sorted, ", 52, bold=True)
        canvas.text((x, y), "keep halving.", 52, blend(BACKGROUND, GOOD, second), bold=True)

"""Scene 2, an animation: one search in fifteen numbers, every movement on the word that names it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from PIL import Image

from tools.lesson.look import ACCENT, BACKGROUND, GOOD, LINE, PANEL, QUIET, TEXT, Canvas, blend, ease, moved
from tools.lesson.narration import Narration

__all__ = ["NUMBERS", "RATE", "WANTED", "Steps"]

NUMBERS = (2, 5, 8, 11, 14, 19, 23, 27, 31, 34, 37, 42, 48, 53, 59)
WANTED = 34
RATE = Fraction(30)

_CELL, _PITCH, _LEFT, _TOP = 66, 75, 82, 296
_TAIL = 0.7


@dataclass(frozen=True)
class _Look:
    """One look: where, when the middle is pointed at, its value said, the two compared, and what is left after it."""

    middle: int
    pointed: float
    said: float
    judged: float
    verdict: str
    cleared: float
    low: int
    high: int


class Steps:
    """The scene; `draw` gives the picture at a time in seconds."""

    def __init__(self, narration: Narration) -> None:
        at = narration.at
        self.seconds = narration.duration + _TAIL
        self.ordered, self.wanted = at("in order"), at("thirty-four")
        self.remaining, self.found, self.counted = at("three numbers"), at("found"), at("three looks")
        first, second, third = at("middle"), at("middle", 2), at("middle", 3)
        self.looks = (
            _Look(7, first, at("twenty-seven"), at("too small"), "27 < 34", at("left half"), 8, 14),
            _Look(11, second, at("forty-two"), at("too big"), "42 > 34", at("everything"), 8, 10),
            _Look(9, third, at("thirty-four", 2), self.found, "34 = 34", self.found, 8, 10),
        )

    def draw(self, moment: float) -> Image.Image:
        canvas = Canvas()
        self._header(canvas, moment)
        self._order(canvas, moment)
        for index in range(len(NUMBERS)):
            self._cell(canvas, moment, index)
        self._pointers(canvas, moment)
        self._verdict(canvas, moment)
        return canvas.finish()

    def _header(self, canvas: Canvas, moment: float) -> None:
        shown = ease(moment, self.wanted)
        canvas.text((_LEFT, 112), "Looking for", 40, blend(BACKGROUND, QUIET, shown))
        done = ease(moment, self.found)
        fill = blend(blend(BACKGROUND, PANEL, shown), GOOD, done)
        canvas.box((286, 66, 376, 130), fill, radius=12)
        canvas.text(
            (331, 113), str(WANTED), 44, blend(fill, blend(TEXT, BACKGROUND, done), shown), bold=True, align="center"
        )
        for number in range(1, 4):
            self._look_mark(canvas, moment, number)
        canvas.text((1198 - 3 * 44 - 8, 112), "Looks", 40, QUIET, align="right")

    def _look_mark(self, canvas: Canvas, moment: float, number: int) -> None:
        """The tally on the right: one mark fills with every look, all of them swell when they are counted."""
        look = self.looks[number - 1]
        filled = ease(moment, look.said, 0.3)
        swell = 1 + 0.25 * _pulse(moment, self.counted + 0.08 * number, 0.6)
        x = 1198 - (3 - number) * 44 - 15
        color = blend(PANEL, blend(ACCENT, GOOD, ease(moment, self.found)), filled)
        canvas.disc((x, 98), 15 * swell, color)

    def _order(self, canvas: Canvas, moment: float) -> None:
        """The arrow that says: sorted."""
        drawn = ease(moment, self.ordered, 0.9)
        if drawn <= 0:
            return
        right = _LEFT + 14 * _PITCH + _CELL
        end = _LEFT + (right - _LEFT) * drawn
        color = blend(BACKGROUND, LINE, min(1.0, drawn * 3))
        canvas.line([(_LEFT, 250), (end - 8, 250)], color, 3)
        canvas.shape([(end, 250), (end - 14, 243), (end - 14, 257)], color)
        canvas.text((_LEFT, 232), "smallest", 28, blend(BACKGROUND, QUIET, drawn))
        canvas.text((right, 232), "largest", 28, blend(BACKGROUND, QUIET, ease(drawn, 0.7, 0.3)), align="right")

    def _cell(self, canvas: Canvas, moment: float, index: int) -> None:
        shown = ease(moment, -0.1 + index * 0.04, 0.4)
        if shown <= 0:
            return
        out = self._out(moment, index)
        lit = self._lit(moment, index)
        found = ease(moment, self.found, 0.35) if NUMBERS[index] == WANTED else 0.0
        remains = _pulse(moment, self.remaining + 0.12 * (index - 8), 0.7) if 8 <= index <= 10 else 0.0
        fill = blend(blend(PANEL, ACCENT, lit), GOOD, found)
        fill = blend(fill, LINE, remains)
        fill = blend(BACKGROUND, fill, shown * (1 - 0.72 * out))
        ink = blend(fill, blend(TEXT, BACKGROUND, max(lit, found)), shown * (1 - 0.74 * out))
        grow = 5 * lit + 3 * remains + 5 * _pulse(moment, self.found, 0.8) * (found > 0) - 4 * out
        x, y = _LEFT + index * _PITCH + _CELL / 2, _TOP + _CELL / 2 + 26 * (1 - shown) + 10 * out
        half = _CELL / 2 + min(grow, 8)
        canvas.box((x - half, y - half, x + half, y + half), fill, radius=11)
        canvas.text((x, y + 11), str(NUMBERS[index]), 33 + max(grow, -3) * 0.5, ink, bold=True, align="center")

    def _out(self, moment: float, index: int) -> float:
        """How far a cell is ruled out, 0–1; a half falls in a wave that starts beside the middle."""
        gone = 0.0
        for look in self.looks[:2]:
            outside = index < look.low or index > look.high
            gone = max(gone, ease(moment, look.cleared + 0.04 * abs(index - look.middle), 0.4) if outside else 0.0)
        if NUMBERS[index] != WANTED:
            gone = max(gone, ease(moment, self.found, 0.5))
        return gone

    def _lit(self, moment: float, index: int) -> float:
        return max(
            (
                ease(moment, look.pointed, 0.3) * (1 - ease(moment, look.cleared, 0.4))
                for look in self.looks
                if look.middle == index
            ),
            default=0.0,
        )

    def _pointers(self, canvas: Canvas, moment: float) -> None:
        first, second, third = self.looks
        shown = ease(moment, self.wanted + 0.6)
        low = moved(moment, 0, [(first.cleared, first.low)])
        high = moved(moment, 14, [(second.cleared, second.high)])
        middle = moved(moment, 7, [(second.pointed, second.middle), (third.pointed, third.middle)])
        color = blend(BACKGROUND, QUIET, shown)
        self._span(canvas, low, high, color)
        _pointer(canvas, low, 408, "low", color)
        _pointer(canvas, high, 408, "high", color)
        resting = max(
            ease(moment, now.cleared) * (1 - ease(moment, then.pointed, 0.3)) for now, then in pairwise(self.looks)
        )
        accent = blend(blend(ACCENT, GOOD, ease(moment, self.found, 0.35)), LINE, resting)
        visible = ease(moment, first.pointed, 0.35)
        _pointer(canvas, middle, 408 + 16 * (1 - visible), "mid", blend(BACKGROUND, accent, visible), bold=True)

    def _span(self, canvas: Canvas, low: float, high: float, color: str) -> None:
        left, right = _LEFT + low * _PITCH, _LEFT + high * _PITCH + _CELL
        canvas.box((left, 384, right, 389), color, radius=2.5)

    def _verdict(self, canvas: Canvas, moment: float) -> None:
        """The comparison in the middle of the lower half; each one makes room for the next."""
        words = ("too small: drop the left half", "too big: drop the right side", "found in three looks")
        for number, look in enumerate(self.looks):
            leaves = self.looks[number + 1].pointed if number < 2 else self.seconds + 1
            shown = ease(moment, look.said, 0.35) * (1 - ease(moment, leaves - 0.25, 0.3))
            if shown <= 0:
                continue
            value, sign, wanted = look.verdict.split()
            judged = ease(moment, look.judged, 0.35)
            y = 556 + 14 * (1 - ease(moment, look.said, 0.35))
            color = GOOD if sign == "=" else ACCENT
            canvas.text(
                (560, y), value, 64, blend(BACKGROUND, blend(ACCENT, color, judged), shown), bold=True, align="right"
            )
            canvas.text((640, y), sign, 64, blend(BACKGROUND, TEXT, shown * judged), align="center")
            canvas.text((720, y), wanted, 64, blend(BACKGROUND, TEXT, shown * judged), bold=True)
            canvas.text((640, y + 52), words[number], 34, blend(BACKGROUND, QUIET, shown * judged), align="center")


def _pointer(canvas: Canvas, index: float, top: float, name: str, color: str, *, bold: bool = False) -> None:
    x = _LEFT + index * _PITCH + _CELL / 2
    row = 0 if name != "mid" else 40
    if row:
        canvas.line([(x, top), (x, top + 34)], color, 3)
    canvas.shape([(x, top - 10), (x - 9, top + 4), (x + 9, top + 4)], color)
    canvas.text((x, top + 30 + row), name, 30, color, bold=bold, align="center")


def _pulse(moment: float, start: float, seconds: float) -> float:
    """A swelling that comes and goes once."""
    return ease(moment, start, seconds / 2) * (1 - ease(moment, start + seconds / 2, seconds / 2))

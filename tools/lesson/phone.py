"""Scene 3, as a hand-held phone films it: a word is looked up in a paper dictionary, upright, with its own voice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from PIL import Image

from tools.lesson.look import ACCENT, BACKGROUND, PAPER, QUIET, TEXT, Canvas, blend, ease, moved
from tools.lesson.narration import Narration, narrate

__all__ = ["RATE", "SIZE", "Phone", "spoken"]

RATE = Fraction(30000, 1001)
SIZE = (540, 960)

_DESK, _WOOD, _COVER, _INK = "#6b4a34", "#76533b", "#1c3a55", "#6f675a"
_SPINE, _PAGE, _TOP, _BOTTOM = 270.0, 212.0, 326.0, 656.0
_TAIL = 0.7
_TEXT = (
    "You know this from a dictionary. Open it in the middle. Does your word come before, or after? "
    "Turn to that half, and split it again. The other half, you never read."
)
_ALICE = "Xb7hH8MSUJpSbSDYk0k2"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def spoken() -> Narration:
    """What the person behind the phone says."""
    return narrate(_TEXT, _ALICE)


@dataclass(frozen=True)
class _Turn:
    """A leaf that is turned at `start`, forward or back, onto the opening with these letters."""

    start: float
    left: str
    right: str
    forward: bool
    low: int
    high: int
    """The letters that are still possible when the leaf lies flat."""


class Phone:
    """The scene; `draw` gives the upright picture at a time in seconds."""

    def __init__(self, narration: Narration) -> None:
        at = narration.at
        self.seconds = narration.duration + _TAIL
        self.opened = at("open")
        self.asked, self.after = at("does"), at("after")
        turned, split = at("turn"), at("split")
        self.turns = (
            _Turn(self.opened, "M", "N", True, 0, 25),
            _Turn(turned, "T", "U", True, 13, 25),
            _Turn(split, "P", "Q", False, 13, 19),
            _Turn(split + 0.8, "R", "R", True, 16, 19),
        )
        self.found, self.unread = split + 1.5, at("the other half")

    def draw(self, moment: float) -> Image.Image:
        canvas = Canvas(SIZE, _DESK)
        for plank in range(7):
            y = -40 + plank * 170
            canvas.box((-80, y, SIZE[0] + 80, y + 84), _WOOD)
        self._note(canvas, moment)
        self._book(canvas, moment)
        self._letters(canvas, moment)
        tilt = 0.9 * math.sin(0.9 * moment) + 0.35 * math.sin(2.3 * moment + 1)
        shift = (5 * math.sin(1.1 * moment + 2) + 1.5 * math.sin(3.1 * moment), 6 * math.sin(0.8 * moment))
        return canvas.finish(tilt=tilt, shift=shift, zoom=1.06 + 0.01 * math.sin(0.6 * moment))

    def _note(self, canvas: Canvas, moment: float) -> None:
        found = ease(moment, self.found)
        canvas.box((154, 92, 394, 230), blend(_DESK, "#000000", 0.3), radius=4)
        canvas.box((148, 84, 388, 222), blend(ACCENT, "#67c7a4", found), radius=4)
        canvas.text((268, 136), "my word", 34, BACKGROUND, align="center")
        canvas.text((268, 192), "river", 60, BACKGROUND, bold=True, align="center")

    def _book(self, canvas: Canvas, moment: float) -> None:
        opened = ease(moment, self.opened, 0.7)
        spine = _SPINE - _PAGE / 2 * (1 - opened)
        done = [turn for turn in self.turns if moment >= turn.start + 0.7]
        now = next((turn for turn in self.turns if turn.start <= moment < turn.start + 0.7), None)
        right_edge = spine + _PAGE + 8
        left_edge = spine - 8 - _PAGE * (1 if done else 0)
        canvas.box((left_edge + 8, _TOP + 4, right_edge + 10, _BOTTOM + 22), blend(_DESK, "#000000", 0.35), radius=10)
        canvas.box((left_edge, _TOP - 8, right_edge, _BOTTOM + 8), _COVER, radius=8)
        shown = done[-1] if done else None
        flat_left, flat_right = (shown.left, shown.right) if shown else ("", "")
        if now is not None:
            flat_left, flat_right = (flat_left, now.right) if now.forward else (now.left, flat_right)
        if flat_right:
            self._page(canvas, spine, 1.0, flat_right, moment)
        if flat_left:
            self._page(canvas, spine, -1.0, flat_left, moment)
        if now is not None:
            self._leaf(canvas, spine, now, shown, moment)
        elif not done:
            _cover(canvas, spine, 1.0)

    def _leaf(self, canvas: Canvas, spine: float, turn: _Turn, before: _Turn | None, moment: float) -> None:
        """The leaf in the air: its front until it stands upright, then its back."""
        angle = math.pi * ease(moment, turn.start, 0.7)
        across = math.cos(angle) * (1 if turn.forward else -1)
        if before is None and across > 0:
            _cover(canvas, spine, across)
            return
        if turn.forward:
            letter = before.right if before is not None and across > 0 else turn.left
        else:
            letter = turn.right if across > 0 or before is None else before.left
        self._page(canvas, spine, across, letter, moment, lifted=math.sin(angle))

    def _page(
        self, canvas: Canvas, spine: float, across: float, letter: str, moment: float, *, lifted: float = 0.0
    ) -> None:
        """A page that reaches from the spine by `across` (−1: flat on the left, 1: flat on the right)."""
        edge = spine + _PAGE * across
        rise = 26 * lifted
        paper = blend(PAPER, "#000000", 0.10 * lifted + (0.03 if across < 0 else 0))
        canvas.shape([(spine, _TOP), (edge, _TOP - rise), (edge, _BOTTOM + rise), (spine, _BOTTOM)], paper)
        canvas.box(
            (min(spine, spine + 14 * across), _TOP, max(spine, spine + 14 * across), _BOTTOM),
            blend(paper, "#000000", 0.10),
        )
        if abs(across) < 0.35:
            return
        middle = spine + _PAGE * across / 2
        canvas.text((middle, _TOP + 78), letter, 78, BACKGROUND, bold=True, align="center")
        hit = letter == "R" and across > 0.9 and moment >= self.found
        for row in range(9):
            y = _TOP + 112 + row * 22
            width = (0.62 + 0.2 * math.sin(row * 2.4 + ord(letter))) * _PAGE * abs(across)
            left = min(spine, edge) + 0.1 * _PAGE * abs(across)
            canvas.box((left, y, left + width, y + 7), blend(paper, _INK, 0.45), radius=3)
        if hit:
            drawn = ease(moment, self.found, 0.4)
            y = _TOP + 112 + 4 * 22
            canvas.box((spine + 12, y - 26, spine + 12 + (_PAGE - 24) * drawn, y + 34), ACCENT, radius=6)
            canvas.text((middle, y + 16), "river", 40, blend(ACCENT, BACKGROUND, drawn), bold=True, align="center")

    def _letters(self, canvas: Canvas, moment: float) -> None:
        """A paper strip with the alphabet: what is ruled out fades, what is left is bracketed."""
        canvas.box((50, 744, 498, 846), blend(_DESK, "#000000", 0.3), radius=6)
        canvas.box((46, 738, 494, 840), TEXT, radius=6)
        bounds = [(turn.start + 0.5, turn.low, turn.high) for turn in self.turns]
        bounds[0] = (self.after + 0.15, 13, 25)
        low = moved(moment, 0, [(start, low) for start, low, _ in bounds])
        high = moved(moment, 25, [(start, high) for start, _, high in bounds])
        done = ease(moment, self.found)
        low, high = low + (17 - low) * done, high + (17 - high) * done
        pitch, first = 16.4, 65
        for index, letter in enumerate(_LETTERS):
            inside = min(1.0, max(0.0, index - low + 1)) * min(1.0, max(0.0, high - index + 1))
            color = blend(blend(TEXT, QUIET, 0.75), BACKGROUND, inside)
            canvas.text((first + index * pitch, 790), letter, 22, color, bold=True, align="center")
        left, right = first + low * pitch - 8, first + high * pitch + 8
        canvas.box((left, 804, right, 814), ACCENT, radius=5)


def _cover(canvas: Canvas, spine: float, across: float) -> None:
    edge = spine + _PAGE * across + 8 * across
    rise = 24 * (1 - abs(across))
    canvas.shape(
        [(spine - 4, _TOP - 8), (edge, _TOP - 8 - rise), (edge, _BOTTOM + 8 + rise), (spine - 4, _BOTTOM + 8)],
        "#24507a",
    )
    if across > 0.75:
        middle = spine + _PAGE * across / 2
        canvas.text((middle, _TOP + 130), "Dictionary", 40, TEXT, bold=True, align="center")
        canvas.text((middle, _TOP + 178), "A – Z", 32, ACCENT, align="center")

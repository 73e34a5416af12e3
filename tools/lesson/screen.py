"""Scene 4, a screen recording: the search is typed into an editor while it is explained, then tried."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from PIL import Image

from tools.lesson.look import ACCENT, BACKGROUND, GOOD, LINE, PANEL, QUIET, TEXT, Canvas, blend, ease, moved, text_width
from tools.lesson.narration import Narration

__all__ = ["CODE", "RATE", "Screen"]

RATE = Fraction(25)
CODE = """\
def binary_search(items, target):
    low, high = 0, len(items) - 1
    while low <= high:
        mid = (low + high) // 2
        if items[mid] == target:
            return mid
        if items[mid] < target:
            low = mid + 1
        else:
            high = mid - 1
    return None
"""
CALL, ANSWER = "binary_search(numbers, 34)", "9"

_KEYWORDS = {"def", "while", "if", "return", "else"}
_CONSTANTS = {"None", "0", "1", "2", "34", "9"}
_KEYS_PER_SECOND = 34
_SIZE, _ROW, _INDENT = 33, 38, 44
_CODE_LEFT, _CODE_TOP = 156, 146
_EDITOR, _TERMINAL = (56, 40, 1224, 564), (56, 580, 1224, 684)
_TAIL = 0.9


@dataclass(frozen=True)
class _Line:
    """`number` counts from 0; typing begins at `start` (seconds)."""

    number: int
    text: str
    start: float

    def typed(self, moment: float) -> int:
        """Characters that are there; fingers hesitate where a word begins."""
        keys = max(0.0, (moment - self.start) * _KEYS_PER_SECOND)
        count, spent = 0, 0.0
        for character in self.text.strip():
            spent += 1.9 if character in " (" else 0.85
            if spent > keys:
                return count
            count += 1
        return count

    @property
    def end(self) -> float:
        text = self.text.strip()
        return self.start + sum(1.9 if character in " (" else 0.85 for character in text) / _KEYS_PER_SECOND


class Screen:
    """The scene; `draw` gives the picture at a time in seconds."""

    def __init__(self, narration: Narration) -> None:
        at = narration.at
        self.seconds = narration.duration + _TAIL
        phrases = (
            "in python",
            "low and high",
            "look at",
            None,
            "equal",
            None,
            "too small",
            None,
            "too big",
            None,
            None,
        )
        self.lines: list[_Line] = []
        for number, (text, phrase) in enumerate(zip(CODE.splitlines(), phrases, strict=True)):
            earliest = self.lines[-1].end + 0.12 if self.lines else 0.0
            self.lines.append(_Line(number, text, max(earliest, at(phrase) - 0.1) if phrase else earliest))
        self.highlights = ((at("move low"), 7), (at("move high"), 9))
        self.call = _Line(0, CALL, max(self.lines[-1].end + 0.1, at("there it is") - 0.5))
        self.answered, self.pointed = max(at("thirty-four"), self.call.end + 0.1), at("nine")

    def draw(self, moment: float) -> Image.Image:
        canvas = Canvas(background=blend(BACKGROUND, "#000000", 0.35))
        self._editor(canvas, moment)
        self._terminal(canvas, moment)
        self._mouse(canvas, moment)
        return canvas.finish()

    def _editor(self, canvas: Canvas, moment: float) -> None:
        canvas.box(_EDITOR, BACKGROUND, radius=14)
        canvas.box((_EDITOR[0], _EDITOR[1], _EDITOR[2], 104), PANEL, radius=14)
        canvas.box((_EDITOR[0], 84, _EDITOR[2], 104), PANEL)
        for number, color in enumerate((ACCENT, TEXT, GOOD)):
            canvas.disc((88 + number * 28, 72), 8, color)
        canvas.box((184, 54, 348, 104), BACKGROUND, radius=10)
        canvas.box((184, 92, 348, 104), BACKGROUND)
        canvas.text((266, 90), "search.py", 28, TEXT, align="center")
        current = max((line.number for line in self.lines if line.start <= moment), default=0)
        for line in self.lines:
            self._code_line(canvas, line, moment, current)

    def _code_line(self, canvas: Canvas, line: _Line, moment: float, current: int) -> None:
        y = _CODE_TOP + line.number * _ROW
        typing = line.number == current and moment < self.call.start
        glow = max((_flash(moment, start) for start, number in self.highlights if number == line.number), default=0.0)
        if typing or glow:
            fill = blend(BACKGROUND, PANEL, 0.55 if typing else 0.0)
            canvas.box((_EDITOR[0], y - 28, _EDITOR[2], y + 10), blend(fill, ACCENT, 0.22 * glow))
        if moment >= line.start:
            canvas.text((112, y), str(line.number + 1), 24, TEXT if typing else blend(LINE, QUIET, 0.4), align="right")
        indent = (len(line.text) - len(line.text.lstrip())) // 4 * _INDENT
        end = _code(canvas, _CODE_LEFT + indent, y, line.text.strip(), line.typed(moment))
        if typing:
            _caret(canvas, end, y, moment, busy=moment < line.end)

    def _terminal(self, canvas: Canvas, moment: float) -> None:
        canvas.box(_TERMINAL, BACKGROUND, radius=14)
        canvas.text((84, 624), ">>>", _SIZE, GOOD, bold=True)
        end = _code(canvas, _CODE_LEFT, 624, CALL, self.call.typed(moment))
        if moment < self.answered:
            if moment >= self.call.start:
                _caret(canvas, end, 624, moment, busy=moment < self.call.end)
            return
        swell = 6 * _flash(moment, self.pointed)
        canvas.text(
            (84, 666 + swell / 3),
            ANSWER,
            _SIZE + 2 + swell,
            blend(TEXT, GOOD, ease(moment, self.pointed, 0.3)),
            bold=True,
        )

    def _mouse(self, canvas: Canvas, moment: float) -> None:
        """The pointer lies where hands leave it, and clicks into the terminal before the call is typed."""
        go = self.call.start - 0.75
        x = moved(moment, 1010, [(0.2, 940), (go, 560), (self.answered, 600)], 0.65)
        y = moved(moment, 300, [(0.2, 470), (go, 622), (self.answered, 656)], 0.65)
        click = _flash(moment, self.call.start - 0.1, 0.3)
        if click > 0:
            canvas.disc((x, y), 6 + 12 * click, outline=blend(BACKGROUND, ACCENT, click))
        outline = ((0, 0), (0, 25), (6, 19.5), (10, 28.5), (14.5, 26.5), (10.5, 17.8), (18, 17.5))
        canvas.shape([(x + dx * 1.14 - 1.4, y + dy * 1.12 - 1.8) for dx, dy in outline], BACKGROUND)
        canvas.shape([(x + dx, y + dy) for dx, dy in outline], TEXT)


def _code(canvas: Canvas, x: float, y: float, text: str, count: int) -> float:
    """Draw the first characters of a line of code, coloured by what they are; where the next one belongs."""
    before = 0
    for word, kind in _words(text):
        shown = word[: max(0, count - before)]
        color = {"keyword": ACCENT, "name": GOOD, "constant": "#c9b6e4", "other": TEXT}[kind]
        canvas.text((x, y), shown, _SIZE, color, bold=kind == "keyword")
        x += text_width(shown, _SIZE, bold=kind == "keyword")
        before += len(word)
    return x


def _words(text: str) -> list[tuple[str, Literal["keyword", "name", "constant", "other"]]]:
    """A line of code in runs of letters and digits, and what lies between them."""
    runs: list[str] = []
    for character in text:
        same = runs and (runs[-1][-1].isalnum() or runs[-1][-1] == "_") == (character.isalnum() or character == "_")
        if same:
            runs[-1] += character
        else:
            runs.append(character)
    return [(run, _kind(run)) for run in runs]


def _kind(run: str) -> Literal["keyword", "name", "constant", "other"]:
    if run in _KEYWORDS:
        return "keyword"
    if run in _CONSTANTS:
        return "constant"
    return "name" if run in ("binary_search", "len") else "other"


def _caret(canvas: Canvas, x: float, y: float, moment: float, *, busy: bool) -> None:
    if busy or moment % 1.0 < 0.55:
        canvas.box((x + 2, y - 24, x + 5, y + 6), ACCENT)


def _flash(moment: float, start: float, seconds: float = 0.9) -> float:
    return ease(moment, start, seconds / 3) * (1 - ease(moment, start + seconds / 2, seconds / 2))

"""The captions of a video, drawn into it and as an SRT file: words in lines, or the sound's own rhythm."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from stand_ins.film import SOUND_RATE, Line
from stand_ins.speech import Word

__all__ = ["lines_of", "srt", "unheard"]

WIDTH = 42
"""Characters of a row; a caption has two."""
LONGEST = 6.0
_WINDOW = SOUND_RATE // 20


def lines_of(words: Sequence[Word]) -> list[Line]:
    """Words in captions of at most two rows and six seconds, cut where a sentence ends."""
    lines: list[Line] = []
    held: list[Word] = []
    for word in words:
        text = " ".join([*(each.text for each in held), word.text])
        if held and (len(text) > 2 * WIDTH or word.end - held[0].start > LONGEST or _ends(held[-1].text, len(text))):
            lines.append(_line(held))
            held = []
        held.append(word)
    return [*lines, *([_line(held)] if held else [])]


def unheard(samples: NDArray[np.float32]) -> list[Line]:
    """Captions for speech that nobody wrote down: one per phrase, between its pauses."""
    return [Line(start, end, f"(phrase {number})") for number, (start, end) in enumerate(_phrases(samples), 1)]


def srt(lines: Sequence[Line]) -> bytes:
    """The captions as SubRip."""
    blocks = [
        f"{number}\n{_clock(line.start)} --> {_clock(line.end)}\n{line.text}\n" for number, line in enumerate(lines, 1)
    ]
    return "\n".join(blocks).encode()


def _ends(word: str, length: int) -> bool:
    """Whether a caption may end after `word`: at a sentence's end, or at a comma when a row is full."""
    return word.endswith((".", "!", "?")) or (word.endswith((",", ";", ":")) and length > WIDTH)


def _line(words: Sequence[Word]) -> Line:
    """One caption; two rows are about as long as each other."""
    text = " ".join(word.text for word in words)
    width = WIDTH if len(text) <= WIDTH else max(len(text) // 2 + 4, *(len(word.text) for word in words))
    rows = textwrap.wrap(text, min(width, WIDTH), break_long_words=False, break_on_hyphens=False)
    return Line(words[0].start, words[-1].end, "\n".join(rows))


def _phrases(samples: NDArray[np.float32]) -> Iterator[tuple[float, float]]:
    """Where sound begins and ends, in seconds; pauses under 0.35 s don't count."""
    padded = np.pad(samples, (0, -len(samples) % _WINDOW)).reshape(-1, _WINDOW)
    loud = np.sqrt((padded**2).mean(axis=1)) > 0.01
    step = _WINDOW / SOUND_RATE
    start, quiet = -1, 0
    for place, sounding in enumerate([*loud.tolist(), *[False] * 8]):
        if sounding:
            start, quiet = place if start < 0 else start, 0
        elif start >= 0:
            quiet += 1
            if quiet >= 7 or (place - start) * step > LONGEST:
                yield start * step, min((place - quiet + 1) * step, len(samples) / SOUND_RATE)
                start, quiet = -1, 0


def _clock(seconds: float) -> str:
    thousandths = round(seconds * 1000)
    return (
        f"{thousandths // 3600000:02}:{thousandths // 60000 % 60:02}:{thousandths // 1000 % 60:02},"
        f"{thousandths % 1000:03}"
    )

"""Cutting a script that is too long for one request, so that an edit changes as few of its parts as possible.

A text is cut at one place, then each half again while it is too long. The place is chosen by what stands there, not by
where it stands: paragraphs before lines before sentences, and among equals the one whose next words have the smallest
hash. So an edit moves a cut only where the edited words themselves decide it, and every other part stays as it was.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from video_production.errors import RequestError

__all__ = ["cut", "first_words", "last_words"]

_PARAGRAPH, _LINE, _SENTENCE, _CLAUSE, _WORD = range(5)
_SPOKEN_WITH = 40
"""Characters behind a cut by which it is known again."""

_GAP = re.compile(
    r"[ \t\n\r\f\v\u2028\u2029\u3000]+"
    r"|(?<=[。！？、，；：])(?![。！？、，；：」』）”’\s])"
    r"|(?<=[。！？][」』）”’])(?!\s)"
)
"""Where a text may be cut at all: whitespace but for no-break spaces, and behind stops after which none is written."""
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n|\u2029")
_SENTENCE_END = re.compile(r"[.!?…。！？]['\")\]}»”’」』）]*$")
_CLAUSE_END = re.compile(r"[,;:–—、，；：]['\")\]}»”’」』）]*$")
_INITIALS = re.compile(r"(?:^|[^\w.])(?:[^\W\d_]\.)+$")
"""Single letters with full stops, such as `z.` and `e.g.`."""
_NUMBERED = re.compile(r"(?:^|\D)\d{1,2}\.$")
"""`3.` may begin a list or be an ordinal, so it ends no sentence."""
_SHORT = re.compile(r"(?:^|[^\w])(\w+)\.$")
_ABBREVIATION = re.compile(
    r"abb|al|approx|bd|bzw|ca|capt|cf|col?|dept|dr|ed|eq|est|etc|evtl|fig|gen|ggf|hr|inc|inkl|jr|lt|ltd|mrs?|ms|mt|no|"
    r"nr|pp|prof|rev|sen|sgt|sog|sr|st|tel|usw|vgl|vol|vs",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"<(\w+)\b[^<>]*(?<!/)>.*?</\1\s*>|<[A-Za-z/!?][^<>]*>|\[[^\[\]\n]{1,200}\]", re.DOTALL)
"""A tag with all that it holds, a tag alone, and an audio tag such as `[laughs]`."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A place to cut: what is before ends at `before`, what is after begins at `after`."""

    before: int
    after: int
    level: int
    rank: bytes


def cut(text: str, longest: int, shortest: int) -> list[str]:
    """The parts of a text in order, each at most `longest` characters, and at least `shortest` where that can be.

    Never inside a word, a number or markup; whitespace at the cuts is left out. A text that fits is one part. Raises
    RequestError where a piece that is too long has no place to be cut.
    """
    places = list(_places(text)) if len(text) > longest else []

    def pieces(start: int, end: int) -> Iterator[str]:
        piece = text[start:end].strip()
        if len(piece) <= longest:
            yield piece
            return
        start += len(text[start:end]) - len(text[start:end].lstrip())
        end = start + len(piece)
        place = _best(places, start, end, shortest)
        if place is None:
            raise RequestError(
                f"The script must be cut, because one request speaks at most {longest:,} characters, but there is no "
                f"place for it from “{piece[:_SPOKEN_WITH]}…” on; write shorter sentences, or less inside one tag."
            )
        yield from pieces(start, place.before)
        yield from pieces(place.after, end)

    return list(pieces(0, len(text)))


def first_words(text: str, longest: int) -> str:
    """The first sentence of a text, of a long one its first words."""
    places = [place for place in _places(text) if place.before > 0]
    end = next((place.before for place in places if place.level <= _SENTENCE), len(text))
    if end > longest:
        end = max((place.before for place in places if place.before <= longest), default=0)
    return text[:end].strip()


def last_words(text: str, longest: int) -> str:
    """The last sentence of a text, of a long one its last words."""
    places = [place for place in _places(text) if place.after < len(text)]
    start = max((place.after for place in places if place.level <= _SENTENCE), default=0)
    if len(text) - start > longest:
        start = min((place.after for place in places if len(text) - place.after <= longest), default=len(text))
    return text[start:].strip()


def _best(places: Sequence[_Place], start: int, end: int, shortest: int) -> _Place | None:
    for margin in (shortest, 1):
        first = bisect_left(places, start + margin, key=lambda place: place.before)
        last = bisect_right(places, end - margin, key=lambda place: place.after)
        if inside := places[first:last]:
            middle = (start + end) / 2
            return min(inside, key=lambda place: (place.level, place.rank, abs(place.before - middle)))
    return None


def _places(text: str) -> Iterator[_Place]:
    markup = [match.span() for match in _MARKUP.finditer(text)]
    opened = [start for start, _ in markup]
    for gap in _GAP.finditer(text):
        before, after = gap.span()
        around = bisect_right(opened, before) - 1
        if around >= 0 and markup[around][0] < before and after < markup[around][1]:
            continue
        level = _level(text, before, after)
        if level is not None:
            words = text[after : after + _SPOKEN_WITH]
            yield _Place(before, after, level, hashlib.sha256(words.encode()).digest()[:8])


def _level(text: str, before: int, after: int) -> int | None:
    """How good a place is; None inside a number that is written with spaces."""
    gap, line = text[before:after], text[max(0, before - _SPOKEN_WITH) : before]
    following = text[after : after + 1]
    if _BLANK_LINE.search(gap):
        return _PARAGRAPH
    if _ends_sentence(line, following):
        return _LINE if "\n" in gap else _SENTENCE
    if line[-1:].isdigit() and following.isdigit():
        return None
    return _CLAUSE if "\n" in gap or _CLAUSE_END.search(line) else _WORD


def _ends_sentence(line: str, following: str) -> bool:
    if not _SENTENCE_END.search(line) or following.islower():
        return False
    if _INITIALS.search(line) or _NUMBERED.search(line):
        return False
    last = _SHORT.search(line)
    return not (last and _ABBREVIATION.fullmatch(last[1]))

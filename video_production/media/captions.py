"""Captions: from character times to cues, and from cues to `.srt` and `.vtt` and back.

All times are seconds from the start of the sound that the captions belong to, exact to one millisecond. The WebVTT file
is the exact form of the text; SubRip has no escapes, so players take `<i>` in it for italics.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from video_production.errors import MediaError

__all__ = ["Cue", "cues_from_alignment", "join", "read_captions", "shift", "to_srt", "to_vtt", "write_captions"]

LINE_WIDTH = 42
"""Columns of one line; an East Asian wide character takes two."""
MAX_SECONDS = 6.5
MAX_PAUSE = 1.0
"""A cue does not stay on the screen through a longer silence, in seconds."""

_SENTENCE_END = re.compile(r"[.!?…。！？]['\")\]}»”’」』]*$")
_CLAUSE_END = re.compile(r"[,;:–—、，；：]['\")\]}»”’」』]*$")
_ABBREVIATION = re.compile(r"(?:^|[^\w.])(?:[^\W\d_]\.)+$")
"""Single letters with full stops, such as `z.` and `e.g.`."""
_SPOKEN_MARKUP = re.compile(r"</?(?:break|phoneme|speak)\b[^<>]*>")
_FORMAT_TAG = re.compile(r"</?(?:[bius]|font)\b[^<>]*>", re.IGNORECASE)
_VTT_TAG = re.compile(r"<[^>]*>")
_BACKSLASH = "\ue05c"
"""Stands for a backslash inside pysubs2, which takes `\\N` and `\\h` for its own whitespace."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption: `start` and `end` in seconds, `text` plain, with line feeds between its lines."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class _Word:
    """What a line is never broken inside of. `glue` stands before it where it does not begin a line."""

    text: str
    start: float
    end: float
    glue: str


def cues_from_alignment(characters: Sequence[str], starts: Sequence[float], ends: Sequence[float]) -> list[Cue]:
    """Group timed characters (seconds) into cues of at most two lines and `MAX_SECONDS`, best at sentence ends.

    A cue starts with its first character and ends with its last one; cues never overlap. Markup that is not spoken
    (`<break …/>`) is left out. Raises MediaError when the three lists are not of one length.
    """
    if not len(characters) == len(starts) == len(ends):
        raise MediaError(
            f"The caption times do not fit the text: {len(characters)} characters, {len(starts)} starts, "
            f"{len(ends)} ends. Make the voiceover again, or set captions: false."
        )
    words = _words(_spoken(characters, starts, ends))
    cues = [Cue(group[0].start, group[-1].end, _layout(group)) for group in _groups(words)]
    return _in_order(cues)


def shift(cues: Iterable[Cue], seconds: float) -> list[Cue]:
    """Move cues by `seconds`; what would lie before 0 is cut off."""
    return _in_order(Cue(max(0.0, cue.start + seconds), cue.end + seconds, cue.text) for cue in cues)


def join(clips: Iterable[tuple[Sequence[Cue], float, float]]) -> list[Cue]:
    """The captions of a joined video from `(cues, offset, span)` of each clip, in seconds.

    A cue never reaches beyond its clip's span, so that it can't run into the next clip.
    """
    joined: list[Cue] = []
    for cues, offset, span in clips:
        inside = (Cue(max(0.0, cue.start), min(cue.end, span), cue.text) for cue in cues)
        joined += shift((cue for cue in inside if cue.end > cue.start), offset)
    return _in_order(joined)


def to_srt(cues: Iterable[Cue]) -> bytes:
    """The cues as a SubRip file, UTF-8."""
    return _written(cues, "srt")


def to_vtt(cues: Iterable[Cue]) -> bytes:
    """The cues as a WebVTT file, UTF-8, with `&`, `<` and `>` escaped."""
    return _written((replace(cue, text=html.escape(cue.text, quote=False)) for cue in cues), "vtt")


def write_captions(cues: Sequence[Cue], srt: Path, vtt: Path) -> None:
    """Write both caption files."""
    srt.write_bytes(to_srt(cues))
    vtt.write_bytes(to_vtt(cues))


def read_captions(data: bytes) -> list[Cue]:
    """Read a SubRip or WebVTT file as plain text; notes, styles and formatting are left out.

    Raises MediaError when it is neither UTF-8 nor captions; an empty file holds no captions.
    """
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise MediaError(f"The captions are not UTF-8 text ({error.reason}); save them as UTF-8.") from error
    form = "vtt" if text.lstrip().startswith("WEBVTT") else "srt"
    blocks = _cue_blocks(text)
    if not blocks and form == "srt" and text.strip():
        raise MediaError("The captions hold no times; give a SubRip (.srt) or WebVTT (.vtt) file.")
    numbered = "\n\n".join(f"{number}\n{block}" for number, block in enumerate([*blocks, ""], start=1))
    import pysubs2

    events = pysubs2.SSAFile.from_string(numbered.replace("\\", _BACKSLASH), format_=form, keep_html_tags=True)
    cues = [Cue(event.start / 1000, event.end / 1000, _plain(event.text, form)) for event in events]
    return _in_order(cues, clip=False)


def _spoken(
    characters: Sequence[str], starts: Sequence[float], ends: Sequence[float]
) -> list[tuple[str, float, float]]:
    """Single characters with their times, spaces in place of markup, times never running backwards."""
    silent: set[int] = set()
    owner = [index for index, character in enumerate(characters) for _ in character]
    for match in _SPOKEN_MARKUP.finditer("".join(characters)):
        silent.update(owner[match.start() : match.end()])
    spoken: list[tuple[str, float, float]] = []
    now = 0.0
    for index, (character, start, end) in enumerate(zip(characters, starts, ends, strict=True)):
        start = max(start, now)
        end = max(end, start)
        spoken += [(" " if index in silent else part, start, end) for part in character]
        now = start
    return spoken


def _words(spoken: Sequence[tuple[str, float, float]]) -> list[_Word]:
    """Split at whitespace, between wide characters (written without spaces), and where a word overfills a line."""
    words: list[_Word] = []
    open_word = False
    glue = ""
    for character, start, end in spoken:
        if character.isspace() or character == "\0":
            open_word, glue = False, " "
            continue
        if open_word and not _may_break(words[-1].text, character):
            last = words[-1]
            words[-1] = replace(last, text=last.text + character, end=end)
        else:
            words.append(_Word(character, start, end, glue))
            open_word, glue = True, ""
    return words


def _may_break(before: str, character: str) -> bool:
    """Whether a line may be broken between the end of a word and the character that follows it directly."""
    kind = unicodedata.category(character)
    if kind.startswith("M") or "\u200d" in (character, before[-1]):
        return False
    if _width(before + character) > LINE_WIDTH:
        return True
    if kind in ("Po", "Pe", "Pf", "Pd", "Sk") or unicodedata.category(before[-1]) in ("Ps", "Pi"):
        return False
    return _width(before[-1]) == 2 or _width(character) == 2


def _groups(words: Sequence[_Word]) -> list[Sequence[_Word]]:
    """Cut the words into cues at the least total cost (the shortest path over all cuts that fit)."""
    breaks = [_break_cost(word, following) for word, following in pairwise(words)]
    if words:
        breaks.append(0.0)
    widths = [_width(word.text) for word in words]
    cost = [0.0] + [float("inf")] * len(words)
    cut = [0] * (len(words) + 1)
    for first in range(len(words)):
        for last, sentences in _reach(words, widths, breaks, first):
            flash = max(0.0, 1.2 - (words[last].end - words[first].start))
            total = cost[first] + 1.0 + breaks[last] + 0.7 * sentences + flash
            if total < cost[last + 1]:
                cost[last + 1], cut[last + 1] = total, first
    groups: list[Sequence[_Word]] = []
    end = len(words)
    while end:
        groups.append(words[cut[end] : end])
        end = cut[end]
    return groups[::-1]


def _reach(
    words: Sequence[_Word], widths: Sequence[int], breaks: Sequence[float], first: int
) -> Iterator[tuple[int, int]]:
    """Every word that a cue from `first` on can end with, and how many sentences end inside that cue before it."""
    lines, column, sentences = 1, widths[first], 0
    yield first, 0
    for last in range(first + 1, len(words)):
        word = words[last]
        sentences += breaks[last - 1] == 0.0
        column += len(word.glue) + widths[last]
        if column > LINE_WIDTH:
            lines, column = lines + 1, widths[last]
        if lines > 2 or word.end - words[first].start > MAX_SECONDS or word.start - words[last - 1].end > MAX_PAUSE:
            return
        yield last, sentences


def _break_cost(word: _Word, following: _Word) -> float:
    """How bad it is to end a cue between two words: not at all after a sentence, less after a clause.

    Where nothing is written between words, a phrase most often begins where other characters follow Hiragana; a cut
    anywhere else would go through a word.
    """
    if _SENTENCE_END.search(word.text) and not (_ABBREVIATION.search(word.text) or following.text[0].islower()):
        return 0.0
    if _CLAUSE_END.search(word.text):
        return 0.6
    if following.glue or (_is_hiragana(word.text[-1]) and not _is_hiragana(following.text[0])):
        return 1.5
    return 3.0


def _is_hiragana(character: str) -> bool:
    return "\u3041" <= character <= "\u309f"


def _layout(group: Sequence[_Word]) -> str:
    """The text on one line, or on two: as even as possible, but rather a little less even than broken badly."""
    line = _line(group)
    if _width(line) <= LINE_WIDTH or len(group) == 1:
        return line

    def unfit(cut: int) -> tuple[bool, float, int]:
        upper, lower = _width(_line(group[:cut])), _width(_line(group[cut:]))
        longest = max(upper, lower)
        # Where two cuts are equally good, the lower line is the longer one.
        return longest > LINE_WIDTH, longest + 4 * _break_cost(group[cut - 1], group[cut]), upper

    best = min(range(1, len(group)), key=unfit)
    return f"{_line(group[:best])}\n{_line(group[best:])}"


def _line(group: Sequence[_Word]) -> str:
    return "".join((word.glue if place else "") + word.text for place, word in enumerate(group))


def _width(text: str) -> int:
    """Columns that `text` takes; combining marks take none."""
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _in_order(cues: Iterable[Cue], clip: bool = True) -> list[Cue]:
    """Sorted, in whole milliseconds, empty ones dropped; with `clip`, none reaches beyond the start of the next."""
    ordered = sorted(
        (Cue(round(cue.start, 3), round(cue.end, 3), cue.text) for cue in cues if cue.text.strip()),
        key=lambda cue: (cue.start, cue.end),
    )
    if clip:
        limits = [*(cue.start for cue in ordered), float("inf")][1:]
        ordered = [replace(cue, end=min(cue.end, limit)) for cue, limit in zip(ordered, limits, strict=False)]
    return [cue for cue in ordered if cue.end > cue.start]


def _written(cues: Iterable[Cue], form: str) -> bytes:
    import pysubs2

    file = pysubs2.SSAFile()
    for cue in cues:
        text = cue.text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").replace("\\", _BACKSLASH)
        start, end = round(cue.start * 1000), round(cue.end * 1000)
        file.append(pysubs2.SSAEvent(start=start, end=end, text=re.sub(r"\n\s*\n", "\n", text).replace("\n", r"\N")))
    # Tags are kept because braces are text to us, not styling.
    return str(file.to_string(form, keep_ssa_tags=True)).replace(_BACKSLASH, "\\").encode()


def _cue_blocks(text: str) -> list[str]:
    """The blocks that hold a time line, from that line on: pysubs2 mistakes identifiers and notes for text."""
    blocks: list[str] = []
    for block in re.split(r"\n[ \t]*(?:\n|$)", text):
        lines = block.strip("\n").split("\n")
        timed = next((place for place, line in enumerate(lines[:2]) if "-->" in line), None)
        if timed is not None:
            blocks.append("\n".join(lines[timed:]))
    return blocks


def _plain(text: str, form: str) -> str:
    plain = text.replace(r"\N", "\n").replace(_BACKSLASH, "\\")
    if form == "vtt":
        return html.unescape(_VTT_TAG.sub("", plain))
    return _FORMAT_TAG.sub("", plain)

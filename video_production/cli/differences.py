"""Where two texts differ, shown in a few words."""

from __future__ import annotations

import difflib

__all__ = ["text_change"]

_AROUND = 2
_LONGEST = 60


def text_change(old: str, new: str) -> str:
    """The first difference with a word or two around it: `“you find a” → “you look for a”`; empty where there is none.

    Further ones are counted. White space does not count: nobody hears it.
    """
    before, after = old.split(), new.split()
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    changes = [(i, j, k, m) for kind, i, j, k, m in matcher.get_opcodes() if kind != "equal"]
    if not changes:
        return ""
    i, j, k, m = changes[0]
    begin = min(_AROUND, i, k)
    shown = f"{_excerpt(before, i - begin, j + _AROUND)} → {_excerpt(after, k - begin, m + _AROUND)}"
    more = len(changes) - 1
    return f"{shown}, and {more} more change{'s' * (more != 1)}" if more else shown


def _excerpt(words: list[str], begin: int, end: int) -> str:
    text = " ".join(words[begin:end])
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()}…"
    return f"“{'…' if begin else ''}{text}{'…' if end < len(words) else ''}”"

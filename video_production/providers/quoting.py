"""What a provider said, as our own sentences may quote it: keys, tokens and signed addresses stay out of them."""

from __future__ import annotations

import re

__all__ = ["quotable"]

_LONGEST = 240
_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+.-]*://)(?:[^\s/?#\"'<>]*@)?([^\s?#\"'<>]*)[?#][^\s\"'<>]*", re.IGNORECASE)
"""An address with a query: that of a signed one is as good as a key for what it leads to."""


def quotable(said: str, secret: str = "", like: re.Pattern[str] | None = None) -> str:
    """`said` on one line, short, without a full stop. `secret` is left out, and whatever looks `like` one."""
    if secret:
        said = said.replace(secret, "…")
    line = _ADDRESS.sub(r"\1\2?…", " ".join(said.split()))
    if like is not None:
        line = like.sub("…", line)
    line = line.rstrip(".")
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"

"""What Runway's errors mean, in one sentence each that says who must act and what became of the money.

An error answer is `{"error": "…", "issues": [{"path": […], "message": "…"}], "docUrl": "…"}`: it has a text but no
code, so the codes here are ours. A task that failed has a `failureCode` such as `SAFETY.INPUT.TEXT`, whose last word is
a guess; what it begins with is what counts. Sources: Runway's pages on HTTP errors and task failures, observed answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from video_production.providers.http import Explanation
from video_production.providers.quoting import quotable

__all__ = ["ACCOUNT_CODES", "BY_STATUS", "CANCELLED", "FAILURES", "REFUSALS", "Subject", "explain", "failure_sentence"]

_KEY = "Runway refused the API key. Set the secret '{secret}' to a valid key and retry."
_CREDIT = "The Runway account is out of credit ({said}). Top it up and retry."
_DAILY = (
    "The Runway account has made as many clips with this model as its tier allows in 24 hours ({said}). Retry "
    "tomorrow, or have the tier raised."
)
_FORBIDDEN = "Runway forbids this request to the account or its API key ({said}). Allow it there and retry."
_OF_THE_ACCOUNT = frozenset({_KEY, _CREDIT, _DAILY, _FORBIDDEN})
"""What only the owner of the account can mend, whatever is asked for."""
_INVALID = "Runway rejected the request as invalid ({said}); correct the node's config, its prompt or its picture."
_TOO_LARGE = "The request is too large for Runway ({said}); give the node a smaller picture."
_UNKNOWN = "Runway does not know what was asked for ({said}); check the node's model and the address of the API."
_BUSY = "Runway asks to send requests more slowly ({said}); this one is sent again by itself."
_BROKEN = "Runway is overloaded or had an internal error ({said}); try again later."

REFUSALS: Mapping[str, str] = {"out_of_credit": _CREDIT, "daily_limit": _DAILY, "invalid_key": _KEY}
"""Codes that we give to answers by what they say."""
ACCOUNT_CODES = frozenset(code for code, template in REFUSALS.items() if template in _OF_THE_ACCOUNT)
BY_STATUS: Mapping[int, str] = {
    400: _INVALID,
    401: _KEY,
    402: _CREDIT,
    403: _FORBIDDEN,
    404: _UNKNOWN,
    405: _UNKNOWN,
    413: _TOO_LARGE,
    422: _INVALID,
    429: _BUSY,
}
_SAYS_DAILY = re.compile(r"\bdaily\b|\b24[ -]?h(?:ours?)?\b|\bper day\b", re.IGNORECASE)
_SAYS_CREDIT = re.compile(r"\bcredits?\b|\bbalance\b", re.IGNORECASE)

CANCELLED = "CANCELLED"
"""Our code for a task that somebody cancelled: it ends without a failure of its own."""
_INTERNAL = "Runway had an internal error while making the animation ({said}); retry in some minutes."
FAILURES: Mapping[str, str] = {
    "SAFETY.INPUT": "Runway's moderation rejected the prompt or the picture ({said}); change them, since the same "
    "again would be rejected again.",
    "SAFETY.OUTPUT": "Runway's moderation rejected the clip that came of this prompt ({said}); change the prompt or "
    "the picture.",
    "SAFETY": "Runway's moderation rejected the animation ({said}); change the prompt or the picture.",
    "INPUT_PREPROCESSING.SAFETY": "Runway's moderation rejected the prompt ({said}); reword it.",
    "INPUT_PREPROCESSING": "Runway could not examine the prompt or the picture ({said}); retry in some minutes.",
    "ASSET": "Runway can't use the picture ({said}); give the node one of another size, shape or file type.",
    "INTERNAL.BAD_OUTPUT": "Runway threw the clip away as a bad one ({said}); leave words, logos and overlays out of "
    "the prompt and the picture, then retry.",
    "INTERNAL": _INTERNAL,
    "THIRD_PARTY": "The maker of the model gave Runway no clip ({said}); retry in some minutes, or choose model "
    "gen4.5.",
    CANCELLED: "The animation was cancelled at Runway; retry it if that was not meant.",
    "": _INTERNAL,
}
"""By what a `failureCode` begins with, at a dot; "" is for a code that is missing or new."""
_KEY_LIKE = re.compile(r"\bkey_[0-9A-Za-z]{8,}")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request was about, for its error's sentence. `key` is only known to be left out of what is quoted."""

    secret: str
    key: str = field(default="", repr=False)


def explain(status: int, content: bytes, subject: Subject) -> Explanation:
    """What an error answer means."""
    said = _said(content)
    code = _code(status, said)
    template = REFUSALS.get(code) or BY_STATUS.get(status) or _fallback(status)
    quoted = quotable(said, subject.key, _KEY_LIKE) or f"HTTP {status}"
    message = template.format(secret=subject.secret, said=quoted)
    return Explanation(message, code, account=template in _OF_THE_ACCOUNT)


def failure_sentence(code: str, said: str, credits: float | None, subject: Subject) -> str:
    """Why an accepted task ended without a clip, and what it cost: `credits` is None where Runway does not tell."""
    family = code
    while family not in FAILURES:
        family = family.rpartition(".")[0]
    quoted = quotable(said, subject.key, _KEY_LIKE) or code or "no reason given"
    return f"{FAILURES[family].format(said=quoted)} {_money(credits)}"


def _money(credits: float | None) -> str:
    if credits is None:
        return "Whether it was charged is not known; Runway's usage page shows it."
    if credits <= 0:
        return "Nothing was charged."
    return f"Runway charged {credits:g} {'credit' if credits == 1 else 'credits'}."


def _code(status: int, said: str) -> str:
    if status == 401:
        return "invalid_key"
    if status == 402 or (status == 400 and said.startswith("You do not have enough") and _SAYS_CREDIT.search(said)):
        return "out_of_credit"
    return "daily_limit" if status == 429 and _SAYS_DAILY.search(said) else ""


def _fallback(status: int) -> str:
    return _BROKEN if status >= 500 else "Runway answered in an unexpected way ({said})."


def _said(content: bytes) -> str:
    """What an error answer says to people, with the fields that it complains of."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(body, dict):
        return ""
    text = body.get("error")
    text = text if isinstance(text, str) else str(body.get("message") or "")
    issues = body.get("issues")
    told = [_issue(entry) for entry in issues[:3]] if isinstance(issues, list) else []
    return ": ".join(part for part in (text, "; ".join(filter(None, told))) if part)


def _issue(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    path = entry.get("path")
    place = ".".join(str(step) for step in path) if isinstance(path, list) else str(path or "")
    message = str(entry.get("message") or entry.get("code") or "invalid")
    return f"{place}: {message}" if place else message

"""What Google's errors mean, in one sentence each that says who must act.

Error bodies are `{"error": {"code", "status", "message", "details"}}`: `status` is a word of google.rpc.Code, an entry
of `details` may name a `reason`. An operation that failed holds `{"code", "message"}`, the code as a number. Prompts
and pictures that Google's safety filters reject are told apart by what the message says. Sources: google.rpc.Code, and
Google's pages "Responsible AI and usage guidelines for Veo" and "Troubleshoot errors" of Vertex AI.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from video_production.providers.http import Explanation
from video_production.providers.quoting import quotable

__all__ = [
    "BY_STATUS",
    "FAILURES",
    "FILTERED",
    "NUMBERS",
    "REFUSALS",
    "Subject",
    "explain",
    "failure_of",
    "filtered_sentence",
]

FILTERED = "filtered"
"""Our code for what Google's safety filters rejected: the prompt, the picture or the film."""
BUCKET = "bucket"
"""Our code for a bucket that is not there: its status alone would mean the model."""

_LOGIN = "Google refused the access token. Set the secret '{secret}' to valid credentials and retry."
_FORBIDDEN = (
    "Google forbids this to the credentials in the secret '{secret}' ({said}). Give them the roles Vertex AI User in "
    "project '{project}' and Storage Object User on bucket '{bucket}', and retry."
)
_DISABLED = (
    "The Vertex AI API is not enabled in Google Cloud project '{project}' ({said}). Enable it, wait some minutes and "
    "retry."
)
_BILLING = "Google Cloud project '{project}' has no working billing account ({said}). Set one up and retry."
_PROJECT = "Google Cloud project '{project}' can't be used ({said}). Correct VEO3_PROJECT and retry."
_OF_THE_ACCOUNT = frozenset({_LOGIN, _FORBIDDEN, _DISABLED, _BILLING, _PROJECT})
"""What only the owner of the account can mend, whatever is asked for."""
_PROMPT = "Google's safety filters rejected the prompt or its picture ({said}); change them, nothing was made."
_INVALID = "Vertex AI rejected the request as invalid ({said}); correct the node's config, its prompt or its picture."
_BUCKET = (
    "Vertex AI can't write to bucket '{bucket}' ({said}). Correct VEO3_BUCKET, or give it the right to write "
    "there, and retry."
)
_MODEL = (
    "Vertex AI has no model '{model}' in location '{location}', or no longer has it ({said}); choose another model in "
    "the node's config or in VEO3_MODEL, or another VEO3_LOCATION."
)
_BUSY = (
    "Vertex AI has no capacity left for this, or the project's quota is used up ({said}); this one is sent again by "
    "itself."
)
_TOO_LARGE = "The request is too large for Vertex AI ({said}); give the node a smaller picture."
_BROKEN = "Vertex AI had an internal error ({said}); try again later."

REFUSALS: Mapping[str, str] = {
    FILTERED: _PROMPT,
    "INVALID_ARGUMENT": _INVALID,
    "FAILED_PRECONDITION": _INVALID,
    "OUT_OF_RANGE": _INVALID,
    "UNAUTHENTICATED": _LOGIN,
    "PERMISSION_DENIED": _FORBIDDEN,
    "SERVICE_DISABLED": _DISABLED,
    "BILLING_DISABLED": _BILLING,
    "CONSUMER_INVALID": _PROJECT,
    "NOT_FOUND": _MODEL,
    BUCKET: _BUCKET,
    "RESOURCE_EXHAUSTED": _BUSY,
}
"""Why a request is not accepted, by google.rpc's status or the reason in its details."""
BY_STATUS: Mapping[int, str] = {
    400: _INVALID,
    401: _LOGIN,
    403: _FORBIDDEN,
    404: _MODEL,
    413: _TOO_LARGE,
    429: _BUSY,
}
_REASONS = frozenset({"SERVICE_DISABLED", "BILLING_DISABLED", "CONSUMER_INVALID"})

FAILURES: Mapping[str, str] = {
    FILTERED: _PROMPT,
    "INVALID_ARGUMENT": "Vertex AI could not use what it was asked for ({said}); correct the node's config, its prompt "
    "or its picture.",
    "FAILED_PRECONDITION": _BUCKET,
    "PERMISSION_DENIED": _BUCKET,
    "NOT_FOUND": _BUCKET,
    "DEADLINE_EXCEEDED": "Vertex AI did not finish the animation within its own time limit ({said}); retry.",
    "RESOURCE_EXHAUSTED": "Vertex AI ran out of capacity while making the animation ({said}); retry later.",
    "CANCELLED": "The animation was cancelled at Vertex AI ({said}); retry.",
    "INTERNAL": "Vertex AI had an internal error while making the animation ({said}); retry.",
    "UNAVAILABLE": "Vertex AI became unavailable while making the animation ({said}); retry.",
}
"""Why an accepted operation may end without a film, by google.rpc's status."""
_HELD_BACK = (
    "Google's safety filters held the film back ({said}); change the prompt or the picture, since the same again would "
    "be held back again. Google does not say whether it bills a film that it holds back."
)
NUMBERS: Mapping[int, str] = {
    1: "CANCELLED",
    2: "UNKNOWN",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    13: "INTERNAL",
    14: "UNAVAILABLE",
}
_SAYS_FILTERED = re.compile(r"responsible ai|usage guidelines|safety|our policies|support codes?", re.IGNORECASE)
_SAYS_BUCKET = re.compile(r"\bbucket\b", re.IGNORECASE)
_TOKEN_LIKE = re.compile(r"\bya29\.[\w.-]+|\beyJ[\w-]{4,}(?:\.[\w-]+)*")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request was about, for its error's sentence. `token` is only known to be left out of what is quoted."""

    secret: str
    project: str = ""
    location: str = ""
    bucket: str = ""
    model: str = ""
    token: str = field(default="", repr=False)


def explain(status: int, content: bytes, subject: Subject) -> Explanation:
    """What an error answer of Vertex AI means."""
    word, reason, said = _error(content)
    code = reason or word
    if word == "INVALID_ARGUMENT" and _SAYS_FILTERED.search(said):
        code = FILTERED
    elif word == "NOT_FOUND" and _SAYS_BUCKET.search(said):
        code = BUCKET
    template = REFUSALS.get(code) or BY_STATUS.get(status)
    understood = template is not None and code in REFUSALS
    template = template or (_BROKEN if status >= 500 else "Vertex AI answered in an unexpected way ({said}).")
    message = _filled(template, quotable(said, subject.token, _TOKEN_LIKE) or f"HTTP {status}", subject)
    return Explanation(message, code, understood=understood, account=template in _OF_THE_ACCOUNT)


def failure_of(error: Mapping[str, Any], subject: Subject) -> tuple[str, str]:
    """Why an accepted operation ended without a film, and its code. Google bills the seconds that it delivers."""
    said = str(error.get("message") or "")
    number = error.get("code")
    code = NUMBERS.get(number, str(number)) if isinstance(number, int) else "UNKNOWN"
    if code == "INVALID_ARGUMENT" and _SAYS_FILTERED.search(said):
        code = FILTERED
    template = FAILURES.get(code, "Vertex AI could not make the animation ({said}); retry.")
    sentence = _filled(template, quotable(said, subject.token, _TOKEN_LIKE) or code, subject)
    return sentence if code == FILTERED else f"{sentence} Nothing was charged.", code


def filtered_sentence(reasons: object) -> str:
    """Why an operation that succeeded holds no film."""
    said = "; ".join(str(reason) for reason in reasons) if isinstance(reasons, list) else ""
    return _HELD_BACK.format(said=quotable(said, "", _TOKEN_LIKE) or "no reason given")


def _filled(template: str, said: str, subject: Subject) -> str:
    return template.format(
        said=said,
        secret=subject.secret,
        project=subject.project,
        location=subject.location,
        bucket=subject.bucket,
        model=subject.model,
    )


def _error(content: bytes) -> tuple[str, str, str]:
    """The status word of an error body, the reason in its details where it is one of ours, and what it says."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return "", "", ""
    if isinstance(body, list) and body:  # some of Google's front ends wrap the object in a list
        body = body[0]
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", "", error if isinstance(error, str) else ""
    details = error.get("details")
    reasons = [entry.get("reason") for entry in details if isinstance(entry, dict)] if isinstance(details, list) else []
    reason = next((str(reason) for reason in reasons if reason in _REASONS), "")
    word, said = error.get("status"), error.get("message")
    return word if isinstance(word, str) else "", reason, said if isinstance(said, str) else ""

"""What HeyGen's errors mean, in one sentence each that says who must act.

Errors are `{"error": {"code", "message", "param"?}}`. HeyGen publishes no complete list of its codes: one that is not
known here is explained by its HTTP status and quoted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from video_production.providers.http import Explanation
from video_production.providers.quoting import quotable

__all__ = ["BY_STATUS", "FAILURES", "REFUSALS", "Subject", "explain", "failure_sentence", "refused_for_good"]

_KEY = "HeyGen refused the API key. Set the secret '{secret}' to a valid key and retry."
_CREDIT = "The HeyGen wallet is out of credit ({said}). Top it up and retry."
_PLAN = "The HeyGen plan does not include this ({said}). Upgrade the plan or change the node's config, and retry."
_FORBIDDEN = "HeyGen forbids this request to the account or its API key ({said}). Allow it there and retry."
_OF_THE_ACCOUNT = frozenset({_KEY, _CREDIT, _PLAN, _FORBIDDEN})
"""What only the owner of the account can mend, whatever is asked for."""
_INVALID = "HeyGen rejected the request as invalid ({said}); correct the node's config or its inputs."
_AVATAR = "Avatar '{avatar}' does not exist in this HeyGen account; choose another avatarId (the id of a look)."
_ENGINE = "Avatar '{avatar}' can't be rendered like this ({said}); choose another engine or another avatarId."
_ASSET = "HeyGen could not read a file that was sent to it ({said}); give the node another voiceover or background."
_MODERATION = "HeyGen's moderation rejected the talking head ({said}); change what is said or shown."
_PROGRESS = "HeyGen is still working on this very request; it is asked again by itself."
_BUSY = (
    "HeyGen is making as many videos as the plan allows, or asks to be asked more slowly ({said}); this one is sent "
)
_BUSY += "again by itself."
_LARGE = "HeyGen rejected a file as too large ({said}); shorten the voiceover or give a smaller background."
_UNKNOWN = "HeyGen does not know what was asked for ({said}); check the node's avatarId."
_BROKEN = "HeyGen had an internal error ({said}); try again later."

REFUSALS: Mapping[str, str] = {
    "validation_error": _INVALID,
    "invalid_parameter": _INVALID,
    "avatar_not_found": _AVATAR,
    "avatar_look_not_found": _AVATAR,
    "unsupported_engine": _ENGINE,
    "asset_not_found": _ASSET,
    "asset_not_available": _ASSET,
    "download_failed": _ASSET,
    "unsupported_media_type": _ASSET,
    "moderation_failed": _MODERATION,
    "content_policy_violation": _MODERATION,
    "unauthorized": _KEY,
    "insufficient_credit": _CREDIT,
    "plan_upgrade_required": _PLAN,
    "forbidden": _FORBIDDEN,
    "resource_access_denied": "This HeyGen account may not use avatar '{avatar}' ({said}); choose another avatarId or "
    "have it shared with the account.",
    "not_found": _UNKNOWN,
    "payload_too_large": _LARGE,
    "rate_limit_exceeded": _BUSY,
}
"""By HeyGen's code. Conflicts (409) are left out: they prove no refusal, so they must not count as understood."""
BY_STATUS: Mapping[int, str] = {
    400: _INVALID,
    401: _KEY,
    402: _CREDIT,
    403: _FORBIDDEN,
    404: _UNKNOWN,
    409: _PROGRESS,
    413: _LARGE,
    415: _ASSET,
    422: _INVALID,
    429: _BUSY,
}

FAILURES: Mapping[str, str] = {
    "rendering_failed": "HeyGen failed to render the talking head ({said}); retry.",
    "moderation_failed": _MODERATION,
    "content_policy_violation": _MODERATION,
    "asset_not_available": _ASSET,
    "download_failed": _ASSET,
    "audio_processing_failed": "HeyGen could not work with the voiceover ({said}); make it anew and retry.",
    "insufficient_credit": _CREDIT,
    "timeout": "HeyGen did not finish the talking head within its own time limit; retry.",
    "internal_error": "HeyGen had an internal error while making the talking head ({said}); retry.",
}
"""Why an accepted job may end without a video, by its `failure_code`."""
_MODERATED = re.compile(r"moderat|polic(?:y|ies)|prohibited|inappropriate", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request was about, for its error's sentence. `key` is only known to be left out of what is quoted."""

    secret: str
    avatar: str = ""
    key: str = field(default="", repr=False)


def explain(status: int, content: bytes, subject: Subject) -> Explanation:
    """What an error answer means; source: HeyGen's page of errors, and its command line."""
    code, said = _error(content)
    template = REFUSALS.get(code)
    if template is None and status == 400 and _MODERATED.search(f"{code} {said}"):
        template = _MODERATION
    understood = template is not None
    template = template or BY_STATUS.get(status) or _fallback(status)
    message = _filled(template, quotable(said, subject.key) or f"HTTP {status}", subject)
    return Explanation(message, code, understood=understood, account=template in _OF_THE_ACCOUNT)


def failure_sentence(code: str, said: str, subject: Subject) -> str:
    """Why an accepted job ended without a video. HeyGen does not charge failed jobs."""
    template = FAILURES.get(code)
    if template is None and _MODERATED.search(f"{code} {said}"):
        template = _MODERATION
    template = template or "HeyGen could not make the talking head ({said}); retry."
    return (
        _filled(template, quotable(said, subject.key) or code or "no reason given", subject) + " Nothing was charged."
    )


def refused_for_good(status: int | None) -> bool:
    """Whether HeyGen's answer to a free request will be the same next time."""
    return status is not None and 400 <= status < 500 and status not in (408, 409, 425, 429)


def _filled(template: str, said: str, subject: Subject) -> str:
    return template.format(avatar=subject.avatar, secret=subject.secret, said=said)


def _fallback(status: int) -> str:
    return _BROKEN if status >= 500 else "HeyGen answered in an unexpected way ({said})."


def _error(content: bytes) -> tuple[str, str]:
    """The code of an error body, and what it says to people, with the field that it complains of."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return "", ""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", error if isinstance(error, str) else ""
    code, message, parameter = (error.get(key) for key in ("code", "message", "param"))
    said = message if isinstance(message, str) else ""
    if isinstance(parameter, str) and parameter and parameter not in said:
        said = f"{parameter}: {said}" if said else parameter
    return code if isinstance(code, str) else "", said

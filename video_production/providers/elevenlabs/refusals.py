"""What ElevenLabs' errors mean, in one sentence each that says who must act.

ElevenLabs answers errors in several shapes: `detail` as an object with `code`, `status` (an older word) and `message`;
as a list of schema errors (422); as a plain string; or no JSON at all, from something in between.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from video_production.providers.http import Explanation
from video_production.providers.quoting import quotable

__all__ = ["BY_STATUS", "FAILURES", "JOB_API_REFUSED", "REFUSALS", "Subject", "explain", "failure_sentence"]

JOB_API_REFUSED = frozenset(
    {
        "paid_plan_required",
        "subscription_required",
        "insufficient_permissions",
        "missing_permissions",
        "feature_not_available",
    }
)
"""Codes with which the job API refuses itself, not the voiceover: the timed call may still be allowed."""

_KEY = "ElevenLabs refused the API key. Set the secret '{secret}' to a valid key and retry."
_CREDIT = "The ElevenLabs account is out of credit ({said}). Top it up and retry."
_PLAN = "The ElevenLabs plan does not include this ({said}). Upgrade the plan or change the node's config, and retry."
_PERMISSION = "The ElevenLabs API key lacks a permission ({said}). Give it to the key and retry."
_BLOCKED = (
    "ElevenLabs has blocked the account for unusual activity ({said}). Use a paid plan or ask ElevenLabs' support, and "
    "retry."
)
_FORBIDDEN = "ElevenLabs forbids this request to the account or its API key ({said}). Allow it there and retry."
_OF_THE_ACCOUNT = frozenset({_KEY, _CREDIT, _PLAN, _PERMISSION, _BLOCKED, _FORBIDDEN})
"""What only the owner of the account can mend, whatever is asked for."""
_VOICE = "Voice '{voice}' does not exist in this ElevenLabs account; choose another voiceId."
_MODEL = "Model '{model}' can't speak at ElevenLabs ({said}); choose another modelId."
_TOO_LONG = "The script is too long for model '{model}' ({said}); shorten it, split it, or choose another modelId."
_MODERATION = "ElevenLabs' moderation rejected the script ({said}); reword it."
_CONFLICT = "ElevenLabs is still busy with a conflicting request ({said}); retry later."
_CONCURRENT = "ElevenLabs is already making as many voiceovers as the plan allows; this one is sent again by itself."
_BUSY = "ElevenLabs asks to send requests more slowly ({said}); this one is sent again by itself."
_INVALID = "ElevenLabs rejected the request as invalid ({said}); correct the node's config or its script."
_WEBHOOK = (
    "ElevenLabs can't deliver the webhook that jobs ask for ({said}); set it up again with webhooks register, or "
    "deploy with webhooks off, and retry."
)
_BROKEN = "ElevenLabs had an internal error ({said}); try again later."

REFUSALS: Mapping[str, str] = {
    "text_too_long": _TOO_LONG,
    "max_character_limit_exceeded": _TOO_LONG,
    "empty_text": "The script is empty; write the words that ElevenLabs shall speak.",
    "invalid_voice_settings": "ElevenLabs rejected the voice settings ({said}); correct stability, similarityBoost "
    "or speed.",
    "unsupported_model": _MODEL,
    "invalid_output_format": "ElevenLabs rejected the output format ({said}); choose another outputFormat.",
    "unsupported_language": "ElevenLabs rejected the language ({said}); choose another language or modelId.",
    "language_not_supported": "ElevenLabs rejected the language ({said}); choose another language or modelId.",
    "invalid_parameters": _INVALID,
    "malformed_json": _INVALID,
    "no_webhooks_configured": _WEBHOOK,
    "invalid_webhook_id": _WEBHOOK,
    "webhook_disabled": _WEBHOOK,
    "too_many_webhooks": _WEBHOOK,
    "content_against_policy": _MODERATION,
    "moderated": _MODERATION,
    "invalid_api_key": _KEY,
    "missing_api_key": _KEY,
    "needs_authorization": _KEY,
    "invalid_authorization_header": _KEY,
    "unauthorized": _KEY,
    "detected_unusual_activity": _BLOCKED,
    "insufficient_credits": _CREDIT,
    "quota_exceeded": _CREDIT,
    "paid_plan_required": _PLAN,
    "subscription_required": _PLAN,
    "feature_not_available": _PLAN,
    "insufficient_permissions": _PERMISSION,
    "missing_permissions": _PERMISSION,
    "voice_access_denied": "This ElevenLabs account may not use voice '{voice}' ({said}); choose another voiceId or "
    "add the voice to the account.",
    "model_access_denied": "This ElevenLabs account may not use model '{model}' ({said}); choose another modelId.",
    "voice_not_found": _VOICE,
    "voice_does_not_exist": _VOICE,
    "model_not_found": _MODEL,
    "pronunciation_dictionary_not_found": "ElevenLabs knows no such pronunciation dictionary in this account ({said}); "
    "correct pronunciationDictionaries.",
    "history_item_not_found": "The voiceover is no longer in ElevenLabs' history; choose another one to adopt.",
    "already_running": _CONFLICT,
    "already_processing": _CONFLICT,
    "concurrent_modification": _CONFLICT,
    "concurrent_limit_exceeded": _CONCURRENT,
    "too_many_concurrent_requests": _CONCURRENT,
    "rate_limit_exceeded": _BUSY,
    "system_busy": _BUSY,
    "internal_error": _BROKEN,
    "service_unavailable": _BROKEN,
    "maintenance": "ElevenLabs is down for maintenance ({said}); try again later.",
}
BY_STATUS: Mapping[int, str] = {
    400: _INVALID,
    401: _KEY,
    402: _CREDIT,
    403: _FORBIDDEN,
    404: "ElevenLabs does not know what was asked for ({said}); check the node's voiceId and modelId.",
    409: _CONFLICT,
    413: _TOO_LONG,
    422: _INVALID,
    429: _BUSY,
}
_VAGUE = frozenset({"unauthorized", "invalid_parameters"})
"""Codes beside which the older `status` word, where it is known, says more."""

FAILURES: Mapping[str, str] = {
    "timeout": "ElevenLabs did not finish the voiceover within its own time limit; retry.",
    "model_error": "The ElevenLabs model failed on this script ({said}); retry or choose another modelId.",
    "moderated": _MODERATION,
    "invalid_parameters": _INVALID,
    "dependency_failed": "A part of ElevenLabs failed while making the voiceover ({said}); retry.",
    "charging_failed": "ElevenLabs could not charge the account ({said}). Check its balance and retry.",
    "internal_error": "ElevenLabs had an internal error while making the voiceover ({said}); retry.",
}
_KEY_LIKE = re.compile(r"\bsk_[0-9A-Za-z]{8,}")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request was about, for its error's sentence. `key` is only known to be left out of what is quoted."""

    secret: str
    voice: str = ""
    model: str = ""
    key: str = field(default="", repr=False)


def explain(status: int, content: bytes, subject: Subject) -> Explanation:
    """What an error answer means; source: ElevenLabs' error reference and observed answers."""
    words, said = _detail(content)
    known = [word for word in words if word in REFUSALS]
    code = known[-1] if known and known[0] in _VAGUE else known[0] if known else ""
    template = REFUSALS.get(code) or BY_STATUS.get(status) or _fallback(status)
    message = template.format(
        voice=subject.voice,
        model=subject.model,
        secret=subject.secret,
        said=quotable(said, subject.key, _KEY_LIKE) or f"HTTP {status}",
    )
    account = template in _OF_THE_ACCOUNT
    return Explanation(message, code or next(iter(words), ""), understood=bool(known), account=account)


def failure_sentence(reason: str, said: str, subject: Subject) -> str:
    """Why an accepted job ended without a voiceover. Failed jobs are not charged."""
    template = FAILURES.get(reason, "ElevenLabs could not make the voiceover ({said}); retry.")
    quoted = quotable(said, subject.key, _KEY_LIKE) or reason or "no reason given"
    sentence = template.format(voice=subject.voice, model=subject.model, secret=subject.secret, said=quoted)
    return f"{sentence} Nothing was charged."


def _fallback(status: int) -> str:
    return _BROKEN if status >= 500 else "ElevenLabs answered in an unexpected way ({said})."


def _detail(content: bytes) -> tuple[list[str], str]:
    """The machine words of an error body, newest first, and what it says to people."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return [], ""
    detail = body.get("detail", body) if isinstance(body, dict) else body
    if isinstance(detail, str):
        return [], detail
    if isinstance(detail, list):
        return ["validation_error"], "; ".join(_schema_error(entry) for entry in detail[:3])
    if not isinstance(detail, dict):
        return [], ""
    words = [detail[key] for key in ("code", "status") if isinstance(detail.get(key), str)]
    message = detail.get("message")
    return words, message if isinstance(message, str) else ""


def _schema_error(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    location = entry.get("loc")
    place = ".".join(str(step) for step in location if step != "body") if isinstance(location, list) else ""
    message = str(entry.get("msg", "invalid"))
    return f"{place}: {message}" if place else message

"""ElevenLabs' history of what an account has made: the way back to a voiceover whose answer was lost.

Source: `GET /v1/history` of the official SDK 2.78.0. Rows of the job API are believed to appear with source `Flows`;
nothing here depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

from video_production.providers.elevenlabs.requests import JOB, script_of
from video_production.providers.interface import Attempt

__all__ = ["FetchJson", "external_id_of", "matches_of"]

FetchJson = Callable[[str, Mapping[str, str]], Any]
"""From a path and query parameters to the answer's JSON."""

_CLOCK_SKEW = 60.0
"""How far our clock may be ahead of ElevenLabs', in seconds."""
_PAGE = 100
_PAGES = 50
_TOLERANCE = 0.005
_SETTINGS = {"stability": "stability", "similarityBoost": "similarity_boost", "speed": "speed"}


def matches_of(attempt: Attempt, bound: Container[str], fetch: FetchJson) -> list[Mapping[str, Any]] | None:
    """The history rows that this attempt may have made: same voice, same model, exactly the same text.

    Rows that belong to other takes, and rows whose format or voice settings contradict the request, are left out. None
    when the history is too long to be read to its end: then nothing can be said.
    """
    query = {
        "page_size": str(_PAGE),
        "voice_id": str(attempt.request.config["voiceId"]),
        "date_after_unix": str(int(attempt.sent_at - _CLOCK_SKEW)),
    }
    if attempt.way == JOB:
        query["source"] = "Flows"
    found: list[Mapping[str, Any]] = []
    for _ in range(_PAGES):
        page = fetch("/v1/history", query)
        rows = [row for row in page.get("history") or [] if isinstance(row, Mapping)]
        found += [row for row in rows if _fits(row, attempt) and not any(name in bound for name in _names(row))]
        last = page.get("last_history_item_id") or (rows[-1].get("history_item_id") if rows else None)
        if not page.get("has_more") or not rows or not last:
            return found
        query["start_after_history_item_id"] = str(last)
    return None


def external_id_of(row: Mapping[str, Any]) -> str:
    """The name under which a row's take is recorded: the request's id, which the answer would have carried."""
    return next(_names(row))


def _names(row: Mapping[str, Any]) -> Iterator[str]:
    for key in ("request_id", "history_item_id"):
        if row.get(key):
            yield str(row[key])


def _fits(row: Mapping[str, Any], attempt: Attempt) -> bool:
    config = attempt.request.config
    if not row.get("history_item_id") or row.get("text") != script_of(attempt.request):
        return False
    if row.get("voice_id") != config["voiceId"] or row.get("model_id") != config["modelId"]:
        return False
    if row.get("source") not in (("Flows",) if attempt.way == JOB else (None, "TTS")):
        return False
    if row.get("output_format") not in (None, config["outputFormat"]):
        return False
    return _settings_fit(row.get("settings"), config)


def _settings_fit(settings: object, config: Mapping[str, Any]) -> bool:
    """False where a voice setting that we sent is recorded with another value."""
    if not isinstance(settings, Mapping):
        return True
    for key, name in _SETTINGS.items():
        value = settings.get(name)
        if key in config and isinstance(value, int | float) and abs(value - config[key]) > _TOLERANCE:
            return False
    return True

"""What HeyGen signs its webhooks with, and what a webhook tells. Its body is a hint: results are fetched anew.

`Heygen-Signature` is the HMAC-SHA256 of the raw body with the endpoint's secret, in hex; `Heygen-Timestamp` (Unix
seconds) is not signed, so what keeps a delivery from being played again is that its body is known already. Source:
HeyGen's page on webhooks, as of 2026-11-22.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["TOLERANCE", "finished_job", "is_genuine", "sign"]

TOLERANCE = 30 * 60
"""Seconds that a delivery's time may lie in the past or, with clocks that differ, in the future.

HeyGen proposes five minutes. Its time is not signed, so a tighter bound would keep nobody out; a wider one lets in what
was long under way.
"""
_ENDED = ("avatar_video.success", "avatar_video.fail")


def sign(body: bytes, secret: str) -> str:
    """The value of `Heygen-Signature` for `body`."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_genuine(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    """Whether HeyGen sent this body: signed with `secret`, and close to `now` (Unix seconds).

    `headers` have lower-case names.
    """
    given = headers.get("heygen-signature", "").strip().encode()
    signed = hmac.compare_digest(sign(body, secret).encode(), given)
    at = headers.get("heygen-timestamp", "").strip()
    timed = at.isascii() and at.isdecimal() and len(at) <= 12 and abs(now - int(at)) <= TOLERANCE
    return signed and timed


def finished_job(body: bytes) -> str | None:
    """The id of the video that a genuine webhook tells of; None for any other event.

    Body: `{"event_type": "avatar_video.success" | "avatar_video.fail", "event_data": {"video_id", …}}`.
    """
    try:
        event: Any = json.loads(body)
        job = event["event_data"]["video_id"] if event["event_type"] in _ENDED else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return job if isinstance(job, str) and job else None

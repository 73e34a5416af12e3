"""What ElevenLabs signs its webhooks with, and what a webhook tells. Its body is a hint: results are fetched anew.

Header `ElevenLabs-Signature: t=<unix seconds>,v0=<hex>`; `v0` is HMAC-SHA256 of `"<t>." + body` with the subscription's
secret. Source: the official SDK 2.78.0 (`webhooks_custom.py`), which sets no bound on times to come.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["TOLERANCE", "finished_job", "is_genuine", "sign"]

TOLERANCE = 30 * 60
"""Seconds that a signature's time may lie in the past or, with clocks that differ, in the future."""
_HEADER = "elevenlabs-signature"


def sign(body: bytes, secret: str, at: int) -> str:
    """The value of the signature header for `body` sent at `at` (Unix seconds)."""
    return f"t={at},v0={_digest(body, secret, str(at))}"


def is_genuine(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    """Whether ElevenLabs sent this body: signed with `secret`, and close to `now` (Unix seconds).

    `headers` have lower-case names.
    """
    fields = [field.strip().partition("=") for field in headers.get(_HEADER, "").split(",")]
    times = [value for name, _, value in fields if name == "t"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdecimal() and len(times[0]) <= 12):
        return False
    expected = _digest(body, secret, times[0]).encode()
    given = [value.encode() for name, _, value in fields if name == "v0"]
    signed = any(hmac.compare_digest(expected, value) for value in given)
    return signed and abs(now - int(times[0])) <= TOLERANCE


def finished_job(body: bytes) -> str | None:
    """The id of the job that a genuine webhook tells of; None for any other event.

    Body: `{"type": "flows_generation", "event_timestamp", "data": {"id", "status", …}}`.
    """
    try:
        event: Any = json.loads(body)
        job = event["data"]["id"] if event["type"] == "flows_generation" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return job if isinstance(job, str) and job else None


def _digest(body: bytes, secret: str, at: str) -> str:
    return hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()

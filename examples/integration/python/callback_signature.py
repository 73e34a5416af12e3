"""Check the signature of a callback. Copy this file; it needs the standard library only."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence

HEADER = "Jiki-Signature"
REPLAY_WINDOW = 300
"""Seconds. What is older was recorded by somebody and sent again."""


def is_genuine(body: bytes, header: str, secrets: str | Sequence[str], now: float | None = None) -> bool:
    """Whether `header` (`t=<Unix seconds>,v1=<hex>`) signs exactly these bytes with a secret, and is recent.

    `body` is the request's body as it came: parsing it and writing it again changes bytes. `secrets` is the value of
    the secret, or several while it is being changed. White space around a value does not belong to it.
    """
    fields = dict(field.partition("=")[::2] for field in header.split(","))
    sent_at, signature = fields.get("t", ""), fields.get("v1", "")
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 12):
        return False
    if abs((time.time() if now is None else now) - int(sent_at)) > REPLAY_WINDOW:
        return False
    values = [value.strip() for value in ([secrets] if isinstance(secrets, str) else secrets)]
    return any(_signed(body, sent_at, signature, value) for value in values if value)


def _signed(body: bytes, sent_at: str, signature: str, secret: str) -> bool:
    expected = hmac.new(secret.encode(), f"{sent_at}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())

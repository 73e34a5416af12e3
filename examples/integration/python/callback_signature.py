"""Check the signature of a callback. Copy this file; it needs the standard library only."""

from __future__ import annotations

import hashlib
import hmac
import time

HEADER = "Jiki-Signature"
REPLAY_WINDOW = 300
"""Seconds. What is older was recorded by somebody and sent again."""


def is_genuine(body: bytes, header: str, secret: str, now: float | None = None) -> bool:
    """Whether `header` (`t=<Unix seconds>,v1=<hex>`) signs exactly these bytes with `secret`, and is recent.

    `body` is the request's body as it came: parsing it and writing it again changes bytes.
    """
    fields = dict(field.partition("=")[::2] for field in header.split(","))
    sent_at, signature = fields.get("t", ""), fields.get("v1", "")
    if not (sent_at.isascii() and sent_at.isdigit()):
        return False
    if abs((time.time() if now is None else now) - int(sent_at)) > REPLAY_WINDOW:
        return False
    expected = hmac.new(secret.encode(), f"{sent_at}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())

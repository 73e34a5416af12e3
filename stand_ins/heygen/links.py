"""Presigned links as Amazon S3 makes them: they need no key, and they die."""

from __future__ import annotations

import hashlib
import hmac
import time
from datetime import UTC, datetime
from urllib.parse import urlencode

from stand_ins.server import Reply, Request

__all__ = ["PREFIX", "check_link", "expired", "sign_link"]

PREFIX = "/stand-in-storage/"
_DATE = "%Y%m%dT%H%M%SZ"


def sign_link(base_url: str, name: str, key: bytes, *, now: float, lifetime: float, method: str = "GET") -> str:
    """A link to `name` that works from `now` for `lifetime` seconds (both rounded down to whole seconds)."""
    date = datetime.fromtimestamp(now, UTC).strftime(_DATE)
    expires = str(int(lifetime))
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Date": date,
        "X-Amz-Expires": expires,
        "X-Amz-Signature": _signature(method, name, date, expires, key),
    }
    return f"{base_url}{PREFIX}{name}?{urlencode(query)}"


def check_link(request: Request, key: bytes) -> Reply | None:
    """The refusal of a wrong or expired link, in S3's words; None when the link is good."""
    name = request.path.removeprefix(PREFIX)
    date, expires = request.query.get("X-Amz-Date", ""), request.query.get("X-Amz-Expires", "")
    signature = _signature(request.method, name, date, expires, key)
    if not hmac.compare_digest(signature, request.query.get("X-Amz-Signature", "")):
        return _refusal("SignatureDoesNotMatch", "The request signature we calculated does not match.")
    end = datetime.strptime(date, _DATE).replace(tzinfo=UTC).timestamp() + int(expires)
    return expired() if time.time() >= end else None


def expired() -> Reply:
    """S3 answers 403 when a link has died."""
    return _refusal("AccessDenied", "Request has expired")


def _signature(method: str, name: str, date: str, expires: str, key: bytes) -> str:
    return hmac.new(key, f"{method}\n{name}\n{date}\n{expires}".encode(), hashlib.sha256).hexdigest()


def _refusal(code: str, message: str) -> Reply:
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(403, body.encode(), "application/xml")

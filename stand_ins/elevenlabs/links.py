"""Download links as Google Cloud Storage signs them: they need no key, and they die."""

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


def sign_link(base_url: str, name: str, key: bytes, *, now: float, lifetime: float) -> str:
    """A link to `name` that works from `now` for `lifetime` seconds (both rounded down to whole seconds)."""
    date = datetime.fromtimestamp(now, UTC).strftime(_DATE)
    expires = str(int(lifetime))
    query = {
        "X-Goog-Algorithm": "GOOG4-HMAC-SHA256",
        "X-Goog-Date": date,
        "X-Goog-Expires": expires,
        "X-Goog-Signature": _signature(name, date, expires, key),
    }
    return f"{base_url}{PREFIX}{name}?{urlencode(query)}"


def check_link(request: Request, key: bytes) -> Reply | None:
    """The refusal of a wrong or expired link, in Google's words; None when the link is good."""
    name = request.path.removeprefix(PREFIX)
    date, expires = request.query.get("X-Goog-Date", ""), request.query.get("X-Goog-Expires", "")
    signature = _signature(name, date, expires, key)
    if not hmac.compare_digest(signature, request.query.get("X-Goog-Signature", "")):
        return _refusal(403, "SignatureDoesNotMatch", "Access denied.", "")
    end = datetime.strptime(date, _DATE).replace(tzinfo=UTC).timestamp() + int(expires)
    return expired(end) if time.time() >= end else None


def expired(end: float) -> Reply:
    """Google answers 400, not 403, when a link has died."""
    when = datetime.fromtimestamp(end, UTC).isoformat()
    return _refusal(400, "ExpiredToken", "Invalid argument.", f"The provided token has expired at: {when}")


def _signature(name: str, date: str, expires: str, key: bytes) -> str:
    return hmac.new(key, f"{name}\n{date}\n{expires}".encode(), hashlib.sha256).hexdigest()


def _refusal(status: int, code: str, message: str, details: str) -> Reply:
    body = (
        "<?xml version='1.0' encoding='UTF-8'?>"
        f"<Error><Code>{code}</Code><Message>{message}</Message><Details>{details}</Details></Error>"
    )
    return Reply(status, body.encode(), "application/xml; charset=UTF-8")

"""Callbacks: tell a caller, signed, how its merge ended. Only hosts on the allow-list are called.

Header `Jiki-Signature: t=<unix seconds>,v1=<hex>`; `v1` is HMAC-SHA256 of `"<t>." + body` with the callback secret. The
receiver compares in constant time and rejects what is older than five minutes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from video_production.errors import RequestError, TransientError

__all__ = ["SIGNATURE_HEADER", "check_callback_url", "post_callback", "sign", "verify"]

SIGNATURE_HEADER = "Jiki-Signature"
_TOLERANCE = 300
_TRIES = 3
_TIMEOUT = 10
_SHORTEST = 1
"""Seconds that must be left for another try."""


def check_callback_url(url: str, hosts: tuple[str, ...]) -> None:
    """Raise RequestError unless `url` is https (http on this machine) and its host is on the allow-list.

    `url` is what a caller gave, so it may be anything.
    """
    scheme, host = _called(url)
    if host not in hosts:
        raise RequestError(
            f"callback_url: the host '{host}' is not on the list of allowed callback hosts; ask the operator to add it."
        )
    on_this_machine = scheme == "http" and host in ("127.0.0.1", "localhost")
    if scheme != "https" and not on_this_machine:
        raise RequestError("callback_url: only https is called.")


def _called(url: Any) -> tuple[str, str]:
    """Scheme and host of an address that everybody reads the same way."""
    # `requests` ends the host at a backslash, `urlsplit` does not and drops line breaks: each would see another host.
    if not isinstance(url, str) or not url.isprintable() or " " in url or "\\" in url:
        raise RequestError("callback_url: give an address, https://host/path, as text without spaces and backslashes.")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise RequestError(f"callback_url: this is no address ({error}).") from error
    if "@" in parts.netloc:
        raise RequestError("callback_url: leave user name and password out; callbacks are signed.")
    return parts.scheme, parts.hostname or ""


def sign(body: bytes, secret: str, at: int) -> str:
    """The value of the signature header for `body` sent at `at` (Unix seconds)."""
    digest = hmac.new(secret.encode(), str(at).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def verify(body: bytes, header: str, secret: str, now: float) -> bool:
    """Whether `header` signs `body` with `secret` and is at most five minutes away from `now`."""
    fields = dict(field.partition("=")[::2] for field in header.split(","))
    at = fields.get("t", "")
    if not (at.isascii() and at.isdecimal() and len(at) <= 12) or abs(now - int(at)) > _TOLERANCE:
        return False
    return hmac.compare_digest(sign(body, secret, int(at)).encode(), header.encode())


def post_callback(
    url: str,
    payload: Mapping[str, Any],
    *,
    hosts: tuple[str, ...],
    secret: str,
    until: float = float("inf"),
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """POST the payload, up to three times and not after `until` (a `time.monotonic` value).

    Raises RequestError (host) or TransientError (nobody answered with 2xx).
    """
    check_callback_url(url, hosts)
    body = json.dumps(payload, sort_keys=True).encode()
    problem = "no time was left"
    for attempt in range(_TRIES):
        pause = 2**attempt if attempt else 0
        left = until - time.monotonic() - pause
        if left < _SHORTEST:
            break
        sleep(pause)
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: sign(body, secret, int(clock()))}
        try:
            with requests.post(  # streamed: nobody reads what is answered, however slowly it comes
                url, data=body, headers=headers, timeout=min(_TIMEOUT, left), allow_redirects=False, stream=True
            ) as answer:
                if 200 <= answer.status_code < 300:
                    return
                problem = f"status {answer.status_code}"
        except requests.RequestException as error:
            problem = type(error).__name__
    # The rest of an address may hold what only its owner should read.
    raise TransientError(f"callback_url: {urlsplit(url).hostname} did not take the callback ({problem}).")

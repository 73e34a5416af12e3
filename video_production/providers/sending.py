"""Sends one request with `requests`, under a total time, and says in our own words why no whole answer came."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator

import requests
import urllib3.exceptions

from video_production.providers.connection import GuardedAdapter, PrivateAddressError, TimeGuard
from video_production.providers.exchange import Answer, Call, InterruptedExchangeError

__all__ = ["send"]

CHUNK = 256 << 10
CONNECT_SECONDS = 10.0
ERROR_BYTES = 64 << 10
"""How much of an error's body is read."""
_USER_AGENT = "jiki-video-production"


def send(call: Call, verify: bool | str, budget: float) -> Answer:
    """Send one request on a fresh connection and read its whole answer, within `budget` seconds.

    `verify` is as `requests` has it: True, or certificate authorities (a path). Raises InterruptedExchangeError alone.
    """
    if call.public and not call.url.lower().startswith("https://"):
        raise InterruptedExchangeError("its address is not https", sent=False, curable=False)
    with TimeGuard(budget, public=call.public) as guard, requests.Session() as session:
        session.trust_env = False
        session.max_redirects = 3
        session.adapters.clear()  # a redirect may name a scheme that is none of ours
        for scheme in ("https://",) if call.public else ("https://", "http://"):
            session.mount(scheme, GuardedAdapter(guard))
        try:
            answer = _send(session, call, verify, max(budget, 0.001))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # The library's texts hold URLs and header values: only our own words leave this method.
            why = f"no complete answer within {budget:.0f} s" if guard.expired else _reason(error)
            raise InterruptedExchangeError(why, sent=guard.sent, curable=_curable(error)) from None
        if guard.expired:  # An answer without a length looks complete when its connection is shut down.
            raise InterruptedExchangeError(f"no complete answer within {budget:.0f} s", sent=guard.sent)
        return answer


def _send(session: requests.Session, call: Call, verify: bool | str, budget: float) -> Answer:
    headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **call.headers}
    with session.request(
        call.method,
        call.url,
        params=call.params,
        json=call.body,
        data=call.data,
        headers=headers,
        # The guard ends the reading; the library's own limit must not come first and tell less.
        timeout=(min(CONNECT_SECONDS, budget), budget + 1.0),
        verify=verify,
        allow_redirects=call.follow,
        stream=True,
    ) as response:
        content = _read(response, call)
        return Answer(response.status_code, response.headers, content)


def _read(response: requests.Response, call: Call) -> bytes:
    """The body, in memory or streamed into the call's file, never more than its limit; of an error only the start."""
    good = 200 <= response.status_code < 300
    limit = call.limit if good else ERROR_BYTES
    collected = bytearray()
    size = 0
    for chunk in response.iter_content(CHUNK):
        size += len(chunk)
        if size > limit and good:
            raise _TooLargeError(f"more than {limit} bytes")
        if call.into is not None and good:
            call.into.write(chunk)
        else:
            collected += chunk
        if size > limit:
            break
    if call.into is not None and good:
        call.into.flush()
    return bytes(collected)


class _TooLargeError(ValueError):
    pass


def _curable(error: Exception) -> bool:
    """Whether the same request may come through later."""
    private = any(isinstance(cause, PrivateAddressError) for cause in _causes(error))
    return not private and not _malformed(error)


def _malformed(error: Exception) -> bool:
    """Whether the request itself can't be sent, now or later (a bad address, header or body)."""
    return isinstance(error, _MALFORMED)


_MALFORMED = (
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidJSONError,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    urllib3.exceptions.LocationValueError,
    UnicodeError,
)
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (PrivateAddressError, "its address is not on the public internet"),
    (socket.gaierror, "its host name could not be resolved"),
    (urllib3.exceptions.NameResolutionError, "its host name could not be resolved"),
    (ConnectionRefusedError, "the connection was refused"),
    (ssl.SSLError, "the TLS connection failed"),
    (urllib3.exceptions.ConnectTimeoutError, "no connection was made in time"),
    (http.client.RemoteDisconnected, "the connection was closed without an answer"),
    (http.client.IncompleteRead, "the answer was cut off"),
    (urllib3.exceptions.IncompleteRead, "the answer was cut off"),
    (ConnectionError, "the connection was cut"),
    (requests.exceptions.ContentDecodingError, "the answer was unreadable"),
    (requests.exceptions.TooManyRedirects, "it redirected too often"),
    (TimeoutError, "it did not answer in time"),
    (urllib3.exceptions.TimeoutError, "it did not answer in time"),
)


def _reason(error: Exception) -> str:
    """What happened, in our own words."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, _TooLargeError):
            return f"the answer is too large, {cause}"
        if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
            return "the disk is full, so the answer could not be kept"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its TLS certificate is not trusted ({cause.verify_message})"
    for kind, words in _REASONS:
        if any(isinstance(cause, kind) for cause in causes):
            return words
    if _malformed(error):
        return "the request can't be built from this address and key; check the base URL and the API key"
    return f"the connection failed ({type(error).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that it wraps, however the libraries nest it."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        nested = [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
        waiting += [entry for entry in nested if isinstance(entry, BaseException)]

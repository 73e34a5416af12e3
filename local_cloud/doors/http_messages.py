"""What goes in and out of an HTTP API, and what the function behind it sees: payload format 2.0.

Source: "Create AWS Lambda proxy integrations for HTTP APIs", API Gateway developer guide.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

__all__ = ["BadAnswer", "HttpAnswer", "HttpRequest", "answer_of", "event_of", "message"]

_TEXT = ("text/", "application/json", "application/javascript", "application/xml")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`path` is still encoded, `query` the raw text behind the question mark; `headers` have lower-case names,
    repeated ones joined by a comma."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    source_ip: str
    protocol: str = "HTTP/1.1"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


class BadAnswer(ValueError):
    """The function's answer is none that API Gateway understands."""


def message(status: int, text: str) -> HttpAnswer:
    """An answer of API Gateway's own."""
    return HttpAnswer(status, [("content-type", "application/json")], json.dumps({"message": text}).encode())


def event_of(
    request: HttpRequest,
    *,
    account: str,
    api_id: str,
    route_key: str,
    parameters: Mapping[str, str],
    iam: Mapping[str, str | None] | None,
) -> dict[str, Any]:
    """The event for the function."""
    domain = request.headers.get("host", "")
    now = time.time()
    context: dict[str, Any] = {
        "accountId": account,
        "apiId": api_id,
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "http": {
            "method": request.method,
            "path": unquote(request.path),
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": str(uuid.uuid4()),
        "routeKey": route_key,
        "stage": "$default",
        "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now * 1000),
    }
    if iam is not None:
        context["authorizer"] = {"iam": dict(iam)}
    headers = dict(request.headers)
    cookies = headers.pop("cookie", "")
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": unquote(request.path),
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
    if request.query:
        event["queryStringParameters"] = _query(request.query)
    if parameters:
        event["pathParameters"] = dict(parameters)
    if request.body:
        event["isBase64Encoded"], event["body"] = _body(request)
    return event


def _query(query: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


def _body(request: HttpRequest) -> tuple[bool, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith(_TEXT) or kind.endswith(("+json", "+xml")):
        try:
            return False, request.body.decode()
        except UnicodeDecodeError:
            pass
    return True, base64.b64encode(request.body).decode()


def answer_of(payload: bytes) -> HttpAnswer:
    """What the client gets for a function's answer; raise BadAnswer.

    With a `statusCode` the answer says everything itself; anything else is the body, as JSON.
    """
    try:
        given = json.loads(payload or b"null")
    except ValueError:
        raise BadAnswer("it is no JSON") from None
    if not isinstance(given, dict) or "statusCode" not in given:
        return HttpAnswer(200, [("content-type", "application/json")], json.dumps(given).encode())
    try:
        status = int(given["statusCode"])
        headers = [(str(name).lower(), _header(value)) for name, value in (given.get("headers") or {}).items()]
        headers += [("set-cookie", str(cookie)) for cookie in given.get("cookies") or []]
        body = given.get("body") or ""
        if not isinstance(body, str):
            body = json.dumps(body)
        content = base64.b64decode(body, validate=True) if given.get("isBase64Encoded") else body.encode()
    except (ValueError, TypeError, AttributeError) as error:
        raise BadAnswer(str(error)) from None
    if not 100 <= status < 600:
        raise BadAnswer(f"{status} is no HTTP status")
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain; charset=UTF-8"))
    return HttpAnswer(status, headers, content)


def _header(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)

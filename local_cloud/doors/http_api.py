"""HTTP APIs: moto keeps their definitions and answers no request; here each has a listener of its own.

Served: the `$default` stage, routes with parameters, Lambda integrations with payload format 2.0, no authorisation or
IAM, throttling, and API Gateway's own answers. Source: "Working with HTTP APIs", API Gateway developer guide.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler
from typing import Any

from moto.apigatewayv2.models import apigatewayv2_backends

from local_cloud.connections import ConnectionServer
from local_cloud.doors.crew import Crew
from local_cloud.doors.http_messages import BadAnswer, HttpAnswer, HttpRequest, answer_of, event_of, message
from local_cloud.doors.http_routes import Throttle, find_route
from local_cloud.doors.iam import Forbidden, IamAuthorizer
from local_cloud.doors.lambdas import Invoke, existing, find_function
from local_cloud.lambda_host import HostClosed
from local_cloud.sandbox.sandbox import Outcome

__all__ = ["HttpApis"]

log = logging.getLogger(__name__)

BODY_LIMIT = 10 << 20
_DISCARD = 64 << 20
"""How much of a body that is too large is read and dropped, so that its sender gets to read why, in bytes."""
NOT_FOUND = message(404, "Not Found")
FORBIDDEN = message(403, "Forbidden")
TOO_LARGE = message(413, "Request Entity Too Large")
TOO_MANY = message(429, "Too Many Requests")
BROKEN = message(500, "Internal Server Error")
UNAVAILABLE = message(503, "Service Unavailable")


class HttpApis:
    """Serves APIs on 127.0.0.1, each from the first time that its URL is asked for."""

    def __init__(self, invoke: Invoke, authorizer: IamAuthorizer) -> None:
        self._invoke = invoke
        self._authorizer = authorizer
        self._throttle = Throttle()
        self._crew = Crew("http-api")
        self._lock = threading.Lock()
        self._listeners: dict[str, _Listener] = {}

    def url(self, api_id: str) -> str:
        """The base URL of an API, without a slash at its end."""
        with self._lock:
            if api_id not in self._listeners:
                listener = _Listener(api_id, self)
                listener.start()
                self._listeners[api_id] = listener
            return self._listeners[api_id].url

    def shut(self) -> None:
        self._crew.shut()

    def close(self) -> None:
        self.shut()
        with self._lock:
            listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            listener.end()
        self._crew.close()

    def answer(self, api_id: str, request: HttpRequest) -> HttpAnswer:
        """Answer one request as API Gateway does."""
        backend, api = next(_apis(api_id), (None, None))
        stage = api.stages.get("$default") if api is not None else None
        if backend is None or api is None or stage is None:
            return NOT_FOUND
        found = find_route(list(api.routes.values()), request.method, request.path)
        if found is None:
            return NOT_FOUND
        route, parameters = found
        if not self._admits(stage, api_id, route.route_key):
            return TOO_MANY
        iam = None
        if route.authorization_type == "AWS_IAM":
            try:
                iam = self._authorizer.identify(request)
            except Forbidden as why:
                log.warning("%s %s: 403, %s", request.method, request.path, why)
                return FORBIDDEN
        elif route.authorization_type not in (None, "", "NONE"):
            log.error("%s: the local cloud has no authorisation of type %s", route.route_key, route.authorization_type)
            return BROKEN
        event = event_of(
            request,
            account=backend.account_id,
            api_id=api_id,
            route_key=route.route_key,
            parameters=parameters,
            iam=iam,
        )
        return self._integrate(api, route, event)

    def _admits(self, stage: Any, api_id: str, route_key: str) -> bool:
        limits = {**(stage.default_route_settings or {}), **(stage.route_settings or {}).get(route_key, {})}
        rate, burst = limits.get("throttlingRateLimit"), limits.get("throttlingBurstLimit")
        if rate is None or burst is None:
            return True
        return self._throttle.admits(f"{api_id} {route_key}", float(rate), float(burst))

    def _integrate(self, api: Any, route: Any, event: dict[str, Any]) -> HttpAnswer:
        integration = api.integrations.get((route.target or "").rpartition("/")[2])
        if (
            integration is None
            or integration.integration_type != "AWS_PROXY"
            or integration.payload_format_version != "2.0"
        ):
            log.error("%s: only Lambda integrations with payload format 2.0 are served here", route.route_key)
            return BROKEN
        done: Future[Outcome] = Future()
        if not self._crew.start(self._call, integration.integration_uri, event, done):
            return UNAVAILABLE
        try:
            outcome = done.result(integration.timeout_in_millis / 1000)
        except (TimeoutError, HostClosed):
            return UNAVAILABLE
        if outcome.failed:
            return BROKEN
        try:
            return answer_of(outcome.payload)
        except BadAnswer as why:
            log.error("%s: the function's answer can't be used: %s", route.route_key, why)
            return BROKEN

    def _call(self, uri: str, event: dict[str, Any], done: Future[Outcome]) -> None:
        try:
            # Either the function's ARN or API Gateway's `…:lambda:path/2015-03-31/functions/ARN/invocations`.
            arn = uri.partition("/functions/")[2].removesuffix("/invocations") or uri
            done.set_result(self._invoke(find_function(arn), json.dumps(event).encode(), str(uuid.uuid4())))
        except HostClosed as closed:
            done.set_exception(closed)
        except Exception:
            log.exception("%s could not be called", uri)
            done.set_result(Outcome(b"", failed=True))


def _apis(api_id: str) -> Iterator[tuple[Any, Any]]:
    """The backend and the API of an id."""
    for backend in existing(apigatewayv2_backends):
        if api_id in backend.apis:
            yield backend, backend.apis[api_id]


class _Listener(ConnectionServer):
    def __init__(self, api_id: str, apis: HttpApis) -> None:
        self.api_id = api_id
        self.apis = apis
        super().__init__(("127.0.0.1", 0), _Connection, "http-api")


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120
    server: _Listener

    def do_GET(self) -> None:
        """Answer one request, whatever its method."""
        self._send(self._answer())

    do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815

    def version_string(self) -> str:
        return "LocalApi"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the functions have logs of their own."""

    def _answer(self) -> HttpAnswer:
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            lower = name.lower()
            headers[lower] = f"{headers[lower]},{value}" if lower in headers else value
        length = headers.get("content-length", "0")
        if not length.isdecimal() or "transfer-encoding" in headers:
            self.close_connection = True
            return message(411, "Length Required")
        if int(length) > BODY_LIMIT:
            self._discard(int(length))
            return TOO_LARGE
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(length))
        source = str(self.client_address[0])
        request = HttpRequest(self.command, path, query, headers, body, source, self.request_version)
        return self.server.apis.answer(self.server.api_id, request)

    def _discard(self, length: int) -> None:
        self.close_connection = True
        left = min(length, _DISCARD)
        while left > 0 and (piece := self.rfile.read(min(left, 1 << 16))):
            left -= len(piece)

    def _send(self, answer: HttpAnswer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            if name != "content-length":
                self.send_header(name, value)
        self.send_header("apigw-requestid", uuid.uuid4().hex[:16])
        self.send_header("content-length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

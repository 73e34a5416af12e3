"""The API: finds the route, asks for a token, and applies the rules of misbehaviour.

Three of Google's hosts are one here: the token endpoint, Vertex AI and Cloud Storage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from stand_ins.control import control, is_control
from stand_ins.faults import Fault
from stand_ins.misbehaving import obey
from stand_ins.server import Application, Reply, Request
from stand_ins.veo3 import bucket, vertex
from stand_ins.veo3.call import Call, Route
from stand_ins.veo3.errors import ApiError, TokenError
from stand_ins.veo3.workspace import Workspace

__all__ = ["application"]

GARBAGE = b'{"name": "\xff\xfe<html>Bad gateway'
_PLACE = r"/v1(?:beta1)?/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)"
_MODEL = rf"{_PLACE}/publishers/google/models/(?P<model>[^/:]+)"
_OBJECTS = r"/storage/v1/b/(?P<bucket>[^/]+)/o"
ROUTES = (
    Route("POST", "/token", "token", lambda call: call.workspace.tokens.issue(call.request), open=True),
    Route("POST", f"{_MODEL}:predictLongRunning", "submit", vertex.submit, text=vertex.prompt_of_submit),
    Route("POST", f"{_MODEL}:fetchPredictOperation", "check", vertex.check, text=vertex.prompt_of_check),
    Route("GET", r"/storage/v1/b/(?P<bucket>[^/]+)", "bucket", bucket.get_bucket),
    Route("GET", _OBJECTS, "list", bucket.list_objects, text=bucket.text_of_list),
    Route("GET", rf"{_OBJECTS}/(?P<object>[^/]+)", "object", bucket.get_object, text=bucket.text_of_object),
)
_PATTERNS = [(re.compile(route.path), route) for route in ROUTES]


def application(workspace: Workspace) -> Application:
    """The stand-in as a function from requests to replies."""

    def answer(request: Request) -> Reply:
        if is_control(request):
            return control(workspace, workspace.account, request, {"stand_in": "veo3"})
        workspace.log.add(_without_secrets(request))
        try:
            return _answer(workspace, request)
        except (ApiError, TokenError) as error:
            return error.reply()

    return answer


def _answer(workspace: Workspace, request: Request) -> Reply:
    route, parameters = _find_route(request)
    call = Call(workspace, request, parameters)
    if not route.open:
        workspace.tokens.require(request)
    media = route.operation == "object" and request.query.get("alt") == "media"
    faults = workspace.faults.take(
        "download" if media else route.operation, route.text_of(call) if route.text else request.path
    )
    return obey(faults, lambda: route.handler(replace(call, faults=faults)), _refuse, GARBAGE)


def _find_route(request: Request) -> tuple[Route, Mapping[str, str]]:
    for pattern, route in _PATTERNS:
        found = pattern.fullmatch(request.path)
        if found and route.method == request.method:
            return route, found.groupdict()
    raise ApiError(404, f"The requested URL {request.path} was not found on this server.")


def _without_secrets(request: Request) -> Request:
    """What may be written to the log: assertions are as good as keys, and pictures are long."""
    if request.path == "/token":
        return replace(request, body=b"")
    return replace(request, body=re.sub(rb'("bytesBase64Encoded":\s*")[^"]{64,}', rb"\1...", request.body))


def _refuse(fault: Fault) -> Reply:
    """The answer that a rule asks for."""
    message = fault.message or f"The draft provider was told to answer {fault.status}."
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    return ApiError(fault.status, message, word=fault.code).reply(headers)

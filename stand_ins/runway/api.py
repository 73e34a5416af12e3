"""The API: finds the route, checks in the order of the real service, and applies the rules of misbehaviour.

Order: path, key (401), version (400), schema (400), rules, then what the call itself checks.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace

from pydantic import TypeAdapter

from stand_ins.control import control, is_control
from stand_ins.faults import Fault
from stand_ins.misbehaving import obey
from stand_ins.runway import generating, routers, uploads
from stand_ins.runway.call import Call, Route
from stand_ins.runway.errors import ApiError
from stand_ins.runway.links import OUTPUTS, UPLOADS
from stand_ins.runway.schema import (
    IMAGE_TO_VIDEO,
    TEXT_TO_VIDEO,
    CreateRouter,
    CreateUpload,
    GenerateVideo,
    Usage,
    parse,
)
from stand_ins.runway.workspace import Workspace
from stand_ins.server import Application, Reply, Request

__all__ = ["VERSION", "application"]

VERSION = "2024-11-06"
GARBAGE = b'{"id": "\xff\xfe<html>Bad gateway'
_LOGGED_BODY = 64 << 10
"""Bytes; a picture in a body would let the log grow by megabytes."""


def _organization(call: Call) -> Reply:
    """`GET /v1/organization`."""
    workspace = call.workspace
    return Reply.json(workspace.account.organization(workspace.reserved, workspace.generations(call.now)))


def _usage(call: Call) -> Reply:
    """`POST /v1/organization/usage`."""
    try:
        return Reply.json(call.workspace.account.usage(call.body.start_date, call.body.before_date))
    except ValueError:
        raise ApiError.of_field("startDate", "Invalid date") from None


def _prompt(call: Call) -> str:
    return str(call.body.prompt_text)


def _routed_prompt(call: Call) -> str:
    return str(call.body.input.prompt_text)


_TASK = "/v1/tasks/{id}"
_OF_TASK = generating.prompt_of_path
ROUTES = (
    Route("POST", "/v1/text_to_video", "submit", generating.text_to_video, body=TEXT_TO_VIDEO, text=_prompt),
    Route("POST", "/v1/image_to_video", "submit", generating.image_to_video, body=IMAGE_TO_VIDEO, text=_prompt),
    Route(
        "POST", "/v1/generate/video", "submit", routers.generate, body=TypeAdapter(GenerateVideo), text=_routed_prompt
    ),
    Route("GET", _TASK, "check", generating.check, text=_OF_TASK),
    Route("DELETE", _TASK, "cancel", generating.cancel, text=_OF_TASK),
    Route("GET", OUTPUTS + "{name}", "download", generating.download, text=_OF_TASK, open=True),
    Route("POST", "/v1/uploads", "upload", uploads.create, body=TypeAdapter(CreateUpload)),
    Route("POST", UPLOADS + "{id}", "upload", uploads.receive, open=True),
    Route("GET", "/v1/organization", "organization", _organization),
    Route("POST", "/v1/organization/usage", "organization", _usage, body=TypeAdapter(Usage)),
    Route("GET", "/v1/routers", "routers", routers.list_all),
    Route("POST", "/v1/routers", "routers", routers.create, body=TypeAdapter(CreateRouter)),
    Route("GET", "/v1/routers/{id}", "routers", routers.find),
    Route("GET", "/v1/routers/{id}/requests", "routers", routers.list_requests),
)
_PATTERNS = [(re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path)), route) for route in ROUTES]


def application(workspace: Workspace) -> Application:
    """The stand-in as a function from requests to replies."""

    def answer(request: Request) -> Reply:
        if is_control(request):
            about = {"stand_in": "runway", "hurried_looks": workspace.hurried_looks}
            return control(workspace, workspace.account, request, about)
        workspace.log.add(_short(request))
        return _answer(workspace, request, str(uuid.uuid4()))

    return answer


def _short(request: Request) -> Request:
    """The request as it is logged."""
    if len(request.body) <= _LOGGED_BODY:
        return request
    return replace(request, body=json.dumps({"bytes": len(request.body)}).encode())


def _answer(workspace: Workspace, request: Request, request_id: str) -> Reply:
    route, parameters = _find_route(request)
    if route is None:
        known = any(pattern.fullmatch(request.path) for pattern, _ in _PATTERNS)
        return ApiError(405 if known else 404, "Method not allowed" if known else "Not found").reply()
    try:
        if not route.open:
            workspace.account.authenticate(request.headers.get("authorization"))
            _check_version(request)
        body = parse(route.body, request.body) if route.body else None
        call = Call(workspace, request, parameters, request_id, body=body)
        faults = workspace.faults.take(route.operation, route.text_of(call))
        return obey(faults, lambda: route.handler(replace(call, faults=faults)), _refuse, GARBAGE)
    except ApiError as error:
        return error.reply()


def _find_route(request: Request) -> tuple[Route | None, Mapping[str, str]]:
    for pattern, route in _PATTERNS:
        found = pattern.fullmatch(request.path)
        if found and route.method == request.method:
            return route, found.groupdict()
    return None, {}


def _check_version(request: Request) -> None:
    version = request.headers.get("x-runway-version")
    if version is None:
        raise ApiError(400, "The X-Runway-Version header is required.")
    if version != VERSION:
        raise ApiError(400, f"The API version '{version}' is not valid.")


def _refuse(fault: Fault) -> Reply:
    """The answer that a rule asks for."""
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    message = fault.message or f"The draft provider was told to answer {fault.status}."
    return ApiError(fault.status, message).reply(headers)

"""The API: finds the route, checks in the order of the real service, and applies the rules of misbehaviour.

Order: path, key (401), idempotency key (409), schema (400), rules, then what the call itself checks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from stand_ins.control import control, is_control
from stand_ins.faults import Fault
from stand_ins.heygen import assets, catalog, videos, webhooks
from stand_ins.heygen.call import Call, Route
from stand_ins.heygen.errors import ApiError
from stand_ins.heygen.links import PREFIX as STORAGE
from stand_ins.heygen.schema import (
    CREATE_VIDEO,
    Complete,
    CreateEndpoint,
    DirectUpload,
    EventList,
    Page,
    Statuses,
    UpdateEndpoint,
    VideoList,
    parse_body,
    parse_query,
)
from stand_ins.heygen.workspace import Workspace, new_id
from stand_ins.misbehaving import obey
from stand_ins.server import Application, Reply, Request

__all__ = ["application"]

GARBAGE = b'{"data": {"video_id": "\xff\xfe<html>Bad gateway'
ENDPOINTS = "/v3/webhooks/endpoints"


def _text_of_listing(call: Call) -> str:
    return f"{call.request.path} {dict(call.request.query)}"


def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


ROUTES = (
    Route("POST", "/v3/videos", "videos.submit", videos.submit, body=CREATE_VIDEO, text=videos.text_of_video),
    Route("GET", "/v3/videos", "videos.list", videos.list_videos, VideoList, text=_text_of_listing),
    Route("GET", "/v3/videos/statuses", "videos.check", videos.statuses, Statuses),
    Route("GET", "/v3/videos/{id}", "videos.check", videos.check, text=videos.text_of_video),
    Route("DELETE", "/v3/videos/{id}", "videos.delete", videos.delete, text=videos.text_of_video),
    Route("POST", "/v3/assets", "assets", assets.upload),
    Route("POST", "/v3/assets/direct-uploads", "assets", assets.announce, body=_adapter(DirectUpload)),
    Route("POST", "/v3/assets/{id}/complete", "assets", assets.complete, body=_adapter(Complete)),
    Route("GET", "/v3/assets/{id}", "assets", assets.get_asset),
    Route("DELETE", "/v3/assets/{id}", "assets", assets.delete_asset),
    Route("PUT", STORAGE + assets.UPLOADS + "{name}", "upload", assets.put, open=True),
    Route("GET", STORAGE + "{name}.mp4", "download", videos.download, text=videos.text_of_download, open=True),
    Route("GET", STORAGE + "{name}.srt", "captions", videos.download, text=videos.text_of_download, open=True),
    Route("GET", ENDPOINTS, "webhooks", webhooks.list_endpoints, Page),
    Route("POST", ENDPOINTS, "webhooks", webhooks.create_endpoint, body=_adapter(CreateEndpoint)),
    Route("PATCH", ENDPOINTS + "/{id}", "webhooks", webhooks.update_endpoint, body=_adapter(UpdateEndpoint)),
    Route("DELETE", ENDPOINTS + "/{id}", "webhooks", webhooks.delete_endpoint),
    Route("POST", ENDPOINTS + "/{id}/rotate-secret", "webhooks", webhooks.rotate_secret),
    Route("GET", "/v3/webhooks/event-types", "webhooks", webhooks.list_event_types),
    Route("GET", "/v3/webhooks/events", "webhooks", webhooks.list_events, EventList),
    Route("GET", "/v3/users/me", "user", catalog.user),
    Route("GET", "/v3/avatars", "avatars", catalog.list_avatars, Page),
    Route("GET", "/v3/avatars/looks", "avatars", catalog.list_looks, Page),
    Route("GET", "/v3/voices", "voices", catalog.list_voices, Page),
)
_PATTERNS = [(re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(route.path))), route) for route in ROUTES]
"""In order: `statuses` before any id."""


def application(workspace: Workspace) -> Application:
    """The stand-in as a function from requests to replies."""

    def answer(request: Request) -> Reply:
        if is_control(request):
            return control(workspace, workspace.account, request, {"stand_in": "heygen"})
        workspace.log.add(request)
        request_id = new_id()
        try:
            reply = _answer(workspace, request, request_id)
        except ApiError as error:
            reply = error.reply()
        if request.path.startswith(STORAGE):
            return reply
        return replace(reply, headers={"X-Request-Id": request_id, **reply.headers})

    return answer


def _answer(workspace: Workspace, request: Request, request_id: str) -> Reply:
    route, parameters = _find_route(request)
    if not route.open:
        workspace.account.authenticate(request.headers)
    key = request.headers.get("idempotency-key") if route.operation == "videos.submit" else None
    with workspace.keys.held(key):
        query = parse_query(route.query, request.query) if route.query else None
        body = parse_body(route.body, request.body) if route.body else None
        call = Call(workspace, request, parameters, request_id, query, body)
        faults = workspace.faults.take(route.operation, route.text_of(call))
        return obey(faults, lambda: route.handler(replace(call, faults=faults)), _refuse, GARBAGE)


def _find_route(request: Request) -> tuple[Route, Mapping[str, str]]:
    """The route of a request; ApiError 404, or 405 where only the method is wrong. File names keep their suffix."""
    known = False
    for pattern, route in _PATTERNS:
        found = pattern.fullmatch(request.path)
        if found and route.method == request.method:
            if route.path.startswith(STORAGE):
                return route, {"name": request.path.removeprefix(STORAGE)}
            return route, found.groupdict()
        known = known or found is not None
    raise ApiError(405, "Method not allowed.", code="method_not_allowed") if known else ApiError(404, "Not found.")


def _refuse(fault: Fault) -> Reply:
    """The answer that a rule asks for."""
    message = fault.message or f"The draft provider was told to answer {fault.status}."
    return ApiError(fault.status, message, code=fault.code, retry_after=fault.retry_after).reply()

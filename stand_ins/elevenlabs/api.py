"""The API: finds the route, checks in the order of the real service, and applies the rules of misbehaviour.

Order: path, schema (422), key (401), permission (403), rules, then what the call itself checks.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from stand_ins.control import control, is_control
from stand_ins.elevenlabs import flows, listings, synchronous, webhooks
from stand_ins.elevenlabs.call import Call, Route
from stand_ins.elevenlabs.errors import ApiError, SchemaError
from stand_ins.elevenlabs.links import PREFIX as STORAGE
from stand_ins.elevenlabs.schema import (
    FLOWS_REQUEST,
    CreateWebhook,
    FlowsList,
    HistoryList,
    ListWebhooks,
    NoQuery,
    SpeechQuery,
    SpeechRequest,
    UpdateWebhook,
    VoicesList,
    parse_body,
    parse_query,
)
from stand_ins.elevenlabs.workspace import Workspace, new_id
from stand_ins.faults import Fault
from stand_ins.misbehaving import obey
from stand_ins.server import Application, Reply, Request

__all__ = ["application"]

GARBAGE = b'{"id": "\xff\xfe<html>Bad gateway'
SPEECH: TypeAdapter[Any] = TypeAdapter(SpeechRequest)
CREATE_WEBHOOK: TypeAdapter[Any] = TypeAdapter(CreateWebhook)
UPDATE_WEBHOOK: TypeAdapter[Any] = TypeAdapter(UpdateWebhook)
JOBS = "/v1/flows/text-to-speech"
WEBHOOKS = "/v1/workspace/webhooks"
Handler = Callable[[Call], Reply]


def _body_text(call: Call) -> str:
    return str(call.body.text)


def _history_text(call: Call) -> str:
    return f"{call.request.path} {dict(call.request.query)}"


def _history(
    method: str, path: str, handler: Handler, query: Any = NoQuery, permission: str = "speech_history_read"
) -> Route:
    return Route(method, f"/v1/history{path}", "history", handler, query, text=_history_text, permission=permission)


def _webhooks(method: str, path: str, handler: Handler, body: Any = None) -> Route:
    return Route(method, WEBHOOKS + path, "webhooks", handler, NoQuery, body, permission="workspace_write")


ROUTES = (
    Route(
        "POST",
        "/v1/text-to-speech/{voice_id}",
        "tts",
        synchronous.convert,
        SpeechQuery,
        SPEECH,
        _body_text,
        permission="text_to_speech",
    ),
    Route(
        "POST",
        "/v1/text-to-speech/{voice_id}/with-timestamps",
        "timed",
        synchronous.convert_with_timestamps,
        SpeechQuery,
        SPEECH,
        _body_text,
        permission="text_to_speech",
    ),
    Route("POST", JOBS, "flows.submit", flows.submit, NoQuery, FLOWS_REQUEST, _body_text, permission="flows"),
    Route("GET", JOBS, "flows.list", flows.list_jobs, FlowsList, permission="flows"),
    Route("GET", JOBS + "/{id}", "flows.check", flows.check, NoQuery, text=flows.text_of_job, permission="flows"),
    Route("GET", STORAGE + "{name}", "download", flows.download, NoQuery, text=flows.text_of_download, open=True),
    _history("GET", "", listings.list_history, HistoryList),
    _history("GET", "/{id}", listings.get_item),
    _history("GET", "/{id}/audio", listings.get_audio),
    _history("DELETE", "/{id}", listings.delete_item, permission="speech_history_write"),
    Route("GET", WEBHOOKS, "webhooks", webhooks.list_webhooks, ListWebhooks, permission="workspace_read"),
    _webhooks("POST", "", webhooks.create_webhook, CREATE_WEBHOOK),
    _webhooks("PATCH", "/{id}", webhooks.update_webhook, UPDATE_WEBHOOK),
    _webhooks("DELETE", "/{id}", webhooks.delete_webhook),
    Route("GET", "/v1/user/subscription", "user", listings.subscription, NoQuery, permission="user_read"),
    Route("GET", "/v1/models", "models", listings.list_models, NoQuery, permission="models_read"),
    Route("GET", "/v2/voices", "voices", listings.list_voices, VoicesList, permission="voices_read"),
    Route("GET", "/v1/voices/{voice_id}", "voices", listings.get_voice, NoQuery, permission="voices_read"),
)
_PATTERNS = [(re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path)), route) for route in ROUTES]


def application(workspace: Workspace) -> Application:
    """The stand-in as a function from requests to replies."""

    def answer(request: Request) -> Reply:
        if is_control(request):
            return control(workspace, workspace.account, request, {"stand_in": "elevenlabs"})
        workspace.log.add(request)
        request_id = new_id()
        reply = _answer(workspace, request, request_id)
        if request.path.startswith(STORAGE):
            return reply
        common = {"request-id": request_id, "x-trace-id": secrets.token_hex(16), "x-region": "local"}
        return replace(reply, headers={**common, **reply.headers})

    return answer


def _answer(workspace: Workspace, request: Request, request_id: str) -> Reply:
    try:
        route, parameters = _find_route(request)
        if route is None:
            return _no_route(request)
        query = parse_query(route.query, request.query)
        body = parse_body(route.body, request.body) if route.body else None
        call = Call(workspace, request, parameters, request_id, query, body)
        _check_key(workspace, request, route)
        faults = workspace.faults.take(route.operation, route.text_of(call))
        return obey(
            faults,
            lambda: route.handler(replace(call, faults=faults)),
            lambda fault: _refuse(fault, request_id),
            GARBAGE,
        )
    except SchemaError as error:
        return error.reply()
    except ApiError as error:
        return error.reply(request_id)


def _find_route(request: Request) -> tuple[Route | None, Mapping[str, str]]:
    for pattern, route in _PATTERNS:
        found = pattern.fullmatch(request.path)
        if found and route.method == request.method:
            return route, found.groupdict()
    return None, {}


def _no_route(request: Request) -> Reply:
    known = any(pattern.fullmatch(request.path) for pattern, _ in _PATTERNS)
    return Reply.json({"detail": "Method Not Allowed"}, 405) if known else Reply.json({"detail": "Not Found"}, 404)


def _check_key(workspace: Workspace, request: Request, route: Route) -> None:
    if route.open:
        return
    if route.operation == "models" and not {"xi-api-key", "authorization"} & set(request.headers):
        # The real service looks for the key's workspace before it looks at the key, on this path alone.
        raise ApiError(404, "workspace_not_found", "The workspace was not found.")
    workspace.account.authenticate(dict(request.headers))
    workspace.account.require(route.permission)


def _refuse(fault: Fault, request_id: str) -> Reply:
    """The answer that a rule asks for."""
    message = fault.message or f"The draft provider was told to answer {fault.status}."
    if fault.status == 422 and not fault.code:
        return SchemaError.of(message).reply()
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    return ApiError(fault.status, fault.code, message).reply(request_id, headers)

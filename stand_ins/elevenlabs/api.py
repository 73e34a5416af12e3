"""The API: finds the route, checks in the order of the real service, and applies the rules of misbehaviour.

Order: path, schema (422), key (401), permission (403), rules, then what the call itself checks.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
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
WEBHOOKS = "/v1/workspace/webhooks"


def _body_text(call: Call) -> str:
    return str(call.body.text)


def _history_text(call: Call) -> str:
    return f"{call.request.path} {dict(call.request.query)}"


ROUTES = (
    Route(
        "POST",
        "/v1/text-to-speech/{voice_id}",
        "tts",
        "text_to_speech",
        synchronous.convert,
        SpeechQuery,
        SPEECH,
        _body_text,
    ),
    Route(
        "POST",
        "/v1/text-to-speech/{voice_id}/with-timestamps",
        "timed",
        "text_to_speech",
        synchronous.convert_with_timestamps,
        SpeechQuery,
        SPEECH,
        _body_text,
    ),
    Route(
        "POST", "/v1/flows/text-to-speech", "flows.submit", "flows", flows.submit, NoQuery, FLOWS_REQUEST, _body_text
    ),
    Route("GET", "/v1/flows/text-to-speech", "flows.list", "flows", flows.list_jobs, FlowsList),
    Route("GET", "/v1/flows/text-to-speech/{id}", "flows.check", "flows", flows.check, NoQuery, text=flows.text_of_job),
    Route("GET", STORAGE + "{name}", "download", "", flows.download, NoQuery, text=flows.text_of_download),
    Route(
        "GET",
        "/v1/history",
        "history",
        "speech_history_read",
        listings.list_history,
        HistoryList,
        text=_history_text,
    ),
    Route(
        "GET",
        "/v1/history/{id}",
        "history",
        "speech_history_read",
        listings.get_item,
        NoQuery,
        text=_history_text,
    ),
    Route(
        "GET",
        "/v1/history/{id}/audio",
        "history",
        "speech_history_read",
        listings.get_audio,
        NoQuery,
        text=_history_text,
    ),
    Route(
        "DELETE",
        "/v1/history/{id}",
        "history",
        "speech_history_write",
        listings.delete_item,
        NoQuery,
        text=_history_text,
    ),
    Route("GET", WEBHOOKS, "webhooks", "workspace_read", webhooks.list_webhooks, ListWebhooks),
    Route("POST", WEBHOOKS, "webhooks", "workspace_write", webhooks.create_webhook, NoQuery, CREATE_WEBHOOK),
    Route("PATCH", WEBHOOKS + "/{id}", "webhooks", "workspace_write", webhooks.update_webhook, NoQuery, UPDATE_WEBHOOK),
    Route("DELETE", WEBHOOKS + "/{id}", "webhooks", "workspace_write", webhooks.delete_webhook, NoQuery),
    Route("GET", "/v1/user/subscription", "user", "user_read", listings.subscription, NoQuery),
    Route("GET", "/v1/models", "models", "models_read", listings.list_models, NoQuery),
    Route("GET", "/v2/voices", "voices", "voices_read", listings.list_voices, VoicesList),
    Route("GET", "/v1/voices/{voice_id}", "voices", "voices_read", listings.get_voice, NoQuery),
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
        call = Call(workspace, request, request_id, parameters, query, body)
        _check_key(workspace, request, route)
        faults = workspace.faults.take(route.operation, route.text(call) if route.text else "")
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
    if not route.permission:
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

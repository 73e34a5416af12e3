"""Webhook endpoints: `/v3/webhooks/endpoints`, their secrets, and the events that were sent."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from stand_ins.heygen.call import Call, page_of
from stand_ins.heygen.errors import ApiError
from stand_ins.heygen.records import Endpoint
from stand_ins.heygen.schema import EVENTS
from stand_ins.heygen.workspace import new_id
from stand_ins.server import Reply

__all__ = [
    "create_endpoint",
    "delete_endpoint",
    "list_endpoints",
    "list_event_types",
    "list_events",
    "rotate_secret",
    "update_endpoint",
]


def create_endpoint(call: Call) -> Reply:
    """`POST /v3/webhooks/endpoints`. The secret is in this answer, and in that of a rotation."""
    _check_url(call.body.url)
    endpoint = Endpoint(new_id(), call.now, call.body.url, _secret(), call.body.events, call.body.entity_id)
    call.workspace.endpoints.save(endpoint)
    return Reply.json({"data": {**_shown(endpoint), "secret": endpoint.secret}})


def list_endpoints(call: Call) -> Reply:
    """`GET /v3/webhooks/endpoints`, newest first."""
    rows = [_shown(endpoint) for endpoint in call.workspace.endpoints.newest_first()]
    return page_of(rows, call.query.limit, call.query.token)


def update_endpoint(call: Call) -> Reply:
    """`PATCH /v3/webhooks/endpoints/{id}`. `events` replaces the list; what is left out stays as it is."""
    endpoint = _find(call)
    if call.body.url is not None:
        _check_url(call.body.url)
        endpoint = replace(endpoint, url=call.body.url)
    if "events" in call.body.model_fields_set:
        endpoint = replace(endpoint, events=call.body.events)
    call.workspace.endpoints.save(endpoint)
    return Reply.json({"data": _shown(endpoint)})


def delete_endpoint(call: Call) -> Reply:
    """`DELETE /v3/webhooks/endpoints/{id}`."""
    call.workspace.endpoints.delete(_find(call).id)
    return Reply.json({"data": {}, "error": None})


def rotate_secret(call: Call) -> Reply:
    """`POST /v3/webhooks/endpoints/{id}/rotate-secret`: the old one is dead at once."""
    endpoint = replace(_find(call), secret=_secret())
    call.workspace.endpoints.save(endpoint)
    return Reply.json({"data": {"endpoint_id": endpoint.id, "secret": endpoint.secret}})


def list_event_types(call: Call) -> Reply:  # noqa: ARG001 - the same for everybody
    """`GET /v3/webhooks/event-types`."""
    return Reply.json({"data": [{"event_type": name, "description": name.replace(".", ": ")} for name in EVENTS]})


def list_events(call: Call) -> Reply:
    """`GET /v3/webhooks/events`: what was sent, newest first."""
    query = call.query
    rows = [
        {
            "event_id": event.id,
            "event_type": event.event_type,
            "created_at": datetime.fromtimestamp(event.created_at, UTC).isoformat(),
            "event_data": event.data,
        }
        for event in call.workspace.events.newest_first()
        if query.event_type in (None, event.event_type) and query.entity_id in (None, event.entity_id)
    ]
    return page_of(rows, query.limit, query.token)


def _find(call: Call) -> Endpoint:
    endpoint = call.workspace.endpoints.get(call.parameters["id"])
    if endpoint is None:
        raise ApiError(404, f"Webhook endpoint {call.parameters['id']} was not found.")
    return endpoint


def _secret() -> str:
    return f"whsec_{secrets.token_hex(32)}"


def _check_url(url: str) -> None:
    """HeyGen wants HTTPS; a stand-in keeps what it sends on this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if parts.scheme not in ("http", "https") or not local:
        message = f"The draft provider sends webhooks to this machine only, not to {url}."
        raise ApiError(400, message, code="invalid_parameter", parameter="url")


def _shown(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "endpoint_id": endpoint.id,
        "url": endpoint.url,
        "events": endpoint.events,
        "status": "enabled" if endpoint.enabled else "disabled",
        "created_at": datetime.fromtimestamp(endpoint.created_at, UTC).isoformat(),
    }

"""The webhooks of a workspace: `/v1/workspace/webhooks`, and who of them hears of a job."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from stand_ins.elevenlabs.call import Call
from stand_ins.elevenlabs.errors import ApiError
from stand_ins.elevenlabs.records import Webhook
from stand_ins.elevenlabs.schema import CreateWebhook, ListWebhooks, UpdateWebhook, WebhookIds
from stand_ins.elevenlabs.workspace import new_id
from stand_ins.records import Records
from stand_ins.server import Reply

__all__ = ["create_webhook", "delete_webhook", "list_webhooks", "targets_of", "update_webhook"]

EVENT = "flows"
PER_EVENT = 10


def list_webhooks(call: Call) -> Reply:
    """`GET /v1/workspace/webhooks`, newest first. Events are shown only together with usages."""
    query: ListWebhooks = call.query
    webhooks = call.workspace.webhooks.newest_first()
    return Reply.json({"webhooks": [_webhook_json(webhook, query.include_usages) for webhook in webhooks]})


def create_webhook(call: Call) -> Reply:
    """`POST /v1/workspace/webhooks`. The secret is in this answer and nowhere else."""
    body: CreateWebhook = call.body
    _check_url(body.settings.webhook_url)
    webhook = Webhook(
        id=new_id(),
        created_at=call.now,
        name=body.settings.name,
        url=body.settings.webhook_url,
        secret=f"wsec_{secrets.token_hex(32)}",
        request_headers=_headers(body.settings.request_headers),
    )
    call.workspace.webhooks.save(webhook)
    return Reply.json({"webhook_id": webhook.id, "webhook_secret": webhook.secret})


def update_webhook(call: Call) -> Reply:
    """`PATCH /v1/workspace/webhooks/{id}`. `events` is the complete list; what is left out stays as it is."""
    body: UpdateWebhook = call.body
    webhook = _find(call)
    if EVENT in (body.events or ()):
        others = [each for each in _subscribed(call.workspace.webhooks) if each.id != webhook.id]
        if len(others) >= PER_EVENT:
            raise ApiError(400, "too_many_webhooks", f"At most {PER_EVENT} webhooks can be subscribed to one event.")
    call.workspace.webhooks.change(webhook.id, partial(_updated, body=body))
    return Reply.json({"status": "ok"})


def _updated(webhook: Webhook, body: UpdateWebhook) -> Webhook:
    changed = replace(webhook, name=body.name, is_disabled=body.is_disabled)
    if not body.is_disabled:
        changed = replace(changed, is_auto_disabled=False, failures=0)
    if body.retry_enabled is not None:
        changed = replace(changed, retry_enabled=body.retry_enabled)
    if body.request_headers is not None:
        changed = replace(changed, request_headers=_headers(body.request_headers))
    if body.events is not None:
        changed = replace(changed, events=list(body.events))
    return changed


def delete_webhook(call: Call) -> Reply:
    """`DELETE /v1/workspace/webhooks/{id}`."""
    call.workspace.webhooks.delete(_find(call).id)
    return Reply.json({"status": "ok"})


def targets_of(call: Call) -> list[str]:
    """The ids of the webhooks that the job to be submitted wants to be reported to; raise ApiError."""
    wanted = call.body.webhook
    if wanted is None:
        return []
    subscribed = _subscribed(call.workspace.webhooks)
    if not isinstance(wanted, WebhookIds):
        enabled = [webhook.id for webhook in subscribed if webhook.enabled]
        if not enabled:
            message = "No webhook of this workspace is subscribed to flows events."
            raise ApiError(400, "no_webhooks_configured", message, parameter="webhook")
        return enabled
    by_id = {webhook.id: webhook for webhook in subscribed}
    for each in wanted.ids:
        if each not in by_id:
            message = f"The webhook {each} does not exist or is not subscribed to flows events."
            raise ApiError(400, "invalid_webhook_id", message, parameter="webhook")
        if not by_id[each].enabled:
            raise ApiError(400, "webhook_disabled", f"The webhook {each} is disabled.", parameter="webhook")
    return list(wanted.ids)


def _subscribed(webhooks: Records[Webhook]) -> list[Webhook]:
    return [webhook for webhook in webhooks.newest_first() if EVENT in webhook.events]


def _find(call: Call) -> Webhook:
    webhook = call.workspace.webhooks.get(call.parameters["id"])
    if webhook is None:
        raise ApiError(404, "webhook_not_found", f"A webhook with id {call.parameters['id']} was not found.")
    return webhook


def _check_url(url: str) -> None:
    """ElevenLabs wants HTTPS; a stand-in keeps what it sends on this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if parts.scheme not in ("http", "https") or not local:
        message = f"The draft provider sends webhooks to this machine only, not to {url}."
        raise ApiError(400, "invalid_parameters", message, parameter="webhook_url")


def _headers(given: dict[str, str | None] | None) -> dict[str, str]:
    return {name: value for name, value in (given or {}).items() if value is not None}


def _webhook_json(webhook: Webhook, with_usages: bool | None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "name": webhook.name,
        "webhook_id": webhook.id,
        "webhook_url": webhook.url,
        "is_disabled": webhook.is_disabled,
        "is_auto_disabled": webhook.is_auto_disabled,
        "created_at_unix": int(webhook.created_at),
        "auth_type": "hmac",
        "usage": None,
        "events": None,
        "most_recent_failure_error_code": webhook.failure_code,
        "most_recent_failure_timestamp": webhook.failed_at,
    }
    if with_usages:
        answer["usage"] = [{"usage_type": "Flows"}] if EVENT in webhook.events else []
        answer["events"] = webhook.events
    return answer

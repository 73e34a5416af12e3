"""Subscribing to the webhooks of ElevenLabs' jobs.

Source: the official SDK 2.78.0 (`workspace/webhooks`). A subscription is created without events, and its secret is
shown once, in the answer to that; the events are set afterwards.
"""

from __future__ import annotations

import contextlib
from urllib.parse import quote

from video_production.errors import VideoProductionError
from video_production.providers.elevenlabs.refusals import Subject, explain
from video_production.providers.secrets import ApiKey
from video_production.providers.subscribing import Subscription, WebhooksApi

__all__ = ["find_webhook", "register_webhook"]

_EVENTS = ["flows"]


def register_webhook(url: str, name: str, key: ApiKey, *, base_url: str) -> Subscription:
    """Have ElevenLabs send a webhook to `url` whenever a job ends that asks for one; `name` is shown on its website.

    Nothing is left behind when it fails half-way. Raises OperatorError (refused), ProviderUnreachable, and what
    reading the key raises.
    """
    api = _api(key, base_url)
    created = api.ask("POST", body={"settings": {"auth_type": "hmac", "name": name, "webhook_url": url}})
    made = api.subscription(created.get("webhook_id"), created.get("webhook_secret"))
    this = f"/{quote(made.webhook_id, safe='')}"
    try:
        wanted = {"is_disabled": False, "name": name, "retry_enabled": True, "events": _EVENTS}
        api.ask("PATCH", this, wanted)
    except BaseException:
        with contextlib.suppress(VideoProductionError):  # without its events it would hear of nothing
            api.ask("DELETE", this)
        raise
    return made


def find_webhook(url: str, key: ApiKey, *, base_url: str) -> str | None:
    """The id of the webhook that reports to `url`, if there is one. Raises what `register_webhook` raises."""
    listed = _api(key, base_url).ask("GET").get("webhooks")
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and entry.get("webhook_url") == url:
            return str(entry.get("webhook_id"))
    return None


def _api(key: ApiKey, base_url: str) -> WebhooksApi:
    value = key.read()
    subject = Subject(key.name, key=value)
    return WebhooksApi(
        "elevenlabs",
        "ElevenLabs",
        f"{base_url.rstrip('/')}/v1/workspace/webhooks",
        {"xi-api-key": value},
        lambda status, content: explain(status, content, subject),
    )

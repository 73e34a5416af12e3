"""Subscribing to the webhooks of ElevenLabs' jobs.

Source: the official SDK 2.78.0 (`workspace/webhooks`). A subscription is created without events, and its secret is
shown once, in the answer to that; the events are set afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import requests

from video_production.errors import OperatorError, ProviderUnreachable, VideoProductionError
from video_production.providers.elevenlabs.refusals import Subject, explain
from video_production.providers.secrets import ApiKey

__all__ = ["Subscription", "find_webhook", "register_webhook"]

_BASE_URL = "https://api.elevenlabs.io"
_EVENTS = ["flows"]
_TIMEOUT = 30


class Subscription(NamedTuple):
    """A webhook of the workspace, and what its deliveries are signed with."""

    webhook_id: str
    secret: str


def register_webhook(url: str, name: str, key: ApiKey, *, base_url: str = _BASE_URL) -> Subscription:
    """Have ElevenLabs send a webhook to `url` whenever a job ends that asks for one; `name` is shown on its website.

    Nothing is left behind when it fails half-way. Raises OperatorError (refused), ProviderUnreachable, and what
    reading the key raises.
    """
    root = f"{base_url.rstrip('/')}/v1/workspace/webhooks"
    created = _call("POST", root, key, {"settings": {"auth_type": "hmac", "name": name, "webhook_url": url}})
    webhook_id, secret = created.get("webhook_id"), created.get("webhook_secret")
    if not isinstance(webhook_id, str) or not isinstance(secret, str) or not secret:
        raise OperatorError("ElevenLabs created the webhook but showed no secret; delete it on its website, try again.")
    this = f"{root}/{quote(webhook_id, safe='')}"
    try:
        wanted = {"is_disabled": False, "name": name, "retry_enabled": True, "events": _EVENTS}
        _call("PATCH", this, key, wanted)
    except BaseException:
        with contextlib.suppress(VideoProductionError):  # without its events it would hear of nothing
            _call("DELETE", this, key)
        raise
    return Subscription(webhook_id, secret)


def find_webhook(url: str, key: ApiKey, *, base_url: str = _BASE_URL) -> str | None:
    """The id of the webhook that reports to `url`, if there is one. Raises what `register_webhook` raises."""
    listed = _call("GET", f"{base_url.rstrip('/')}/v1/workspace/webhooks", key).get("webhooks")
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and entry.get("webhook_url") == url:
            return str(entry.get("webhook_id"))
    return None


def _call(method: str, url: str, key: ApiKey, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """One request; none is repeated, because a repetition could subscribe twice."""
    headers = {"xi-api-key": key.read()}
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.request(method, url, json=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            raise ProviderUnreachable(
                f"ElevenLabs could not be reached ({type(error).__name__}); look on its website whether the webhook "
                "exists, then try again.",
                provider="elevenlabs",
            ) from None
    if not 200 <= answer.status_code < 300:
        explanation = explain(answer.status_code, answer.content, Subject(key.name, key=key.read()))
        raise OperatorError(f"ElevenLabs did not set the webhook up: {explanation.message}")
    try:
        data = answer.json()
    except ValueError:
        data = None
    return data if isinstance(data, dict) else {}

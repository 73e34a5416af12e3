"""Subscribing the local HTTP API to a stand-in's webhooks, as a person does on the provider's website."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from video_production.errors import OperatorError

__all__ = ["subscribe"]

NAME = "local cloud"
Ask = Callable[..., Any]
"""One request to a stand-in: method, path, optionally a body; its answer."""


def subscribe(provider: str, stand_in: str, key: str, api: str) -> str:
    """Have the stand-in at `stand_in` report ended jobs to `api`; returns what it signs with. Raises OperatorError.

    Subscriptions of earlier clouds are dropped: every cloud listens on another port.
    """
    import requests  # only now: most clouds do without webhooks

    with requests.Session() as session:
        session.trust_env = False

        def ask(method: str, path: str, body: Any = None) -> Any:
            headers = {"xi-api-key": key, "x-api-key": key}
            answer = session.request(method, stand_in + path, json=body, headers=headers, timeout=10)
            if not 200 <= answer.status_code < 300:
                raise OperatorError(f"The draft provider for {provider} takes no webhook: {answer.text[:200]}")
            return answer.json() if answer.content else {}

        return _SUBSCRIBE[provider](ask, f"{api}/webhooks/{provider}")


def _elevenlabs(ask: Ask, url: str) -> str:
    webhooks = "/v1/workspace/webhooks"
    for each in ask("GET", webhooks)["webhooks"]:
        if each["name"] == NAME:
            ask("DELETE", f"{webhooks}/{each['webhook_id']}")
    made = ask("POST", webhooks, {"settings": {"auth_type": "hmac", "name": NAME, "webhook_url": url}})
    wanted = {"is_disabled": False, "name": NAME, "retry_enabled": True, "events": ["flows"]}
    ask("PATCH", f"{webhooks}/{made['webhook_id']}", wanted)
    return str(made["webhook_secret"])


def _heygen(ask: Ask, url: str) -> str:
    endpoints = "/v3/webhooks/endpoints"
    path = urlsplit(url).path
    for each in ask("GET", f"{endpoints}?limit=100")["data"]:
        if urlsplit(each["url"]).path == path:
            ask("DELETE", f"{endpoints}/{each['endpoint_id']}")
    made = ask("POST", endpoints, {"url": url, "events": ["avatar_video.success", "avatar_video.fail"]})
    return str(made["data"]["secret"])


_SUBSCRIBE: Mapping[str, Callable[[Ask, str], str]] = {"elevenlabs": _elevenlabs, "heygen": _heygen}

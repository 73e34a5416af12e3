"""Subscribing to HeyGen's webhooks. Source: the schemas of its official command line, as of 2026-07-22."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import requests

from video_production.errors import OperatorError, ProviderUnreachable
from video_production.providers.heygen.refusals import Subject, explain
from video_production.providers.secrets import ApiKey

__all__ = ["Subscription", "find_webhook", "register_webhook"]

_BASE_URL = "https://api.heygen.com"
_ENDPOINTS = "/v3/webhooks/endpoints"
_EVENTS = ["avatar_video.success", "avatar_video.fail"]
_TIMEOUT = 30
_PAGES = 20


class Subscription(NamedTuple):
    """A webhook of the account, and what its deliveries are signed with."""

    webhook_id: str
    secret: str


def register_webhook(url: str, name: str, key: ApiKey, *, base_url: str = _BASE_URL) -> Subscription:  # noqa: ARG001
    """Have HeyGen send a webhook to `url` whenever a video ends. HeyGen's webhooks have no `name`.

    Raises OperatorError (refused), ProviderUnreachable, and what reading the key raises.
    """
    created = _call("POST", _address(base_url), key, {"url": url, "events": _EVENTS}).get("data")
    endpoint = created if isinstance(created, dict) else {}
    webhook_id, secret = endpoint.get("endpoint_id"), endpoint.get("secret")
    if not isinstance(webhook_id, str) or not isinstance(secret, str) or not secret:
        raise OperatorError("HeyGen created the webhook but showed no secret; delete it on its website, try again.")
    return Subscription(webhook_id, secret)


def find_webhook(url: str, key: ApiKey, *, base_url: str = _BASE_URL) -> str | None:
    """The id of the webhook that reports to `url`, if there is one. Raises what `register_webhook` raises."""
    query = {"limit": "100"}
    for _ in range(_PAGES):
        page = _call("GET", _address(base_url), key, query=query)
        listed = page.get("data")
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict) and entry.get("url") == url:
                return str(entry.get("endpoint_id"))
        if not page.get("has_more") or not page.get("next_token"):
            return None
        query["token"] = str(page["next_token"])
    return None


def _address(base_url: str) -> str:
    return base_url.rstrip("/") + _ENDPOINTS


def _call(
    method: str, url: str, key: ApiKey, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    """One request; none is repeated, because a repetition could subscribe twice."""
    headers = {"x-api-key": key.read()}
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.request(
                method, url, json=body, params=query, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            raise ProviderUnreachable(
                f"HeyGen could not be reached ({type(error).__name__}); look on its website whether the webhook "
                "exists, then try again.",
                provider="heygen",
            ) from None
    if not 200 <= answer.status_code < 300:
        explanation = explain(answer.status_code, answer.content, Subject(key.name, key=key.read()))
        raise OperatorError(f"HeyGen did not set the webhook up: {explanation.message}")
    try:
        data = answer.json()
    except ValueError:
        data = None
    return data if isinstance(data, dict) else {}

"""Subscribing to the webhooks of HeyGen's jobs. Their secret is shown once, in the answer to the creation.

Source: the official command line, generated from HeyGen's OpenAPI (`webhooks endpoints`), as of 2026-07-22.
"""

from __future__ import annotations

from video_production.providers.heygen.refusals import Subject, explain
from video_production.providers.secrets import ApiKey
from video_production.providers.subscribing import Subscription, WebhooksApi

__all__ = ["find_webhook", "register_webhook"]

_EVENTS = ["avatar_video.success", "avatar_video.fail"]
_PAGE = 100


def register_webhook(url: str, name: str, key: ApiKey, *, base_url: str) -> Subscription:  # noqa: ARG001
    """Have HeyGen send a webhook to `url` whenever a video ends. Its webhooks have no names, so `name` is not used.

    Raises OperatorError (refused), ProviderUnreachable, and what reading the key raises.
    """
    api = _api(key, base_url)
    created = api.ask("POST", body={"url": url, "events": _EVENTS}).get("data")
    made = created if isinstance(created, dict) else {}
    return api.subscription(made.get("endpoint_id"), made.get("secret"))


def find_webhook(url: str, key: ApiKey, *, base_url: str) -> str | None:
    """The id of the webhook that reports to `url`, if there is one. Raises what `register_webhook` raises."""
    api, token = _api(key, base_url), ""
    while True:
        page = api.ask("GET", f"?limit={_PAGE}{token}")
        listed = page.get("data")
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict) and entry.get("url") == url:
                return str(entry.get("endpoint_id"))
        if not page.get("has_more") or not page.get("next_token"):
            return None
        token = f"&token={page['next_token']}"


def _api(key: ApiKey, base_url: str) -> WebhooksApi:
    value = key.read()
    subject = Subject(key.name, key=value)
    return WebhooksApi(
        "heygen",
        "HeyGen",
        f"{base_url.rstrip('/')}/v3/webhooks/endpoints",
        {"x-api-key": value},
        lambda status, content: explain(status, content, subject),
    )

"""What subscribing to the webhooks of any provider has in common: the result, and a request that is never repeated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import requests

from video_production.errors import OperatorError, ProviderUnreachable
from video_production.providers.http import Explanation

__all__ = ["Subscription", "WebhooksApi"]

_TIMEOUT = 30


class Subscription(NamedTuple):
    """A provider's webhook, and what its deliveries are signed with."""

    webhook_id: str
    secret: str


class WebhooksApi:
    """The part of a provider's API at `root` that concerns webhooks. `headers` hold the key; `explain` reads errors."""

    def __init__(
        self,
        provider: str,
        title: str,
        root: str,
        headers: Mapping[str, str],
        explain: Callable[[int, bytes], Explanation],
    ) -> None:
        self._provider = provider
        self._title = title
        self._root = root
        self._headers = headers
        self._explain = explain

    def ask(self, method: str, path: str = "", body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One request; none is repeated, because a repetition could subscribe twice.

        Raises OperatorError (refused), ProviderUnreachable.
        """
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.request(
                    method,
                    self._root + path,
                    json=body,
                    headers=dict(self._headers),
                    timeout=_TIMEOUT,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                raise ProviderUnreachable(
                    f"{self._title} could not be reached ({type(error).__name__}); look on its website whether the "
                    "webhook exists, then try again.",
                    provider=self._provider,
                ) from None
        if not 200 <= answer.status_code < 300:
            why = self._explain(answer.status_code, answer.content).message
            raise OperatorError(f"{self._title} did not set the webhook up: {why}")
        try:
            data = json.loads(answer.content)
        except ValueError:
            data = None
        return data if isinstance(data, dict) else {}

    def subscription(self, webhook_id: Any, secret: Any) -> Subscription:
        """What an answer tells of a new webhook. Raises OperatorError when it shows no secret: it never will again."""
        if not isinstance(webhook_id, str) or not isinstance(secret, str) or not secret:
            raise OperatorError(
                f"{self._title} created the webhook but showed no secret; delete it on its website, try again."
            )
        return Subscription(webhook_id, secret)

"""Webhooks on their way out: signed, tried again with growing pauses, at least once."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from stand_ins.faults import Fault, FaultBook
from stand_ins.heygen.records import Endpoint, Event
from stand_ins.records import Records

__all__ = ["Deliveries", "signature"]

TIMEOUT = 10.0
"""Seconds that a receiver has to answer."""
RETRIES = (1, 4, 16, 64, 256, 1024)
"""The waits before the further attempts, in units of `retry_seconds`; HeyGen gives up after a day."""


def signature(secret: str, body: bytes) -> str:
    """The header `Heygen-Signature`: of the raw body alone."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Deliveries:
    """Sends events to endpoints in the background. What is on its way when the process ends is lost.

    Rules on the operation "webhook" (see `stand_ins.faults`) lose, delay, repeat or forge what is sent.
    """

    def __init__(
        self, endpoints: Records[Endpoint], events: Records[Event], faults: FaultBook, retry_seconds: float
    ) -> None:
        self._endpoints = endpoints
        self._events = events
        self._faults = faults
        self._retry_seconds = retry_seconds
        self._stopped = threading.Event()

    def tell(self, event_type: str, entity_id: str, data: Mapping[str, Any], text: str, callback_url: str = "") -> None:
        """Tell every endpoint that listens; `text` is what rules are matched against.

        `callback_url` hears of its own job alone, once and without a signature: HeyGen names no secret for it.
        """
        event = Event(f"evt_{uuid.uuid4().hex}", time.time(), event_type, entity_id, dict(data))
        self._events.save(event)
        body = json.dumps({"event_type": event_type, "event_data": event.data}).encode()
        listeners = [each for each in self._endpoints.newest_first() if _listens(each, event_type)]
        targets: Iterable[str | None] = [*(each.id for each in listeners), *([None] if callback_url else [])]
        for target in targets:
            arguments = (target, callback_url, event.id, body, text)
            threading.Thread(target=self._see_through, args=arguments, daemon=True).start()

    def close(self) -> None:
        self._stopped.set()

    def _see_through(self, target: str | None, callback_url: str, event_id: str, body: bytes, text: str) -> None:
        rules = self._faults.take("webhook", text)
        if rules.time and self._stopped.wait(rules.time.delay):
            return
        for _ in range(2 if _does(rules.delivery, "repeat-webhook") else 1):
            self._deliver(target, callback_url, event_id, body, rules.delivery)

    def _deliver(self, target: str | None, callback_url: str, event_id: str, body: bytes, rule: Fault | None) -> None:
        for wait in (0, *RETRIES):
            if self._stopped.wait(wait * self._retry_seconds) or _does(rule, "lose-webhook"):
                return
            endpoint = self._endpoints.get(target) if target else None
            if target and (endpoint is None or not endpoint.enabled):
                return
            secret = "forged" if _does(rule, "forge-webhook") else endpoint.secret if endpoint else ""
            if _post(endpoint.url if endpoint else callback_url, event_id, body, secret) or not target:
                return


def _listens(endpoint: Endpoint, event_type: str) -> bool:
    return endpoint.enabled and (endpoint.events is None or event_type in endpoint.events)


def _post(url: str, event_id: str, body: bytes, secret: str) -> bool:
    """Whether the receiver took it."""
    import requests  # only now: most stand-ins never send one

    headers = {"Content-Type": "application/json", "Heygen-Timestamp": str(int(time.time()))}
    headers["Heygen-Event-Id"] = event_id
    if secret:
        headers["Heygen-Signature"] = signature(secret, body)
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.post(url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False).ok
        except requests.RequestException:
            return False


def _does(rule: Fault | None, action: str) -> bool:
    return rule is not None and rule.do == action

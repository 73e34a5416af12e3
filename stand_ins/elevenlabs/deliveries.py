"""Webhooks on their way out: signed, tried again where the webhook wants that, and given up on for good reason."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from stand_ins.elevenlabs.records import Webhook
from stand_ins.faults import Fault, FaultBook
from stand_ins.records import Records

__all__ = ["Deliveries", "outcome_noted", "signature"]

TIMEOUT = 10.0
"""Seconds that a receiver has to answer."""
RETRIES = (1, 4, 16, 60)
"""The waits before the further attempts, in units of `retry_seconds`: 30 s, 2, 8 and 30 minutes."""
AGAIN = (408, 429)
FAILURES = 10
UNWELL = 7 * 24 * 3600
"""After so many failures in a row, none of them younger than a success within so many seconds, nothing is sent."""


def signature(secret: str, body: bytes, now: float) -> str:
    """The header `ElevenLabs-Signature`."""
    digest = hmac.new(secret.encode(), f"{int(now)}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={int(now)},v0={digest}"


class Deliveries:
    """Sends events to webhooks in the background. What is on its way when the process ends is lost.

    Rules on the operation "webhook" (see `stand_ins.faults`) lose, delay, repeat or forge what is sent.
    """

    def __init__(self, webhooks: Records[Webhook], faults: FaultBook, retry_seconds: float) -> None:
        self._webhooks = webhooks
        self._faults = faults
        self._retry_seconds = retry_seconds
        self._stopped = threading.Event()

    def send(self, targets: Iterable[str], event: dict[str, Any], text: str) -> None:
        """Send an event to the webhooks with these ids; `text` is what rules are matched against."""
        body = json.dumps(event).encode()
        for target in targets:
            threading.Thread(target=self._see_through, args=(target, body, text), daemon=True).start()

    def close(self) -> None:
        self._stopped.set()

    def _see_through(self, target: str, body: bytes, text: str) -> None:
        rules = self._faults.take("webhook", text)
        if rules.time and self._stopped.wait(rules.time.delay):
            return
        for _ in range(2 if _does(rules.delivery, "repeat-webhook") else 1):
            self._deliver(target, body, rules.delivery)

    def _deliver(self, target: str, body: bytes, rule: Fault | None) -> None:
        for wait in (0, *RETRIES):
            if self._stopped.wait(wait * self._retry_seconds):
                return
            webhook = self._webhooks.get(target)
            if webhook is None or not webhook.enabled or _does(rule, "lose-webhook"):
                return
            status = self._post(webhook, body, forged=_does(rule, "forge-webhook"))
            self._webhooks.change(target, partial(outcome_noted, status=status, now=time.time()))
            if not webhook.retry_enabled or not (status is None or status >= 500 or status in AGAIN):
                return

    def _post(self, webhook: Webhook, body: bytes, *, forged: bool) -> int | None:
        """The status of the answer; None where there was none."""
        import requests  # only now: most stand-ins never send one

        now = time.time()
        headers = {
            **webhook.request_headers,
            "Content-Type": "application/json",
            "ElevenLabs-Signature": signature("forged" if forged else webhook.secret, body, now),
        }
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.post(webhook.url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False)
            except requests.RequestException:
                return None
        return answer.status_code


def outcome_noted(webhook: Webhook, status: int | None, now: float) -> Webhook:
    """The webhook after a delivery that was answered `status`; one that has been unwell for long is left alone."""
    if status is not None and 200 <= status < 300:
        return replace(webhook, failures=0, succeeded_at=now)
    failures = webhook.failures + 1
    unwell = failures >= FAILURES and now - (webhook.succeeded_at or webhook.created_at) >= UNWELL
    return replace(webhook, failures=failures, failure_code=status, failed_at=int(now), is_auto_disabled=unwell)


def _does(rule: Fault | None, action: str) -> bool:
    return rule is not None and rule.do == action

"""When a stand-in stops sending to a webhook."""

from __future__ import annotations

from stand_ins.elevenlabs.deliveries import FAILURES, UNWELL, outcome_noted
from stand_ins.elevenlabs.records import Webhook

WEBHOOK = Webhook(id="w", created_at=1000.0, name="n", url="http://127.0.0.1:9/", secret="s")


def after_failures(webhook: Webhook, count: int, now: float) -> Webhook:
    for _ in range(count):
        webhook = outcome_noted(webhook, 503, now)
    return webhook


def test_it_is_disabled_after_ten_failures_without_a_success_for_a_week() -> None:
    late = WEBHOOK.created_at + UNWELL
    assert after_failures(WEBHOOK, FAILURES - 1, late).enabled
    assert not after_failures(WEBHOOK, FAILURES, late).enabled
    assert after_failures(WEBHOOK, 3 * FAILURES, late - 1).enabled


def test_a_success_forgives_what_was_before() -> None:
    late = WEBHOOK.created_at + UNWELL
    well = outcome_noted(after_failures(WEBHOOK, FAILURES - 1, late), 204, late)
    assert well.failures == 0
    assert after_failures(well, FAILURES, late + UNWELL - 1).enabled
    assert not after_failures(well, FAILURES, late + UNWELL).enabled

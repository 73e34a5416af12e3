"""The providers whose webhooks are understood."""

from __future__ import annotations

from video_production.settings import PROVIDER_FACTS
from video_production.webhooks.signatures import SENDERS


def test_every_provider_that_sends_webhooks_is_understood_and_no_other() -> None:
    assert set(SENDERS) == {facts.name for facts in PROVIDER_FACTS.values() if facts.webhooks}

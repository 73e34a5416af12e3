"""Subscribing to HeyGen's webhooks: one request creates, and its secret is shown in no other."""

from __future__ import annotations

import pytest

from tests.unit.providers.scripted import Provider, hang_up, reply
from video_production.errors import OperatorError, ProviderUnreachable
from video_production.providers.heygen.webhooks import find_webhook, register_webhook
from video_production.providers.secrets import ApiKey

URL = "https://api.example.com/webhooks/heygen"


class Manager:
    """Secrets Manager with one key."""

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803 - the name that AWS gave it
        return {"SecretString": "a-live-key-of-the-test"}


@pytest.fixture
def key() -> ApiKey:
    return ApiKey("jiki-video/test/heygen", client=Manager())


def test_a_webhook_is_created_for_the_end_of_videos(provider: Provider, key: ApiKey) -> None:
    provider.answers(reply(200, {"data": {"endpoint_id": "e1", "secret": "whsec_1"}}))
    assert register_webhook(URL, "jiki", key, base_url=provider.url) == ("e1", "whsec_1")
    assert provider.paths() == ["POST /v3/webhooks/endpoints"]
    assert provider.received[0].body == {"url": URL, "events": ["avatar_video.success", "avatar_video.fail"]}
    assert provider.received[0].headers["x-api-key"] == key.read()


def test_a_webhook_is_looked_for_on_every_page(provider: Provider, key: ApiKey) -> None:
    other = {
        "data": [{"endpoint_id": "e0", "url": "https://elsewhere.example.com"}],
        "has_more": True,
        "next_token": "2",
    }
    provider.answers(reply(200, other), reply(200, {"data": [{"endpoint_id": "e1", "url": URL}], "has_more": False}))
    assert find_webhook(URL, key, base_url=provider.url) == "e1"
    provider.answers(reply(200, {"data": [], "has_more": False}))
    assert find_webhook(URL, key, base_url=provider.url) is None


def test_a_refused_key_names_its_secret_and_is_not_quoted(provider: Provider, key: ApiKey) -> None:
    provider.answers(reply(401, {"error": {"code": "unauthorized", "message": f"bad {key.read()}"}}))
    with pytest.raises(OperatorError, match=r"did not set the webhook up: .*'jiki-video/test/heygen'") as told:
        register_webhook(URL, "jiki", key, base_url=provider.url)
    assert key.read() not in str(told.value)


def test_creating_is_not_repeated_when_its_answer_is_lost(provider: Provider, key: ApiKey) -> None:
    provider.answers(hang_up)
    with pytest.raises(ProviderUnreachable, match="look on its website"):
        register_webhook(URL, "jiki", key, base_url=provider.url)
    assert len(provider.received) == 1


def test_a_webhook_without_a_secret_is_of_no_use(provider: Provider, key: ApiKey) -> None:
    provider.answers(reply(200, {"data": {"endpoint_id": "e1"}}))
    with pytest.raises(OperatorError, match="showed no secret"):
        register_webhook(URL, "jiki", key, base_url=provider.url)

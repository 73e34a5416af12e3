"""Subscribing to webhooks: created, then subscribed to jobs; nothing half-done stays behind."""

from __future__ import annotations

import pytest

from tests.unit.providers.elevenlabs.conftest import Manager
from tests.unit.providers.scripted import Provider, hang_up, reply
from video_production.errors import OperatorError, ProviderUnreachable
from video_production.providers.elevenlabs.requests import job_body
from video_production.providers.elevenlabs.webhooks import register_webhook
from video_production.providers.secrets import ApiKey

URL = "https://api.example.com/webhooks/elevenlabs"
CREATED = {"webhook_id": "w/1", "webhook_secret": "wsec_1"}


@pytest.fixture
def key(manager: Manager) -> ApiKey:
    return ApiKey("jiki-video/test/elevenlabs", client=manager)


def test_a_webhook_is_created_and_then_subscribed_to_jobs(provider: Provider, key: ApiKey) -> None:
    provider.answers(reply(200, CREATED), reply(200, {"status": "ok"}))
    made = register_webhook(URL, "jiki", key, base_url=provider.url)
    assert made == ("w/1", "wsec_1")
    assert provider.paths() == ["POST /v1/workspace/webhooks", "PATCH /v1/workspace/webhooks/w%2F1"]
    assert provider.received[0].body == {"settings": {"auth_type": "hmac", "name": "jiki", "webhook_url": URL}}
    assert provider.received[1].body == {
        "is_disabled": False,
        "name": "jiki",
        "retry_enabled": True,
        "events": ["flows"],
    }
    assert all(request.headers["xi-api-key"] == key.read() for request in provider.received)


def test_a_webhook_that_could_not_be_subscribed_is_deleted_again(provider: Provider, key: ApiKey) -> None:
    refusal = {"detail": {"code": "too_many_webhooks", "message": "At most 10."}}
    provider.answers(reply(200, CREATED), reply(400, refusal), reply(200, {}))
    with pytest.raises(OperatorError, match=r"did not set the webhook up: .*At most 10"):
        register_webhook(URL, "jiki", key, base_url=provider.url)
    assert provider.paths()[-1] == "DELETE /v1/workspace/webhooks/w%2F1"


def test_the_first_failure_is_told_even_when_the_webhook_can_not_be_deleted(provider: Provider, key: ApiKey) -> None:
    provider.answers(reply(200, CREATED), reply(400, {"detail": {"message": "No."}}), hang_up)
    with pytest.raises(OperatorError, match="No"):
        register_webhook(URL, "jiki", key, base_url=provider.url)


def test_a_refused_key_names_its_secret_and_is_not_quoted(provider: Provider, key: ApiKey) -> None:
    provider.answers(reply(401, {"detail": {"code": "invalid_api_key", "message": f"bad {key.read()}"}}))
    with pytest.raises(OperatorError, match="Set the secret 'jiki-video/test/elevenlabs'") as raised:
        register_webhook(URL, "jiki", key, base_url=provider.url)
    assert key.read() not in str(raised.value)


def test_creating_is_not_repeated_when_its_answer_is_lost(provider: Provider, key: ApiKey) -> None:
    provider.answers(hang_up)
    with pytest.raises(ProviderUnreachable, match="look on its website"):
        register_webhook(URL, "jiki", key, base_url=provider.url)
    assert len(provider.received) == 1


def test_a_webhook_without_a_secret_is_of_no_use(provider: Provider, key: ApiKey) -> None:
    provider.answers(reply(200, {"webhook_id": "w1"}))
    with pytest.raises(OperatorError, match="showed no secret"):
        register_webhook(URL, "jiki", key, base_url=provider.url)


def test_jobs_ask_for_a_webhook_only_when_that_is_wanted() -> None:
    config = {"voiceId": "v", "modelId": "m", "outputFormat": "mp3_44100_128"}
    assert "webhook" not in job_body(config, "Hello.")
    assert job_body(config, "Hello.", webhook=True)["webhook"] == {"type": "all"}

"""Webhooks of the ElevenLabs stand-in, managed and checked by the official SDK, sent to a receiver of our own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError
from elevenlabs.types import WebhookHmacSettings, WebhookTarget_All, WebhookTarget_Ids

from stand_ins.running import RunningStandIn
from tests.integration.receiver import Receiver
from tests.integration.stand_ins.calls import HEADERS, finished, submit, unique


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStandIn]:
    home = tmp_path_factory.mktemp("elevenlabs")
    with RunningStandIn.start(home, "--job-seconds", "0.1", "--retry-seconds", "0.1") as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def subscribe(sdk: ElevenLabs) -> Iterator[Callable[..., tuple[str, str]]]:
    """subscribe(url, retry_enabled=False) → (id, secret) of a webhook that hears of jobs."""
    made: list[str] = []

    def subscribe_url(url: str, *, retry_enabled: bool = False) -> tuple[str, str]:
        settings = WebhookHmacSettings(name="test", webhook_url=url, request_headers={"X-Team": "video"})
        created = sdk.webhooks.create(settings=settings)
        made.append(created.webhook_id)
        sdk.webhooks.update(
            created.webhook_id, is_disabled=False, name="test", events=["flows"], retry_enabled=retry_enabled
        )
        assert created.webhook_secret
        return created.webhook_id, created.webhook_secret

    yield subscribe_url
    for each in made:
        sdk.webhooks.delete(each)


Subscribe = Callable[..., tuple[str, str]]


def refusal(error: pytest.ExceptionInfo[ApiError]) -> tuple[int | None, Any]:
    return error.value.status_code, error.value.body["detail"]["code"]


def test_the_end_of_a_job_is_reported_with_what_a_check_answers(
    sdk: ElevenLabs, receiver: Receiver, subscribe: Subscribe
) -> None:
    _, secret = subscribe(receiver.url)
    job = submit(sdk, unique("Good morning."), webhook=WebhookTarget_All())
    headers, body = receiver.next()
    event = sdk.webhooks.construct_event(body.decode(), headers["ElevenLabs-Signature"], secret)
    assert event["type"] == "flows_generation"
    assert abs(event["event_timestamp"] - time.time()) < 10
    checked = finished(sdk, job)
    assert event["data"].keys() == {"id", "status", "content_url", "content_mime_type"}
    assert (event["data"]["id"], event["data"]["status"]) == (job, checked.status) == (job, "completed")
    assert requests.get(event["data"]["content_url"], timeout=5).status_code == 200
    assert headers["X-Team"] == "video"


def test_a_failed_job_is_reported_with_its_reason(
    sdk: ElevenLabs, stand_in: RunningStandIn, receiver: Receiver, subscribe: Subscribe
) -> None:
    webhook, secret = subscribe(receiver.url)
    stand_in.misbehave({"on": "flows.submit", "do": "fail-job", "reason": "moderated"})
    job = submit(sdk, unique("Bad words."), webhook=WebhookTarget_Ids(ids=[webhook]))
    headers, body = receiver.next()
    data = sdk.webhooks.construct_event(body.decode(), headers["ElevenLabs-Signature"], secret)["data"]
    assert (data["id"], data["status"], data["failure_reason"]) == (job, "failed", "moderated")


def test_a_job_that_asks_for_none_is_not_reported(sdk: ElevenLabs, receiver: Receiver, subscribe: Subscribe) -> None:
    subscribe(receiver.url)
    finished(sdk, submit(sdk, unique("Quiet.")))
    time.sleep(0.2)
    assert receiver.received.empty()


def test_a_job_that_nobody_could_hear_of_is_refused_and_costs_nothing(
    sdk: ElevenLabs, stand_in: RunningStandIn, receiver: Receiver, subscribe: Subscribe
) -> None:
    before = len(stand_in.charges())
    with pytest.raises(ApiError) as nobody:
        submit(sdk, "Hello?", webhook=WebhookTarget_All())
    assert refusal(nobody) == (400, "no_webhooks_configured")
    webhook, _ = subscribe(receiver.url)
    with pytest.raises(ApiError) as unknown:
        submit(sdk, "Hello?", webhook=WebhookTarget_Ids(ids=["nobody"]))
    assert refusal(unknown) == (400, "invalid_webhook_id")
    sdk.webhooks.update(webhook, is_disabled=True, name="off")
    with pytest.raises(ApiError) as disabled:
        submit(sdk, "Hello?", webhook=WebhookTarget_Ids(ids=[webhook]))
    assert refusal(disabled) == (400, "webhook_disabled")
    time.sleep(0.3)
    assert len(stand_in.charges()) == before


@pytest.mark.parametrize("status", [500, 429])
def test_a_receiver_that_falters_is_sent_it_again_where_that_is_wanted(
    sdk: ElevenLabs, receiver: Receiver, subscribe: Subscribe, status: int
) -> None:
    webhook, _ = subscribe(receiver.url, retry_enabled=True)
    receiver.statuses = [status, status]
    submit(sdk, unique("Again."), webhook=WebhookTarget_All())
    bodies = {receiver.next()[1] for _ in range(3)}
    assert len(bodies) == 1
    [listed] = sdk.webhooks.list(include_usages=True).webhooks
    assert (listed.webhook_id, listed.most_recent_failure_error_code, listed.events) == (webhook, status, ["flows"])


@pytest.mark.parametrize(("retry", "status"), [(False, 500), (True, 400)])
def test_it_is_sent_once_where_retries_are_off_or_pointless(
    sdk: ElevenLabs, receiver: Receiver, subscribe: Subscribe, retry: bool, status: int
) -> None:
    subscribe(receiver.url, retry_enabled=retry)
    receiver.statuses = [status]
    submit(sdk, unique("Once."), webhook=WebhookTarget_All())
    receiver.next()
    time.sleep(0.3)
    assert receiver.received.empty()


@pytest.mark.parametrize(("action", "copies"), [("lose-webhook", 0), ("repeat-webhook", 2), ("forge-webhook", 1)])
def test_webhooks_are_lost_repeated_and_forged_on_demand(
    sdk: ElevenLabs, stand_in: RunningStandIn, receiver: Receiver, subscribe: Subscribe, action: str, copies: int
) -> None:
    _, secret = subscribe(receiver.url)
    stand_in.misbehave({"on": "webhook", "do": action})
    submit(sdk, unique("Trouble."), webhook=WebhookTarget_All())
    submit_after = unique("Trouble over.")
    for _ in range(copies):
        headers, body = receiver.next()
        if action == "forge-webhook":
            with pytest.raises(Exception, match="does not match"):
                sdk.webhooks.construct_event(body.decode(), headers["ElevenLabs-Signature"], secret)
    time.sleep(0.3)
    assert receiver.received.empty()
    submit(sdk, submit_after, webhook=WebhookTarget_All())
    receiver.next()


def test_nothing_is_sent_to_other_machines(stand_in: RunningStandIn) -> None:
    settings = {"auth_type": "hmac", "name": "far", "webhook_url": "https://example.com/webhooks"}
    url = f"{stand_in.url}/v1/workspace/webhooks"
    answer = requests.post(url, json={"settings": settings}, headers=HEADERS, timeout=5)
    assert (answer.status_code, answer.json()["detail"]["param"]) == (400, "webhook_url")


def test_webhooks_outlive_the_process_but_their_secrets_are_shown_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("restart")
    settings = {"auth_type": "hmac", "name": "kept", "webhook_url": "http://127.0.0.1:9/"}
    with RunningStandIn.start(home) as running:
        url = f"{running.url}/v1/workspace/webhooks"
        made = requests.post(url, json={"settings": settings}, headers=HEADERS, timeout=5).json()
    with RunningStandIn.start(home) as running:
        listed = requests.get(f"{running.url}/v1/workspace/webhooks", headers=HEADERS, timeout=5)
    assert [each["webhook_id"] for each in listed.json()["webhooks"]] == [made["webhook_id"]]
    assert made["webhook_secret"] not in listed.text

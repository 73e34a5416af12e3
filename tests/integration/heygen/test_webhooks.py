"""Webhooks of the HeyGen stand-in, subscribed to by the product's own module and checked by its own eyes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
import requests

from stand_ins.running import RunningStandIn
from tests.integration.heygen.calls import body, call, create, speech, upload, video_id
from tests.integration.receiver import Delivery, Receiver
from video_production.providers.heygen.webhooks import find_webhook, register_webhook
from video_production.providers.secrets import ApiKey
from video_production.webhooks.heygen import finished_job, is_genuine


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def secret(stand_in: RunningStandIn, receiver: Receiver, key: ApiKey) -> Iterator[str]:
    """What the deliveries to the receiver are signed with."""
    made = register_webhook(receiver.url, "test", key, base_url=stand_in.url)
    yield made.secret
    call(stand_in, "DELETE", f"/v3/webhooks/endpoints/{made.webhook_id}")


def make(stand_in: RunningStandIn) -> str:
    return video_id(create(stand_in, body(upload(stand_in, speech()), callback_id="mine")))


def genuine(delivery: Delivery, secret: str) -> bool:
    return is_genuine(delivery[0], delivery[1], secret, time.time())


def test_the_end_of_a_video_is_told_and_signed(stand_in: RunningStandIn, receiver: Receiver, secret: str) -> None:
    video = make(stand_in)
    told = receiver.next()
    assert genuine(told, secret)
    assert finished_job(told[1]) == video
    assert told[0]["heygen-event-id"]
    event = json.loads(told[1])
    assert (event["event_type"], event["event_data"]["callback_id"]) == ("avatar_video.success", "mine")
    assert requests.get(event["event_data"]["url"], timeout=10).status_code == 200
    (history,) = call(stand_in, "GET", f"/v3/webhooks/events?entity_id={video}").json()["data"]
    assert (history["event_id"], history["event_data"]) == (told[0]["heygen-event-id"], event["event_data"])


def test_a_failure_is_told_with_its_reason(stand_in: RunningStandIn, receiver: Receiver, secret: str) -> None:
    stand_in.misbehave({"on": "videos.submit", "do": "fail-job", "reason": "moderation_failed"})
    video = make(stand_in)
    told = receiver.next()
    assert (genuine(told, secret), finished_job(told[1])) == (True, video)
    assert "moderation" in json.loads(told[1])["event_data"]["msg"]


def test_a_forged_one_is_known_by_its_signature(stand_in: RunningStandIn, receiver: Receiver, secret: str) -> None:
    stand_in.misbehave({"on": "webhook", "do": "forge-webhook"})
    make(stand_in)
    told = receiver.next()
    assert not genuine(told, secret)


def test_one_sent_twice_is_the_same_to_the_byte(stand_in: RunningStandIn, receiver: Receiver, secret: str) -> None:
    stand_in.misbehave({"on": "webhook", "do": "repeat-webhook"})
    make(stand_in)
    first, second = receiver.next(), receiver.next()
    assert first[1] == second[1]
    assert first[0]["heygen-event-id"] == second[0]["heygen-event-id"]
    assert genuine(second, secret)


def test_one_that_was_not_taken_comes_again(stand_in: RunningStandIn, receiver: Receiver, secret: str) -> None:
    receiver.statuses = [500]
    video = make(stand_in)
    first, second = receiver.next(), receiver.next()
    assert finished_job(second[1]) == video
    assert first[0]["heygen-event-id"] == second[0]["heygen-event-id"]


def test_one_may_be_late_or_never_come(stand_in: RunningStandIn, receiver: Receiver, secret: str) -> None:
    stand_in.misbehave({"on": "webhook", "do": "lose-webhook"}, {"on": "webhook", "delay": 0.5, "match": "late"})
    make(stand_in)
    video = video_id(create(stand_in, body(upload(stand_in, speech()), title="late")))
    assert finished_job(receiver.next()[1]) == video
    assert receiver.received.empty()


def test_a_subscription_is_found_by_its_address(
    stand_in: RunningStandIn, receiver: Receiver, secret: str, key: ApiKey
) -> None:
    found = find_webhook(receiver.url, key, base_url=stand_in.url)
    assert found
    assert find_webhook("https://example.com/other", key, base_url=stand_in.url) is None
    changed = call(stand_in, "PATCH", f"/v3/webhooks/endpoints/{found}", json={"events": ["video_agent.fail"]}).json()
    assert (changed["data"]["events"], "secret" in changed["data"]) == (["video_agent.fail"], False)
    rotated = call(stand_in, "POST", f"/v3/webhooks/endpoints/{found}/rotate-secret").json()["data"]
    assert rotated["secret"] not in ("", secret)


def test_a_job_may_have_an_address_of_its_own(stand_in: RunningStandIn, receiver: Receiver) -> None:
    video = video_id(create(stand_in, body(upload(stand_in, speech()), callback_url=receiver.url)))
    told = receiver.next()
    assert finished_job(told[1]) == video
    assert "heygen-signature" not in told[0]


@pytest.mark.parametrize("url", ["https://example.com/hook", "ftp://127.0.0.1/", "hook"])
def test_webhooks_stay_on_this_machine(stand_in: RunningStandIn, url: str) -> None:
    assert call(stand_in, "POST", "/v3/webhooks/endpoints", json={"url": url}).status_code == 400

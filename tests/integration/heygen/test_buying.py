"""The whole money protocol with HeyGen: real tables, real storage, the stand-in's charge book as the judge."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from stand_ins.running import RunningStandIn
from tests.integration.desk import BUCKET, Desk
from tests.integration.heygen.calls import speech
from video_production.errors import MayHaveBeenPaid, ProviderJobFailed, ProviderRefused, RequestError
from video_production.nodes.model import Node, NodeStatus, Output
from video_production.providers.heygen import HeyGen
from video_production.storage import Storage
from video_production.takes.model import TakeState

SECONDS = 0.4


class Speech(Desk):
    """A pipeline `voice → head`, with a speech that nobody else has."""

    def __init__(self, heygen: HeyGen, dynamodb: Any, storage: Storage) -> None:
        self.sound = speech(SECONDS)
        super().__init__(heygen, dynamodb, storage, hashlib.sha256(self.sound).hexdigest(), submit_budget=40)
        heygen._now = self.clock
        self.speak(SECONDS)

    def speak(self, duration: float) -> None:
        key = f"{self.digest}.wav"
        self.storage.put_bytes(self.sound, BUCKET, key, "audio/wav")
        voice = Output("audio", key, len(self.sound), self.digest, BUCKET, duration)
        head = Node("lesson", "head", "Head", "generate-talking-head", {"audio": ("voice",)}, {"avatarId": "Anna"})
        self.publish(head, voice=voice)


@pytest.fixture
def desk(heygen: HeyGen, dynamodb: Any, storage: Storage) -> Speech:
    return Speech(heygen, dynamodb, storage)


@pytest.fixture
def billed(stand_in: RunningStandIn) -> Callable[[Desk], int]:
    """How often the stand-in charged for a desk's speech."""
    return lambda desk: sum(row.request_sha256 == desk.digest for row in stand_in.charges())


Billed = Callable[[Desk], int]


def test_a_talking_head_is_bought_once_and_reused(desk: Speech, stand_in: RunningStandIn, billed: Billed) -> None:
    claimed = desk.claim()
    assert desk.buyer.submit(claimed).status == "waiting"
    assert desk.buyer.submit(claimed).status == "waiting"  # a duplicate start
    assert desk.follow(claimed).status == "completed"
    output = desk.node().output
    assert desk.node().status == NodeStatus.COMPLETED
    assert output is not None
    assert (output.type, output.draft, output.captions is not None) == ("video", True, True)
    assert output.duration == pytest.approx(SECONDS, abs=0.04)
    made = desk.take().made
    assert made is not None
    assert made.cost is not None
    (charge,) = [row for row in stand_in.charges() if row.request_sha256 == desk.digest]
    assert made.cost.usd == pytest.approx(charge.usd, rel=0.05)
    desk.speak(SECONDS)  # an edit that changes nothing: pending again
    assert desk.buyer.submit(desk.claim("p2")).status == "completed"
    assert billed(desk) == 1


@pytest.mark.parametrize(
    "rules",
    [
        [{"do": "lose-answer"}],
        [{"do": "garbage"}],
        [{"status": 500, "billed": True}],
        [{"status": 502}],
        [{"do": "lose-answer"}, {"do": "hide-from-history"}],
        [{"do": "lose-answer", "times": 3}],
    ],
)
def test_a_lost_answer_is_found_by_the_key_and_paid_once(
    desk: Desk, stand_in: RunningStandIn, billed: Billed, rules: list[dict[str, Any]]
) -> None:
    stand_in.misbehave(*({"on": "videos.submit", **rule} for rule in rules))
    claimed = desk.claim()
    assert desk.buyer.submit(claimed).status == "waiting"
    assert desk.buyer.check(claimed).status == "waiting"  # somebody may still be at it
    assert desk.take().state == TakeState.SUBMITTING
    desk.ahead = 3600
    assert desk.follow(claimed).status == "completed"
    assert billed(desk) == 1


def test_a_request_that_was_never_sent_is_sent_anew(
    desk: Desk, heygen: HeyGen, billed: Billed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    claimed = desk.claim()
    with monkeypatch.context() as broken:
        broken.setattr(heygen, "_prepared", killed)
        with pytest.raises(KeyboardInterrupt):
            desk.buyer.submit(claimed)
    assert desk.take().state == TakeState.SUBMITTING
    desk.ahead = 3600
    assert desk.follow(claimed).status == "resubmit"
    assert desk.take().state == TakeState.REFUSED
    assert desk.buyer.submit(claimed).status == "waiting"
    assert desk.follow(claimed).status == "completed"
    assert billed(desk) == 1


def test_what_is_found_neither_by_key_nor_by_title_is_left_to_a_person(
    desk: Desk, stand_in: RunningStandIn, billed: Billed
) -> None:
    stand_in.misbehave(*({"on": "videos.submit", "do": what} for what in ("lose-answer", "hide-from-history")))
    claimed = desk.claim()
    desk.buyer.submit(claimed)
    desk.ahead = 86400
    with pytest.raises(MayHaveBeenPaid, match=r"may have been paid .*no video of this title"):
        desk.buyer.check(claimed)
    assert desk.take().state == TakeState.UNKNOWN
    assert billed(desk) <= 1


def test_too_many_at_once_waits_and_goes_on(desk: Desk, stand_in: RunningStandIn, billed: Billed) -> None:
    stand_in.change_plan(concurrency=0, retry_after=1)
    claimed = desk.claim()
    step = desk.buyer.submit(claimed)
    assert (step.status, step.wait_seconds) == ("resubmit", pytest.approx(2, abs=1))
    stand_in.change_plan(concurrency=10)
    desk.ahead = 10
    assert desk.buyer.submit(claimed).status == "waiting"
    assert desk.follow(claimed).status == "completed"
    assert billed(desk) == 1


@pytest.mark.parametrize(
    ("rule", "error", "why"),
    [
        ({"do": "fail-job", "reason": "moderation_failed"}, ProviderJobFailed, "moderation rejected"),
        ({"status": 402}, ProviderRefused, "wallet is out of credit"),
    ],
)
def test_a_failure_tells_why_and_costs_nothing(
    desk: Desk, stand_in: RunningStandIn, billed: Billed, rule: dict[str, Any], error: type[Exception], why: str
) -> None:
    stand_in.misbehave({"on": "videos.submit", **rule})
    with pytest.raises(error, match=why):
        desk.run(desk.claim())
    assert billed(desk) == 0


def test_speech_that_is_too_long_is_refused_before_anything_is_written(desk: Speech, stand_in: RunningStandIn) -> None:
    desk.speak(700.0)
    before = len(stand_in.requests())
    with pytest.raises(RequestError, match="11:40 minutes and HeyGen takes at most 10 minutes"):
        desk.buyer.submit(desk.claim())
    assert "takes" not in desk.node().metadata
    assert len(stand_in.requests()) == before


def test_a_late_result_is_adopted_for_nobody_in_particular(desk: Speech, billed: Billed) -> None:
    claimed = desk.claim()
    desk.buyer.submit(claimed)
    identity = desk.take().id
    desk.speak(SECONDS)  # edited: nobody waits any more
    end = time.monotonic() + 30
    while not desk.buyer.follow(identity).made:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert desk.buyer.submit(desk.claim("p2")).status == "completed"
    assert billed(desk) == 1

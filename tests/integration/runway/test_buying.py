"""The whole money protocol with Runway: real tables, real storage, the stand-in's charge book as the judge."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from stand_ins.running import RunningStandIn
from tests.integration.desk import Desk
from tests.integration.runway.calls import unique
from tests.unit.graphs import text_output, write
from video_production.errors import Cancelled, MayHaveBeenPaid, ProviderJobFailed, ProviderRefused
from video_production.nodes.model import Desired, Node, NodeStatus
from video_production.providers.runway import Runway
from video_production.storage import Storage
from video_production.takes.model import TakeState


@pytest.fixture
def desk(runway: Runway, dynamodb: Any, storage: Storage) -> Desk:
    """A pipeline `prompt → clip`."""
    prompt = unique("A robot waters a plant.")
    desk = Desk(runway, dynamodb, storage, text_output(prompt).sha256, poll_interval=1)
    config = {"provider": "runway", "duration": 2, "aspectRatio": "16:9"}
    clip = Node("lesson", "clip", "Clip", "generate-animation", {"prompt": ("prompt",)}, config)
    desk.publish(clip, prompt=desk.text(prompt))
    return desk


@pytest.fixture
def billed(stand_in: RunningStandIn) -> Callable[[Desk], float]:
    """What the stand-in charged for a desk's prompt, in US dollars."""
    return lambda desk: sum(row.usd for row in stand_in.charges() if row.request_sha256 == desk.digest)


def test_a_clip_is_bought_once_and_reused(desk: Desk, billed: Callable[[Desk], float]) -> None:
    claimed = desk.claim()
    assert desk.buyer.submit(claimed).status == "waiting"
    assert desk.buyer.submit(claimed).status == "waiting"  # a duplicate start
    desk.follow(claimed)
    node = desk.node()
    assert (node.status, node.output and node.output.type) == (NodeStatus.COMPLETED, "video")
    assert node.output is not None
    assert node.output.draft
    assert node.output.duration == pytest.approx(2.0)
    take = desk.take()
    assert (take.state, take.made and take.made.cost and take.made.cost.usd) == (TakeState.MADE, billed(desk))
    assert billed(desk) == pytest.approx(0.24)
    write(desk.nodes, [node], None)  # an edit that changes nothing: pending again
    assert desk.buyer.submit(desk.claim("p2")).status == "completed"
    assert billed(desk) == pytest.approx(0.24)


def test_a_lost_answer_is_left_to_a_person_who_adopts_the_task(
    desk: Desk, stand_in: RunningStandIn, billed: Callable[[Desk], float]
) -> None:
    stand_in.misbehave({"on": "submit", "do": "lose-answer"})
    claimed = desk.claim()
    assert desk.buyer.submit(claimed).status == "waiting"
    assert desk.buyer.check(claimed).status == "waiting"  # somebody may still be at it
    desk.ahead = 3600
    with pytest.raises(MayHaveBeenPaid, match=r"request history of its developer portal.*resolve"):
        desk.buyer.check(claimed)
    assert desk.take().state == TakeState.UNKNOWN
    end = time.monotonic() + 20
    while not billed(desk):
        assert time.monotonic() < end
        time.sleep(0.1)
    (task,) = [row.external_id for row in stand_in.charges() if row.request_sha256 == desk.digest]
    desk.takes.adopt(desk.take(), task, "a test", "seen in the portal")
    desk.follow(claimed)
    assert desk.node().status == NodeStatus.COMPLETED
    assert billed(desk) == pytest.approx(0.24)


def test_a_task_that_was_deleted_is_unknown_not_failed(desk: Desk, stand_in: RunningStandIn) -> None:
    stand_in.misbehave({"on": "submit", "do": "never-finish"})
    claimed = desk.claim()
    desk.buyer.submit(claimed)
    stand_in.misbehave({"on": "check", "status": 404, "message": "Could not find a task with that ID."})
    with pytest.raises(MayHaveBeenPaid, match="no longer knows the task"):
        desk.buyer.check(claimed)
    assert desk.take().state == TakeState.UNKNOWN


@pytest.mark.parametrize(
    ("reason", "charged", "words"),
    [("SAFETY.INPUT.TEXT", True, "Runway charged 24 credits"), ("INTERNAL.BAD_OUTPUT.CODE01", False, "Nothing was")],
)
def test_a_failed_task_is_told_with_its_money(
    desk: Desk,
    stand_in: RunningStandIn,
    billed: Callable[[Desk], float],
    reason: str,
    charged: bool,
    words: str,
) -> None:
    stand_in.misbehave({"on": "submit", "do": "fail-job", "reason": reason})
    claimed = desk.claim()
    desk.buyer.submit(claimed)
    with pytest.raises(ProviderJobFailed, match=words):
        desk.follow(claimed)
    assert (desk.take().state, desk.take().current.charged) == (TakeState.FAILED, charged)
    assert bool(billed(desk)) is charged


def test_an_empty_account_fails_the_node_and_costs_nothing(
    desk: Desk, stand_in: RunningStandIn, billed: Callable[[Desk], float]
) -> None:
    stand_in.set_balance(0)
    with pytest.raises(ProviderRefused, match="out of credit"):
        desk.buyer.submit(desk.claim())
    assert desk.take().state == TakeState.REFUSED
    assert billed(desk) == 0


def test_progress_is_shown_while_a_task_runs(desk: Desk, stand_in: RunningStandIn) -> None:
    stand_in.misbehave({"on": "submit", "do": "never-finish"})
    claimed = desk.claim()
    desk.buyer.submit(claimed)
    end = time.monotonic() + 10
    while desk.node().metadata.get("last_answer") != "RUNNING":
        assert time.monotonic() < end
        desk.buyer.check(claimed)
    assert 0 <= float(desk.node().metadata["progress"]) < 1


class TestCancelling:
    def test_a_task_that_waits_is_stopped_at_runway(
        self, desk: Desk, stand_in: RunningStandIn, billed: Callable[[Desk], float]
    ) -> None:
        stand_in.change_plan(concurrency=0)
        claimed = desk.claim()
        desk.buyer.submit(claimed)
        desk.nodes.set_desired("lesson", Desired.CANCELLED)
        with pytest.raises(Cancelled, match="Cancelled at Runway"):
            desk.buyer.check(claimed)
        assert desk.take().state == TakeState.FAILED
        assert billed(desk) == 0

    def test_a_task_that_runs_is_kept_for_later(
        self, desk: Desk, stand_in: RunningStandIn, billed: Callable[[Desk], float]
    ) -> None:
        claimed = desk.claim()
        desk.buyer.submit(claimed)
        while desk.buyer.provider.check(desk.take().current.external_id or "").word != "RUNNING":
            time.sleep(0.02)
        desk.nodes.set_desired("lesson", Desired.CANCELLED)
        with pytest.raises(Cancelled, match="Runway goes on with the job, and what it makes is kept"):
            desk.buyer.check(claimed)
        while desk.take().state == TakeState.SUBMITTED:  # as the sweep does
            desk.buyer.follow(desk.take().id)
            time.sleep(0.05)
        assert desk.take().state == TakeState.MADE
        assert billed(desk) == pytest.approx(0.24)

"""The whole money protocol with Runway: real tables, real storage, the stand-in's charge book as the judge."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest

from stand_ins.running import RunningStandIn
from tests.integration.runway.calls import unique
from tests.integration.runway.conftest import BUCKET, CREDENTIALS
from tests.unit.graphs import claim, text_output, write
from video_production.errors import Cancelled, MayHaveBeenPaid, ProviderJobFailed, ProviderRefused
from video_production.nodes.model import Desired, Node, NodeStatus
from video_production.nodes.table import Claim, NodeTable
from video_production.providers.runway import Runway
from video_production.settings import FunctionSettings
from video_production.storage import Storage
from video_production.takes.buying import Buyer, Step
from video_production.takes.model import Take, TakeState
from video_production.takes.table import TakeTable


class Desk:
    """One pipeline `prompt → clip`, and a buyer at its tables. `ahead` moves the clock into the future."""

    def __init__(self, runway: Runway, dynamodb: Any, storage: Storage) -> None:
        suffix = uuid.uuid4().hex[:8]
        for name, partition, sort in (
            (f"nodes-{suffix}", "pipeline_id", "id"),
            (f"takes-{suffix}", "take_id", "record"),
        ):
            kinds = [{"AttributeName": key, "AttributeType": "S"} for key in (partition, sort)]
            keys = [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
            dynamodb.create_table(
                TableName=name, KeySchema=keys, AttributeDefinitions=kinds, BillingMode="PAY_PER_REQUEST"
            )
        self.ahead = 0.0
        self.alerts: list[str] = []
        self.runway = runway
        self.storage = storage
        self.nodes = NodeTable(dynamodb, f"nodes-{suffix}", clock=self.clock)
        self.takes = TakeTable(dynamodb, f"takes-{suffix}", f"nodes-{suffix}", clock=self.clock)
        self.prompt = unique("A robot waters a plant.")
        storage.put_bytes(self.prompt.encode(), BUCKET, f"{suffix}.txt", "text/plain")
        config = {"provider": "runway", "duration": 2, "aspectRatio": "16:9"}
        graph = [
            Node("lesson", "prompt", "Prompt", "asset"),
            Node("lesson", "clip", "Clip", "generate-animation", {"prompt": ("prompt",)}, config),
        ]
        write(self.nodes, graph, {"prompt": text_output(self.prompt, BUCKET, f"{suffix}.txt")})
        settings = FunctionSettings.from_environment({"JIKI_ENVIRONMENT": "local", "RUNWAY_MODE": "draft"})
        self.buyer = Buyer(
            runway,
            replace(settings.provider("runway"), poll_interval=1),
            self.nodes,
            self.takes,
            storage,
            remaining=lambda: 300.0,
            alert=self.alerts.append,
            clock=self.clock,
        )

    def clock(self) -> float:
        return time.time() + self.ahead

    def claim(self, process_uuid: str = "p1") -> Claim:
        return claim(self.nodes, "clip", process_uuid)

    def node(self) -> Node:
        found = self.nodes.node("lesson", "clip")
        assert found is not None
        return found

    def take(self) -> Take:
        (identity,) = self.node().metadata["takes"]
        found = self.takes.get(identity)
        assert found is not None
        return found

    def follow(self, claimed: Claim, seconds: float = 30) -> Step:
        """Check as the node machine does, without its waits, until the node is done."""
        end = time.monotonic() + seconds
        while (step := self.buyer.check(claimed)).status != "completed":
            assert time.monotonic() < end, f"not done within {seconds} s: {self.node().metadata}"
            time.sleep(0.05)
        return step


@pytest.fixture(scope="session")
def dynamodb(moto: str) -> Any:
    return boto3.client("dynamodb", endpoint_url=moto, **CREDENTIALS)


@pytest.fixture
def desk(runway: Runway, dynamodb: Any, storage: Storage) -> Desk:
    return Desk(runway, dynamodb, storage)


@pytest.fixture
def billed(stand_in: RunningStandIn) -> Callable[[Desk], float]:
    """What the stand-in charged for a desk's prompt, in US dollars."""
    return lambda desk: sum(row.usd for row in stand_in.charges() if row.request_sha256 == _digest(desk.prompt))


def _digest(text: str) -> str:
    return text_output(text).sha256


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
    (task,) = [row.external_id for row in stand_in.charges() if row.request_sha256 == _digest(desk.prompt)]
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
        while desk.runway.check(desk.take().current.external_id or "").word != "RUNNING":
            time.sleep(0.02)
        desk.nodes.set_desired("lesson", Desired.CANCELLED)
        with pytest.raises(Cancelled):
            desk.follow(claimed)
        assert desk.take().state == TakeState.MADE
        assert billed(desk) == pytest.approx(0.24)

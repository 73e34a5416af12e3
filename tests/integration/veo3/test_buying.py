"""The whole money protocol with Veo: real tables, real storage, the stand-in's charge book as the judge."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from stand_ins.running import RunningStandIn
from tests.integration.desk import BUCKET, Desk
from tests.unit.graphs import text_output, write
from video_production.errors import MayHaveBeenPaid, ProviderJobFailed, ProviderRefused
from video_production.nodes.model import Desired, Node, NodeStatus, Output
from video_production.providers.veo3 import Veo
from video_production.storage import Storage
from video_production.takes.model import TakeState

PRICE = 1.6
"""US dollars for four seconds."""


@pytest.fixture
def desk(veo: Veo, dynamodb: Any, storage: Storage, prompt: str) -> Desk:
    """A pipeline `prompt, slide → clip`."""
    desk = Desk(veo, dynamodb, storage, text_output(prompt).sha256, poll_interval=1)
    inputs = {"prompt": ("prompt",), "referenceImage": ("slide",)}
    clip = Node("lesson", "clip", "Clip", "generate-animation", inputs, {"provider": "veo3", "duration": 4})
    slide = storage.put_bytes(_slide(), BUCKET, f"{desk.digest}.png", "image/png")
    picture = Output("image", slide.key, slide.size, slide.sha256, BUCKET)
    desk.publish(clip, prompt=desk.text(prompt), slide=picture)
    return desk


@pytest.fixture
def billed(vertex: RunningStandIn) -> Callable[[Desk], float]:
    """What the stand-in charged for a desk's prompt, in US dollars."""
    return lambda desk: sum(row.usd for row in vertex.charges() if row.request_sha256 == desk.digest)


def _slide() -> bytes:
    with io.BytesIO() as file:
        Image.new("RGB", (64, 36), (250, 250, 40)).save(file, "PNG")
        return file.getvalue()


def wait_for_the_bill(desk: Desk, billed: Callable[[Desk], float]) -> None:
    end = time.monotonic() + 60
    while not billed(desk):
        assert time.monotonic() < end, "nothing was made"
        time.sleep(0.1)
    time.sleep(0.3)


def test_a_film_is_bought_once_and_reused(
    desk: Desk, vertex: RunningStandIn, billed: Callable[[Desk], float], tmp_path: Path
) -> None:
    claimed = desk.claim()
    assert desk.buyer.submit(claimed).status == "waiting"
    assert desk.buyer.submit(claimed).status == "waiting"  # a duplicate start
    desk.follow(claimed)
    node = desk.node()
    assert node.status == NodeStatus.COMPLETED
    assert node.output is not None
    assert (node.output.type, node.output.draft, node.output.duration) == ("video", True, 4.0)
    take = desk.take()
    assert take.made is not None
    assert take.made.cost is not None
    assert (take.state, take.made.cost.usd) == (TakeState.MADE, pytest.approx(PRICE))
    desk.storage.download(BUCKET, node.output.s3_key, tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 96
        assert film.metadata["comment"].startswith("DRAFT")
    sent = [row["body"] for row in vertex.requests() if row["path"].endswith(":predictLongRunning")][-1]
    prefix = f"gs://films/takes/{take.id}/{take.attempt}/"
    assert sent["parameters"]["storageUri"] == prefix
    assert "image" in sent["instances"][0]
    write(desk.nodes, [node], None)  # an edit that changes nothing: pending again
    assert desk.buyer.submit(desk.claim("p2")).status == "completed"
    assert billed(desk) == pytest.approx(PRICE)


@pytest.mark.parametrize("fault", [{"do": "lose-answer"}, {"do": "garbage"}, {"status": 503, "billed": True}])
def test_a_film_whose_answer_was_lost_is_found_in_the_bucket(
    desk: Desk, vertex: RunningStandIn, billed: Callable[[Desk], float], fault: dict[str, Any]
) -> None:
    vertex.misbehave({"on": "submit", **fault})
    claimed = desk.claim()
    assert desk.buyer.submit(claimed).status == "waiting"
    wait_for_the_bill(desk, billed)
    assert desk.buyer.check(claimed).status == "waiting"  # somebody may still be at it
    desk.ahead = 3600
    assert desk.buyer.check(claimed).status == "completed"
    assert desk.take().state == TakeState.MADE
    assert billed(desk) == pytest.approx(PRICE)


def test_an_empty_bucket_proves_nothing_and_the_film_may_be_adopted_later(
    desk: Desk, vertex: RunningStandIn, billed: Callable[[Desk], float], ask: Any
) -> None:
    vertex.misbehave({"on": "submit", "do": "lose-answer"}, {"on": "submit", "do": "hide-from-history"})
    claimed = desk.claim()
    desk.buyer.submit(claimed)
    desk.ahead = 3600
    with pytest.raises(MayHaveBeenPaid, match=r"holds no film, which does not prove.*resolve"):
        desk.buyer.check(claimed)
    assert desk.take().state == TakeState.UNKNOWN
    wait_for_the_bill(desk, billed)
    (operation,) = [row.external_id for row in vertex.charges() if row.request_sha256 == desk.digest]
    path = f"/v1/{operation.rpartition('/operations/')[0]}:fetchPredictOperation"
    (video,) = ask("POST", path, {"operationName": operation}).json()["response"]["videos"]
    desk.takes.adopt(desk.take(), video["gcsUri"], "a test", "seen in the bucket")
    desk.follow(claimed)
    assert desk.node().status == NodeStatus.COMPLETED
    assert billed(desk) == pytest.approx(PRICE)


def test_an_operation_that_is_gone_leaves_its_film(
    desk: Desk, vertex: RunningStandIn, billed: Callable[[Desk], float]
) -> None:
    claimed = desk.claim()
    desk.buyer.submit(claimed)
    wait_for_the_bill(desk, billed)
    vertex.misbehave({"on": "check", "status": 404, "times": None})
    assert desk.buyer.check(claimed).status == "completed"
    assert billed(desk) == pytest.approx(PRICE)


def test_an_operation_that_is_gone_without_a_film_is_unknown_not_failed(desk: Desk, vertex: RunningStandIn) -> None:
    vertex.misbehave({"on": "submit", "do": "never-finish"}, {"on": "check", "status": 404})
    claimed = desk.claim()
    desk.buyer.submit(claimed)
    with pytest.raises(MayHaveBeenPaid, match="no longer known, and the bucket holds no film of it"):
        desk.buyer.check(claimed)
    assert desk.take().state == TakeState.UNKNOWN


@pytest.mark.parametrize(
    ("reason", "charged", "words"),
    [
        ("filtered", None, "Google's safety filters held the film back"),
        ("INTERNAL", False, "Nothing was charged"),
        ("INVALID_ARGUMENT", False, "correct the node's config"),
    ],
)
def test_a_film_that_was_not_made_is_told_with_its_money(
    desk: Desk,
    vertex: RunningStandIn,
    billed: Callable[[Desk], float],
    reason: str,
    charged: bool | None,
    words: str,
) -> None:
    vertex.misbehave({"on": "submit", "do": "fail-job", "reason": reason})
    claimed = desk.claim()
    desk.buyer.submit(claimed)
    with pytest.raises(ProviderJobFailed, match=words):
        desk.follow(claimed)
    assert (desk.take().state, desk.take().current.charged) == (TakeState.FAILED, charged)
    assert billed(desk) == 0


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"api": False}, "Vertex AI API is not enabled"),
        ({"limit_usd": 0.0}, "no working billing account"),
        ({"permissions": ["storage"]}, "Give them the roles"),
        ({"buckets": []}, "Correct VEO3_BUCKET"),
    ],
)
def test_a_project_that_lacks_something_fails_the_node_and_costs_nothing(
    desk: Desk, vertex: RunningStandIn, billed: Callable[[Desk], float], plan: dict[str, Any], words: str
) -> None:
    vertex.change_plan(**plan)
    with pytest.raises(ProviderRefused, match=words):
        desk.buyer.submit(desk.claim())
    assert desk.take().state == TakeState.REFUSED
    assert billed(desk) == 0


def test_a_full_quota_is_waited_for_and_nothing_is_paid_twice(
    desk: Desk, vertex: RunningStandIn, billed: Callable[[Desk], float]
) -> None:
    vertex.change_plan(concurrency=0)
    claimed = desk.claim()
    assert desk.buyer.submit(claimed).status == "resubmit"
    vertex.change_plan(concurrency=5)
    desk.ahead = 3600
    assert desk.buyer.submit(claimed).status == "waiting"
    desk.follow(claimed)
    assert billed(desk) == pytest.approx(PRICE)


def test_a_download_that_breaks_off_is_fetched_again(
    desk: Desk, vertex: RunningStandIn, billed: Callable[[Desk], float]
) -> None:
    vertex.misbehave({"on": "download", "do": "half-download", "times": 5}, {"on": "object", "status": 503})
    claimed = desk.claim()
    desk.buyer.submit(claimed)
    desk.follow(claimed)
    assert desk.node().status == NodeStatus.COMPLETED
    assert billed(desk) == pytest.approx(PRICE)


def test_a_cancelled_pipeline_keeps_what_can_not_be_stopped(
    desk: Desk, vertex: RunningStandIn, billed: Callable[[Desk], float]
) -> None:
    claimed = desk.claim()
    desk.buyer.submit(claimed)
    desk.nodes.set_desired("lesson", Desired.CANCELLED)
    wait_for_the_bill(desk, billed)
    desk.buyer.follow(desk.take().id)
    assert desk.take().state == TakeState.MADE
    assert billed(desk) == pytest.approx(PRICE)

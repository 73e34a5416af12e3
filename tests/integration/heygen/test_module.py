"""The HeyGen module and the stand-in: from the voice to the film, and every way to lose an answer on the road."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stand_ins.charge_book import Charge
from stand_ins.running import RunningStandIn
from video_production.errors import ProviderAmbiguous, ProviderJobFailed, ProviderRefused, ProviderUnreachable
from video_production.media.captions import read_captions
from video_production.media.profile import DRAFT_COMMENT
from video_production.providers.heygen import HeyGen, uploads
from video_production.providers.interface import Attempt, Made, Progress, Submission, Unknown
from video_production.storage import Storage

Attempts = Callable[..., Attempt]
Charges = Callable[[Attempt], list[Charge]]


def followed(heygen: HeyGen, external_id: str) -> Progress:
    end = time.monotonic() + 30
    while (progress := heygen.check(external_id)).state == "running":
        assert time.monotonic() < end, "the video does not end"
        time.sleep(0.05)
    return progress


def made_of(heygen: HeyGen, wanted: Attempt, external_id: str) -> Made:
    return heygen.collect(external_id, followed(heygen, external_id), wanted)


def frames(storage: Storage, made: Made, folder: Path) -> tuple[list[Any], dict[str, str]]:
    path = folder / "clip.mp4"
    storage.download(made.bucket, made.s3_key, path)
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)], dict(container.metadata)


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280)])
def test_a_voice_becomes_a_talking_head(
    heygen: HeyGen, attempt: Attempts, charges: Charges, storage: Storage, tmp_path: Path, size: tuple[int, int]
) -> None:
    wanted = attempt(1.0, width=size[0], height=size[1])
    made = made_of(heygen, wanted, heygen.submit(wanted).external_id)
    pictures, about = frames(storage, made, tmp_path)
    assert pictures[0].shape[1::-1] == size
    assert len(pictures) == 30
    assert about["comment"] == DRAFT_COMMENT
    assert any((first != second).any() for first, second in zip(pictures, pictures[2:], strict=False)), "nothing moves"
    assert made.duration == pytest.approx(1.0, abs=0.02)
    assert made.captions is not None
    assert read_captions(storage.read(made.bucket, made.captions.vtt))
    (charge,) = charges(wanted)
    assert made.cost is not None
    assert made.cost.usd == pytest.approx(charge.usd, rel=0.001)


def test_the_background_is_seen_behind_the_person(
    heygen: HeyGen, attempt: Attempts, storage: Storage, tmp_path: Path, slide: bytes
) -> None:
    wanted = attempt(background=slide)
    made = made_of(heygen, wanted, heygen.submit(wanted).external_id)
    corner = frames(storage, made, tmp_path)[0][0][5:60, 5:60].reshape(-1, 3).mean(axis=0)
    assert np.abs(corner - (40, 180, 60)).max() < 8


def test_a_large_file_goes_by_the_direct_way(
    heygen: HeyGen, attempt: Attempts, charges: Charges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_LARGEST_FORM", 1000)
    wanted = attempt()
    assert made_of(heygen, wanted, heygen.submit(wanted).external_id).duration
    assert len(charges(wanted)) == 1


class TestLostAnswers:
    @pytest.mark.parametrize("fault", [{"do": "lose-answer"}, {"do": "garbage"}, {"status": 500, "billed": True}])
    @pytest.mark.parametrize("hidden", [False, True])
    def test_the_same_key_finds_the_video(
        self,
        heygen: HeyGen,
        stand_in: RunningStandIn,
        attempt: Attempts,
        charges: Charges,
        fault: dict[str, Any],
        hidden: bool,
    ) -> None:
        wanted = attempt()
        stand_in.misbehave({"on": "videos.submit", **fault})
        if hidden:
            stand_in.misbehave({"on": "videos.submit", "do": "hide-from-history"})
        with pytest.raises(ProviderAmbiguous):
            heygen.submit(wanted)
        found = heygen.find(wanted, frozenset())
        assert isinstance(found, Submission)
        made_of(heygen, wanted, found.external_id)
        assert [row.external_id for row in charges(wanted)] == [found.external_id]

    def test_a_request_that_never_arrived_is_sent_by_the_search(
        self, heygen: HeyGen, stand_in: RunningStandIn, attempt: Attempts, charges: Charges
    ) -> None:
        wanted = attempt()
        stand_in.misbehave({"on": "videos.submit", "status": 502})
        with pytest.raises(ProviderAmbiguous):
            heygen.submit(wanted)
        found = heygen.find(wanted, frozenset())
        assert isinstance(found, Submission)
        made_of(heygen, wanted, found.external_id)
        assert len(charges(wanted)) == 1

    def test_after_a_day_the_title_finds_it(
        self, heygen: HeyGen, stand_in: RunningStandIn, attempt: Attempts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wanted = attempt()
        stand_in.misbehave({"on": "videos.submit", "do": "lose-answer"})
        with pytest.raises(ProviderAmbiguous):
            heygen.submit(wanted)
        before = len(stand_in.requests())
        monkeypatch.setattr(heygen, "_now", lambda: time.time() + 86400)
        assert isinstance(heygen.find(wanted, frozenset()), Submission)
        assert [row["method"] for row in stand_in.requests()[before:]] == ["GET"]

    def test_what_the_list_hides_after_a_day_is_left_to_a_person(
        self, heygen: HeyGen, stand_in: RunningStandIn, attempt: Attempts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wanted = attempt()
        for what in ("lose-answer", "hide-from-history"):
            stand_in.misbehave({"on": "videos.submit", "do": what})
        with pytest.raises(ProviderAmbiguous):
            heygen.submit(wanted)
        monkeypatch.setattr(heygen, "_now", lambda: time.time() + 86400)
        assert isinstance(heygen.find(wanted, frozenset()), Unknown)


class TestRefusals:
    @pytest.mark.parametrize(
        ("rule", "why", "wait"),
        [
            ({"status": 402}, "wallet is out of credit", None),
            ({"status": 400, "code": "moderation_failed"}, "moderation rejected", None),
            ({"status": 403, "code": "resource_access_denied"}, "may not use avatar 'Anna_public_3'", None),
            ({"status": 429, "retry_after": 30}, "sent again by itself", 30),
        ],
    )
    def test_a_refusal_costs_nothing(
        self,
        heygen: HeyGen,
        stand_in: RunningStandIn,
        attempt: Attempts,
        charges: Charges,
        rule: dict[str, Any],
        why: str,
        wait: float | None,
    ) -> None:
        wanted = attempt()
        stand_in.misbehave({"on": "videos.submit", **rule})
        with pytest.raises(ProviderRefused, match=why) as error:
            heygen.submit(wanted)
        assert error.value.retry_after == (pytest.approx(wait, abs=1.5) if wait else None)
        assert charges(wanted) == []

    def test_an_empty_wallet(self, heygen: HeyGen, stand_in: RunningStandIn, attempt: Attempts) -> None:
        stand_in.set_balance(0)
        with pytest.raises(ProviderRefused, match=r"your balance is \$0\.00, this video needs \$0\.03") as error:
            heygen.submit(attempt())
        assert error.value.account

    @pytest.mark.parametrize("reason", ["moderation_failed", "rendering_failed", "internal_error", "who_knows"])
    def test_a_failed_video_is_not_charged(
        self, heygen: HeyGen, stand_in: RunningStandIn, attempt: Attempts, charges: Charges, reason: str
    ) -> None:
        wanted = attempt()
        stand_in.misbehave({"on": "videos.submit", "do": "fail-job", "reason": reason})
        progress = followed(heygen, heygen.submit(wanted).external_id)
        assert (progress.state, progress.failure_code, progress.charged) == ("failed", reason, False)
        assert progress.failure.endswith("Nothing was charged.")
        assert charges(wanted) == []


class TestDownloads:
    @pytest.mark.parametrize("operation", ["download", "captions"])
    @pytest.mark.parametrize("do", ["expire-url", "half-download", "garbage"])
    def test_what_arrives_broken_is_fetched_again(
        self, heygen: HeyGen, stand_in: RunningStandIn, attempt: Attempts, charges: Charges, operation: str, do: str
    ) -> None:
        wanted = attempt()
        video = heygen.submit(wanted).external_id
        progress = followed(heygen, video)
        stand_in.misbehave({"on": operation, "do": do})
        try:
            made = heygen.collect(video, progress, wanted)
        except ProviderUnreachable:  # the next round of the poller
            made = heygen.collect(video, heygen.check(video), wanted)
        assert made.duration == pytest.approx(0.4, abs=0.04)
        assert len(charges(wanted)) == 1

    def test_links_that_are_dead_on_arrival_wait_for_the_next_round(
        self, heygen: HeyGen, stand_in: RunningStandIn, attempt: Attempts
    ) -> None:
        wanted = attempt()
        video = heygen.submit(wanted).external_id
        followed(heygen, video)
        stand_in.misbehave({"on": "videos.check", "do": "expire-url", "times": 2})
        progress = heygen.check(video)
        with pytest.raises(ProviderUnreachable, match="no longer valid"):
            heygen.collect(video, progress, wanted)
        assert heygen.collect(video, heygen.check(video), wanted).duration

    def test_a_video_that_was_deleted_there_is_undecided(
        self, heygen: HeyGen, stand_in: RunningStandIn, attempt: Attempts
    ) -> None:
        with pytest.raises(ProviderJobFailed, match="no longer knows") as error:
            heygen.check("0" * 32)
        assert error.value.http_status == 404

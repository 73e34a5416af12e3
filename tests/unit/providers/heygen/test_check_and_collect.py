"""Following a video to its end, and bringing it home whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.providers.heygen import conftest as given
from tests.unit.providers.heygen.conftest import SECRET, Manager, accepted, film, refused, uploaded, video
from tests.unit.providers.scripted import Provider, reply
from video_production.errors import ProviderJobFailed, ProviderUnreachable
from video_production.media.captions import read_captions
from video_production.providers.heygen import HeyGen
from video_production.providers.interface import Attempt, Progress
from video_production.providers.secrets import ApiKey
from video_production.storage import Storage

Attempts = Callable[..., Attempt]
SRT = b"1\n00:00:00,100 --> 00:00:01,500\nHello, world.\n"


@pytest.mark.parametrize("word", ["waiting", "pending", "processing", "generating", "queued", "some new word", ""])
def test_every_other_word_means_that_it_is_being_made(heygen: HeyGen, provider: Provider, word: str) -> None:
    provider.answers(reply(body=video(word)))
    assert heygen.check("v1") == Progress("running", word)
    assert provider.paths() == ["GET /v3/videos/v1"]


def test_a_failed_video_says_why_and_costs_nothing(heygen: HeyGen, provider: Provider) -> None:
    failed = video("failed", failure_code="moderation_failed", failure_message="Flagged.")
    provider.answers(reply(body=failed))
    progress = heygen.check("v1")
    assert (progress.state, progress.failure_code, progress.charged) == ("failed", "moderation_failed", False)
    assert progress.failure == (
        "HeyGen's moderation rejected the talking head (Flagged); change what is said or shown. Nothing was charged."
    )


def test_a_video_that_is_unknown_is_undecided(heygen: HeyGen, provider: Provider) -> None:
    provider.answers(refused(404, "not_found"))
    with pytest.raises(ProviderJobFailed, match="no longer knows the video v1") as error:
        heygen.check("v1")
    assert (error.value.http_status, error.value.charged) == (404, None)


@pytest.mark.parametrize("answer", [reply(body=b"{"), reply(body={"data": []}), reply(body=video("completed"))])
def test_a_strange_answer_is_asked_for_again(heygen: HeyGen, provider: Provider, answer: Any) -> None:
    provider.answers(answer)
    with pytest.raises(ProviderUnreachable):
        heygen.check("v1")


def test_ids_are_no_paths(heygen: HeyGen, provider: Provider) -> None:
    provider.answers(reply(body=video()))
    heygen.check("../users/me?x=1")
    assert provider.paths() == ["GET /v3/videos/..%2Fusers%2Fme%3Fx%3D1"]


def test_nothing_is_cancelled(heygen: HeyGen, provider: Provider) -> None:
    assert heygen.cancel("v1") is False
    assert provider.received == []


@pytest.fixture
def bought(heygen: HeyGen, provider: Provider, attempt: Attempts) -> Attempt:
    wanted = attempt()
    provider.answers(uploaded(), accepted())
    heygen.submit(wanted)
    provider.received.clear()
    return wanted


def completed(provider: Provider, **fields: Any) -> Progress:
    urls = {"video_url": f"{provider.url}/film?s=1", "subtitle_url": f"{provider.url}/srt?s=1"}
    return Progress("completed", "completed", result={**urls, "duration": given.SECONDS, **fields})


class TestCollect:
    def test_video_and_captions_are_checked_and_stored(
        self, heygen: HeyGen, provider: Provider, bought: Attempt, storage: Storage
    ) -> None:
        provider.answers(reply(body=SRT), reply(body=film()))
        made = heygen.collect("v1", completed(provider), bought)
        assert made.duration == pytest.approx(given.SECONDS, abs=0.03)
        assert storage.read(made.bucket, made.s3_key) == film()
        assert made.s3_key.startswith(bought.destination.prefix)
        assert made.captions is not None
        for key in (made.captions.srt, made.captions.vtt):
            assert [cue.text for cue in read_captions(storage.read(made.bucket, key))] == ["Hello, world."]
        assert made.cost is not None
        assert made.cost.usd == pytest.approx((made.duration or 0) * 0.0667)
        assert all("x-api-key" not in request.headers for request in provider.received)

    @pytest.mark.parametrize("captions", [b"no captions at all", b""])
    def test_captions_that_can_not_be_read_do_not_stop_what_was_paid(
        self, heygen: HeyGen, provider: Provider, bought: Attempt, captions: bytes
    ) -> None:
        provider.answers(reply(body=captions), reply(body=film()))
        assert heygen.collect("v1", completed(provider), bought).captions is None

    def test_a_video_without_captions(self, heygen: HeyGen, provider: Provider, bought: Attempt) -> None:
        provider.answers(reply(body=film()))
        assert heygen.collect("v1", completed(provider, subtitle_url=None), bought).captions is None

    def test_an_expired_address_is_asked_for_once_more(
        self, heygen: HeyGen, provider: Provider, bought: Attempt
    ) -> None:
        dead = reply(403, b"<Error>Request has expired</Error>", content_type="application/xml")
        fresh = video("completed", video_url=f"{provider.url}/film?s=2", duration=given.SECONDS)
        provider.answers(dead, reply(body=fresh), reply(body=film()))
        assert heygen.collect("v1", completed(provider), bought).duration
        assert provider.paths() == ["GET /srt?s=1", "GET /v3/videos/v1", "GET /film?s=2"]

    def test_an_address_that_is_dead_again_waits_for_the_next_round(
        self, heygen: HeyGen, provider: Provider, bought: Attempt
    ) -> None:
        dead = reply(403, b"<Error>Request has expired</Error>", content_type="application/xml")
        provider.answers(dead, reply(body=video("completed", video_url=f"{provider.url}/film?s=2")), dead)
        with pytest.raises(ProviderUnreachable, match="no longer valid"):
            heygen.collect("v1", completed(provider), bought)

    @pytest.mark.parametrize(
        ("delivered", "why"),
        [
            (film()[: len(film()) // 2], "a video that is not whole"),
            (b"<html>Bad gateway</html>", "a video that is not whole: it is no MP4"),
        ],
    )
    def test_half_a_video_is_never_stored(
        self, heygen: HeyGen, provider: Provider, bought: Attempt, storage: Storage, delivered: bytes, why: str
    ) -> None:
        provider.answers(reply(body=SRT), reply(body=delivered))
        with pytest.raises(ProviderUnreachable, match=why):
            heygen.collect("v1", completed(provider), bought)
        stored = storage.list(bought.destination.bucket, bought.destination.prefix)
        assert [key for key in stored if not key.endswith(".json")] == []

    def test_a_video_shorter_than_heygen_says_is_fetched_again(
        self, heygen: HeyGen, provider: Provider, bought: Attempt
    ) -> None:
        provider.answers(reply(body=SRT), reply(body=film()))
        with pytest.raises(ProviderUnreachable, match=r"delivered 2\.0 s of a video of 9\.0 s"):
            heygen.collect("v1", completed(provider, duration=9.0), bought)

    def test_a_video_of_other_words_is_no_result(self, heygen: HeyGen, provider: Provider, bought: Attempt) -> None:
        provider.answers(reply(body=SRT), reply(body=film(4.0)))
        with pytest.raises(ProviderJobFailed, match=r"lasts 4\.0 s, but what it was to say 2\.0 s") as error:
            heygen.collect("v1", completed(provider, duration=4.0), bought)
        assert error.value.charged is True

    def test_a_video_that_a_person_named_is_measured_against_its_node(
        self, heygen: HeyGen, provider: Provider, attempt: Attempts
    ) -> None:
        provider.answers(reply(body=SRT), reply(body=film(4.0)))
        with pytest.raises(ProviderJobFailed, match=r"what it was to say 2\.0 s"):
            heygen.collect("v1", completed(provider, duration=4.0), attempt())


def test_the_real_api_can_not_have_this_machine_ask_its_own_network(
    provider: Provider, storage: Storage, manager: Manager, attempt: Attempts
) -> None:
    live = HeyGen(ApiKey(SECRET, client=manager), storage)
    for name in ("video_url", "subtitle_url"):
        result = {"video_url": "https://127.0.0.1/v1.mp4", name: f"{provider.url}/v1"}
        with pytest.raises(ProviderUnreachable, match="not https"):
            live.collect("v1", Progress("completed", "completed", result=result), attempt())
    assert provider.received == []

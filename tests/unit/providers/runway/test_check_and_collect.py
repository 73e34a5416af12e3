"""Following a task, fetching its clip, cancelling it; and what can't be found."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.unit.providers.runway.conftest import KEY, SECRET, TASK, Clock, Manager, clip, task
from tests.unit.providers.scripted import Provider, hang_up, reply
from video_production.errors import ProviderJobFailed, ProviderUnreachable
from video_production.providers.interface import Price, Progress, Unknown
from video_production.providers.runway import Runway
from video_production.providers.secrets import ApiKey
from video_production.storage import Storage

LOOK = f"GET /v1/tasks/{TASK}"
FINISHED = task("SUCCEEDED", output=["https://clips/1.mp4?_jwt=1"], cost={"credits": 55})


class TestCheck:
    @pytest.mark.parametrize(
        ("shown", "word", "percent"),
        [
            (task("PENDING"), "PENDING", None),
            (task("THROTTLED"), "THROTTLED", None),
            (task("RUNNING", progress=0.42), "RUNNING", 42.0),
            (task("RUNNING", progress=1.7), "RUNNING", 100.0),
            (task("RUNNING"), "RUNNING", None),
            (task("RUNNING", progress="soon"), "RUNNING", None),
            (task("REHEARSING"), "REHEARSING", None),
        ],
    )
    def test_a_task_that_is_not_over_is_running(
        self, runway: Runway, provider: Provider, shown: Any, word: str, percent: float | None
    ) -> None:
        provider.answers(reply(200, shown))
        assert runway.check(TASK) == Progress("running", word, percent)
        assert provider.paths() == [LOOK]
        assert provider.received[0].headers["X-Runway-Version"] == "2024-11-06"
        assert provider.received[0].headers["Authorization"] == f"Bearer {KEY}"

    def test_a_finished_task_tells_where_its_clip_is_and_what_it_cost(self, runway: Runway, provider: Provider) -> None:
        provider.answers(reply(200, FINISHED))
        result = {"url": "https://clips/1.mp4?_jwt=1", "credits": 55}
        assert runway.check(TASK) == Progress("completed", "SUCCEEDED", 100.0, result)

    @pytest.mark.parametrize(
        ("fields", "code", "charged", "ending"),
        [
            ({"failureCode": "SAFETY.INPUT.TEXT", "cost": {"credits": 60}}, "SAFETY.INPUT.TEXT", True, "60 credits."),
            ({"failureCode": "INTERNAL.BAD_OUTPUT.CODE01", "cost": {"credits": 0}}, None, False, "was charged."),
            ({"cost": {"credits": 0}}, "INTERNAL", False, "Nothing was charged."),
            ({"failureCode": None}, "INTERNAL", None, "usage page shows it."),
        ],
    )
    def test_a_failed_task_says_whether_it_is_charged(
        self, runway: Runway, provider: Provider, fields: Any, code: str | None, charged: bool | None, ending: str
    ) -> None:
        provider.answers(reply(200, task("FAILED", failure="It went wrong.", **fields)))
        progress = runway.check(TASK)
        expected = code or fields["failureCode"]
        assert (progress.state, progress.failure_code, progress.charged) == ("failed", expected, charged)
        assert "(It went wrong)" in progress.failure
        assert progress.failure.endswith(ending)

    def test_what_runway_charged_for_a_failed_task_is_told(self, runway: Runway, provider: Provider) -> None:
        provider.answers(reply(200, task("FAILED", failureCode="SAFETY.INPUT.TEXT", cost={"credits": 5})))
        assert runway.check(TASK).cost == Price(5, "credits", 0.05)

    @pytest.mark.parametrize("credits", ["1e999", "-1e999", "NaN", "-60", "true", '"60"'])
    def test_credits_that_make_no_sense_are_not_told(self, runway: Runway, provider: Provider, credits: str) -> None:
        shown = f'{{"id": "{TASK}", "status": "FAILED", "cost": {{"credits": {credits}}}}}'
        provider.answers(reply(200, shown.encode()))
        progress = runway.check(TASK)
        assert (progress.charged, progress.cost) == (None, None)

    def test_a_task_that_somebody_cancelled_has_failed(self, runway: Runway, provider: Provider) -> None:
        provider.answers(reply(200, task("CANCELLED", cost={"credits": 0})))
        progress = runway.check(TASK)
        assert (progress.state, progress.failure_code, progress.charged) == ("failed", "CANCELLED", False)

    def test_a_task_that_runway_does_not_know_is_never_called_failed(self, runway: Runway, provider: Provider) -> None:
        provider.answers(reply(404, {"error": "Could not find a task with that ID."}))
        with pytest.raises(ProviderJobFailed, match="no longer knows the task") as caught:
            runway.check(TASK)
        assert (caught.value.http_status, caught.value.charged) == (404, None)

    @pytest.mark.parametrize(
        "answer", [reply(500), reply(401), reply(200, b"{"), reply(200, [1]), hang_up, reply(200, task("SUCCEEDED"))]
    )
    def test_no_answer_says_nothing_about_the_task(self, runway: Runway, provider: Provider, answer: Any) -> None:
        provider.answers(answer)
        with pytest.raises(ProviderUnreachable):
            runway.check(TASK)

    def test_a_task_is_not_looked_at_again_within_five_seconds(
        self, runway: Runway, provider: Provider, clock: Clock
    ) -> None:
        provider.answers(reply(200, task("PENDING")), reply(200, task("RUNNING", progress=0.5)))
        assert runway.check(TASK).word == "PENDING"
        clock.now += 4.9
        assert runway.check(TASK).word == "PENDING"
        clock.now += 0.2
        assert runway.check(TASK).word == "RUNNING"
        assert provider.paths() == [LOOK, LOOK]
        assert runway.check("another").word == "RUNNING"

    def test_strange_ids_stay_within_their_path(self, runway: Runway, provider: Provider) -> None:
        provider.answers(reply(200, task("PENDING")))
        runway.check("../organization?x=1")
        assert provider.paths() == ["GET /v1/tasks/..%2Forganization%3Fx%3D1"]


class TestCollect:
    def progress(self, provider: Provider, credits: float | None = 55) -> Progress:
        return Progress("completed", "SUCCEEDED", result={"url": f"{provider.url}/clip", "credits": credits})

    def test_a_clip_is_checked_and_stored(
        self, runway: Runway, provider: Provider, attempt: Any, storage: Storage, bucket: str
    ) -> None:
        provider.answers(reply(200, clip(), content_type="video/mp4"))
        made = runway.collect(TASK, self.progress(provider), attempt())
        assert (made.type, made.s3_key, made.external_id) == ("video", "takes/t1/a1/clip.mp4", TASK)
        assert made.duration == pytest.approx(0.25)
        assert (made.size, made.sha256) == (len(clip()), hashlib.sha256(clip()).hexdigest())
        assert storage.read(bucket, made.s3_key) == clip()
        assert "Authorization" not in provider.received[0].headers

    def test_what_runway_says_it_cost_wins_over_the_estimate(
        self, runway: Runway, provider: Provider, attempt: Any
    ) -> None:
        provider.answers(reply(200, clip()))
        assert runway.price(attempt().request) == Price(60, "credits", 0.6)
        assert runway.collect(TASK, self.progress(provider), attempt()).cost == Price(55, "credits", 0.55)
        assert runway.collect(TASK, self.progress(provider, None), attempt()).cost == Price(60, "credits", 0.6)
        assert runway.collect(TASK, self.progress(provider, 0), attempt()).cost == Price(0, "credits", 0.0)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (lambda: b"", "no MP4 file"),
            (lambda: b"<html>Not yet", "no MP4 file"),
            (lambda: clip()[: len(clip()) // 2], "cut off|no 'moov' box"),
            (lambda: clip()[:-1], "cut off"),
        ],
    )
    def test_a_clip_that_is_not_whole_is_fetched_again_later(
        self, runway: Runway, provider: Provider, attempt: Any, storage: Storage, content: Any, words: str
    ) -> None:
        provider.answers(reply(200, content()))
        wanted = attempt()
        with pytest.raises(ProviderUnreachable, match=f"not whole.*({words})"):
            runway.collect(TASK, self.progress(provider), wanted)
        assert storage.list(wanted.destination.bucket, wanted.destination.prefix) == []

    def test_after_a_dead_address_the_task_is_asked_for_a_fresh_one_at_once(
        self, runway: Runway, provider: Provider, attempt: Any
    ) -> None:
        old = task("SUCCEEDED", output=[f"{provider.url}/old"], cost={"credits": 60})
        new = task("SUCCEEDED", output=[f"{provider.url}/new"], cost={"credits": 60})
        provider.answers(reply(200, old), reply(403), reply(200, new), reply(200, clip()))
        with pytest.raises(ProviderUnreachable, match="no longer valid; a fresh one is asked for"):
            runway.collect(TASK, runway.check(TASK), attempt())
        assert runway.collect(TASK, runway.check(TASK), attempt()).size == len(clip())
        assert provider.paths() == [LOOK, "GET /old", LOOK, "GET /new"]


class TestCancel:
    @pytest.mark.parametrize("status", ["PENDING", "THROTTLED"])
    def test_a_task_that_waits_is_deleted(self, runway: Runway, provider: Provider, status: str) -> None:
        provider.answers(reply(200, task(status)), reply(204, b""))
        assert runway.cancel(TASK) is True
        assert provider.paths() == [LOOK, f"DELETE /v1/tasks/{TASK}"]

    @pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"])
    def test_what_is_paid_for_is_left_alone(self, runway: Runway, provider: Provider, status: str) -> None:
        provider.answers(reply(200, task(status)))
        assert runway.cancel(TASK) is False
        assert provider.paths() == [LOOK]

    def test_a_deletion_whose_answer_was_lost_is_one(self, runway: Runway, provider: Provider) -> None:
        provider.answers(reply(200, task("PENDING")), hang_up, reply(404))
        assert runway.cancel(TASK) is True

    def test_a_deletion_that_can_not_be_sent_is_repeated_later(self, runway: Runway, provider: Provider) -> None:
        provider.answers(reply(200, task("PENDING")), reply(503))
        with pytest.raises(ProviderUnreachable):
            runway.cancel(TASK)


def test_nothing_can_be_found_and_nothing_is_asked(runway: Runway, provider: Provider, attempt: Any) -> None:
    found = runway.find(attempt(), frozenset())
    assert isinstance(found, Unknown)
    assert "request history of its developer portal" in found.why
    assert provider.received == []


def test_the_real_api_can_not_have_this_machine_ask_its_own_network(
    provider: Provider, storage: Storage, manager: Manager, attempt: Any
) -> None:
    live = Runway(ApiKey(SECRET, client=manager), storage)
    progress = Progress("completed", "SUCCEEDED", result={"url": f"{provider.url}/clip.mp4", "credits": 60})
    with pytest.raises(ProviderUnreachable, match="not https"):
        live.collect(TASK, progress, attempt())
    assert provider.received == []

"""The module against the stand-in: every way to lose an answer on the road, to fail, to wait, and to cancel."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from stand_ins.charge_book import Charge
from stand_ins.running import RunningStandIn
from tests.integration.runway.calls import KEY, ended, unique
from video_production.errors import ProviderAmbiguous, ProviderJobFailed, ProviderRefused, ProviderUnreachable
from video_production.providers.interface import Attempt, Price, Unknown
from video_production.providers.runway import Runway
from video_production.providers.runway.requests import INLINE_LIMIT
from video_production.providers.secrets import ApiKey
from video_production.storage import Storage

Attempts = Callable[..., Attempt]
Charges = Callable[[str], list[Charge]]
HEADERS = {"Authorization": f"Bearer {KEY}", "X-Runway-Version": "2024-11-06"}


def billed(stand_in: RunningStandIn, prompt: str) -> int:
    """How often a prompt was billed; prompts are unique per test."""
    digest = hashlib.sha256(prompt.encode()).hexdigest()
    return sum(charge.request_sha256 == digest for charge in stand_in.charges())


def test_a_clip_is_bought_fetched_and_paid_once(
    runway: Runway, attempt: Attempts, charges: Charges, storage: Storage, slide: bytes
) -> None:
    wanted = attempt(image=slide, aspectRatio="9:16")
    submission = runway.submit(wanted)
    made = runway.collect(submission.external_id, ended(runway, submission.external_id), wanted)
    assert made.duration == pytest.approx(2.0)
    stored = storage.head(made.bucket, made.s3_key)
    assert stored is not None
    assert stored.size == made.size > 10_000
    (charge,) = charges(submission.external_id)
    assert made.cost == Price(24, "credits", charge.usd)
    assert runway.price(wanted.request) == made.cost


def test_a_large_picture_goes_by_an_upload(runway: Runway, attempt: Attempts, stand_in: RunningStandIn) -> None:
    with io.BytesIO() as file:
        Image.effect_noise((2200, 1600), 90).save(file, "PNG")
        content = file.getvalue()
    assert len(content) > INLINE_LIMIT
    stand_in.misbehave({"on": "submit", "do": "never-finish"})
    external_id = runway.submit(attempt(image=content)).external_id
    kept = stand_in.home / "pictures" / external_id
    assert kept.read_bytes() == content
    rows = [row["path"].split("/")[1:3] for row in stand_in.requests()[-3:]]
    assert [row[-1] for row in (rows[0], rows[2])] == ["uploads", "image_to_video"]


class TestLostAnswers:
    @pytest.mark.parametrize(
        "fault",
        [
            {"do": "lose-answer"},
            {"do": "garbage"},
            {"do": "half-download"},
            {"do": "status", "status": 502, "billed": True},
        ],
        ids=["lost", "garbage", "half", "502"],
    )
    def test_what_may_have_been_billed_stays_unknown(
        self, runway: Runway, attempt: Attempts, stand_in: RunningStandIn, fault: dict[str, Any]
    ) -> None:
        prompt = unique("Lost.")
        stand_in.misbehave({"on": "submit", **fault})
        with pytest.raises(ProviderAmbiguous):
            runway.submit(attempt(prompt))
        assert isinstance(runway.find(attempt(prompt), frozenset()), Unknown)
        end = time.monotonic() + 20
        while billed(stand_in, prompt) == 0 and time.monotonic() < end:
            time.sleep(0.1)
        assert billed(stand_in, prompt) == 1

    def test_a_500_may_have_cost_nothing_and_is_unknown_all_the_same(
        self, runway: Runway, attempt: Attempts, stand_in: RunningStandIn
    ) -> None:
        stand_in.misbehave({"on": "submit", "status": 500})
        with pytest.raises(ProviderAmbiguous):
            runway.submit(attempt())

    def test_a_slow_answer_is_given_up_in_time(
        self, attempt: Attempts, stand_in: RunningStandIn, storage: Storage, runway: Runway
    ) -> None:
        hurried = Runway(runway._key, storage, base_url=stand_in.url, submit_budget=1.0)
        stand_in.misbehave({"on": "submit", "delay": 4}, {"on": "submit", "do": "never-finish"})
        began = time.monotonic()
        with pytest.raises(ProviderAmbiguous, match="no complete answer within 1 s"):
            hurried.submit(attempt())
        assert time.monotonic() - began < 3


class TestRefusals:
    def test_an_empty_account_is_refused(self, runway: Runway, attempt: Attempts, stand_in: RunningStandIn) -> None:
        stand_in.set_balance(20)
        prompt = unique("Too dear.")
        with pytest.raises(ProviderRefused, match=r"out of credit.*Top it up") as caught:
            runway.submit(attempt(prompt))
        assert (caught.value.account, caught.value.retry_after) == (True, None)
        assert billed(stand_in, prompt) == 0

    def test_the_daily_limit_waits_for_a_person(
        self, runway: Runway, attempt: Attempts, stand_in: RunningStandIn
    ) -> None:
        stand_in.change_plan(daily=0)
        with pytest.raises(ProviderRefused, match="Retry tomorrow") as caught:
            runway.submit(attempt())
        assert (caught.value.code, caught.value.retry_after) == ("daily_limit", None)

    def test_a_storm_of_429s_is_sat_out(self, runway: Runway, attempt: Attempts, stand_in: RunningStandIn) -> None:
        stand_in.misbehave({"on": "submit", "status": 429, "retry_after": 3, "message": "Slow down.", "times": 2})
        stand_in.misbehave({"on": "submit", "do": "never-finish"})
        for _ in range(2):
            with pytest.raises(ProviderRefused) as caught:
                runway.submit(attempt())
            assert 3 <= (caught.value.retry_after or 0) <= 4
        assert runway.submit(attempt()).external_id

    def test_a_wrong_key_names_the_secret(self, attempt: Attempts, stand_in: RunningStandIn, storage: Storage) -> None:
        class Wrong:
            def get_secret_value(self, **_: str) -> dict[str, str]:
                return {"SecretString": "wrong-key"}

        runway = Runway(ApiKey("the-secret", client=Wrong()), storage, base_url=stand_in.url)
        with pytest.raises(ProviderRefused, match="Set the secret 'the-secret'"):
            runway.submit(attempt())

    def test_nothing_listens_and_nothing_was_sent(self, attempt: Attempts, runway: Runway, storage: Storage) -> None:
        nobody = Runway(runway._key, storage, base_url="http://127.0.0.1:9")
        with pytest.raises(ProviderRefused, match="nothing was sent") as caught:
            nobody.submit(attempt())
        assert caught.value.retry_after


class TestFollowing:
    @pytest.mark.parametrize(
        ("reason", "charged"),
        [
            ("SAFETY.INPUT.TEXT", True),
            ("SAFETY.OUTPUT.VIDEO", False),
            ("INTERNAL.BAD_OUTPUT.CODE01", False),
            ("THIRD_PARTY.UNAVAILABLE", False),
            ("internal_error", False),
            ("CANCELLED", False),
        ],
    )
    def test_a_task_that_fails_says_what_it_cost(
        self,
        runway: Runway,
        attempt: Attempts,
        stand_in: RunningStandIn,
        charges: Charges,
        reason: str,
        charged: bool,
    ) -> None:
        stand_in.misbehave({"on": "submit", "do": "fail-job", "reason": reason})
        external_id = runway.submit(attempt()).external_id
        progress = ended(runway, external_id)
        assert (progress.state, progress.charged) == ("failed", charged)
        assert progress.failure.endswith("Runway charged 24 credits." if charged else "Nothing was charged.")
        assert len(charges(external_id)) == charged

    def test_tasks_above_the_accounts_concurrency_wait(
        self, runway: Runway, attempt: Attempts, stand_in: RunningStandIn
    ) -> None:
        stand_in.change_plan(concurrency=1)
        stand_in.misbehave({"on": "submit", "do": "never-finish"})
        other = {"model": "veo3.1", "duration": 4}  # no other test leaves a task of this model running
        first, second = (runway.submit(attempt(**other)).external_id for _ in range(2))
        assert self.reached(runway, first, "RUNNING") == "running"
        assert self.reached(runway, second, "THROTTLED") == "running"
        assert requests.delete(f"{stand_in.url}/v1/tasks/{first}", headers=HEADERS, timeout=10).status_code == 204
        assert ended(runway, second).state == "completed"

    def test_checks_repeat_themselves_through_a_short_trouble(
        self, runway: Runway, attempt: Attempts, stand_in: RunningStandIn
    ) -> None:
        stand_in.misbehave({"on": "submit", "do": "never-finish"})
        external_id = runway.submit(attempt()).external_id
        stand_in.misbehave({"on": "check", "status": 503, "times": 2})
        assert runway.check(external_id).state == "running"

    @pytest.mark.parametrize(
        ("rule", "again"),
        [({"do": "expire-url", "times": 1}, 1), ({"do": "half-download", "times": 4}, 1)],
        ids=["expired", "half"],
    )
    def test_a_download_that_breaks_is_fetched_anew_after_the_next_check(
        self,
        runway: Runway,
        attempt: Attempts,
        stand_in: RunningStandIn,
        storage: Storage,
        charges: Charges,
        rule: dict[str, Any],
        again: int,
    ) -> None:
        wanted = attempt()
        external_id = runway.submit(wanted).external_id
        progress = ended(runway, external_id)
        stand_in.misbehave({"on": "download", **rule})
        with pytest.raises(ProviderUnreachable):
            runway.collect(external_id, progress, wanted)
        assert storage.list(wanted.destination.bucket, wanted.destination.prefix) == []
        assert runway.collect(external_id, runway.check(external_id), wanted).size > 10_000
        assert len(charges(external_id)) == again

    def test_an_address_that_was_dead_on_arrival_is_asked_for_again(
        self, runway: Runway, attempt: Attempts, stand_in: RunningStandIn
    ) -> None:
        wanted = attempt()
        external_id = runway.submit(wanted).external_id
        ended(runway, external_id)
        stand_in.misbehave({"on": "check", "do": "expire-url"})
        with pytest.raises(ProviderUnreachable, match="no longer valid"):
            runway.collect(external_id, runway.check(external_id), wanted)
        assert runway.collect(external_id, runway.check(external_id), wanted).external_id == external_id

    def test_a_task_that_never_existed_is_said_so(self, runway: Runway) -> None:
        with pytest.raises(ProviderJobFailed) as caught:
            runway.check("no-such-task")
        assert caught.value.http_status == 404

    def test_a_task_is_looked_at_every_five_seconds_at_most(
        self, attempt: Attempts, stand_in: RunningStandIn, runway: Runway, storage: Storage
    ) -> None:
        stand_in.misbehave({"on": "submit", "do": "never-finish"})
        polite = Runway(runway._key, storage, base_url=stand_in.url)
        external_id = polite.submit(attempt()).external_id
        before = self.hurried(stand_in)
        for _ in range(3):
            polite.check(external_id)
        assert self.hurried(stand_in) == before
        runway.check(external_id)
        assert self.hurried(stand_in) == before + 1

    def reached(self, runway: Runway, external_id: str, word: str) -> str:
        end = time.monotonic() + 10
        while (progress := runway.check(external_id)).word != word:
            assert time.monotonic() < end, f"never {word}: {progress}"
            time.sleep(0.02)
        return progress.state

    def hurried(self, stand_in: RunningStandIn) -> int:
        count: int = requests.get(f"{stand_in.url}/stand-in", timeout=10).json()["hurried_looks"]
        return count


class TestCancelling:
    def test_a_task_that_waits_is_cancelled_for_its_whole_price(
        self, runway: Runway, attempt: Attempts, stand_in: RunningStandIn, charges: Charges
    ) -> None:
        stand_in.change_plan(concurrency=0)
        external_id = runway.submit(attempt()).external_id
        stand_in.misbehave({"on": "cancel", "do": "lose-answer"})
        assert runway.cancel(external_id) is True
        assert charges(external_id) == []
        with pytest.raises(ProviderJobFailed):
            runway.check(external_id)

    def test_a_task_that_runs_is_left_to_finish(
        self, runway: Runway, attempt: Attempts, stand_in: RunningStandIn, charges: Charges
    ) -> None:
        external_id = runway.submit(attempt()).external_id
        TestFollowing().reached(runway, external_id, "RUNNING")
        assert runway.cancel(external_id) is False
        assert ended(runway, external_id).state == "completed"
        assert len(charges(external_id)) == 1


def test_a_stand_in_that_is_killed_goes_on_with_its_tasks_and_charges_once(
    attempt: Attempts, runway: Runway, storage: Storage, tmp_path: Path
) -> None:
    def module(stand_in: RunningStandIn) -> Runway:
        return Runway(runway._key, storage, base_url=stand_in.url, pace=0)

    wanted = attempt()
    with RunningStandIn.start(tmp_path, "--job-seconds", "1", provider="runway") as first:
        external_id = module(first).submit(wanted).external_id
        TestFollowing().reached(module(first), external_id, "RUNNING")
        first.kill()
    with RunningStandIn.start(tmp_path, "--job-seconds", "0.1", provider="runway") as second:
        progress = ended(module(second), external_id)
        assert module(second).collect(external_id, progress, wanted).size > 10_000
        assert [charge.external_id for charge in second.charges()] == [external_id]

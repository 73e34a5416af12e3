"""Both ways to buy a voiceover, from the request to the file, and every way to lose an answer on the road."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.providers.conftest import StandIn
from tests.unit.media.clips import run_ffmpeg
from video_production.errors import (
    ProviderAmbiguous,
    ProviderJobFailed,
    ProviderRefused,
    ProviderUnreachable,
    VideoProductionError,
)
from video_production.media.captions import read_captions
from video_production.providers.elevenlabs import ElevenLabs
from video_production.providers.elevenlabs.requests import script_of
from video_production.providers.interface import Attempt, Made, Progress, Unknown
from video_production.providers.secrets import ApiKey
from video_production.storage import Storage

Attempts = Callable[..., Attempt]


def finished(elevenlabs: ElevenLabs, external_id: str) -> Progress:
    deadline = time.monotonic() + 20
    while (progress := elevenlabs.check(external_id)).state == "running":
        assert time.monotonic() < deadline, "the job does not end"
        time.sleep(0.05)
    return progress


def decoded_seconds(storage: Storage, made: Made, tmp_path: Path) -> float:
    path = tmp_path / Path(made.s3_key).name
    storage.download(made.bucket, made.s3_key, path)
    return len(run_ffmpeg("-i", path, "-f", "s16le", "-ac", "1", "-ar", "48000", "-")) / 2 / 48000


@pytest.mark.parametrize("output_format", ["mp3_44100_128", "mp3_22050_32"])
@pytest.mark.parametrize("model", ["eleven_multilingual_v2", "eleven_flash_v2_5", "eleven_v3"])
def test_a_job_is_submitted_polled_and_downloaded(
    elevenlabs: ElevenLabs,
    stand_in: StandIn,
    attempt: Attempts,
    storage: Storage,
    tmp_path: Path,
    model: str,
    output_format: str,
) -> None:
    wanted = attempt("job", modelId=model, outputFormat=output_format, stability=0.5)
    assert elevenlabs.way(wanted.request) == "job"
    submission = elevenlabs.submit(wanted)
    made = elevenlabs.collect(submission.external_id, finished(elevenlabs, submission.external_id), wanted)
    assert made.duration == pytest.approx(decoded_seconds(storage, made, tmp_path), abs=0.001)
    assert made.duration is not None
    assert made.duration > 0.5
    assert stand_in.charges_for(script_of(wanted.request)) == 1
    assert made.cost is not None
    assert made.cost.usd == pytest.approx(sum(row["usd"] for row in stand_in.book()[-1:]), abs=1e-6)


@pytest.mark.parametrize("output_format", ["mp3_44100_128", "opus_48000_64", "wav_24000", "pcm_16000", "ulaw_8000"])
def test_a_timed_call_brings_the_voice_and_its_captions(
    elevenlabs: ElevenLabs,
    stand_in: StandIn,
    attempt: Attempts,
    storage: Storage,
    tmp_path: Path,
    output_format: str,
) -> None:
    wanted = attempt("timed", captions=True, outputFormat=output_format)
    made = elevenlabs.submit(wanted).made
    assert made is not None
    assert made.duration == pytest.approx(decoded_seconds(storage, made, tmp_path), abs=0.001)
    assert made.captions is not None
    cues = read_captions(storage.read(made.bucket, made.captions.vtt))
    assert " ".join(" ".join(cue.text for cue in cues).split()) == script_of(wanted.request)
    assert cues[-1].end <= (made.duration or 0) + 0.1
    assert stand_in.charges_for(script_of(wanted.request)) == 1
    assert elevenlabs.find(wanted, frozenset()) == made


class TestLostAnswers:
    @pytest.mark.parametrize("fault", [{"do": "lose-answer"}, {"do": "garbage"}, {"do": "half-download"}])
    @pytest.mark.parametrize(("way", "operation"), [("job", "flows.submit"), ("timed", "timed")])
    def test_what_was_billed_is_found_in_the_history(
        self,
        elevenlabs: ElevenLabs,
        stand_in: StandIn,
        attempt: Attempts,
        way: str,
        operation: str,
        fault: dict[str, Any],
    ) -> None:
        wanted = attempt(way, captions=way == "timed")
        stand_in.misbehave(on=operation, **fault)
        with pytest.raises(ProviderAmbiguous):
            elevenlabs.submit(wanted)
        made = self.found(elevenlabs, wanted)
        assert isinstance(made, Made)
        assert bool(made.captions) is (way == "timed")
        assert made.duration is not None
        assert stand_in.charges_for(script_of(wanted.request)) == 1

    def test_what_the_history_hides_stays_unknown(
        self, elevenlabs: ElevenLabs, stand_in: StandIn, attempt: Attempts
    ) -> None:
        wanted = attempt("timed")
        stand_in.misbehave(on="timed", do="lose-answer")
        stand_in.misbehave(on="timed", do="hide-from-history")
        with pytest.raises(ProviderAmbiguous):
            elevenlabs.submit(wanted)
        assert isinstance(elevenlabs.find(wanted, frozenset()), Unknown)

    def test_the_same_words_said_twice_are_left_to_a_person_unless_one_is_known(
        self, elevenlabs: ElevenLabs, stand_in: StandIn, attempt: Attempts
    ) -> None:
        first = attempt("timed")
        external_id = elevenlabs.submit(first).external_id
        second = attempt("timed", text=script_of(first.request))
        stand_in.misbehave(on="timed", do="lose-answer")
        with pytest.raises(ProviderAmbiguous):
            elevenlabs.submit(second)
        assert isinstance(elevenlabs.find(second, frozenset()), Unknown)
        found = elevenlabs.find(second, frozenset({external_id}))
        assert isinstance(found, Made)
        assert found.external_id != external_id

    def test_a_slow_answer_is_given_up_in_time(
        self, stand_in: StandIn, attempt: Attempts, storage: Storage, key: ApiKey
    ) -> None:
        hurried = ElevenLabs(key, storage, base_url=stand_in.url, submit_budget=1.0)
        wanted = attempt("timed")
        stand_in.misbehave(on="timed", delay=5)
        started = time.monotonic()
        with pytest.raises(ProviderAmbiguous, match="no complete answer within 1 s"):
            hurried.submit(wanted)
        assert time.monotonic() - started < 4

    def found(self, elevenlabs: ElevenLabs, wanted: Attempt) -> Any:
        """Jobs take a moment before the history shows them."""
        deadline = time.monotonic() + 10
        while True:
            try:
                found = elevenlabs.find(wanted, frozenset())
            except ProviderUnreachable:
                found = Unknown("not yet")
            if isinstance(found, Made) or time.monotonic() > deadline:
                return found
            time.sleep(0.1)


class TestRefusals:
    @pytest.mark.parametrize(
        ("plan", "code"),
        [({"flows": False}, "paid_plan_required"), ({"permissions": ["text_to_speech"]}, "insufficient_permissions")],
    )
    def test_an_account_without_the_job_api_falls_back_to_the_timed_call(
        self, elevenlabs: ElevenLabs, stand_in: StandIn, attempt: Attempts, plan: dict[str, Any], code: str
    ) -> None:
        wanted = attempt("job")
        stand_in.plan(**plan)
        with pytest.raises(ProviderRefused) as caught:
            elevenlabs.submit(wanted)
        assert caught.value.fallback == "timed"
        assert elevenlabs.way(wanted.request, ("job",)) == "timed"
        again = attempt("timed", text=script_of(wanted.request))
        assert elevenlabs.submit(again).made is not None
        assert stand_in.charges_for(script_of(wanted.request)) == 1

    @pytest.mark.parametrize("way", ["job", "timed"])
    @pytest.mark.parametrize(
        ("config", "words"),
        [
            ({"voiceId": "missingVoice00000000"}, "Voice 'missingVoice00000000' does not exist"),
            ({"stability": 7}, "stability"),
        ],
    )
    def test_a_wrong_request_is_refused_and_costs_nothing(
        self,
        elevenlabs: ElevenLabs,
        stand_in: StandIn,
        attempt: Attempts,
        way: str,
        config: dict[str, Any],
        words: str,
    ) -> None:
        wanted = attempt(way, **config)
        with pytest.raises(ProviderRefused, match=words) as caught:
            elevenlabs.submit(wanted)
        assert (caught.value.retry_after, caught.value.fallback) == (None, None)
        assert stand_in.charges_for(script_of(wanted.request)) == 0

    @pytest.mark.parametrize("way", ["job", "timed"])
    def test_an_empty_account_is_refused(
        self, elevenlabs: ElevenLabs, stand_in: StandIn, attempt: Attempts, way: str
    ) -> None:
        stand_in.plan(credit_limit=0)
        with pytest.raises(ProviderRefused, match="out of credit"):
            elevenlabs.submit(attempt(way))

    def test_a_script_that_is_too_long_is_refused(self, elevenlabs: ElevenLabs, attempt: Attempts) -> None:
        with pytest.raises(ProviderRefused, match="too long for model 'eleven_multilingual_v2'"):
            elevenlabs.submit(attempt("timed", text="word " * 2100))

    @pytest.mark.parametrize("way", ["job", "timed"])
    def test_a_wrong_key_names_the_secret(
        self, stand_in: StandIn, attempt: Attempts, storage: Storage, way: str
    ) -> None:
        class Wrong:
            def get_secret_value(self, **_: str) -> dict[str, str]:
                return {"SecretString": "wrong-key"}

        elevenlabs = ElevenLabs(ApiKey("the-secret", client=Wrong()), storage, base_url=stand_in.url)
        with pytest.raises(ProviderRefused, match="Set the secret 'the-secret'"):
            elevenlabs.submit(attempt(way))

    @pytest.mark.parametrize(("way", "operation"), [("job", "flows.submit"), ("timed", "timed")])
    def test_a_429_says_when_to_come_back(
        self, elevenlabs: ElevenLabs, stand_in: StandIn, attempt: Attempts, way: str, operation: str
    ) -> None:
        stand_in.misbehave(on=operation, status=429, code="system_busy", retry_after=3)
        with pytest.raises(ProviderRefused) as caught:
            elevenlabs.submit(attempt(way))
        assert 3 <= (caught.value.retry_after or 0) <= 4
        assert elevenlabs.submit(attempt(way)).external_id

    @pytest.mark.parametrize("billed", [True, False])
    def test_a_500_says_nothing_about_the_money(
        self, elevenlabs: ElevenLabs, stand_in: StandIn, attempt: Attempts, billed: bool
    ) -> None:
        stand_in.misbehave(on="timed", status=500, code="internal_error", billed=billed)
        wanted = attempt("timed")
        with pytest.raises(ProviderAmbiguous):
            elevenlabs.submit(wanted)
        assert isinstance(elevenlabs.find(wanted, frozenset()), Made if billed else Unknown)


class TestFollowing:
    @pytest.mark.parametrize("reason", ["timeout", "model_error", "moderated", "charging_failed", "internal_error"])
    def test_a_job_that_fails_is_not_charged(
        self, elevenlabs: ElevenLabs, stand_in: StandIn, attempt: Attempts, reason: str
    ) -> None:
        wanted = attempt("job")
        stand_in.misbehave(on="flows.submit", do="fail-job", reason=reason)
        progress = finished(elevenlabs, elevenlabs.submit(wanted).external_id)
        assert (progress.state, progress.failure_code, progress.charged) == ("failed", reason, False)
        assert progress.failure.endswith("Nothing was charged.")
        assert stand_in.charges_for(script_of(wanted.request)) == 0

    def test_a_job_that_never_finishes_keeps_running(
        self, elevenlabs: ElevenLabs, stand_in: StandIn, attempt: Attempts
    ) -> None:
        stand_in.misbehave(on="flows.submit", do="never-finish")
        external_id = elevenlabs.submit(attempt("job")).external_id
        time.sleep(0.5)
        assert elevenlabs.check(external_id).state == "running"

    def test_checks_repeat_themselves_through_a_short_trouble(
        self, elevenlabs: ElevenLabs, stand_in: StandIn, attempt: Attempts
    ) -> None:
        external_id = elevenlabs.submit(attempt("job")).external_id
        stand_in.misbehave(on="flows.check", status=503, code="service_unavailable", times=2)
        assert elevenlabs.check(external_id).state in ("running", "completed")

    @pytest.mark.parametrize(("fault", "times"), [("expire-url", 1), ("half-download", 4)])
    def test_a_download_that_breaks_is_fetched_anew_after_the_next_check(
        self, elevenlabs: ElevenLabs, stand_in: StandIn, attempt: Attempts, storage: Storage, fault: str, times: int
    ) -> None:
        wanted = attempt("job")
        external_id = elevenlabs.submit(wanted).external_id
        progress = finished(elevenlabs, external_id)
        stand_in.misbehave(on="download", do=fault, times=times)
        with pytest.raises(ProviderUnreachable):
            elevenlabs.collect(external_id, progress, wanted)
        assert storage.list("jiki-videos", wanted.destination.prefix) == []
        made = elevenlabs.collect(external_id, elevenlabs.check(external_id), wanted)
        assert made.size > 1000

    def test_half_a_download_is_repeated_at_once(
        self, elevenlabs: ElevenLabs, stand_in: StandIn, attempt: Attempts
    ) -> None:
        wanted = attempt("job")
        external_id = elevenlabs.submit(wanted).external_id
        progress = finished(elevenlabs, external_id)
        stand_in.misbehave(on="download", do="half-download", times=1)
        assert elevenlabs.collect(external_id, progress, wanted).size > 1000

    def test_a_job_that_never_existed_is_said_so(self, elevenlabs: ElevenLabs) -> None:
        with pytest.raises(ProviderJobFailed) as caught:
            elevenlabs.check("no-such-job")
        assert caught.value.http_status == 404

    def test_a_voiceover_of_the_history_is_adopted_by_its_name(
        self, elevenlabs: ElevenLabs, stand_in: StandIn, attempt: Attempts
    ) -> None:
        wanted = attempt("timed", captions=True)
        stand_in.misbehave(on="timed", do="lose-answer")
        with pytest.raises(ProviderAmbiguous):
            elevenlabs.submit(wanted)
        history_item = stand_in.book()[-1]["external_id"]
        made = elevenlabs.collect(history_item, elevenlabs.check(history_item), wanted)
        assert made.external_id == history_item
        assert made.captions is not None


def test_nothing_listens_and_nothing_was_sent(attempt: Attempts, storage: Storage, key: ApiKey) -> None:
    nobody = ElevenLabs(key, storage, base_url="http://127.0.0.1:9")
    for way in ("job", "timed"):
        with pytest.raises(VideoProductionError, match="nothing was sent: the connection was refused") as caught:
            nobody.submit(attempt(way))
        assert isinstance(caught.value, ProviderRefused)
        assert caught.value.retry_after

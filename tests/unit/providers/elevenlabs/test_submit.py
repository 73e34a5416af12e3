"""Exactly one paid request, and what its answer means; both ways to buy."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.providers.elevenlabs.conftest import (
    KEY,
    SCRIPT,
    SECRET,
    VOICE,
    Manager,
    history_row,
    speech,
    timed_answer,
)
from tests.unit.providers.scripted import Provider, hang_up, reply
from video_production.errors import (
    ProviderAmbiguous,
    ProviderRefused,
    SecretMissing,
)
from video_production.media.captions import read_captions
from video_production.providers.elevenlabs import ElevenLabs
from video_production.providers.interface import Made, Submission
from video_production.providers.secrets import ApiKey
from video_production.storage import Storage

TIMED_PATH = f"POST /v1/text-to-speech/{VOICE}/with-timestamps?output_format=mp3_44100_128"
JOB_PATH = "POST /v1/flows/text-to-speech"


def refused(status: int, code: str = "", message: str = "no") -> Any:
    return reply(status, {"detail": {"code": code, "message": message}})


class TestSubmitJob:
    def test_one_request_is_sent_and_its_id_returned(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any
    ) -> None:
        provider.answers(reply(200, {"id": "j1", "status": "pending"}))
        assert elevenlabs.submit(attempt("job", stability=0.4)) == Submission("j1")
        assert provider.paths() == [JOB_PATH]
        assert provider.received[0].headers["xi-api-key"] == KEY
        assert provider.received[0].body == {
            "model_id": "eleven_multilingual_v2",
            "voice": VOICE,
            "text": SCRIPT,
            "output_format": "mp3_44100_128",
            "voice_settings": {"stability": 0.4},
        }

    def test_a_key_that_took_the_time_of_the_request_leaves_it_for_the_next_try(
        self, provider: Provider, storage: Storage, attempt: Any, manager: Manager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        moments = [1000.0]

        def slow(**asked: str) -> Any:
            moments[0] += 4.0
            return {"SecretString": KEY}

        monkeypatch.setattr(manager, "get_secret_value", slow)
        key = ApiKey(SECRET, client=manager)
        slowly = ElevenLabs(key, storage, base_url=provider.url, submit_budget=3.0, clock=lambda: moments[0])
        with pytest.raises(ProviderRefused, match="nothing was sent") as caught:
            slowly.submit(attempt("job"))
        assert caught.value.retry_after is not None
        assert provider.received == []

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (402, "paid_plan_required"),
            (401, "missing_permissions"),
            (403, "insufficient_permissions"),
            (403, "feature_not_available"),
            (403, "subscription_required"),
        ],
    )
    def test_a_refusal_of_the_job_api_itself_leads_to_the_timed_call(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, status: int, code: str
    ) -> None:
        provider.answers(refused(status, code))
        with pytest.raises(ProviderRefused) as caught:
            elevenlabs.submit(attempt("job"))
        assert (caught.value.fallback, caught.value.code) == ("timed", code)

    @pytest.mark.parametrize("status", [404, 405])
    def test_an_address_without_a_job_api_leads_to_the_timed_call(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, status: int
    ) -> None:
        provider.answers(reply(status, {"detail": "Not Found"}))
        with pytest.raises(ProviderRefused) as caught:
            elevenlabs.submit(attempt("job"))
        assert caught.value.fallback == "timed"

    @pytest.mark.parametrize(
        ("status", "code"),
        [(402, "insufficient_credits"), (401, "quota_exceeded"), (401, "invalid_api_key"), (404, "voice_not_found"),
         (403, "voice_access_denied"), (403, "content_against_policy"), (422, "x"), (429, "system_busy")],
    )  # fmt: skip
    def test_other_refusals_would_meet_the_timed_call_too(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, status: int, code: str
    ) -> None:
        provider.answers(refused(status, code))
        with pytest.raises(ProviderRefused) as caught:
            elevenlabs.submit(attempt("job"))
        assert caught.value.fallback is None
        assert caught.value.retry_after == (7.0 if status == 429 else None)

    @pytest.mark.parametrize("body", [b"<html>", {}, {"id": None}, {"id": ""}, {"id": 5}, [], b"null"])
    def test_an_accepted_job_without_an_id_may_have_been_paid(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, body: Any
    ) -> None:
        provider.answers(reply(200, body))
        with pytest.raises(ProviderAmbiguous, match="without an id"):
            elevenlabs.submit(attempt("job"))
        assert len(provider.received) == 1


class TestSubmitTimed:
    def test_everything_is_stored_before_it_returns(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, storage: Storage, bucket: str
    ) -> None:
        provider.answers(reply(200, timed_answer(), {"request-id": "r1", "character-cost": "13"}))
        submission = elevenlabs.submit(attempt("timed", captions=True))
        made = submission.made
        assert made is not None
        assert (submission.external_id, made.external_id, made.type) == ("r1", "r1", "audio")
        assert made.duration == pytest.approx(0.5, abs=0.03)
        assert made.cost == elevenlabs.price(attempt("timed").request)
        content = storage.read(bucket, made.s3_key)
        assert (content, made.size, made.sha256) == (speech(), len(speech()), hashlib.sha256(speech()).hexdigest())
        assert storage.list(bucket, "takes/t1/a1/") == [
            f"takes/t1/a1/{name}" for name in ("alignment.json", "voice.mp3", "voice.srt", "voice.vtt")
        ]
        assert made.captions is not None
        for key in (made.captions.srt, made.captions.vtt):
            cues = read_captions(storage.read(bucket, key))
            assert " ".join(cue.text for cue in cues) == SCRIPT
            assert cues[0].start == 0.0
            assert cues[-1].end == pytest.approx(len(SCRIPT) * 0.03, abs=0.002)
        assert provider.paths() == [TIMED_PATH]
        assert provider.received[0].body == {"text": SCRIPT, "model_id": "eleven_multilingual_v2"}

    def test_without_captions_none_are_made(self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any) -> None:
        provider.answers(reply(200, timed_answer(alignment=None), {"request-id": "r1"}))
        made = elevenlabs.submit(attempt("timed")).made
        assert made is not None
        assert made.captions is None

    def test_the_normalized_times_serve_where_there_are_no_others(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any
    ) -> None:
        provider.answers(reply(200, timed_answer(alignment=None)))
        made = elevenlabs.submit(attempt("timed", captions=True)).made
        assert made is not None
        assert made.captions is not None

    def test_a_paid_voice_without_any_times_is_kept_and_the_lack_is_logged(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        provider.answers(reply(200, timed_answer(alignment=None, normalized_alignment=None)))
        made = elevenlabs.submit(attempt("timed", captions=True)).made
        assert made is not None
        assert made.captions is None
        assert "no character times" in caplog.text

    def test_without_a_request_id_the_attempt_names_the_voiceover(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any
    ) -> None:
        provider.answers(reply(200, timed_answer()))
        assert elevenlabs.submit(attempt("timed")).external_id == "a1"

    @pytest.mark.parametrize(
        "behaviour",
        [
            hang_up,
            reply(500),
            reply(200, b"<html>"),
            reply(200, b""),
            reply(200, timed_answer(audio_base64="")),
            reply(200, timed_answer(audio_base64="####")),
            reply(200, timed_answer(audio_base64="QUJD")),
            reply(200, timed_answer(), length=10_000_000),
        ],
        ids=["hung up", "500", "html", "empty", "no sound", "no base64", "no mp3", "cut off"],
    )
    def test_an_answer_that_can_not_be_used_may_have_been_paid(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, storage: Storage, bucket: str, behaviour: Any
    ) -> None:
        provider.answers(behaviour)
        with pytest.raises(ProviderAmbiguous) as caught:
            elevenlabs.submit(attempt("timed"))
        assert caught.value.may_have_been_paid
        assert len(provider.received) == 1
        assert storage.list(bucket, "takes/") == [], "half a voiceover is never stored"

    @pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket", "InternalError"])
    @pytest.mark.parametrize("name", ["voice.mp3", "voice.vtt", "alignment.json"])
    def test_a_paid_answer_that_can_not_be_stored_may_be_found_again(
        self,
        elevenlabs: ElevenLabs,
        provider: Provider,
        attempt: Any,
        storage: Storage,
        monkeypatch: pytest.MonkeyPatch,
        code: str,
        name: str,
    ) -> None:
        real = storage.client.put_object

        def fail(**arguments: Any) -> Any:
            if arguments["Key"].endswith(name):
                raise ClientError({"Error": {"Code": code, "Message": "no"}}, "PutObject")
            return real(**arguments)

        wanted = attempt("timed", captions=True)
        with monkeypatch.context() as patch:
            patch.setattr(storage.client, "put_object", fail)
            provider.answers(reply(200, timed_answer(), {"request-id": "r1"}))
            with pytest.raises(ProviderAmbiguous, match="could not be stored"):
                elevenlabs.submit(wanted)
        provider.answers(reply(200, {"history": [history_row()]}), reply(200, speech()))
        found = elevenlabs.find(wanted, frozenset())
        assert isinstance(found, Made)
        assert found.captions is not None

    def test_a_disk_that_fills_up_under_a_paid_answer_loses_nothing(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, full_disk: Any
    ) -> None:
        provider.answers(reply(200, timed_answer(), {"request-id": "r1"}))
        with full_disk(), pytest.raises(ProviderAmbiguous):
            elevenlabs.submit(attempt("timed"))
        provider.answers(reply(200, {"history": [history_row()]}), reply(200, speech()))
        assert isinstance(elevenlabs.find(attempt("timed"), frozenset()), Made)

    def test_an_odd_voice_id_stays_inside_its_path(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any
    ) -> None:
        provider.answers(refused(404, "voice_not_found"))
        with pytest.raises(ProviderRefused, match="Voice 'a/b' does not exist"):
            elevenlabs.submit(attempt("timed", voiceId="a/b"))
        assert provider.paths()[0].startswith("POST /v1/text-to-speech/a%2Fb/with-timestamps?")


class TestKey:
    @pytest.mark.parametrize("way", ["job", "timed"])
    def test_a_missing_key_is_refused_before_anything_is_sent(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, manager: Manager, way: str
    ) -> None:
        manager.error = ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")
        with pytest.raises(ProviderRefused, match=f"The secret '{SECRET}' has no value") as caught:
            elevenlabs.submit(attempt(way))
        assert caught.value.retry_after is None
        assert isinstance(caught.value.__cause__, SecretMissing)
        assert provider.received == []

    def test_a_hiccup_while_reading_the_key_is_tried_again(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, manager: Manager
    ) -> None:
        manager.error = ClientError({"Error": {"Code": "ThrottlingException"}}, "GetSecretValue")
        with pytest.raises(ProviderRefused) as caught:
            elevenlabs.submit(attempt("job"))
        assert caught.value.retry_after == 10

    def test_a_key_that_is_refused_is_read_anew_the_next_time(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, manager: Manager
    ) -> None:
        provider.answers(refused(401, "invalid_api_key"), reply(200, {"id": "j1"}), reply(200, {"id": "j2"}))
        with pytest.raises(ProviderRefused, match=f"Set the secret '{SECRET}'"):
            elevenlabs.submit(attempt("job"))
        elevenlabs.submit(attempt("job"))
        elevenlabs.submit(attempt("job"))
        assert manager.reads == 2

"""Following a job and fetching what it made."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import pytest

from tests.unit.providers.elevenlabs.conftest import (
    KEY,
    SECRET,
    VOICE,
    Manager,
    history_row,
    speech,
    timed_answer,
)
from tests.unit.providers.scripted import Provider, hang_up, reply
from video_production.errors import (
    ProviderJobFailed,
    ProviderUnreachable,
)
from video_production.providers.elevenlabs import ElevenLabs
from video_production.providers.interface import Made, Progress
from video_production.providers.secrets import ApiKey
from video_production.storage import Storage

TIMED_PATH = f"POST /v1/text-to-speech/{VOICE}/with-timestamps?output_format=mp3_44100_128"
JOB_PATH = "POST /v1/flows/text-to-speech"


def refused(status: int, code: str = "", message: str = "no") -> Any:
    return reply(status, {"detail": {"code": code, "message": message}})


class TestCheck:
    @pytest.mark.parametrize("word", ["pending", "generating", "something-new"])
    def test_a_job_under_way(self, elevenlabs: ElevenLabs, provider: Provider, word: str) -> None:
        provider.answers(reply(200, {"status": word, "id": "j1"}))
        assert elevenlabs.check("j1") == Progress("running", word)
        assert provider.paths() == ["GET /v1/flows/text-to-speech/j1"]

    def test_a_completed_job_has_an_address(self, elevenlabs: ElevenLabs, provider: Provider) -> None:
        job = {"status": "completed", "id": "j1", "content_url": "https://x/y", "content_mime_type": "audio/mpeg"}
        provider.answers(reply(200, job))
        assert elevenlabs.check("j1") == Progress("completed", "completed", result={"content_url": "https://x/y"})

    def test_a_completed_job_without_an_address_is_asked_again(
        self, elevenlabs: ElevenLabs, provider: Provider
    ) -> None:
        provider.answers(reply(200, {"status": "completed", "id": "j1"}))
        with pytest.raises(ProviderUnreachable):
            elevenlabs.check("j1")

    def test_a_failed_job_is_not_charged(self, elevenlabs: ElevenLabs, provider: Provider) -> None:
        job = {"status": "failed", "id": "j1", "failure_reason": "moderated", "error_message": "rude words"}
        provider.answers(reply(200, job))
        progress = elevenlabs.check("j1")
        assert (progress.state, progress.failure_code, progress.charged) == ("failed", "moderated", False)
        assert "moderation rejected the script (rude words)" in progress.failure

    def test_a_job_that_elevenlabs_does_not_know_is_said_so(self, elevenlabs: ElevenLabs, provider: Provider) -> None:
        provider.answers(reply(404, {"detail": "Not Found"}), refused(404, "history_item_not_found"))
        with pytest.raises(ProviderJobFailed, match="no longer knows the job j1") as caught:
            elevenlabs.check("j1")
        assert (caught.value.http_status, caught.value.charged) == (404, None)

    @pytest.mark.parametrize("status", [402, 403, 404, 405])
    def test_a_voiceover_from_the_history_can_be_adopted(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, status: int
    ) -> None:
        provider.answers(reply(status), reply(200, history_row()), reply(200, history_row()), reply(200, speech()))
        progress = elevenlabs.check("h1")
        assert progress == Progress("completed", "in history", result={"history_item_id": "h1"})
        made = elevenlabs.collect("h1", progress, attempt("timed", captions=True))
        assert (made.external_id, made.size) == ("h1", len(speech()))
        assert made.captions is not None

    def test_a_forbidden_job_api_proves_nothing_about_a_job(self, elevenlabs: ElevenLabs, provider: Provider) -> None:
        provider.answers(refused(403, "insufficient_permissions"), refused(404, "history_item_not_found"))
        with pytest.raises(ProviderUnreachable, match="lacks a permission"):
            elevenlabs.check("j1")

    @pytest.mark.parametrize(
        "behaviour", [reply(500), reply(429), hang_up, reply(401), reply(200, b"<html>"), reply(200, [])]
    )
    def test_a_check_that_fails_can_be_repeated(
        self, elevenlabs: ElevenLabs, provider: Provider, behaviour: Any
    ) -> None:
        provider.answers(behaviour)
        with pytest.raises(ProviderUnreachable):
            elevenlabs.check("j1")


class TestCollect:
    def completed(self, provider: Provider) -> Progress:
        return Progress("completed", "completed", result={"content_url": f"{provider.url}/signed?token=t"})

    def test_the_sound_is_stored_with_its_hash_size_and_duration(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, storage: Storage, bucket: str
    ) -> None:
        provider.answers(reply(200, speech(), content_type="audio/mpeg"))
        made = elevenlabs.collect("j1", self.completed(provider), attempt("job"))
        assert storage.read(bucket, made.s3_key) == speech()
        assert made == Made(
            type="audio",
            bucket=bucket,
            s3_key="takes/t1/a1/voice.mp3",
            size=len(speech()),
            sha256=hashlib.sha256(speech()).hexdigest(),
            duration=made.duration,
            external_id="j1",
            cost=elevenlabs.price(attempt("job").request),
        )
        assert made.duration == pytest.approx(0.5, abs=0.03)

    def test_the_key_is_not_sent_to_the_download_server(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any
    ) -> None:
        provider.answers(reply(200, speech()))
        elevenlabs.collect("j1", self.completed(provider), attempt("job"))
        assert KEY not in str(provider.received)

    @pytest.mark.parametrize("status", [400, 403, 404, 410])
    def test_an_expired_address_is_asked_for_anew(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, status: int
    ) -> None:
        provider.answers(reply(status, b"<Error><Code>ExpiredToken</Code></Error>"))
        with pytest.raises(ProviderUnreachable, match="a fresh one is asked for"):
            elevenlabs.collect("j1", self.completed(provider), attempt("job"))

    @pytest.mark.parametrize(
        "behaviour",
        [
            reply(200, speech()[:4000], length=len(speech())),
            reply(200, speech()[:4000]),
            reply(200, b""),
            reply(200, b"<html>sorry</html>"),
            reply(503),
            hang_up,
        ],
        ids=["shorter than promised", "cut off", "empty", "html", "503", "hung up"],
    )
    def test_half_a_download_is_not_a_voiceover(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, storage: Storage, bucket: str, behaviour: Any
    ) -> None:
        provider.answers(behaviour)
        with pytest.raises(ProviderUnreachable):
            elevenlabs.collect("j1", self.completed(provider), attempt("job"))
        assert storage.list(bucket, "takes/") == []

    def test_a_full_disk_is_said_so_and_the_job_stays(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, full_disk: Any
    ) -> None:
        provider.answers(reply(200, speech()))
        with full_disk(), pytest.raises(ProviderUnreachable):
            elevenlabs.collect("j1", self.completed(provider), attempt("job"))
        assert elevenlabs.collect("j1", self.completed(provider), attempt("job")).size == len(speech())

    def test_no_temporary_file_stays_behind(
        self, elevenlabs: ElevenLabs, provider: Provider, attempt: Any, tmp_path: Any, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        provider.answers(reply(200, speech()), reply(200, b"broken"), reply(200, timed_answer()))
        elevenlabs.collect("j1", self.completed(provider), attempt("job"))
        with pytest.raises(ProviderUnreachable):
            elevenlabs.collect("j1", self.completed(provider), attempt("job"))
        elevenlabs.submit(attempt("timed"))
        assert os.listdir(tmp_path) == []  # noqa: PTH208 - no need for paths


def test_the_real_api_can_not_have_this_machine_ask_its_own_network(
    provider: Provider, storage: Storage, manager: Manager, attempt: Any
) -> None:
    live = ElevenLabs(ApiKey(SECRET, client=manager), storage)
    progress = Progress("completed", "completed", result={"content_url": f"{provider.url}/voice.mp3"})
    with pytest.raises(ProviderUnreachable, match="not https"):
        live.collect("j1", progress, attempt("job"))
    assert provider.received == []

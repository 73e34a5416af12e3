"""Buying a talking head: what is looked at, what is uploaded, and the one request that costs money."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.providers.heygen import conftest as given
from tests.unit.providers.heygen.conftest import KEY, SECRET, Manager, accepted, picture, refused, speech, uploaded
from tests.unit.providers.scripted import Provider, hang_up, reply
from video_production.errors import ProviderAmbiguous, ProviderRefused
from video_production.providers.heygen import HeyGen, uploads
from video_production.providers.interface import Attempt, Submission
from video_production.storage import Storage

Attempts = Callable[..., Attempt]


def kept(storage: Storage, attempt: Attempt) -> Any:
    where = attempt.destination
    return json.loads(storage.read(where.bucket, where.prefix + "heygen.json"))


def test_the_speech_is_uploaded_the_body_stored_and_one_keyed_request_sent(
    heygen: HeyGen, provider: Provider, attempt: Attempts, storage: Storage
) -> None:
    wanted = attempt()
    provider.answers(uploaded(), accepted())
    assert heygen.submit(wanted) == Submission("v1")
    upload, paid = provider.received
    assert provider.paths() == ["POST /v3/assets", "POST /v3/videos"]
    assert b'name="file"; filename="speech.mp3"' in upload.body
    assert speech() in upload.body
    assert upload.headers["x-api-key"] == paid.headers["x-api-key"] == KEY
    assert "Idempotency-Key" not in upload.headers
    assert paid.headers["Idempotency-Key"] == paid.body["title"] == wanted.id
    assert (paid.body["audio_asset_id"], "background" in paid.body) == ("asset-1", False)
    assert kept(storage, wanted)["body"] == paid.body
    assert kept(storage, wanted)["seconds"] == pytest.approx(given.SECONDS, abs=0.03)


@pytest.mark.parametrize(("suffix", "kind"), [(".png", b"image/png"), (".jpg", b"image/jpeg")])
def test_a_background_is_uploaded_too(
    heygen: HeyGen, provider: Provider, attempt: Attempts, suffix: str, kind: bytes
) -> None:
    provider.answers(uploaded("sound"), uploaded("picture"), accepted())
    heygen.submit(attempt(background=picture(suffix)))
    assert provider.received[-1].body["background"] == {"type": "image", "asset_id": "picture"}
    assert b"Content-Type: " + kind in provider.received[1].body


def test_a_file_too_large_for_a_form_is_put_to_storage(
    heygen: HeyGen, provider: Provider, attempt: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_LARGEST_FORM", 1000)
    announced = {
        "asset_id": "asset-9",
        "upload_url": f"{provider.url}/bucket/asset-9?signature=x",
        "upload_headers": {"Content-Type": "audio/mpeg", "x-amz-meta-a": "b"},
        "expires_in_seconds": 900,
        "max_bytes": 5,
        "status": "pending_upload",
    }
    provider.answers(reply(body={"data": announced}), reply(body=b""), uploaded("asset-9"), accepted())
    heygen.submit(attempt())
    start, put, done, paid = provider.received
    assert provider.paths()[:3] == [
        "POST /v3/assets/direct-uploads",
        "PUT /bucket/asset-9?signature=x",
        "POST /v3/assets/asset-9/complete",
    ]
    assert start.body == {"filename": "speech.mp3", "content_type": "audio/mpeg", "size_bytes": len(speech())}
    assert put.body == speech()
    assert put.headers["x-amz-meta-a"] == "b"
    assert "x-api-key" not in put.headers
    assert done.body == {}
    assert paid.body["audio_asset_id"] == "asset-9"


class TestBeforeAnythingIsSent:
    @pytest.mark.parametrize(
        ("inputs", "why"),
        [
            ({"sound": b"not a sound at all, whatever it is" * 20}, "The speech can't be sent to HeyGen"),
            (
                {"sound": speech(1, ".opus", "-c:a", "libopus")},
                "HeyGen takes speech as MP3 or WAV only; set outputFormat: mp3_44100_128",
            ),
            ({"sound": speech(602, ".mp3", "-b:a", "32k")}, "lasts 10:02 minutes and HeyGen takes at most 10 minutes"),
            ({"background": picture(".webp")}, "HeyGen takes backgrounds as PNG or JPEG only"),
        ],
    )
    def test_files_that_heygen_would_refuse(
        self, heygen: HeyGen, provider: Provider, attempt: Attempts, inputs: dict[str, bytes], why: str
    ) -> None:
        with pytest.raises(ProviderRefused, match=why) as error:
            heygen.submit(attempt(**inputs))
        assert (error.value.code, error.value.retry_after, error.value.account) == ("not_sent", None, False)
        assert provider.received == []

    def test_a_file_over_fifty_megabytes_is_not_even_read(
        self, heygen: HeyGen, provider: Provider, attempt: Attempts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(uploads, "LARGEST_FILE", 1000)
        with pytest.raises(ProviderRefused, match=r"The speech has 0 MB and HeyGen takes at most 0 MB; shorten"):
            heygen.submit(attempt())
        assert provider.received == []

    def test_an_input_that_is_gone(self, heygen: HeyGen, provider: Provider, attempt: Attempts, s3: Any) -> None:
        wanted = attempt()
        sound = wanted.request.inputs["audio"][0]
        s3.delete_object(Bucket=sound.bucket, Key=sound.s3_key)
        with pytest.raises(ProviderRefused, match="does not exist") as error:
            heygen.submit(wanted)
        assert error.value.retry_after is None
        assert provider.received == []


class TestUploadsThatFail:
    def test_a_refused_key_is_the_accounts_fault_and_read_again(
        self, heygen: HeyGen, provider: Provider, attempt: Attempts, manager: Manager
    ) -> None:
        provider.answers(refused(401, "unauthorized"))
        with pytest.raises(ProviderRefused, match=f"Set the secret '{SECRET}'") as error:
            heygen.submit(attempt())
        assert (error.value.account, error.value.retry_after, error.value.http_status) == (True, None, 401)
        with pytest.raises(ProviderRefused):
            heygen.submit(attempt())
        assert manager.reads == 2

    def test_what_may_pass_is_tried_again_later_and_nothing_was_paid(
        self, heygen: HeyGen, provider: Provider, attempt: Attempts, storage: Storage
    ) -> None:
        wanted = attempt()
        provider.answers(refused(503, "service_unavailable"))
        with pytest.raises(ProviderRefused) as error:
            heygen.submit(wanted)
        assert error.value.retry_after == 10
        assert set(provider.paths()) == {"POST /v3/assets"}
        assert storage.head(wanted.destination.bucket, wanted.destination.prefix + "heygen.json") is None

    def test_a_file_that_is_too_large_for_heygen_is_final(
        self, heygen: HeyGen, provider: Provider, attempt: Attempts
    ) -> None:
        provider.answers(refused(413, "payload_too_large", "Over 32 MB."))
        with pytest.raises(ProviderRefused, match="rejected a file as too large \\(Over 32 MB\\)") as error:
            heygen.submit(attempt())
        assert error.value.retry_after is None

    @pytest.mark.parametrize("answer", [{}, {"data": []}, {"data": {"asset_id": ""}}])
    def test_an_answer_without_an_asset_sends_no_paid_request(
        self, heygen: HeyGen, provider: Provider, attempt: Attempts, answer: Any
    ) -> None:
        provider.answers(reply(body=answer))
        with pytest.raises(ProviderRefused):
            heygen.submit(attempt())
        assert provider.paths() == ["POST /v3/assets"]


class TestAnswers:
    @pytest.mark.parametrize(
        ("status", "code", "why", "account"),
        [
            (400, "validation_error", "rejected the request as invalid", False),
            (402, "insufficient_credit", "wallet is out of credit", True),
            (403, "resource_access_denied", f"may not use avatar '{given.AVATAR}'", False),
            (404, "avatar_not_found", f"Avatar '{given.AVATAR}' does not exist", False),
        ],
    )
    def test_a_refusal_is_definite(
        self, heygen: HeyGen, provider: Provider, attempt: Attempts, status: int, code: str, why: str, account: bool
    ) -> None:
        provider.answers(uploaded(), refused(status, code))
        with pytest.raises(ProviderRefused, match=why) as error:
            heygen.submit(attempt())
        assert (error.value.code, error.value.retry_after, error.value.account) == (code, None, account)

    def test_too_many_at_once_waits_as_long_as_heygen_says(
        self, heygen: HeyGen, provider: Provider, attempt: Attempts
    ) -> None:
        busy = reply(429, {"error": {"code": "rate_limit_exceeded", "message": "10 at once."}}, {"Retry-After": "31"})
        provider.answers(uploaded(), busy)
        with pytest.raises(ProviderRefused) as error:
            heygen.submit(attempt())
        assert error.value.retry_after == 31

    @pytest.mark.parametrize(
        "answer",
        [
            hang_up,
            refused(500, "internal_error"),
            refused(409, "request_in_progress"),
            reply(200, b"{"),
            reply(200, {"data": {}}),
            reply(200, {"data": {"video_id": 7}}),
        ],
    )
    def test_whatever_else_may_have_been_paid(
        self, heygen: HeyGen, provider: Provider, attempt: Attempts, answer: Any, storage: Storage
    ) -> None:
        wanted = attempt()
        provider.answers(uploaded(), answer)
        with pytest.raises(ProviderAmbiguous):
            heygen.submit(wanted)
        assert provider.paths().count("POST /v3/videos") == 1
        assert kept(storage, wanted)["body"]["title"] == wanted.id

"""Exactly one paid request, and what its answer means; what goes before it costs nothing."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tests.unit.providers.runway.conftest import KEY, PROMPT, SECRET, TASK, Clock, Manager, picture
from tests.unit.providers.scripted import Provider, hang_up, reply
from tests.unit.providers.test_free_requests import form_of
from video_production.errors import ProviderAmbiguous, ProviderRefused
from video_production.providers.interface import Submission
from video_production.providers.runway import Runway
from video_production.providers.runway.requests import INLINE_LIMIT

ACCEPTED = reply(200, {"id": TASK, "estimatedCost": {"credits": 60}})


def large_picture() -> bytes:
    """A picture that does not fit into a request."""
    with io.BytesIO() as file:
        Image.effect_noise((2200, 1600), 90).save(file, "PNG")
        content = file.getvalue()
    assert len(content) > INLINE_LIMIT
    return content


def test_one_request_is_sent_and_its_id_returned(runway: Runway, provider: Provider, attempt: Any) -> None:
    provider.answers(ACCEPTED)
    assert runway.submit(attempt(seed=7)) == Submission(TASK)
    assert provider.paths() == ["POST /v1/text_to_video"]
    sent = provider.received[0]
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    assert sent.headers["X-Runway-Version"] == "2024-11-06"
    assert sent.body == {"model": "gen4.5", "promptText": PROMPT, "ratio": "1280:720", "duration": 5, "seed": 7}


def test_a_small_picture_travels_within_the_request(runway: Runway, provider: Provider, attempt: Any) -> None:
    provider.answers(ACCEPTED)
    runway.submit(attempt(image=picture("JPEG")))
    assert provider.paths() == ["POST /v1/image_to_video"]
    (image,) = provider.received[0].body["promptImage"]
    assert image["position"] == "first"
    kind, _, content = image["uri"].partition(",")
    assert kind == "data:image/jpeg;base64"
    assert base64.b64decode(content) == picture("JPEG")
    assert len(image["uri"]) < 5_000_000


class TestUploads:
    @pytest.fixture
    def place(self, provider: Provider) -> Any:
        fields = {"key": "k1", "policy": "p1"}
        return reply(200, {"uploadUrl": f"{provider.url}/bucket", "fields": fields, "runwayUri": "runway://u1"})

    def test_a_large_picture_is_uploaded_first(
        self, runway: Runway, provider: Provider, attempt: Any, place: Any
    ) -> None:
        content = large_picture()
        provider.answers(place, reply(204, b""), ACCEPTED)
        assert runway.submit(attempt(image=content)).external_id == TASK
        assert provider.paths() == ["POST /v1/uploads", "POST /bucket", "POST /v1/image_to_video"]
        asked, sent, paid = provider.received
        assert asked.body == {"filename": "slide 1.png", "type": "ephemeral"}
        assert "Authorization" not in sent.headers
        fields = form_of(sent.headers["Content-Type"], sent.body)
        assert [field["name"] for field in fields] == ["key", "policy", "file"]
        assert fields[-1]["content"] == content
        assert paid.body["promptImage"] == [{"uri": "runway://u1", "position": "first"}]

    def test_an_upload_is_repeated_where_that_may_help(
        self, runway: Runway, provider: Provider, attempt: Any, place: Any
    ) -> None:
        provider.answers(reply(503), place, hang_up, reply(204, b""), ACCEPTED)
        assert runway.submit(attempt(image=large_picture())).external_id == TASK

    @pytest.mark.parametrize(
        ("answers", "retry_after"),
        [
            ([reply(400, {"error": "Bad file name"})], None),
            ([reply(200, {"uploadUrl": "https://x"})], 10),
            ([reply(503)], 10),
            ([hang_up], 10),
        ],
    )
    def test_an_upload_that_fails_means_that_nothing_was_sent(
        self, runway: Runway, provider: Provider, attempt: Any, answers: list[Any], retry_after: float | None
    ) -> None:
        provider.answers(*answers)
        with pytest.raises(ProviderRefused) as caught:
            runway.submit(attempt(image=large_picture()))
        assert (caught.value.code, caught.value.retry_after) == ("not_sent", retry_after)
        assert set(provider.paths()) == {"POST /v1/uploads"}

    def test_a_key_that_is_refused_at_the_upload_is_read_anew_next_time_too(
        self, runway: Runway, provider: Provider, attempt: Any, place: Any, manager: Manager
    ) -> None:
        provider.answers(reply(401, {"error": "no"}), place, reply(204, b""), ACCEPTED)
        with pytest.raises(ProviderRefused, match=re.escape(f"Set the secret '{SECRET}'")) as caught:
            runway.submit(attempt(image=large_picture()))
        assert (caught.value.http_status, caught.value.account, caught.value.retry_after) == (401, True, None)
        assert runway.submit(attempt(image=large_picture())).external_id == TASK
        assert manager.reads == 2

    def test_an_upload_that_takes_the_time_of_the_request_leaves_it_for_the_next_try(
        self, runway: Runway, provider: Provider, attempt: Any, place: Any, clock: Clock
    ) -> None:
        def slow(handler: Any) -> None:
            clock.now += 2.0
            reply(204, b"")(handler)

        provider.answers(place, slow, ACCEPTED)
        with pytest.raises(ProviderRefused, match="took too long, so nothing was sent") as caught:
            runway.submit(attempt(image=large_picture()))
        assert caught.value.retry_after == 10
        assert "POST /v1/image_to_video" not in provider.paths()


class TestPictures:
    def test_one_that_is_too_large_is_refused(self, runway: Runway, provider: Provider, attempt: Any) -> None:
        with pytest.raises(ProviderRefused, match=r"slide 1\.png has 16,000,008 bytes; Runway takes at most") as caught:
            runway.submit(attempt(image=b"\x89PNG\r\n\x1a\n" + bytes(16_000_000)))
        assert (caught.value.retry_after, provider.received) == (None, [])

    def test_one_of_another_kind_is_refused(self, runway: Runway, provider: Provider, attempt: Any) -> None:
        with pytest.raises(ProviderRefused, match="of a kind that Runway does not read") as caught:
            runway.submit(attempt(image=picture("BMP")))
        assert (caught.value.retry_after, provider.received) == (None, [])

    def test_one_that_is_gone_is_refused(self, runway: Runway, provider: Provider, attempt: Any, s3: Any) -> None:
        wanted = attempt(image=picture())
        s3.delete_object(Bucket=wanted.destination.bucket, Key="assets/slide 1.png")
        with pytest.raises(ProviderRefused, match="does not exist") as caught:
            runway.submit(wanted)
        assert (caught.value.retry_after, provider.received) == (None, [])


class TestAnswers:
    @pytest.mark.parametrize(
        ("status", "error", "code", "retry_after", "account"),
        [
            (400, "Validation of body failed", "", None, False),
            (400, "You do not have enough credits to run this task.", "out_of_credit", None, True),
            (401, "no", "invalid_key", None, True),
            (404, "no", "", None, False),
            (429, "Too many requests", "", 7.0, False),
            (429, "You have reached your daily limit.", "daily_limit", None, True),
        ],
    )
    def test_a_definite_refusal_costs_nothing(
        self,
        runway: Runway,
        provider: Provider,
        attempt: Any,
        status: int,
        error: str,
        code: str,
        retry_after: float | None,
        account: bool,
    ) -> None:
        provider.answers(reply(status, {"error": error}))
        with pytest.raises(ProviderRefused) as caught:
            runway.submit(attempt())
        refusal = caught.value
        assert (refusal.code, refusal.retry_after, refusal.account) == (code, retry_after, account)
        assert len(provider.received) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            reply(500),
            reply(503, {"error": "Load shed"}),
            reply(409, {"error": "Conflict"}),
            hang_up,
            reply(200, b"{"),
            reply(200, {"estimatedCost": {"credits": 60}}),
            reply(200, {"id": ""}),
            reply(200, {"id": 5}),
            reply(200, [1]),
            reply(307, headers={"Location": "/v1/elsewhere"}),
        ],
    )
    def test_everything_else_may_have_been_paid(
        self, runway: Runway, provider: Provider, attempt: Any, answer: Any
    ) -> None:
        provider.answers(answer)
        with pytest.raises(ProviderAmbiguous):
            runway.submit(attempt())
        assert len(provider.received) == 1

    def test_a_refused_key_is_read_anew_next_time(
        self, runway: Runway, provider: Provider, attempt: Any, manager: Manager
    ) -> None:
        provider.answers(reply(401, {"error": "no"}), ACCEPTED)
        with pytest.raises(ProviderRefused, match=re.escape(f"Set the secret '{SECRET}'")):
            runway.submit(attempt())
        assert runway.submit(attempt()).external_id == TASK
        assert manager.reads == 2

    def test_a_missing_key_is_the_accounts_fault_and_nothing_is_sent(
        self, runway: Runway, provider: Provider, attempt: Any, manager: Manager
    ) -> None:
        manager.error = ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")
        with pytest.raises(ProviderRefused) as caught:
            runway.submit(attempt())
        assert (caught.value.code, caught.value.account, caught.value.retry_after) == ("not_sent", True, None)
        assert provider.received == []

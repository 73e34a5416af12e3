"""Exactly one paid request, and what its answer means."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.unit.providers.scripted import Provider, drip, hang_up, reply
from tests.unit.providers.veo3.conftest import MODEL, OPERATION, PREFIX, PROMPT, SECRET, TOKEN, Access
from video_production.errors import OperatorError, ProviderAmbiguous, ProviderRefused, SecretMissing, TransientError
from video_production.providers.interface import InputContent, Price, Submission
from video_production.providers.veo3 import Veo
from video_production.storage import Storage

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))


def refused(status: int, word: str, message: str = "no") -> Any:
    return reply(status, {"error": {"code": status, "status": word, "message": message}})


def test_one_request_is_sent_and_its_operation_returned(veo: Veo, provider: Provider, attempt: Any) -> None:
    provider.answers(reply(200, {"name": OPERATION}))
    assert veo.submit(attempt(seed=7)) == Submission(OPERATION)
    assert provider.paths() == [f"POST /v1/{MODEL}:predictLongRunning"]
    sent = provider.received[0]
    assert sent.headers["Authorization"] == f"Bearer {TOKEN}"
    assert sent.body["instances"] == [{"prompt": PROMPT}]
    assert sent.body["parameters"]["storageUri"] == f"gs://films/{PREFIX}"
    assert sent.body["parameters"]["seed"] == 7
    assert sent.body["labels"] == {"attempt": "a1"}


def test_the_project_may_be_left_to_the_credentials(provider: Provider, storage: Storage, attempt: Any) -> None:
    access: Any = Access()
    veo = Veo(access, storage, bucket="films", base_url=provider.url)
    provider.answers(reply(200, {"name": OPERATION}))
    veo.submit(attempt())
    assert provider.paths()[0].startswith("POST /v1/projects/p-of-the-key/")


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_each_location_has_its_own_host(storage: Storage, location: str, host: str) -> None:
    access: Any = Access()
    assert Veo(access, storage)._address(location) == host


def test_the_first_frame_travels_along(
    veo: Veo, provider: Provider, attempt: Any, storage: Storage, bucket: str
) -> None:
    storage.put_bytes(PNG, bucket, "assets/slide.png", "image/png")
    provider.answers(reply(200, {"name": OPERATION}))
    veo.submit(attempt(InputContent("image", "0", bucket=bucket, s3_key="assets/slide.png")))
    image = provider.received[0].body["instances"][0]["image"]
    assert base64.b64decode(image["bytesBase64Encoded"]) == PNG


@pytest.mark.parametrize(("size", "words"), [(20 << 20, "is neither PNG nor JPEG"), ((20 << 20) + 1, "at most 20 MB")])
def test_a_picture_that_veo_does_not_take_is_refused_before_anything_is_sent(
    veo: Veo, provider: Provider, attempt: Any, storage: Storage, bucket: str, size: int, words: str
) -> None:
    storage.put_bytes(b"x" * size, bucket, "assets/large.png", "image/png")
    with pytest.raises(ProviderRefused, match=words) as caught:
        veo.submit(attempt(InputContent("image", "0", bucket=bucket, s3_key="assets/large.png")))
    assert (caught.value.code, caught.value.retry_after) == ("not_sent", None)
    assert provider.received == []


@pytest.mark.parametrize(
    ("error", "retry_after", "account"),
    [
        (SecretMissing("no value"), None, True),
        (OperatorError("bad key"), None, True),
        (TransientError("no network"), 10.0, False),
    ],
)
def test_without_a_token_nothing_is_sent(
    veo: Veo, provider: Provider, attempt: Any, access: Access, error: Exception, retry_after: float, account: bool
) -> None:
    access.error = error
    with pytest.raises(ProviderRefused, match=str(error)) as caught:
        veo.submit(attempt())
    assert (caught.value.code, caught.value.retry_after) == ("not_sent", retry_after)
    assert caught.value.account is account
    assert provider.received == []


@pytest.mark.parametrize(
    ("options", "words"), [({}, "set VEO3_BUCKET"), ({"bucket": "b", "project": ""}, "set VEO3_PROJECT")]
)
def test_without_a_bucket_or_a_project_nothing_is_sent(
    provider: Provider, storage: Storage, attempt: Any, options: dict[str, str], words: str
) -> None:
    access: Any = Access()
    access.project = ""
    veo = Veo(access, storage, base_url=provider.url, **{"project": "p", **options})
    with pytest.raises(ProviderRefused, match=words):
        veo.submit(attempt())
    assert provider.received == []


@pytest.mark.parametrize(
    ("answer", "code", "account"),
    [
        (refused(400, "INVALID_ARGUMENT"), "INVALID_ARGUMENT", False),
        (refused(400, "INVALID_ARGUMENT", "violates Google's Responsible AI practices"), "filtered", False),
        (refused(403, "PERMISSION_DENIED"), "PERMISSION_DENIED", True),
        (refused(404, "NOT_FOUND"), "NOT_FOUND", False),
    ],
)
def test_a_definite_refusal_is_final(
    veo: Veo, provider: Provider, attempt: Any, answer: Any, code: str, account: bool
) -> None:
    provider.answers(answer)
    with pytest.raises(ProviderRefused) as caught:
        veo.submit(attempt())
    assert (caught.value.code, caught.value.retry_after, caught.value.account) == (code, None, account)
    assert len(provider.received) == 1


def test_a_token_that_is_refused_is_not_used_again(veo: Veo, provider: Provider, attempt: Any, access: Access) -> None:
    provider.answers(refused(401, "UNAUTHENTICATED"))
    with pytest.raises(ProviderRefused, match=f"Set the secret '{SECRET}'"):
        veo.submit(attempt())
    assert access.forgotten == 1


def test_a_used_up_quota_is_waited_for(veo: Veo, provider: Provider, attempt: Any) -> None:
    provider.answers(refused(429, "RESOURCE_EXHAUSTED"))
    with pytest.raises(ProviderRefused) as caught:
        veo.submit(attempt())
    assert caught.value.retry_after == 33.0


@pytest.mark.parametrize(
    "answer",
    [
        refused(500, "INTERNAL"),
        refused(503, "UNAVAILABLE"),
        refused(504, "DEADLINE_EXCEEDED"),
        refused(408, "CANCELLED"),
        hang_up,
        reply(200, b"<html>"),
        reply(200, {}),
        reply(200, {"name": 7}),
        reply(200, {"name": "operations/1"}),
        reply(200, [OPERATION]),
        reply(302, {}, {"Location": "/elsewhere"}),
    ],
)
def test_every_other_answer_is_ambiguous_and_nothing_is_repeated(
    veo: Veo, provider: Provider, attempt: Any, answer: Any
) -> None:
    provider.answers(answer)
    with pytest.raises(ProviderAmbiguous, match="may have been carried out and paid"):
        veo.submit(attempt())
    assert len(provider.received) == 1


def test_a_slow_answer_is_given_up_in_time(provider: Provider, storage: Storage, access: Any, attempt: Any) -> None:
    veo = Veo(access, storage, project="p1", bucket="films", base_url=provider.url, submit_budget=1.3)
    provider.answers(drip(provider.over))
    with pytest.raises(ProviderAmbiguous, match="no complete answer"):
        veo.submit(attempt())


def test_a_budget_that_the_token_used_up_sends_nothing(
    provider: Provider, storage: Storage, access: Any, attempt: Any
) -> None:
    moments = iter([0.0, 111.0])
    veo = Veo(access, storage, project="p1", bucket="films", base_url=provider.url, clock=lambda: next(moments))
    with pytest.raises(ProviderRefused, match="nothing was sent") as caught:
        veo.submit(attempt())
    assert caught.value.retry_after == 10.0
    assert provider.received == []


@pytest.mark.parametrize(
    ("model", "usd"),
    [("veo-3.1-generate-001", 3.2), ("veo-3.1-fast-generate-001", 1.2), ("veo-3.1-lite-generate-001", 0.4)],
)
def test_seconds_are_priced_by_model(veo: Veo, attempt: Any, model: str, usd: float) -> None:
    price = veo.price(attempt(duration=8, model=model).request)
    assert price == Price(8, "seconds", pytest.approx(usd))


def test_nothing_that_was_accepted_can_be_stopped(veo: Veo) -> None:
    assert veo.cancel(OPERATION) is False

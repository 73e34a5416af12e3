"""The parts of the protocol that no SDK shows: the order of checks, headers, odd requests."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest

from stand_ins.running import RunningStandIn
from tests.integration.stand_ins.calls import RACHEL, call

SPEAK = f"/v1/text-to-speech/{RACHEL}"
JOBS = "/v1/flows/text-to-speech"


def test_the_schema_is_checked_before_the_key(stand_in: RunningStandIn) -> None:
    answer = call(stand_in, "POST", SPEAK, json={"txt": "Hello"}, headers={})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["type"] == "missing"
    assert answer.json()["detail"][0]["loc"] == ["body", "text"]


def test_speed_seed_and_format_are_checked_after_the_key(stand_in: RunningStandIn) -> None:
    body = {"text": "Hello", "seed": -1, "voice_settings": {"speed": 9}}
    answer = call(stand_in, "POST", f"{SPEAK}?output_format=none", json=body, headers={})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({}, "needs_authorization"),
        ({"xi-api-key": "wrong"}, "invalid_api_key"),
        ({"Authorization": "Bearer wrong"}, "invalid_authorization_header"),
    ],
)
def test_each_wrong_key_is_told_apart_by_the_older_word(
    stand_in: RunningStandIn, headers: dict[str, str], word: str
) -> None:
    detail = call(stand_in, "GET", "/v1/user/subscription", headers=headers).json()["detail"]
    assert (detail["type"], detail["code"], detail["status"]) == ("authentication_error", "unauthorized", word)


def test_models_without_a_key_are_a_404(stand_in: RunningStandIn) -> None:
    answer = call(stand_in, "GET", "/v1/models", headers={})
    assert (answer.status_code, answer.json()["detail"]["code"]) == (404, "workspace_not_found")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("GET", SPEAK, 405), ("DELETE", "/v1/models", 405), ("GET", f"{JOBS}/unknown", 404)],
)
def test_what_does_not_exist_says_so(stand_in: RunningStandIn, method: str, path: str, status: int) -> None:
    assert call(stand_in, method, path).status_code == status


@pytest.mark.parametrize(
    ("body", "kind", "place"),
    [
        ({"text": "Hello", "voice": RACHEL}, "union_tag_not_found", ["body"]),
        ({"model_id": "eleven_v4", "text": "Hello", "voice": RACHEL}, "union_tag_invalid", ["body"]),
        ({"model_id": "eleven_v3", "text": "Hello"}, "missing", ["body", "eleven_v3", "voice"]),
        (
            {"model_id": "eleven_v3", "text": "Hello", "voice": RACHEL, "voice_settings": {"speed": 1.0}},
            "extra_forbidden",
            ["body", "eleven_v3", "voice_settings", "speed"],
        ),
        (
            {"model_id": "eleven_multilingual_v2", "text": "Hello", "voice": RACHEL, "language_code": "en"},
            "extra_forbidden",
            ["body", "eleven_multilingual_v2", "language_code"],
        ),
        (
            {"model_id": "eleven_v3", "text": "Hello", "voice": RACHEL, "output_format": "pcm_16000"},
            "literal_error",
            ["body", "eleven_v3", "output_format"],
        ),
    ],
)
def test_a_job_takes_only_the_fields_of_its_model(
    stand_in: RunningStandIn, body: dict[str, object], kind: str, place: list[str]
) -> None:
    answer = call(stand_in, "POST", JOBS, json=body)
    assert answer.status_code == 422
    assert [(problem["type"], problem["loc"]) for problem in answer.json()["detail"]] == [(kind, place)]


def test_a_body_that_is_no_json_is_refused(stand_in: RunningStandIn) -> None:
    answer = call(stand_in, "POST", SPEAK, data=b"{text")
    assert (answer.status_code, answer.json()["detail"]["code"]) == (400, "malformed_json")
    assert call(stand_in, "POST", SPEAK).status_code == 422


def test_text_that_is_no_unicode_is_refused(stand_in: RunningStandIn) -> None:
    answer = call(stand_in, "POST", SPEAK, data=b'{"text": "\\ud800"}')
    assert (answer.status_code, answer.json()["detail"]["code"]) == (400, "malformed_json")


def test_history_by_model_needs_a_source(stand_in: RunningStandIn) -> None:
    answer = call(stand_in, "GET", "/v1/history?model_id=eleven_v3")
    assert (answer.status_code, answer.json()["detail"]["param"]) == (400, "source")
    assert call(stand_in, "GET", "/v1/history?page_size=1001").status_code == 422


@pytest.mark.parametrize(
    ("output_format", "content_type", "start"),
    [
        ("mp3_44100_128", "audio/mpeg", b"\xff\xfb"),
        ("wav_16000", "audio/wav", b"RIFF"),
        ("opus_48000_64", "audio/opus", b"OggS"),
        ("pcm_16000", "audio/pcm", b"\0\0"),
    ],
)
def test_each_format_has_its_type(
    stand_in: RunningStandIn, output_format: str, content_type: str, start: bytes
) -> None:
    answer = call(stand_in, "POST", f"{SPEAK}?output_format={output_format}", json={"text": "Hello"})
    assert answer.headers["content-type"] == content_type
    assert answer.content.startswith(start)


def test_the_same_request_gives_the_same_audio_and_another_voice_another(stand_in: RunningStandIn) -> None:
    first, second = (call(stand_in, "POST", SPEAK, json={"text": "Hello"}).content for _ in range(2))
    other = call(stand_in, "POST", "/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb", json={"text": "Hello"}).content
    assert first == second != other


def test_one_connection_serves_many_requests(stand_in: RunningStandIn) -> None:
    connection = http.client.HTTPConnection(urlsplit(stand_in.url).netloc, timeout=10)
    try:
        for _ in range(3):
            connection.request("GET", "/v1/user/subscription", headers={"xi-api-key": "draft-key"})
            answer = connection.getresponse()
            answer.read()
            assert (answer.status, answer.will_close) == (200, False)
    finally:
        connection.close()


def test_requests_are_logged_without_the_key(stand_in: RunningStandIn) -> None:
    call(stand_in, "POST", f"{SPEAK}?output_format=pcm_16000", json={"text": "Logged"})
    row = stand_in.requests()[-1]
    assert (row["method"], row["path"], row["query"]) == ("POST", SPEAK, {"output_format": "pcm_16000"})
    assert row["body"] == {"text": "Logged"}
    assert "draft-key" not in (stand_in.home / "requests.jsonl").read_text()

"""Every error of ElevenLabs in every shape becomes one sentence that says who must act."""

from __future__ import annotations

import json
from typing import Any

import pytest

from video_production.providers.elevenlabs.refusals import Subject, explain, failure_sentence

SUBJECT = Subject("jiki-video/local/elevenlabs", voice="Rachel{}", model="eleven_v3", key="live-key-12345")
KEY = "ElevenLabs refused the API key. Set the secret 'jiki-video/local/elevenlabs' to a valid key and retry."
VOICE = "Voice 'Rachel{}' does not exist in this ElevenLabs account; choose another voiceId."


def detail(code: str | None = None, status: str | None = None, message: str = "the reason.") -> bytes:
    """The object shape; words that are None are left out."""
    words = {"type": "some_error", "code": code, "status": status, "message": message, "request_id": "r1"}
    return json.dumps({"detail": {name: word for name, word in words.items() if word is not None}}).encode()


ROWS: list[tuple[int, bytes, str, str]] = [
    (400, detail("text_too_long"), "text_too_long", "The script is too long for model 'eleven_v3' (the reason)"),
    (400, detail(status="max_character_limit_exceeded"), "max_character_limit_exceeded", "The script is too long"),
    (400, detail("empty_text"), "empty_text", "The script is empty; write the words"),
    (400, detail("invalid_voice_settings"), "invalid_voice_settings", "correct stability, similarityBoost or speed"),
    (400, detail("unsupported_model"), "unsupported_model", "Model 'eleven_v3' can't speak at ElevenLabs"),
    (400, detail("invalid_output_format"), "invalid_output_format", "choose another outputFormat"),
    (400, detail("unsupported_language"), "unsupported_language", "choose another language or modelId"),
    (400, detail(status="language_not_supported"), "language_not_supported", "choose another language or modelId"),
    (400, detail("invalid_parameters"), "invalid_parameters", "rejected the request as invalid (the reason); correct"),
    (400, detail("malformed_json"), "malformed_json", "rejected the request as invalid"),
    (400, detail("something_new"), "something_new", "rejected the request as invalid (the reason)"),
    (401, detail("invalid_api_key"), "invalid_api_key", KEY),
    (401, detail("missing_api_key"), "missing_api_key", KEY),
    (401, detail("unauthorized", "invalid_api_key"), "invalid_api_key", KEY),
    (401, detail("unauthorized", "needs_authorization"), "needs_authorization", KEY),
    (401, detail("unauthorized", "invalid_authorization_header"), "invalid_authorization_header", KEY),
    (401, detail("unauthorized"), "unauthorized", KEY),
    (401, detail(status="quota_exceeded"), "quota_exceeded", "out of credit (the reason). Top it up"),
    (401, detail("unauthorized", "quota_exceeded"), "quota_exceeded", "out of credit (the reason). Top it up"),
    (401, detail(status="missing_permissions"), "missing_permissions", "The ElevenLabs API key lacks a permission"),
    (401, detail(status="detected_unusual_activity"), "detected_unusual_activity", "blocked the account for unusual"),
    (402, detail("insufficient_credits", "quota_exceeded"), "insufficient_credits", "out of credit"),
    (402, detail("quota_exceeded"), "quota_exceeded", "out of credit"),
    (402, detail("paid_plan_required"), "paid_plan_required", "The ElevenLabs plan does not include this"),
    (402, b"", "", "The ElevenLabs account is out of credit (HTTP 402). Top it up and retry."),
    (403, detail("insufficient_permissions"), "insufficient_permissions", "API key lacks a permission (the reason)"),
    (403, detail("feature_not_available"), "feature_not_available", "The ElevenLabs plan does not include this"),
    (403, detail("subscription_required"), "subscription_required", "Upgrade the plan or change the node's config"),
    (403, detail("voice_access_denied"), "voice_access_denied", "may not use voice 'Rachel{}' (the reason)"),
    (403, detail("model_access_denied"), "model_access_denied", "may not use model 'eleven_v3'"),
    (403, detail(status="content_against_policy"), "content_against_policy", "moderation rejected the script"),
    (403, detail("unheard_of"), "unheard_of", "forbids this request to the account or its API key (the reason)"),
    (404, detail("voice_not_found"), "voice_not_found", VOICE),
    (404, detail(status="voice_does_not_exist"), "voice_does_not_exist", VOICE),
    (400, detail(status="voice_not_found"), "voice_not_found", VOICE),
    (404, detail("model_not_found"), "model_not_found", "choose another modelId"),
    (404, detail("history_item_not_found"), "history_item_not_found", "no longer in ElevenLabs' history"),
    (404, b'{"detail": "Not Found"}', "", "ElevenLabs does not know what was asked for (Not Found)"),
    (409, detail("already_running"), "already_running", "still busy with a conflicting request"),
    (409, detail("already_processing"), "already_processing", "still busy with a conflicting request"),
    (409, detail("concurrent_modification"), "concurrent_modification", "still busy with a conflicting request"),
    (409, detail("newly_invented"), "newly_invented", "still busy with a conflicting request"),
    (413, b"<html>too large</html>", "", "The script is too long for model 'eleven_v3' (HTTP 413)"),
    (429, detail("concurrent_limit_exceeded"), "concurrent_limit_exceeded", "as many voiceovers as the plan allows"),
    (429, detail(status="too_many_concurrent_requests"), "too_many_concurrent_requests", "as the plan allows"),
    (429, detail("rate_limit_exceeded"), "rate_limit_exceeded", "send requests more slowly"),
    (429, detail("system_busy"), "system_busy", "send requests more slowly"),
    (429, b"", "", "sent again by itself"),
    (500, detail("internal_error"), "internal_error", "ElevenLabs had an internal error (the reason)"),
    (502, b"<html><h1>Bad gateway</h1></html>", "", "ElevenLabs had an internal error (HTTP 502)"),
    (503, detail("service_unavailable"), "service_unavailable", "ElevenLabs had an internal error"),
    (503, detail("maintenance"), "maintenance", "ElevenLabs is down for maintenance"),
    (418, b"{}", "", "ElevenLabs answered in an unexpected way (HTTP 418)"),
]


@pytest.mark.parametrize(("status", "body", "code", "words"), ROWS, ids=[f"{row[0]}-{row[2]}" for row in ROWS])
def test_each_error_has_its_sentence(status: int, body: bytes, code: str, words: str) -> None:
    explanation = explain(status, body, SUBJECT)
    assert words in explanation.message
    assert explanation.code == code
    assert explanation.message.endswith(".")
    assert "{" not in explanation.message.replace("Rachel{}", "")


@pytest.mark.parametrize("status", [409])
def test_a_conflict_is_understood_only_where_elevenlabs_names_its_reason(status: int) -> None:
    assert explain(status, detail("already_running"), SUBJECT).understood
    assert not explain(status, detail("newly_invented"), SUBJECT).understood
    assert not explain(status, b"", SUBJECT).understood


def test_schema_errors_name_the_fields() -> None:
    errors = [
        {"type": "missing", "loc": ["body", "text"], "msg": "Field required", "input": {}},
        {"type": "too_big", "loc": ["body", "voice_settings", "stability"], "msg": "must be at most 1", "input": 2},
    ]
    explanation = explain(422, json.dumps({"detail": errors}).encode(), SUBJECT)
    assert explanation.message == (
        "ElevenLabs rejected the request as invalid (text: Field required; voice_settings.stability: must be at most "
        "1); correct the node's config or its script."
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"words"',
        b"\xff\xfe",
        b'{"detail": null}',
        b'{"detail": [1, null, {"loc": 3}]}',
        b"[" * 60_000,
    ],
)
@pytest.mark.parametrize("status", [400, 401, 404, 422, 500])
def test_no_body_is_too_strange(status: int, body: bytes) -> None:
    assert explain(status, body, SUBJECT).message.endswith(".")


def test_a_key_that_elevenlabs_repeats_is_not_shown() -> None:
    said = f"The key {SUBJECT.key} and sk_0123456789abcdef are not valid"
    explanation = explain(400, detail("invalid_parameters", message=said), SUBJECT)
    assert SUBJECT.key not in explanation.message
    assert "sk_" not in explanation.message
    assert SUBJECT.key not in repr(SUBJECT)


def test_what_elevenlabs_says_is_put_on_one_short_line() -> None:
    explanation = explain(400, detail("invalid_parameters", message="line\nbreak\t" + "x" * 1000), SUBJECT)
    assert "(line break xxx" in explanation.message
    assert len(explanation.message) < 400


@pytest.mark.parametrize(
    ("reason", "said", "words"),
    [
        ("timeout", "", "did not finish the voiceover within its own time limit"),
        ("model_error", "it broke", "The ElevenLabs model failed on this script (it broke)"),
        ("moderated", "violence", "moderation rejected the script (violence); reword it."),
        ("invalid_parameters", "speed", "rejected the request as invalid (speed)"),
        ("dependency_failed", "", "A part of ElevenLabs failed while making the voiceover (dependency_failed)"),
        ("charging_failed", "card", "could not charge the account (card). Check its balance"),
        ("internal_error", "", "had an internal error while making the voiceover"),
        ("something_new", "", "could not make the voiceover (something_new)"),
        ("", "", "could not make the voiceover (no reason given)"),
    ],
)
def test_a_failed_job_says_why_and_that_it_is_not_charged(reason: str, said: str, words: str) -> None:
    sentence = failure_sentence(reason, said, SUBJECT)
    assert words in sentence
    assert sentence.endswith("Nothing was charged.")


def test_non_text_words_are_passed_over() -> None:
    body: dict[str, Any] = {"detail": {"code": 7, "status": ["x"], "message": {"a": 1}}}
    assert explain(400, json.dumps(body).encode(), SUBJECT).code == ""


@pytest.mark.parametrize(
    ("status", "code", "account"),
    [
        (401, "invalid_api_key", True),
        (401, "quota_exceeded", True),
        (402, "insufficient_credits", True),
        (402, "paid_plan_required", True),
        (403, "insufficient_permissions", True),
        (401, "detected_unusual_activity", True),
        (403, "", True),
        (403, "voice_access_denied", False),
        (404, "voice_not_found", False),
        (400, "text_too_long", False),
        (429, "rate_limit_exceeded", False),
    ],
)
def test_what_only_the_accounts_owner_can_mend_is_told_apart(status: int, code: str, account: bool) -> None:
    content = json.dumps({"detail": {"code": code, "message": "No."}} if code else {}).encode()
    assert explain(status, content, Subject("secret")).account is account

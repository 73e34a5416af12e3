"""Every error of Google's, in every shape, becomes one sentence that says who must act."""

from __future__ import annotations

import json
from typing import Any

import pytest

from video_production.providers.veo3.refusals import (
    FAILURES,
    FILTERED,
    REFUSALS,
    Subject,
    explain,
    failure_of,
    filtered_sentence,
)

TOKEN = "ya29.a-very-secret-token"
SUBJECT = Subject("the-secret", "p{}1", "us-central1", "films", "veo-3.1-generate-001", TOKEN)
BLOCKED = (
    "The prompt could not be submitted. This prompt contains sensitive words that violate Google's Responsible AI "
    "practices. Try rephrasing the prompt. If you think this was an error, send feedback."
)


def body(status: int, word: str, message: str = "the reason.", reason: str = "") -> bytes:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return json.dumps({"error": {"code": status, "status": word, "message": message, "details": details}}).encode()


RETIRED = "Publisher Model `veo-3.1-generate-001` is no longer available."
ROWS: list[tuple[int, bytes, str, str, bool]] = [
    (400, body(400, "INVALID_ARGUMENT"), "INVALID_ARGUMENT", "rejected the request as invalid (the reason); ", False),
    (400, body(400, "INVALID_ARGUMENT", BLOCKED), FILTERED, "safety filters rejected the prompt or its picture", False),
    (400, body(400, "FAILED_PRECONDITION"), "FAILED_PRECONDITION", "rejected the request as invalid", False),
    (401, body(401, "UNAUTHENTICATED"), "UNAUTHENTICATED", "Set the secret 'the-secret' to valid credentials", True),
    (403, body(403, "PERMISSION_DENIED"), "PERMISSION_DENIED", "the roles Vertex AI User in project 'p{}1'", True),
    (403, body(403, "PERMISSION_DENIED", reason="SERVICE_DISABLED"), "SERVICE_DISABLED", "API is not enabled", True),
    (403, body(403, "PERMISSION_DENIED", reason="BILLING_DISABLED"), "BILLING_DISABLED", "billing account", True),
    (403, body(403, "PERMISSION_DENIED", reason="CONSUMER_INVALID"), "CONSUMER_INVALID", "Correct VEO3_PROJECT", True),
    (403, body(403, "PERMISSION_DENIED", reason="NEW"), "PERMISSION_DENIED", "forbids this to the credentials", True),
    (404, body(404, "NOT_FOUND", RETIRED), "NOT_FOUND", "or no longer has it (Publisher Model `veo-3.1", False),
    (404, body(404, "NOT_FOUND", "No such bucket: b1."), "bucket", "can't write to bucket 'films' (No such", False),
    (403, body(403, "PERMISSION_DENIED", "It violates a policy."), "PERMISSION_DENIED", "forbids this to", True),
    (404, b"<html>404</html>", "", "Vertex AI has no model 'veo-3.1-generate-001' in location 'us-central1'", False),
    (413, b"", "", "too large for Vertex AI (HTTP 413); give the node a smaller picture", False),
    (429, body(429, "RESOURCE_EXHAUSTED"), "RESOURCE_EXHAUSTED", "this one is sent again by itself", False),
    (429, b"", "", "the project's quota is used up (HTTP 429)", False),
    (500, body(500, "INTERNAL"), "INTERNAL", "Vertex AI had an internal error (the reason); try again later.", False),
    (503, body(503, "UNAVAILABLE"), "UNAVAILABLE", "Vertex AI had an internal error (the reason)", False),
    (418, b'{"error": "odd"}', "", "Vertex AI answered in an unexpected way (odd).", False),
    (400, b"[" + body(400, "INVALID_ARGUMENT") + b"]", "INVALID_ARGUMENT", "rejected the request", False),
    (400, b'{"error": {"status": 4, "message": ["x"], "details": "x"}}', "", "as invalid (HTTP 400)", False),
]


@pytest.mark.parametrize(("status", "content", "code", "words", "account"), ROWS)
def test_an_error_becomes_a_sentence(status: int, content: bytes, code: str, words: str, account: bool) -> None:
    explanation = explain(status, content, SUBJECT)
    assert explanation.code == code
    assert words in explanation.message
    assert explanation.account is account
    assert explanation.message.endswith(".")
    assert "\n" not in explanation.message


def test_every_sentence_of_the_table_can_be_filled_in() -> None:
    seen = {explain(status, content, SUBJECT).code for status, content, *_ in ROWS}
    assert set(REFUSALS) - seen == {"OUT_OF_RANGE"}


@pytest.mark.parametrize(
    "said", [f"Bearer {TOKEN} is bad", "got ya29.c.another_token-1 here", "eyJhbGciOi.eyJpc3Mi.sig"]
)
def test_no_token_is_ever_quoted(said: str) -> None:
    message = explain(400, body(400, "INVALID_ARGUMENT", said), SUBJECT).message
    assert "ya29" not in message
    assert "eyJ" not in message


def test_what_google_says_is_quoted_on_one_line_and_shortened() -> None:
    message = explain(400, body(400, "INVALID_ARGUMENT", "a\nb " * 400), SUBJECT).message
    assert "(a b a b" in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ({"code": 3, "message": BLOCKED}, FILTERED, "safety filters rejected the prompt or its picture"),
        ({"code": 3, "message": "bad seed"}, "INVALID_ARGUMENT", "could not use what it was asked for (bad seed)"),
        ({"code": 7, "message": "no access"}, "PERMISSION_DENIED", "can't write to bucket 'films' (no access)"),
        ({"code": 8, "message": "busy"}, "RESOURCE_EXHAUSTED", "ran out of capacity"),
        ({"code": 13, "message": ""}, "INTERNAL", "internal error while making the animation (INTERNAL)"),
        ({"code": 99, "message": "odd"}, "99", "could not make the animation (odd)"),
        ({}, "UNKNOWN", "could not make the animation (UNKNOWN)"),
    ],
)
def test_a_failed_operation_says_why(error: dict[str, Any], code: str, words: str) -> None:
    sentence, found = failure_of(error, SUBJECT)
    assert found == code
    assert words in sentence
    assert sentence.endswith("nothing was made." if code == FILTERED else "Nothing was charged.")


def test_every_failure_of_the_table_can_be_filled_in() -> None:
    for number in range(1, 17):
        sentence, _ = failure_of({"code": number, "message": "said"}, SUBJECT)
        assert "{" not in sentence.replace("p{}1", "")
    assert all(FAILURES.values())


def test_a_film_that_was_held_back_gives_googles_reasons() -> None:
    assert "(one; two)" in filtered_sentence(["one", "two."])
    assert "(no reason given)" in filtered_sentence(None)
    assert "Google does not say whether it bills" in filtered_sentence([])

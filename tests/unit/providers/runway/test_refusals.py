"""Every error of Runway's becomes a sentence that says who must act and what became of the money."""

from __future__ import annotations

import json
from typing import Any

import pytest

from video_production.providers.runway import refusals
from video_production.providers.runway.refusals import Subject, explain, failure_sentence

ABOUT = Subject("the-secret", "key_secret123")


def said(status: int, body: Any) -> refusals.Explanation:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return explain(status, content, ABOUT)


@pytest.mark.parametrize(
    ("status", "error", "code", "account", "words"),
    [
        (400, "You do not have enough credits to run this task.", "out_of_credit", True, "Top it up"),
        (402, "Payment required", "out_of_credit", True, "out of credit (Payment required)"),
        (401, "The API key is not valid", "invalid_key", True, "Set the secret 'the-secret'"),
        (403, "This key may not do that", "", True, "Allow it there"),
        (429, "You have reached your daily limit.", "daily_limit", True, "Retry tomorrow"),
        (429, "Generations per 24 hours exceeded", "daily_limit", True, "Retry tomorrow"),
        (429, "Slow down", "", False, "sent again by itself"),
        (404, "Not found", "", False, "does not know what was asked for"),
        (413, "Too large", "", False, "smaller picture"),
        (400, "The model needs more detail about credits", "", False, "correct the node's config"),
        (503, "Load shed", "", False, "try again later"),
        (418, "Teapot", "", False, "unexpected way (Teapot)"),
    ],
)
def test_an_answer_is_understood_by_status_and_text(
    status: int, error: str, code: str, account: bool, words: str
) -> None:
    found = said(status, {"error": error, "docUrl": "https://docs.dev.runwayml.com/"})
    assert (found.code, found.account) == (code, account)
    assert words in found.message


def test_the_fields_at_fault_are_named() -> None:
    issues = [
        {"code": "too_big", "path": ["duration"], "message": "Too big: expected number to be <=10"},
        {"path": "ratio", "message": "Invalid option"},
        "strange",
        {"path": [], "message": "not shown: three are enough"},
    ]
    message = said(400, {"error": "Validation of body failed", "issues": issues}).message
    quoted = "Validation of body failed: duration: Too big: expected number to be <=10; ratio: Invalid option; strange"
    assert message.startswith(f"Runway rejected the request as invalid ({quoted});")


@pytest.mark.parametrize("body", [b"<html>Bad gateway", b"", b"[1]", b'{"error": {"nested": 1}}', b"\xff"])
def test_what_is_no_error_body_is_told_by_its_status(body: bytes) -> None:
    assert said(502, body).message == "Runway is overloaded or had an internal error (HTTP 502); try again later."


def test_keys_are_never_quoted() -> None:
    message = said(400, {"error": f"Key {ABOUT.key} or key_{'0a' * 64} is odd"}).message
    assert "secret123" not in message
    assert "0a0a" not in message
    assert len(said(400, {"error": "x" * 5000}).message) < 400


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("SAFETY.INPUT.TEXT", "moderation rejected the prompt or the picture"),
        ("SAFETY.OUTPUT.VIDEO", "moderation rejected the clip"),
        ("SAFETY.NEW", "moderation rejected the animation"),
        ("INPUT_PREPROCESSING.SAFETY.TEXT", "reword it"),
        ("INPUT_PREPROCESSING.INTERNAL", "could not examine"),
        ("ASSET.INVALID", "another size, shape or file type"),
        ("INTERNAL.BAD_OUTPUT.CODE01", "leave words, logos and overlays out"),
        ("THIRD_PARTY.UNAVAILABLE", "or choose model gen4.5"),
        ("INTERNAL", "internal error while making the animation"),
        ("INTERNAL.NEW", "internal error while making the animation"),
        ("SOMETHING.NEW", "internal error while making the animation"),
        ("", "internal error while making the animation"),
        ("CANCELLED", "cancelled at Runway"),
    ],
)
def test_a_failure_is_known_by_what_its_code_begins_with(code: str, words: str) -> None:
    sentence = failure_sentence(code, "The model's own words.", 0, ABOUT)
    assert words in sentence
    assert sentence.endswith(" Nothing was charged.")
    assert ("The model's own words)" in sentence) is (code not in ("CANCELLED",))


@pytest.mark.parametrize(
    ("credits", "ending"),
    [
        (None, "Whether it was charged is not known; Runway's usage page shows it."),
        (0, "Nothing was charged."),
        (1, "Runway charged 1 credit."),
        (60.0, "Runway charged 60 credits."),
    ],
)
def test_the_money_has_the_last_word(credits: float | None, ending: str) -> None:
    assert failure_sentence("SAFETY.INPUT.TEXT", "", credits, ABOUT).endswith(f"(SAFETY.INPUT.TEXT); change them, "
        f"since the same again would be rejected again. {ending}")  # fmt: skip


def test_a_failure_without_any_reason_says_so() -> None:
    assert "(no reason given)" in failure_sentence("", "", 0, ABOUT)

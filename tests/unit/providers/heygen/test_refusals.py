"""Every error of HeyGen in one sentence that says who must act."""

from __future__ import annotations

import json

import pytest

from video_production.providers.heygen.refusals import FAILURES, REFUSALS, Subject, explain, failure_sentence

SUBJECT = Subject("jiki-video/test/heygen", "Anna_public_3", "k-1234567890")


def error(code: str, message: str = "", **more: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, **more}}).encode()


@pytest.mark.parametrize("code", REFUSALS)
def test_every_known_code_is_one_sentence_with_something_to_do(code: str) -> None:
    explanation = explain(400, error(code, "This and that."), SUBJECT)
    assert (explanation.code, explanation.understood) == (code, True)
    assert explanation.message.endswith(".")
    assert "HeyGen" in explanation.message or "Avatar" in explanation.message
    assert "{" not in explanation.message


@pytest.mark.parametrize("code", FAILURES)
def test_every_known_failure_says_that_nothing_was_charged(code: str) -> None:
    assert failure_sentence(code, "This and that", SUBJECT).endswith(". Nothing was charged.")


def test_a_failure_that_nobody_knows_is_quoted() -> None:
    assert failure_sentence("lip_sync_broke", "", SUBJECT) == (
        "HeyGen could not make the talking head (lip_sync_broke); retry. Nothing was charged."
    )
    assert "moderation rejected" in failure_sentence("x", "It violates our content policy.", SUBJECT)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "rejected the request as invalid"),
        (401, "Set the secret 'jiki-video/test/heygen'"),
        (402, "wallet is out of credit"),
        (403, "forbids this request"),
        (404, "does not know what was asked for"),
        (413, "too large"),
        (429, "sent again by itself"),
        (500, "internal error"),
        (302, "unexpected way"),
    ],
)
@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[]", b'{"error": "odd"}', b'{"error": {"code": 7}}', b"[" * 9999]
)
def test_odd_answers_are_explained_by_their_status(status: int, words: str, content: bytes) -> None:
    explanation = explain(status, content, SUBJECT)
    assert words in explanation.message
    assert not explanation.understood


def test_the_field_at_fault_is_named_and_the_key_is_not() -> None:
    said = explain(400, error("validation_error", "k-1234567890 is wrong.", param="avatar_id"), SUBJECT).message
    assert said == (
        "HeyGen rejected the request as invalid (avatar_id: … is wrong); correct the node's config or its inputs."
    )


def test_moderation_is_recognised_by_its_words() -> None:
    explanation = explain(400, error("bad_request", "Content was flagged by moderation."), SUBJECT)
    assert (explanation.understood, "change what is said or shown" in explanation.message) == (True, True)


@pytest.mark.parametrize("code", ["request_in_progress", "conflict", ""])
def test_a_conflict_is_no_refusal(code: str) -> None:
    assert not explain(409, error(code, "Still running."), SUBJECT).understood


@pytest.mark.parametrize(("status", "account"), [(401, True), (402, True), (403, True), (400, False), (404, False)])
def test_what_only_the_owner_can_mend_is_marked(status: int, account: bool) -> None:
    assert explain(status, b"", SUBJECT).account is account

"""Every error of every provider is on its page: one clear sentence, who must act, and what became of the money."""

from __future__ import annotations

import re

import pytest

from tools import generate_docs
from tools.error_sentences import GAP, Said, sentences_of
from tools.error_specimens import SPECIMENS
from tools.provider_errors_page import (
    ANYBODY,
    AUTHOR,
    NOBODY,
    NOTHING,
    OWNER,
    PERHAPS,
    PERSON,
    SPENT,
    after_answers,
    rows_of,
    who_must_act,
)
from video_production.settings import PROVIDERS

ROWS = {provider: rows_of(provider) for provider in PROVIDERS}
SENTENCE = re.compile(r"^([A-Z'…]|gs://|veo3 ).*[.…]$", re.DOTALL)
OUR_WORDS = re.compile(r"\b(fence|settle|claim|splice|slot|take id|takes table|fingerprint)\b")


def test_every_provider_has_its_specimen() -> None:
    assert tuple(SPECIMENS) == PROVIDERS


def test_the_page_is_current() -> None:
    path = generate_docs.PROVIDER_ERRORS_PATH
    assert path.read_text(encoding="utf-8") == generate_docs.generated()[path], "run python -m tools.generate_docs"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_code_and_status_is_there(provider: str) -> None:
    specimen = SPECIMENS[provider]()
    shown = {row.code for row in ROWS[provider]}
    expected = {*specimen.refusals, *specimen.others, *(f"HTTP {status}" for status in (*specimen.statuses, 500))}
    assert expected | {code or "none" for code in specimen.failures} <= shown


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_error_is_a_sentence_that_says_who_must_act(provider: str) -> None:
    for row in ROWS[provider]:
        assert row.who in (AUTHOR, OWNER, NOBODY, PERSON, ANYBODY), row
        assert SENTENCE.match(row.sentence), row
        assert "{" not in row.sentence, "a placeholder is not filled in"
        assert not OUR_WORDS.search(row.sentence), row
        assert len(row.sentence) < 420


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_words_agree_with_what_the_machine_does(provider: str) -> None:
    """A request that is sent again says so, and one that only the account's owner can mend asks the owner."""
    for row in after_answers(provider, SPECIMENS[provider]()):
        if row.money == PERHAPS:
            assert "may have been carried out and paid" in row.sentence
        else:
            assert who_must_act(row.sentence) == row.who, row
            assert row.money == NOTHING


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_failed_job_says_what_became_of_the_money(provider: str) -> None:
    told = {
        NOTHING: r"Nothing was charged\.$|nothing was made\.$",
        SPENT: r"charged \d+ credits\.$",
        PERHAPS: r"not (say|known)",
    }
    failed = [row for row in ROWS[provider] if row.part == "Jobs that failed"]
    assert failed
    for row in failed:
        assert re.search(told[row.money], row.sentence), row


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_can_not_be_decided_names_the_way_out(provider: str) -> None:
    undecided = [row.sentence for row in ROWS[provider] if row.who == PERSON]
    assert undecided
    assert all("run resolve with --adopt ID, --pay-again or --give-up" in sentence for sentence in undecided)


def test_sentences_are_found_in_the_source_wherever_they_stand() -> None:
    said = sentences_of("video_production.providers.runway")
    assert Said("RequestError", "The prompt has … characters; Runway takes at most 1,000. Shorten it.") in said
    assert Said("ProviderJobFailed", "Runway no longer knows the task ….") in said  # by way of a name
    assert Said("ambiguous", "it accepted the task without an id") in said
    assert not [one for one in said if one.text in ("", GAP)]
    either = sentences_of("video_production.providers.heygen")
    assert len([one for one in either if one.kind == "Unknown"]) >= 2

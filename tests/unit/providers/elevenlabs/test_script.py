"""Scripts that are too long are cut where a speaker would pause, and an edit leaves the other parts alone."""

from __future__ import annotations

import random
import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video_production.errors import RequestError
from video_production.providers.elevenlabs.script import cut, first_words, last_words

WORDS = ("search", "halves", "the list", "until", "one entry", "is left", "and", "then", "stops", "because", "nothing")


def lesson(seed: int, paragraphs: int) -> str:
    """A script of some 450 characters a paragraph, different for each seed."""
    chance = random.Random(seed)

    def sentence() -> str:
        words = " ".join(chance.choice(WORDS) for _ in range(chance.randint(4, 20)))
        return words.capitalize() + chance.choice([".", ".", "?", "!", ", e.g. 3.5 of 10 000."])

    return "\n\n".join(" ".join(sentence() for _ in range(chance.randint(3, 9))) for _ in range(paragraphs))


def test_a_text_that_fits_is_not_cut() -> None:
    assert cut("One. Two.", 9, 2) == ["One. Two."]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), paragraphs=st.integers(1, 40), longest=st.integers(600, 4_000))
def test_no_word_is_lost_and_no_part_is_too_long(seed: int, paragraphs: int, longest: int) -> None:
    text = lesson(seed, paragraphs)
    parts = cut(text, longest, longest // 5)
    assert " ".join(" ".join(parts).split()) == " ".join(text.split())
    assert all(part == part.strip() and 0 < len(part) <= longest for part in parts)


def test_paragraphs_come_before_lines_and_lines_before_sentences() -> None:
    text = "One here. Two here.\nThree here. Four here.\n\nFive here. Six here."
    assert cut(text, 45, 5) == ["One here. Two here.\nThree here. Four here.", "Five here. Six here."]
    assert cut(text, 25, 5) == ["One here. Two here.", "Three here. Four here.", "Five here. Six here."]


@pytest.mark.parametrize(
    "whole",
    [
        "It costs 3.50 at most. And it lasts.",
        "See Dr. Miller about that. Then come back.",
        "Sorting, e.g. Quicksort, is old. Searching is older.",
        "1. First of all we look. 2. Then we leap.",
        "That was on the 3. October of it. Then came more.",
        "He said: wait… and then he went. She stayed there.",
    ],
)
def test_a_full_stop_within_a_sentence_is_no_place_to_cut(whole: str) -> None:
    first, second = cut(whole, len(whole) - 1, 1)
    assert f"{first} {second}" == whole
    assert re.search(r"[a-z]\.$", first)
    assert second[0] in string.ascii_uppercase + "2"


@pytest.mark.parametrize(
    "kept",
    [
        '<break time="1.5s" />',
        '<phoneme alphabet="ipa" ph="x y. z">San Jose. Now</phoneme>',
        "[laughs. Loudly now]",
        "10 000 000",
        "Mr.\u00a0Miller",
    ],
)
def test_markup_and_numbers_stay_whole(kept: str) -> None:
    text = " ".join(f"word {kept} word" for _ in range(30))
    parts = cut(text, len(kept) + 30, 10)
    assert len(parts) > 5
    assert sum(part.count(kept) for part in parts) == 30


def test_a_long_sentence_is_cut_at_its_clauses_before_its_words() -> None:
    assert cut("one two three, four five six", 20, 3) == ["one two three,", "four five six"]
    pieces = cut("one two three four", 9, 1)
    assert " ".join(pieces) == "one two three four"
    assert max(map(len, pieces)) <= 9


def test_scripts_without_spaces_are_cut_behind_their_full_stops() -> None:
    text = "これは一つ目の文です。「二つ目です。」三つ目の文です。四つ目の文です。"
    parts = cut(text, 20, 3)
    assert "".join(parts) == text
    assert all(part.endswith(("。", "。」")) for part in parts)


def test_what_has_no_place_to_be_cut_is_refused_by_its_first_words() -> None:
    with pytest.raises(RequestError, match=r"at most 100 characters, but there is no place for it from “aaa.*” on"):
        cut("a" * 101, 100, 10)


def test_an_edited_sentence_changes_hardly_more_than_its_own_part() -> None:
    text = lesson(3, 60)
    before = cut(text, 4_000, 800)
    changed = []
    for place in range(2_000, len(text) - 2_000, 700):
        stop = text.index(".", place)
        after = cut(f"{text[:stop]} and one more small thing{text[stop:]}", 4_000, 800)
        changed.append(len([part for part in after if part not in before]))
    assert len(before) > 7
    assert max(changed) <= 3
    assert sum(changed) / len(changed) < 1.2


def test_a_new_first_paragraph_leaves_the_rest_alone() -> None:
    text = lesson(5, 80)
    before = cut(text, 4_000, 800)
    after = cut(f"A word of welcome goes before everything.\n\n{text}", 4_000, 800)
    assert len([part for part in after if part not in before]) <= 2


def test_neighbours_are_told_in_a_sentence_or_in_whole_words() -> None:
    text = "One is here. Two is here. Three is here."
    assert (first_words(text, 30), last_words(text, 30)) == ("One is here.", "Three is here.")
    assert (first_words(text, 8), last_words(text, 9)) == ("One is", "is here.")
    assert (first_words("abcdefgh", 5), last_words("abcdefgh", 5)) == ("", "")
    assert (first_words("", 5), last_words("", 5)) == ("", "")


def test_parts_are_of_a_useful_size() -> None:
    sizes = [len(part) for part in cut(lesson(1, 100), 4_000, 800)]
    assert min(sizes) >= 800
    assert sum(sizes) / len(sizes) > 1_500

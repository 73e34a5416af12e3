"""The normalised text: numbers in words, each on its own time."""

from __future__ import annotations

import pytest

from stand_ins.elevenlabs.spelling import number_in_words, spell_out
from stand_ins.speech import CharacterTimes


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (42, "forty two"),
        (90, "ninety"),
        (107, "one hundred seven"),
        (1000, "one thousand"),
        (2024, "two thousand twenty four"),
        (999_999, "nine hundred ninety nine thousand nine hundred ninety nine"),
    ],
)
def test_numbers_read_as_english_words(number: int, words: str) -> None:
    assert number_in_words(number) == words


def test_spelled_out_words_take_the_time_of_their_number() -> None:
    text = "is 42 it"
    spelled = spell_out(CharacterTimes(text, tuple(map(float, range(8))), tuple(map(float, range(1, 9)))))
    assert spelled.characters == "is forty two it"
    assert len(spelled.starts) == len(spelled.ends) == len(spelled.characters)
    start, end = spelled.characters.index("forty"), spelled.characters.index(" it") - 1
    assert (spelled.starts[start], spelled.ends[end]) == (3.0, 5.0)
    assert list(spelled.starts) == sorted(spelled.starts)


@pytest.mark.parametrize("text", ["S3", "3.14", "1,000,000", "no numbers", "1234567"])
def test_what_is_no_plain_number_stays_as_it_is(text: str) -> None:
    zeros = tuple([0.0] * len(text))
    assert spell_out(CharacterTimes(text, zeros, zeros)).characters == text

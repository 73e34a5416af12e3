"""Captions: grouping timed characters, both file formats, shifting and joining."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from video_production.errors import MediaError
from video_production.media.captions import (
    Cue,
    cues_from_alignment,
    join,
    read_captions,
    shift,
    to_srt,
    to_vtt,
    write_captions,
)

LESSON = (
    "Binary search finds a word in a sorted list. You look at the middle, and throw half of it away! "
    "Why is that fast? Because a thousand pages need only ten looks."
)


def aligned(text: str, seconds: float = 0.06) -> tuple[list[str], list[float], list[float]]:
    """Character times as a provider sends them: every character lasts equally long."""
    return list(text), [place * seconds for place in range(len(text))], [(n + 1) * seconds for n in range(len(text))]


def spoken(cues: list[Cue]) -> str:
    return " ".join(cue.text.replace("\n", " ") for cue in cues)


def test_cues_hold_every_word_in_order_and_fit_two_lines() -> None:
    cues = cues_from_alignment(*aligned(LESSON))
    assert spoken(cues) == LESSON
    for cue in cues:
        lines = cue.text.split("\n")
        assert len(lines) <= 2
        assert all(len(line) <= 42 for line in lines)
        assert cue.end - cue.start <= 6.5


def test_cues_break_at_sentence_ends_rather_than_inside_sentences() -> None:
    cues = cues_from_alignment(*aligned(LESSON))
    assert [cue.text.replace("\n", " ") for cue in cues[:2]] == [
        "Binary search finds a word in a sorted list.",
        "You look at the middle, and throw half of it away!",
    ]


def test_a_cue_starts_with_its_first_character_and_ends_with_its_last() -> None:
    first, second = cues_from_alignment(
        list("Hi. Yo."),
        [0.1234, 0.2, 0.3, 0.4, 3.5006, 3.6, 3.7],
        [0.2, 0.3, 0.3996, 3.5, 3.6, 3.7, 3.8004],
    )
    assert first == Cue(0.123, 0.4, "Hi.")
    assert second == Cue(3.501, 3.8, "Yo.")


def test_a_long_pause_ends_a_cue() -> None:
    characters, starts, ends = aligned("one two")
    late = [start + (5 if place >= 4 else 0) for place, start in enumerate(starts)]
    cues = cues_from_alignment(characters, late, [end + (5 if place >= 4 else 0) for place, end in enumerate(ends)])
    assert [cue.text for cue in cues] == ["one", "two"]


def test_slow_speech_is_cut_after_six_and_a_half_seconds() -> None:
    cues = cues_from_alignment(*aligned("a slow old man told slow old tales", seconds=0.5))
    assert len(cues) >= 3
    assert max(cue.end - cue.start for cue in cues) <= 6.5


def test_markup_that_is_not_spoken_stays_out_of_captions() -> None:
    cues = cues_from_alignment(*aligned('First.<break time="1.0s" /> Then List<int> follows.'))
    assert spoken(cues) == "First. Then List<int> follows."


def test_languages_without_spaces_are_broken_between_characters_but_not_before_punctuation() -> None:
    text = "二分探索は、並んだリストの中から言葉を見つけます。真ん中を見て、半分を捨てます。なぜ速いのでしょう。" * 2
    cues = cues_from_alignment(*aligned(text, 0.12))
    assert "".join(cue.text.replace("\n", "") for cue in cues) == text
    lines = [line for cue in cues for line in cue.text.split("\n")]
    assert all(len(line) <= 21 for line in lines)
    assert not any(line[0] in "、。" for line in lines)


def test_japanese_cues_end_between_phrases_not_inside_words() -> None:
    text = "こんにちは。今日は二分探索について学びます。大きなリストの中から、ひとつの数をすばやく見つける方法です。"
    cues = cues_from_alignment(*aligned(text, 0.45))
    assert [cue.text for cue in cues] == [
        "こんにちは。今日は",
        "二分探索について学びます。",
        "大きなリストの中から、",
        "ひとつの数をすばやく",
        "見つける方法です。",
    ]


def test_the_upper_of_two_lines_ends_with_a_sentence_where_both_stay_of_similar_length() -> None:
    (cue,) = cues_from_alignment(*aligned("This is scene number 10. It is rather short."))
    assert cue.text == "This is scene number 10.\nIt is rather short."


@pytest.mark.parametrize("abbreviation", ["z. B.", "e.g.", "etc."])
def test_a_full_stop_inside_a_sentence_does_not_end_it(abbreviation: str) -> None:
    text = f"Today we learn how to solve larger tasks, {abbreviation} in a list of many thousand entries."
    cues = cues_from_alignment(*aligned(text, 0.1))
    assert len(cues) > 1
    assert not any(cue.text.endswith(".") for cue in cues[:-1])


def test_a_word_longer_than_a_line_is_split_and_nothing_of_it_is_lost() -> None:
    word = "https://example.org/" + "a" * 90
    cues = cues_from_alignment(*aligned(word))
    assert "".join(cue.text.replace("\n", "") for cue in cues) == word
    assert all(len(line) <= 42 for cue in cues for line in cue.text.split("\n"))


def test_a_combined_emoji_is_never_taken_apart() -> None:
    family = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
    cues = cues_from_alignment(*aligned(f"x {family} e\u0301 y"))
    assert spoken(cues) == f"x {family} e\u0301 y"


def test_character_times_that_run_backwards_still_give_cues_without_overlap() -> None:
    characters, starts, ends = aligned(LESSON)
    starts[60:64] = [0.0] * 4
    cues = cues_from_alignment(characters, starts, ends)
    assert spoken(cues) == LESSON
    assert all(cue.end <= following.start for cue, following in pairwise(cues))


@pytest.mark.parametrize("text", ["", "   \n "])
def test_no_text_gives_no_cues(text: str) -> None:
    assert cues_from_alignment(*aligned(text)) == []


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(MediaError, match="2 characters, 1 starts, 2 ends"):
        cues_from_alignment(["a", "b"], [0.0], [0.1, 0.2])


@given(st.lists(st.tuples(st.characters(codec="utf-8"), st.floats(0, 0.4)), max_size=120))
def test_any_alignment_gives_ordered_cues_that_do_not_overlap(timed: list[tuple[str, float]]) -> None:
    starts: list[float] = []
    now = 0.0
    for _, length in timed:
        starts.append(now)
        now += length
    ends = [start + length for start, (_, length) in zip(starts, timed, strict=True)]
    cues = cues_from_alignment([character for character, _ in timed], starts, ends)
    assert all(0 <= cue.start < cue.end for cue in cues)
    assert all(cue.end <= following.start for cue, following in pairwise(cues))


HARD = [
    Cue(0.0, 1.234, "a < b & c > d --> <i>e</i>\nThe answer is\n42"),
    Cue(1.5, 2.0, "C:\\new {x} \\N \\h"),
    Cue(2.0, 3723.999, "日本語 naïve \U0001f600\n7"),
]


def test_webvtt_gives_back_exactly_what_was_written() -> None:
    assert read_captions(to_vtt(HARD)) == HARD


def test_webvtt_escapes_what_would_be_markup() -> None:
    text = to_vtt(HARD).decode()
    assert text.startswith("WEBVTT\n\n")
    assert "a &lt; b &amp; c &gt; d --&gt; &lt;i&gt;e&lt;/i&gt;" in text
    assert "00:00:00.000 --> 00:00:01.234" in text
    assert "01:02:03.999" in text


def test_subrip_gives_back_the_text_and_the_milliseconds() -> None:
    cues = [Cue(0.001, 0.999, "a < b & {c}\n42"), Cue(1.0, 2.5, "two\\Nthree")]
    assert "00:00:00,001 --> 00:00:00,999" in to_srt(cues).decode()
    assert read_captions(to_srt(cues)) == cues


def test_a_blank_line_inside_a_cue_cannot_end_it_early() -> None:
    assert read_captions(to_vtt([Cue(0.0, 1.0, "a\n\nb\r\nc")])) == [Cue(0.0, 1.0, "a\nb\nc")]


def test_no_cues_make_valid_empty_files() -> None:
    assert to_vtt([]).startswith(b"WEBVTT\n")
    assert read_captions(to_vtt([])) == read_captions(to_srt([])) == read_captions(b"") == []


def test_foreign_webvtt_with_notes_styles_identifiers_and_settings_is_read() -> None:
    foreign = (
        "\ufeffWEBVTT - title\r\nKind: captions\r\n\r\nSTYLE\r\n::cue { color: red }\r\n\r\nNOTE a --> b\r\n\r\n"
        "intro\r\n00:01.000 --> 00:02.000 align:start position:0%\r\n<v Bob>Fish &amp; <i>chips</i>\r\n\r\n"
        "00:03.000 --> 00:04.000\r\n7"
    )
    assert read_captions(foreign.encode()) == [Cue(1.0, 2.0, "Fish & chips"), Cue(3.0, 4.0, "7")]


def test_foreign_subrip_with_formatting_is_read_as_plain_text() -> None:
    foreign = b"1\n00:00:01,500 --> 00:00:02,000\n<font color=red><i>Hi</i></font> there\n"
    assert read_captions(foreign) == [Cue(1.5, 2.0, "Hi there")]


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"just a text file\nof two lines\n"])
def test_what_is_no_caption_file_is_refused(data: bytes) -> None:
    with pytest.raises(MediaError, match="captions"):
        read_captions(data)


def test_both_files_are_written(tmp_path: Path) -> None:
    write_captions(HARD, tmp_path / "a.srt", tmp_path / "a.vtt")
    assert (tmp_path / "a.srt").read_bytes() == to_srt(HARD)
    assert (tmp_path / "a.vtt").read_bytes() == to_vtt(HARD)


def test_shifting_moves_every_cue_and_cuts_off_what_lies_before_zero() -> None:
    cues = [Cue(0.0, 1.0, "gone"), Cue(1.0, 3.0, "half"), Cue(3.0, 4.0, "whole")]
    assert shift(cues, 0.0005 + 0.0006) == [
        Cue(0.001, 1.001, "gone"),
        Cue(1.001, 3.001, "half"),
        Cue(3.001, 4.001, "whole"),
    ]
    assert shift(cues, -2.0) == [Cue(0.0, 1.0, "half"), Cue(1.0, 2.0, "whole")]


def test_joined_captions_lie_where_their_clips_lie_and_stay_inside_them() -> None:
    first = [Cue(0.5, 1.5, "one"), Cue(1.6, 2.8, "runs over"), Cue(2.5, 3.0, "outside")]
    second = [Cue(0.25, 0.75, "two")]
    assert join([(first, 0.0, 2.0), ([], 2.0, 1.0), (second, 3.0, 1.0)]) == [
        Cue(0.5, 1.5, "one"),
        Cue(1.6, 2.0, "runs over"),
        Cue(3.25, 3.75, "two"),
    ]

"""Captions of the HeyGen stand-in: from words where somebody wrote them down, from the sound's rhythm elsewhere."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np

from stand_ins.film import SOUND_RATE, Line
from stand_ins.heygen.captions import WIDTH, lines_of, srt, unheard
from stand_ins.speech import Word, speak
from stand_ins.transcripts import Transcripts
from video_production.media.captions import read_captions


def words(text: str, step: float = 0.4) -> list[Word]:
    return [Word(number * step, (number + 1) * step - 0.05, word) for number, word in enumerate(text.split())]


def test_lines_end_with_sentences_and_fit_two_rows() -> None:
    lines = lines_of(words("One two three. Four five six seven, eight nine ten! " + "word " * 30))
    assert [line.text for line in lines[:2]] == ["One two three.", "Four five six seven, eight nine ten!"]
    assert all(len(row) <= WIDTH for line in lines for row in line.text.split("\n"))
    assert all(len(line.text.split("\n")) <= 2 for line in lines)
    assert all(line.end - line.start <= 6.0 for line in lines)
    assert all(first.end <= second.start for first, second in pairwise(lines))


def test_no_words_no_lines() -> None:
    assert lines_of([]) == []


def test_the_file_can_be_read_by_the_product() -> None:
    lines = [Line(0.1, 1.25, "One\ntwo"), Line(3661.0, 3662.5, "Three")]
    cues = read_captions(srt(lines))
    assert [(cue.start, cue.end, cue.text) for cue in cues] == [(0.1, 1.25, "One\ntwo"), (3661.0, 3662.5, "Three")]


def test_phrases_are_found_between_pauses() -> None:
    loud, quiet = 0.3 * np.ones(SOUND_RATE, np.float32), np.zeros(SOUND_RATE // 2, np.float32)
    lines = unheard(np.concatenate([quiet, loud, quiet, loud]))
    assert [(round(line.start, 1), round(line.end, 1)) for line in lines] == [(0.5, 1.5), (2.0, 3.0)]
    assert unheard(np.zeros(100, np.float32)) == []


def test_what_one_stand_in_says_the_other_can_read(tmp_path: Path) -> None:
    sound = tmp_path / "sound"
    sound.write_bytes(b"some sound")
    spoken = speak("Hello there, world.", voice="x").words
    Transcripts(tmp_path / "transcripts").keep(sound, spoken)
    kept = Transcripts(tmp_path / "transcripts")
    assert kept.find(hashlib.sha256(b"some sound").hexdigest()) == spoken
    assert kept.find("0" * 64) == []

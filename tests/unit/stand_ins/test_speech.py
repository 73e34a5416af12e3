"""Speech is audible, repeatable, at a sensible level, and every word is where its time says."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from stand_ins.speakers import SPEAKERS, speaker_for
from stand_ins.speech import Speech, speak

GEORGE = "JBFqnCBsd6RMkjVDRZzb"
RACHEL = "21m00Tcm4TlvDq8ikWAM"
LESSON = 'We have a list. Look at the middle: is 42 too big? Throw away half, and "repeat" — like this; done!'


def samples(speech: Speech) -> npt.NDArray[np.float64]:
    return np.frombuffer(speech.pcm, "<i2").astype(np.float64) / 32768


def loud(speech: Speech, step: float = 0.005) -> npt.NDArray[np.bool_]:
    """Whether each `step` seconds of the speech hold sound."""
    values = samples(speech)
    width = int(step * speech.sample_rate)
    starts = (np.arange(0, speech.duration, step) * speech.sample_rate).astype(int)
    levels = np.array([np.sqrt(np.mean(values[start : start + width] ** 2)) for start in starts])
    above: npt.NDArray[np.bool_] = levels > 0.01 * levels.max()
    return above


def pitch(speech: Speech) -> float:
    """The median fundamental frequency in hertz."""
    values, rate = samples(speech), speech.sample_rate
    found = []
    for start in range(0, len(values) - 2048, 1024):
        block = values[start : start + 2048]
        if np.mean(block**2) > 0.003:
            correlation = np.correlate(block, block, "full")[2047:]
            lag = rate // 350 + int(np.argmax(correlation[rate // 350 : rate // 60]))
            found.append(rate / lag)
    return float(np.median(found))


@pytest.fixture(scope="module")
def lesson() -> Speech:
    return speak(LESSON, voice=GEORGE)


def test_every_character_has_a_time_and_times_never_go_back(lesson: Speech) -> None:
    times = lesson.times
    assert times.characters == LESSON
    assert len(times.starts) == len(times.ends) == len(LESSON)
    assert all(start <= end for start, end in zip(times.starts, times.ends, strict=True))
    assert all(end <= start + 1e-9 for end, start in zip(times.ends, times.starts[1:], strict=False))
    assert times.ends[-1] <= lesson.duration


def test_words_are_the_text_split_at_white_space(lesson: Speech) -> None:
    assert [word.text for word in lesson.words] == LESSON.split()


def test_words_after_a_pause_start_with_the_sound_and_words_before_it_end_with_it() -> None:
    # Vowels and nasals at the borders of the pauses: stops begin with a silence of their own.
    speech = speak("Apples, oranges. Many animals; lemon. Nine, eleven! One more, and more.", voice=GEORGE)
    sound, step = loud(speech), 0.005
    pauses = [(before, after) for before, after in pairwise(speech.words) if after.start - before.end > 0.1]
    assert len(pauses) >= 6
    for before, after in pauses:
        middle = int((before.end + after.start) / 2 / step)
        assert not sound[middle]
        onset = step * (middle + int(np.argmax(sound[middle:])))
        offset = step * (middle - int(np.argmax(sound[middle::-1])) + 1)
        assert abs(onset - after.start) < 0.03, after
        assert abs(offset - before.end) < 0.03, before


def test_times_do_not_drift_in_a_long_text() -> None:
    speech = speak("Apples, oranges. " * 60, voice=GEORGE)
    sound, step = loud(speech), 0.005
    last = speech.words[-1]
    middle = int((speech.words[-2].end + last.start) / 2 / step)
    onset = step * (middle + int(np.argmax(sound[middle:])))
    assert speech.duration > 60
    assert abs(onset - last.start) < 0.03


@pytest.mark.parametrize("voice", [GEORGE, RACHEL])
def test_the_same_words_give_the_same_bytes_at_any_time(voice: str) -> None:
    first = speak("The middle.", voice=voice).pcm
    time.sleep(1.05)  # eSpeak seeds the breath of some voices with the clock, in whole seconds.
    assert speak("The middle.", voice=voice).pcm == first


def test_a_tenth_of_a_second_of_silence_lies_at_both_ends(lesson: Speech) -> None:
    sound = np.flatnonzero(loud(lesson)) * 0.005
    assert sound[0] == pytest.approx(0.1, abs=0.02)
    assert lesson.duration - sound[-1] == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("voice", [speaker.voice_id for speaker in SPEAKERS])
def test_every_speaker_is_loud_enough_and_none_clips(voice: str) -> None:
    values = samples(speak(LESSON, voice=voice))
    spoken = values[np.abs(values) > 0.001]
    assert 0.07 < np.sqrt(np.mean(spoken**2)) < 0.13
    assert np.abs(values).max() <= 0.9


def test_speakers_can_be_told_apart() -> None:
    text = "Look at the middle of the list, and throw away one half of it."
    women = [pitch(speak(text, voice=s.voice_id)) for s in SPEAKERS if s.gender == "female"]
    men = [pitch(speak(text, voice=s.voice_id)) for s in SPEAKERS if s.gender == "male"]
    assert min(women) > 1.3 * max(men)
    assert len({speak("Hello", voice=speaker.voice_id).pcm for speaker in SPEAKERS}) == len(SPEAKERS)


def test_an_unknown_voice_always_gets_the_same_speaker_of_its_own() -> None:
    first, second = "A" * 20, "B" * 20
    assert speaker_for(first) == speaker_for(first) != speaker_for(second)
    assert speak("Hello", voice=first).pcm == speak("Hello", voice=first).pcm != speak("Hello", voice=second).pcm


def test_speed_changes_how_long_it_takes() -> None:
    slow, normal, fast = (speak(LESSON, voice=RACHEL, speed=speed).duration for speed in (0.7, 1.0, 1.2))
    assert slow > 1.2 * normal
    assert fast < 0.93 * normal


def test_a_break_is_silence_and_is_not_read_out() -> None:
    speech = speak('One. <break time="1.5s" /> Eleven.', voice=GEORGE)
    one, eleven = speech.words
    assert (one.text, eleven.text) == ("One.", "Eleven.")
    assert 1.5 <= eleven.start - one.end < 2.0
    assert not loud(speech)[int((one.end + 0.1) / 0.005) : int((eleven.start - 0.1) / 0.005)].any()
    assert speak('<break time="60s" />Eleven.', voice=GEORGE).duration < 4.5


ODD_TEXTS = ["...", "—", "👍", "   ", "a", "日本語", "x\n\n\ty", "</s>", "& < >", "\u200b", "'", "\0a", "\ud800"]


@pytest.mark.parametrize("text", ODD_TEXTS, ids=ascii)
def test_odd_texts_are_spoken_or_silent_but_never_fail(text: str) -> None:
    speech = speak(text, voice=GEORGE)
    assert len(speech.times.starts) == len(text)
    assert speech.duration > 0.1


def test_another_language_sounds_different_and_an_unknown_one_is_ignored() -> None:
    english = speak("Die Mitte der Liste", voice=GEORGE)
    assert speak("Die Mitte der Liste", voice=GEORGE, language="de").pcm != english.pcm
    assert speak("Die Mitte der Liste", voice=GEORGE, language="xx").pcm == english.pcm

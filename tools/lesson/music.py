"""The outro's music: four soft chords with a plucked figure over them, as samples."""

from __future__ import annotations

import math
from array import array

__all__ = ["SAMPLE_RATE", "compose"]

SAMPLE_RATE = 32_000

_CHORDS = ((60, 64, 67, 71), (57, 64, 67, 72), (65, 69, 72, 76), (62, 67, 71, 74))
"""C major 7, A minor 7, F major 7, G: MIDI notes."""
_FIGURE = (0, 2, 1, 3, 2, 1, 3, 2)
_LEVEL_RMS = 10 ** (-35 / 20)
"""Of full scale; a voice at −16 LUFS has about −19 dB."""
_FADE = 1.4


def compose(seconds: float) -> array[int]:
    """Mono, 16 bit, faded in and out; the chords share the time equally."""
    total = round(seconds * SAMPLE_RATE)
    sound = [0.0] * total
    chord_seconds = seconds / len(_CHORDS)
    for number, chord in enumerate(_CHORDS):
        for note in chord:
            _pad(sound, note, number * chord_seconds, chord_seconds + 0.9)
        step = chord_seconds / len(_FIGURE)
        for place, index in enumerate(_FIGURE):
            _pluck(sound, chord[index] + 12, number * chord_seconds + place * step)
    level = _LEVEL_RMS / math.sqrt(sum(value * value for value in sound) / total)
    faded = (value * level * _fade(index / SAMPLE_RATE, seconds) for index, value in enumerate(sound))
    return array("h", (round(32767 * max(-1.0, min(1.0, value))) for value in faded))


def _fade(moment: float, seconds: float) -> float:
    return min(1.0, moment / 0.4, max(0.0, seconds - moment) / _FADE)


def _frequency(note: int) -> float:
    return 440 * 2 ** ((note - 69) / 12)


def _pad(sound: list[float], note: int, start: float, seconds: float) -> None:
    """A held tone that swells and fades, with a slow beat."""
    step = math.tau * _frequency(note) / SAMPLE_RATE
    first, count = round(start * SAMPLE_RATE), round(seconds * SAMPLE_RATE)
    for index in range(min(count, len(sound) - first)):
        shape = math.sin(math.pi * index / count)
        sound[first + index] += 0.5 * shape * (math.sin(step * index) + 0.6 * math.sin(1.003 * step * index))


def _pluck(sound: list[float], note: int, start: float) -> None:
    """A tone that is struck and dies away."""
    step = math.tau * _frequency(note) / SAMPLE_RATE
    first = round(start * SAMPLE_RATE)
    for index in range(min(round(0.9 * SAMPLE_RATE), len(sound) - first)):
        moment = index / SAMPLE_RATE
        shape = min(1.0, moment / 0.006) * math.exp(-5 * moment)
        sound[first + index] += 0.8 * shape * (math.sin(step * index) + 0.25 * math.sin(2 * step * index))

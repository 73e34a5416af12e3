"""Audible speech without any service: text in, samples and the time of every character out.

eSpeak NG speaks in a process of its own (see `espeak_worker`), so calls are repeatable to the byte, safe from several
threads, and a crash of the library is an exception here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import espeakng_loader

from stand_ins.speakers import speaker_for

__all__ = ["CharacterTimes", "Speech", "SpeechError", "Word", "speak"]

MAXIMUM_PAUSE = 3.0
"""Seconds: the longest `<break>` that ElevenLabs keeps."""

_BREAK = re.compile(r"""<break\s+time=["']([\d.]+)\s*(ms|s)["']\s*/>""")
_TOKEN = re.compile(r"\S+")
_WORKER = Path(__file__).with_name("espeak_worker.py")


class SpeechError(RuntimeError):
    """The synthesizer failed; the message says why."""


@dataclass(frozen=True, slots=True)
class CharacterTimes:
    """When each character of a text is heard, in seconds: three sequences as long as the text, never decreasing."""

    characters: str
    starts: tuple[float, ...]
    ends: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """A word as written (punctuation included) and when it is heard, in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Speech:
    """Spoken text. `pcm` is mono, signed 16 bit, little endian; about −20 LUFS, 100 ms of silence at both ends."""

    pcm: bytes
    sample_rate: int
    times: CharacterTimes

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.pcm) / 2 / self.sample_rate

    @property
    def words(self) -> list[Word]:
        """The words in spoken order, as separated by white space; break tags are no words."""
        starts, ends = self.times.starts, self.times.ends
        text = _BREAK.sub(lambda tag: " " * len(tag.group()), self.times.characters)
        return [Word(starts[token.start()], ends[token.end() - 1], token.group()) for token in _TOKEN.finditer(text)]


@dataclass(frozen=True, slots=True)
class _Anchor:
    """`character` is heard at `start`, what follows it up to the next anchor until `end`; in samples."""

    character: int
    start: int
    end: int


def speak(text: str, *, voice: str, speed: float = 1.0, language: str | None = None) -> Speech:
    """Speak `text` with the speaker of `voice` (an ElevenLabs voice id, or any other string).

    `speed` multiplies the speech rate. `language` is an ISO 639-1 code; None or an unknown one means English.
    `<break time="1.5s" />` is a pause of up to three seconds and is not read out. The same arguments give the same
    bytes. Raises SpeechError when the synthesizer fails.
    """
    speaker = speaker_for(voice)
    parts = _split_at_breaks(text)
    request = {
        "library": espeakng_loader.get_library_path(),
        "data": espeakng_loader.get_data_path(),
        "voice": speaker.espeak_voice(_espeak_language(language)),
        "rate": round(speaker.rate * speed),
        "pitch": speaker.pitch,
        "pitch_range": speaker.pitch_range,
        "parts": [{"text": part, "pause": pause} for _, part, pause in parts],
    }
    header, pcm = _run(json.dumps(request))
    origins = [origin for origin, _, _ in parts]
    events = [(origins[part] + character, sample, kind) for part, character, sample, kind in header["events"]]
    times = _character_times(text, _anchors(text, events, len(pcm) // 2), header["sample_rate"])
    return Speech(pcm=pcm, sample_rate=header["sample_rate"], times=times)


def _split_at_breaks(text: str) -> list[tuple[int, str, float]]:
    """Pieces of `text` between break tags: where each starts, its text, and the pause after it in seconds."""
    parts: list[tuple[int, str, float]] = []
    start = 0
    for tag in _BREAK.finditer(text):
        seconds = float(tag.group(1)) / (1000 if tag.group(2) == "ms" else 1)
        parts.append((start, text[start : tag.start()], min(seconds, MAXIMUM_PAUSE)))
        start = tag.end()
    return [*parts, (start, text[start:], 0.0)]


def _espeak_language(code: str | None) -> str | None:
    """eSpeak's name of a language, or None for English and for languages that it does not have."""
    if not code or code == "en" or not code.isalpha():
        return None
    name = {"zh": "cmn", "no": "nb"}.get(code, code)
    known = Path(espeakng_loader.get_data_path(), "lang").glob(f"*/{name}")
    return name if any(known) else None


def _run(request: str) -> tuple[dict[str, Any], bytes]:
    # -I -S: no site-packages, which would triple the time it takes to start.
    command = [sys.executable, "-I", "-S", str(_WORKER)]
    finished = subprocess.run(command, input=request.encode(), capture_output=True, check=False)
    if finished.returncode != 0:
        reason = finished.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {finished.returncode}"]
        raise SpeechError(f"The text could not be spoken: {reason[-1]}")
    header, _, pcm = finished.stdout.partition(b"\n")
    return json.loads(header), pcm


def _anchors(text: str, events: list[tuple[int, int, str]], total: int) -> list[_Anchor]:
    """Words and breaks as anchors that increase in text and time, each ending where its sound does.

    eSpeak reports some positions twice (numbers), some inside a word (after a quotation mark), and groups like "of the"
    once; what it leaves out is interpolated later.
    """
    found: list[_Anchor] = []
    end = 0
    for position, (character, sample, kind) in enumerate(events):
        if kind in ("word", "break"):
            at = _snap(text, character, found[-1].character if found else -1)
            if at is None or (found and sample <= found[-1].start):
                continue
            if found:
                found[-1] = _Anchor(found[-1].character, found[-1].start, min(max(end, found[-1].start), sample))
            found.append(_Anchor(at, sample, total))
            end = sample
        elif kind == "sound":
            end = max(end, _next_sample(events, position, total))
    if found:
        found[-1] = _Anchor(found[-1].character, found[-1].start, max(end, found[-1].start))
    return found


def _next_sample(events: list[tuple[int, int, str]], position: int, total: int) -> int:
    """Where the sound of event `position` ends: at the next sound or pause."""
    for _, sample, kind in events[position + 1 :]:
        if kind != "word":
            return sample
    return total


def _snap(text: str, character: int, previous: int) -> int | None:
    """Move a reported position onto the character it means, or None when that is not after `previous`.

    Positions on white space move forward to the word; leading punctuation belongs to the word that follows it.
    """
    while character < len(text) and text[character].isspace():
        character += 1
    while character > previous + 1 and not text[character - 1].isspace() and not text[character - 1].isalnum():
        character -= 1
    return character if previous < character < len(text) else None


def _character_times(text: str, anchors: list[_Anchor], sample_rate: int) -> CharacterTimes:
    starts = [0.0] * len(text)
    ends = [0.0] * len(text)
    followers = [*(anchor.character for anchor in anchors), len(text)][1:]
    for anchor, follower in zip(anchors, followers, strict=True):
        spoken = text[anchor.character : follower].rstrip()
        step = (anchor.end - anchor.start) / max(1, len(spoken))
        for offset in range(len(spoken)):
            starts[anchor.character + offset] = round((anchor.start + offset * step) / sample_rate, 3)
            ends[anchor.character + offset] = round((anchor.start + (offset + 1) * step) / sample_rate, 3)
        for index in range(anchor.character + len(spoken), follower):
            starts[index] = ends[index] = round(anchor.end / sample_rate, 3)
    return CharacterTimes(text, tuple(starts), tuple(ends))

"""One synthesis by eSpeak NG, as a process of its own.

The library keeps state between calls and is not thread-safe; a fresh process per synthesis makes speech repeatable to
the byte and lets several run at once. Run as `python -I -S espeak_worker.py`: it imports the standard library only.

Standard input is one JSON object: `library`, `data` (paths), `voice` (eSpeak's name with variant), `rate` (words per
minute), `pitch`, `pitch_range` (0–100), and `parts`: a list of `{"text", "pause"}`, the pause after it in seconds.
Standard output is one line of JSON, `{"sample_rate", "events"}`, and then the samples: mono, signed 16 bit, little
endian. Each event is `[part, character, sample, kind]` with kind "word" (the character is an index into the part's
text), "sound", "pause" or "break" (a pause that was asked for).
"""

from __future__ import annotations

import ctypes
import json
import math
import sys
from array import array
from operator import mul

Event = tuple[int, int, int, str]

RETRIEVE_SYNCHRONOUSLY = 2
PHONEME_EVENTS = 0x0001
DO_NOT_EXIT = 0x8000
UTF8_TEXT = 1
RATE, VOLUME, PITCH, PITCH_RANGE = 1, 2, 3, 4
LIST_ENDS, WORD, PHONEME = 0, 1, 7

HEADROOM_VOLUME = 55
"""eSpeak clips some of its own voices at its normal volume of 100; the level is set afterwards."""
EDGE_SILENCE = 0.1
"""Seconds kept before the first and after the last sound."""
AUDIBLE = 0.008
"""A sample counts as sound from this share of the highest peak."""
SPEECH_RMS = 0.1
"""Root mean square of the voiced blocks, of full scale; measures as about −20 LUFS."""
PEAK_LIMIT = 0.89
"""No sample above −1 dBFS."""
BLOCK = 1024


class Identity(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class EspeakEvent(ctypes.Structure):
    """`espeak_EVENT` of `speak_lib.h`."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", Identity),
    )


Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(EspeakEvent))


class Synthesizer:
    """eSpeak NG with one voice. Collects samples and events of everything it is told to say."""

    def __init__(self, request: dict[str, str | int]) -> None:
        self.samples = array("h")
        self.events: list[Event] = []
        self._part = 0
        self._origin = 0
        self._callback = Callback(self._receive)
        self._library = ctypes.CDLL(str(request["library"]))
        data = str(request["data"]).encode()
        self.sample_rate: int = self._library.espeak_Initialize(
            RETRIEVE_SYNCHRONOUSLY, 0, data, PHONEME_EVENTS | DO_NOT_EXIT
        )
        if self.sample_rate <= 0:
            raise RuntimeError(f"eSpeak NG could not read its data at {request['data']}")
        # eSpeak seeds its flutter and breath with the clock.
        self._library.espeak_ng_SetRandSeed(1)
        self._library.espeak_SetSynthCallback(self._callback)
        if self._library.espeak_SetVoiceByName(str(request["voice"]).encode()) != 0:
            raise RuntimeError(f"eSpeak NG has no voice named {request['voice']}")
        settings = {RATE: request["rate"], PITCH: request["pitch"], PITCH_RANGE: request["pitch_range"]}
        for parameter, value in {VOLUME: HEADROOM_VOLUME, **settings}.items():
            self._library.espeak_SetParameter(parameter, int(value), 0)

    def say(self, text: str, pause: float) -> None:
        self._origin = len(self.samples)
        # A zero would end the text early; what can't be encoded keeps its place as a question mark.
        encoded = text.replace("\0", " ").encode(errors="replace")
        failed = self._library.espeak_Synth(encoded, len(encoded) + 1, 0, 0, 0, UTF8_TEXT, None, None)
        if failed or self._library.espeak_Synchronize():
            raise RuntimeError("eSpeak NG failed to speak the text")
        if pause:
            self.events.append((self._part, len(text), len(self.samples), "break"))
            self.samples.extend(array("h", bytes(2 * round(pause * self.sample_rate))))
        self._part += 1

    def _receive(self, samples: int | None, count: int, events: ctypes._Pointer[EspeakEvent]) -> int:
        if samples and count > 0:
            self.samples.frombytes(ctypes.string_at(samples, 2 * count))
        index = 0
        while events[index].type != LIST_ENDS:
            event = events[index]
            if event.type == WORD:
                self._note(event, "word")
            elif event.type == PHONEME:
                self._note(event, "pause" if event.id.string.startswith(b"_") else "sound")
            index += 1
        return 0

    def _note(self, event: EspeakEvent, kind: str) -> None:
        # eSpeak counts characters from one.
        self.events.append((self._part, max(0, event.text_position - 1), self._origin + event.sample, kind))


def trim(samples: array[int], events: list[Event], sample_rate: int) -> tuple[array[int], list[Event]]:
    """Leave EDGE_SILENCE seconds around the sound and move the events with it."""
    edge = round(EDGE_SILENCE * sample_rate)
    silence = array("h", bytes(2 * edge))
    peak = max(map(abs, samples), default=0)
    if peak == 0:
        return silence + silence, [(part, character, edge, kind) for part, character, _, kind in events]
    threshold = max(1, round(AUDIBLE * peak))
    first = next(index for index, sample in enumerate(samples) if abs(sample) >= threshold)
    last = next(index for index in range(len(samples) - 1, -1, -1) if abs(samples[index]) >= threshold)
    kept = silence + samples[first : last + 1] + silence
    top = edge + last - first + 1
    moved = [
        (part, character, min(max(edge, sample - first + edge), top), kind) for part, character, sample, kind in events
    ]
    return kept, moved


def level(samples: array[int]) -> array[int]:
    """Bring speech to SPEECH_RMS without ever exceeding PEAK_LIMIT."""
    blocks = [samples[start : start + BLOCK] for start in range(0, len(samples), BLOCK)]
    powers = [sum(map(mul, block, block)) / len(block) for block in blocks]
    loudest = max(powers, default=0.0)
    if loudest == 0:
        return samples
    voiced = [power for power in powers if power > loudest / 1000]
    loudness = math.sqrt(sum(voiced) / len(voiced)) / 32768
    peak = max(map(abs, samples)) / 32768
    gain = min(SPEECH_RMS / loudness, PEAK_LIMIT / peak)
    return array("h", [int(sample * gain) for sample in samples])


def main() -> None:
    request = json.load(sys.stdin)
    synthesizer = Synthesizer(request)
    for part in request["parts"]:
        synthesizer.say(part["text"], part["pause"])
    samples, events = trim(synthesizer.samples, synthesizer.events, synthesizer.sample_rate)
    samples = level(samples)
    if sys.byteorder == "big":
        samples.byteswap()
    header = json.dumps({"sample_rate": synthesizer.sample_rate, "events": events})
    sys.stdout.buffer.write(header.encode() + b"\n" + samples.tobytes())


if __name__ == "__main__":
    main()

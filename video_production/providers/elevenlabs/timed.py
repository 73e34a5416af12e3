"""The answer of the timed call: sound in base64 inside JSON, next to the time of each character."""

from __future__ import annotations

import base64
import binascii
import json
import mmap
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

__all__ = ["Alignment", "TimedAnswer", "read_timed_answer"]

_SOUND = re.compile(rb'"audio_base64"\s*:\s*"')
# An unescaped quote before the name can only open a JSON string, so nothing inside a string can match.
_SLICE = 1 << 20


@dataclass(frozen=True, slots=True)
class Alignment:
    """Characters of the script with their start and end times in seconds; three lists of one length."""

    characters: Sequence[str]
    starts: Sequence[float]
    ends: Sequence[float]

    @classmethod
    def from_json(cls, data: object) -> Alignment | None:
        """Read ElevenLabs' alignment object; None where there is none or its lists don't fit together."""
        if not isinstance(data, Mapping):
            return None
        lists = [
            data.get(key) for key in ("characters", "character_start_times_seconds", "character_end_times_seconds")
        ]
        if not all(isinstance(entry, list) for entry in lists) or len({len(entry or ()) for entry in lists}) != 1:
            return None
        characters, starts, ends = ([*(entry or ())] for entry in lists)
        if not all(isinstance(character, str) for character in characters):
            return None
        if not all(isinstance(moment, int | float) for moment in (*starts, *ends)):
            return None
        return cls(characters, starts, ends)

    def to_json(self) -> dict[str, Any]:
        return {
            "characters": list(self.characters),
            "character_start_times_seconds": list(self.starts),
            "character_end_times_seconds": list(self.ends),
        }


@dataclass(frozen=True, slots=True)
class TimedAnswer:
    """What came with the sound. `alignment` follows the text that was sent, the fit for captions."""

    alignment: Alignment | None
    normalized: Alignment | None

    @classmethod
    def from_json(cls, data: object) -> TimedAnswer:
        """Read `{alignment, normalized_alignment}` as the timed call and the history give it, either or both null."""
        fields = data if isinstance(data, Mapping) else {}
        return cls(*(Alignment.from_json(fields.get(key)) for key in ("alignment", "normalized_alignment")))

    def to_json(self) -> dict[str, Any]:
        return {
            "alignment": self.alignment.to_json() if self.alignment else None,
            "normalized_alignment": self.normalized.to_json() if self.normalized else None,
        }


def read_timed_answer(body: IO[bytes], sound: IO[bytes]) -> TimedAnswer:
    """Decode the sound in the file `body` into the file `sound`, piece by piece, and read the rest.

    Half an hour of speech is 30 MB of sound: it is never held in memory. Raises ValueError for anything else than the
    documented answer.
    """
    with mmap.mmap(body.fileno(), 0, access=mmap.ACCESS_READ) as answer:
        opening = _SOUND.search(answer)
        if opening is None:
            raise ValueError("no sound in it")
        start = opening.end()
        end = answer.find(b'"', start)
        if end <= start:
            raise ValueError("no sound in it")
        rest = json.loads(answer[:start] + answer[end:])
        if not isinstance(rest, dict):
            raise ValueError("no object")
        for piece in _decoded(answer, start, end):
            sound.write(piece)
        sound.flush()
    return TimedAnswer.from_json(rest)


def _decoded(answer: mmap.mmap, start: int, end: int) -> Iterator[bytes]:
    """Base64 in slices; only whole groups of four characters are decoded at a time."""
    carried = b""
    for position in range(start, end, _SLICE):
        # JSON may escape a slash as `\/`; base64 has no backslash of its own.
        carried += answer[position : min(position + _SLICE, end)].replace(b"\\", b"")
        whole = len(carried) - len(carried) % 4
        yield _decode(carried[:whole])
        carried = carried[whole:]
    if carried:
        raise ValueError("its sound is cut off")


def _decode(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"its sound is damaged: {error}") from error

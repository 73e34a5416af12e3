"""What was said in the sound files of the ElevenLabs stand-in, by their hash: for the stand-in that needs captions.

HeyGen hears what is said; a stand-in can't. So one writes down what it spoke, and the other one looks there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from stand_ins.files import read_json, write_json
from stand_ins.speech import Word

__all__ = ["Transcripts"]


class Transcripts:
    """The transcripts in `folder`, by the SHA-256 of the sound file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, sound: Path, words: Sequence[Word]) -> None:
        """Write down what is said in a sound file."""
        digest = hashlib.sha256(sound.read_bytes()).hexdigest()
        write_json(self._folder / f"{digest}.json", [asdict(word) for word in words])

    def find(self, digest: str) -> list[Word]:
        """The words of the sound file with this SHA-256; none where nobody wrote them down."""
        return [Word(**word) for word in read_json(self._folder / f"{digest}.json", [])]

"""Who speaks in drafts: real voice ids, each with a speaker of eSpeak NG that can be told from the others.

The ids of the best-known premade voices have a fixed speaker of the right sex and accent, so that a draft resembles the
finished video. Every other id is given one by its hash: the same id always sounds the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["SPEAKERS", "Speaker", "speaker_for"]


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice of eSpeak NG. `rate` is words per minute at speed 1; `pitch` and `pitch_range` go from 0 to 100."""

    voice_id: str
    name: str
    gender: Literal["female", "male"]
    accent: Literal["american", "british"]
    description: str
    variant: str
    rate: int = 160
    pitch: int = 50
    pitch_range: int = 50

    def espeak_voice(self, language: str | None = None) -> str:
        """eSpeak's name of this speaker, speaking `language` (eSpeak's code; None: the speaker's own English)."""
        own = "en-us" if self.accent == "american" else "en-gb-x-rp"
        return f"{language or own}+{self.variant}"


SPEAKERS = (
    Speaker("21m00Tcm4TlvDq8ikWAM", "Rachel", "female", "american", "Calm and clear, for narration", "f2", pitch=46),
    Speaker("JBFqnCBsd6RMkjVDRZzb", "George", "male", "british", "Warm, for explaining", "m3", rate=158),
    Speaker("EXAVITQu4vr4xnSDxMaL", "Sarah", "female", "american", "Bright and quick", "shelby", rate=166, pitch=58),
    Speaker("pNInz6obpgDQGcFmaJgB", "Adam", "male", "american", "Steady, for tutorials", "max"),
    Speaker("Xb7hH8MSUJpSbSDYk0k2", "Alice", "female", "british", "Confident, for lessons", "f3", pitch=48),
    Speaker("onwK4e9ZLuTAKqWW03F9", "Daniel", "male", "british", "Authoritative, for news", "m7", rate=164, pitch=56),
    Speaker("pFZP5JQG7iQjIQuC4Bku", "Lily", "female", "british", "Light and friendly", "Annie", rate=156, pitch=44),
    Speaker("nPczCjzI2devNBz1zQrb", "Brian", "male", "american", "Deep and slow", "paul", rate=150, pitch=44),
)

_BY_ID = {speaker.voice_id: speaker for speaker in SPEAKERS}


def speaker_for(voice_id: str) -> Speaker:
    """The speaker of `voice_id`: its own, or one chosen and tuned by the hash of the id."""
    known = _BY_ID.get(voice_id)
    if known is not None:
        return known
    digest = hashlib.sha256(voice_id.encode()).digest()
    model = SPEAKERS[digest[0] % len(SPEAKERS)]
    return replace(
        model,
        voice_id=voice_id,
        name=f"Voice {voice_id[:4]}",
        description="A voice of yours, as the draft provider imagines it",
        pitch=model.pitch - 12 + digest[1] % 25,
        pitch_range=model.pitch_range - 15 + digest[2] % 31,
        rate=model.rate - 8 + digest[3] % 17,
    )

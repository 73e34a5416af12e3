"""ElevenLabs' speech models, as far as requests depend on them. Read in its documentation by 2026-11-22."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["MODELS", "SpeechModel", "model_of"]


@dataclass(frozen=True, slots=True)
class SpeechModel:
    """`characters` is the longest text of one request.

    `job` are the optional config keys that the job API takes with it; None where that API has no such model. `context`
    says whether it may be told what is spoken before and after: v3 takes none, and of v4 nothing is said.
    """

    characters: int
    job: frozenset[str] | None = None
    context: bool = True


MODELS: Mapping[str, SpeechModel] = {
    "eleven_v4": SpeechModel(10_000, context=False),
    "eleven_v4_turbo": SpeechModel(10_000, context=False),
    "eleven_v3": SpeechModel(5_000, job=frozenset({"stability", "language"}), context=False),
    "eleven_multilingual_v2": SpeechModel(10_000, job=frozenset({"stability", "similarityBoost", "speed"})),
    "eleven_flash_v2_5": SpeechModel(40_000, job=frozenset({"stability", "similarityBoost", "speed", "language"})),
    "eleven_flash_v2": SpeechModel(30_000),
    "eleven_turbo_v2_5": SpeechModel(40_000),
    "eleven_turbo_v2": SpeechModel(30_000),
}

_UNLISTED = SpeechModel(5_000, context=False)
"""What holds of every model."""


def model_of(model_id: str) -> SpeechModel:
    """What is known of a model; of one that is not listed, what holds of all."""
    return MODELS.get(model_id, _UNLISTED)

"""What the stand-in offers: models with their limits and prices, plans, output formats, voices.

Models, limits and prices as published on 2026-10-03.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stand_ins.elevenlabs.errors import ApiError
from stand_ins.speakers import SPEAKERS, Speaker, speaker_for

__all__ = [
    "MODELS",
    "PLANS",
    "SpeechModel",
    "check_dictionaries",
    "find_speaker",
    "model_json",
    "speech_model",
    "voice_json",
]

USD_PER_1000_CREDITS = 0.08
_VOICE_ID = re.compile(r"[A-Za-z0-9]{20}")


@dataclass(frozen=True, slots=True)
class SpeechModel:
    """A text-to-speech model. `rate` is credits per character; `limit` characters per request."""

    id: str
    name: str
    limit: int
    rate: float = 1.0
    languages: tuple[str, ...] = ("en", "de", "es", "fr", "it", "ja", "pl", "pt", "zh")
    style: bool = False
    speaker_boost: bool = True
    stitching: bool = True

    @property
    def turbo(self) -> bool:
        """The cheap, quick models share a concurrency limit of twice the size."""
        return self.rate < 1

    def credits(self, text: str) -> int:
        return math.ceil(len(text) * self.rate)

    def usd(self, text: str) -> float:
        return round(len(text) * self.rate * USD_PER_1000_CREDITS / 1000, 6)


MODELS: Mapping[str, SpeechModel] = {
    model.id: model
    for model in (
        SpeechModel("eleven_v4", "Eleven v4", 10_000, speaker_boost=False),
        SpeechModel("eleven_v4_turbo", "Eleven v4 Turbo", 10_000, rate=0.5, speaker_boost=False),
        SpeechModel("eleven_v3", "Eleven v3", 5_000, speaker_boost=False, stitching=False),
        SpeechModel("eleven_multilingual_v2", "Eleven Multilingual v2", 10_000, style=True),
        SpeechModel("eleven_flash_v2_5", "Eleven Flash v2.5", 40_000, rate=0.5),
        SpeechModel("eleven_flash_v2", "Eleven Flash v2", 30_000, rate=0.5, languages=("en",)),
        SpeechModel("eleven_turbo_v2_5", "Eleven Turbo v2.5", 40_000, rate=0.5),
        SpeechModel("eleven_turbo_v2", "Eleven Turbo v2", 30_000, rate=0.5, languages=("en",)),
    )
}
REMOVED = ("eleven_monolingual_v1", "eleven_multilingual_v1")

PLANS: Mapping[str, tuple[int, int]] = {
    "free": (10_000, 2),
    "starter": (30_000, 3),
    "creator": (121_000, 5),
    "pro": (600_000, 10),
    "scale": (1_800_000, 15),
    "business": (6_000_000, 15),
    "enterprise": (6_000_000, 30),
}
"""Plans from small to large: credits per month, and requests at once (twice as many for the quick models)."""


def speech_model(model_id: str) -> SpeechModel:
    """The model of that id; raise ApiError when it is unknown or was removed."""
    if model_id in REMOVED:
        raise ApiError(400, "unsupported_model", f"The model {model_id} was removed.", parameter="model_id")
    model = MODELS.get(model_id)
    if model is None:
        raise ApiError(
            404, "model_not_found", f"A model with model ID {model_id} does not exist.", parameter="model_id"
        )
    return model


def find_speaker(voice_id: str) -> Speaker:
    """Whoever speaks for `voice_id`; raise ApiError for what can't be one of a user's voices.

    Any 20 letters and digits are a voice, so that real documents work; ids that begin with "missing" never are.
    """
    if not _VOICE_ID.fullmatch(voice_id) or voice_id.startswith("missing"):
        raise ApiError(
            404, "voice_not_found", f"A voice with voice_id '{voice_id}' was not found.", parameter="voice_id"
        )
    return speaker_for(voice_id)


def check_dictionaries(locators: Sequence[Any] | None) -> None:
    """Raise ApiError for a pronunciation dictionary that can't be one of a user's.

    Any 20 letters and digits are a dictionary, as with voices; it changes nothing about how a draft is spoken.
    """
    for locator in locators or ():
        name = locator.pronunciation_dictionary_id
        if not _VOICE_ID.fullmatch(name) or name.startswith("missing"):
            message = f"The pronunciation dictionary {name} was not found."
            raise ApiError(404, "pronunciation_dictionary_not_found", message)


def model_json(model: SpeechModel) -> dict[str, Any]:
    return {
        "model_id": model.id,
        "name": model.name,
        "can_be_finetuned": False,
        "can_do_text_to_speech": True,
        "can_do_voice_conversion": False,
        "can_use_style": model.style,
        "can_use_speaker_boost": model.speaker_boost,
        "serves_pro_voices": False,
        "token_cost_factor": model.rate,
        "description": f"{model.name}, as the draft provider imagines it",
        "requires_alpha_access": False,
        "max_characters_request_free_user": model.limit,
        "max_characters_request_subscribed_user": model.limit,
        "maximum_text_length_per_request": model.limit,
        "languages": [{"language_id": code, "name": code} for code in model.languages],
        "model_rates": {"character_cost_multiplier": model.rate, "cost_discount_multiplier": 1.0},
        "concurrency_group": "turbo" if model.turbo else "standard",
    }


def voice_json(speaker: Speaker) -> dict[str, Any]:
    return {
        "voice_id": speaker.voice_id,
        "name": speaker.name,
        "category": "premade" if speaker in SPEAKERS else "generated",
        "labels": {"gender": speaker.gender, "accent": speaker.accent, "use_case": "narration"},
        "description": speaker.description,
        "preview_url": None,
        "available_for_tiers": [],
        "settings": {
            "stability": 0.5,
            "similarity_boost": 0.75,
            "style": 0.0,
            "use_speaker_boost": True,
            "speed": 1.0,
        },
        "high_quality_base_model_ids": list(MODELS),
        "is_owner": speaker not in SPEAKERS,
        "is_legacy": False,
        "is_mixed": False,
    }

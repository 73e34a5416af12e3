"""What the providers accept, as far as a document can already break it. Read in their documentation by 2026-11-22.

A provider that changes a limit changes it here; the providers' own answers stay the last word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = [
    "ANIMATION_PROMPT_LIMIT",
    "LONGEST_SCRIPT",
    "LONGEST_SPEECH",
    "PICTURES",
    "PRONUNCIATION_DICTIONARIES",
    "RETIRED_VOICE_MODELS",
    "RUNWAY_MODELS",
    "SETTINGS",
    "TALKING_HEAD_RATIOS",
    "TALKING_HEAD_SIDES",
    "VOICE_MODELS",
    "OutputFormat",
    "RunwayModel",
    "RunwayModelId",
    "TalkingHeadEngine",
    "VeoModelId",
    "VoiceModel",
    "VoiceModelId",
]

VoiceModelId = Literal[
    "eleven_multilingual_v2",
    "eleven_flash_v2_5",
    "eleven_flash_v2",
    "eleven_v3",
    "eleven_v4",
    "eleven_v4_turbo",
    "eleven_turbo_v2_5",
    "eleven_turbo_v2",
]


@dataclass(frozen=True, slots=True)
class VoiceModel:
    """One ElevenLabs speech model. `characters` is the longest text of one request; a longer script is cut.

    `language` says what the `language` setting does: "chosen" (it is obeyed), "refused" (the model finds the language
    itself and takes no setting), "english" (the model speaks nothing else). `speed` says whether it has that setting.
    """

    characters: int
    language: Literal["chosen", "refused", "english"] = "chosen"
    speed: bool = True


VOICE_MODELS: dict[VoiceModelId, VoiceModel] = {
    "eleven_multilingual_v2": VoiceModel(10_000, language="refused"),
    "eleven_flash_v2_5": VoiceModel(40_000),
    "eleven_flash_v2": VoiceModel(30_000, language="english"),
    "eleven_v3": VoiceModel(5_000),
    "eleven_v4": VoiceModel(10_000, speed=False),
    "eleven_v4_turbo": VoiceModel(10_000),
    "eleven_turbo_v2_5": VoiceModel(40_000),
    "eleven_turbo_v2": VoiceModel(30_000, language="english"),
}

RETIRED_VOICE_MODELS = {"eleven_monolingual_v1": "2026-07-09", "eleven_multilingual_v1": "2026-07-09"}
"""Models that ElevenLabs has removed, and when."""

LONGEST_SCRIPT = 200_000
"""Characters of one voiceover, in however many requests it is spoken."""
PRONUNCIATION_DICTIONARIES = 3
"""The most that one voiceover takes."""

OutputFormat = Literal[
    "mp3_44100_128",
    "mp3_44100_192",
    "mp3_44100_96",
    "mp3_44100_64",
    "mp3_44100_32",
    "mp3_24000_48",
    "mp3_22050_32",
    "opus_48000_192",
    "opus_48000_128",
    "opus_48000_96",
    "opus_48000_64",
    "opus_48000_32",
    "wav_48000",
    "wav_44100",
    "wav_32000",
    "wav_24000",
    "wav_22050",
    "wav_16000",
    "wav_8000",
    "pcm_48000",
    "pcm_44100",
    "pcm_32000",
    "pcm_24000",
    "pcm_22050",
    "pcm_16000",
    "pcm_8000",
    "ulaw_8000",
    "alaw_8000",
]

RunwayModelId = Literal["gen4.5", "veo3.1", "veo3.1_fast"]


@dataclass(frozen=True, slots=True)
class RunwayModel:
    """One of Runway's video models: the lengths of its clips in seconds, their sizes, and whether it makes sound."""

    durations: tuple[int, ...]
    resolutions: tuple[str, ...] = ("720p",)
    sound: bool = False


_VEO_AT_RUNWAY = RunwayModel((4, 6, 8), ("720p", "1080p"), sound=True)
RUNWAY_MODELS: dict[RunwayModelId, RunwayModel] = {
    "gen4.5": RunwayModel(tuple(range(2, 11))),
    "veo3.1": _VEO_AT_RUNWAY,
    "veo3.1_fast": _VEO_AT_RUNWAY,
}

VeoModelId = Literal["veo-3.1-generate-001", "veo-3.1-fast-generate-001", "veo-3.1-lite-generate-001"]

ANIMATION_PROMPT_LIMIT = {"runway": 1_000}
"""The longest prompt in UTF-16 code units, where the provider states one."""

LONGEST_SPEECH = {"heygen": 600.0}
"""How many seconds one talking head may speak."""

PICTURES = {"heygen": ("PNG", "JPEG"), "veo3": ("PNG", "JPEG"), "runway": ("PNG", "JPEG", "WebP")}
"""The kinds of picture that a provider takes as a background or as the first frame."""

TALKING_HEAD_RATIOS = {(16, 9): "16:9", (9, 16): "9:16", (4, 5): "4:5", (5, 4): "5:4", (1, 1): "1:1"}
TalkingHeadEngine = Literal["avatar_iii", "avatar_iv", "avatar_v"]

SETTINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "heygen": {"engine": get_args(TalkingHeadEngine)},
    "veo3": {"model": get_args(VeoModelId)},
    "runway": {"model": get_args(RunwayModelId)},
}
"""What an environment's settings may name, by provider and setting, for documents that leave it out."""

TALKING_HEAD_SIDES = (720, 1080, 2160)
"""The shorter side of HeyGen's resolutions 720p, 1080p and 4k, in pixels."""

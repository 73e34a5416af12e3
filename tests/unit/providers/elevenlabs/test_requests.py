"""From a node's config to what ElevenLabs is asked."""

from __future__ import annotations

from typing import Any

import pytest

from video_production.errors import RequestError
from video_production.providers.elevenlabs.requests import (
    effective_config,
    job_body,
    job_can_do,
    script_of,
    timed_body,
)
from video_production.providers.interface import GenerationRequest, InputContent

NODE = "generate-voiceover"
LEAST = {"voiceId": "v1", "modelId": "eleven_multilingual_v2"}


def config(**changes: Any) -> dict[str, Any]:
    return effective_config(NODE, LEAST | changes)


def test_defaults_are_filled_in_and_the_voices_own_settings_are_left_alone() -> None:
    assert config() == {
        "provider": "elevenlabs",
        "voiceId": "v1",
        "modelId": "eleven_multilingual_v2",
        "outputFormat": "mp3_44100_128",
        "captions": False,
    }


def test_numbers_are_alike_however_they_were_written() -> None:
    assert config(stability=1, speed=None) == config(stability=1.0)


@pytest.mark.parametrize("key", ["voiceId", "modelId"])
def test_what_is_paid_for_is_never_chosen_silently(key: str) -> None:
    with pytest.raises(RequestError, match=f"names no {key}"):
        config(**{key: None})


def test_other_nodes_are_not_ours() -> None:
    with pytest.raises(RequestError, match="generate-animation"):
        effective_config("generate-animation", LEAST)


@pytest.mark.parametrize(
    ("changes", "possible"),
    [
        ({}, True),
        ({"stability": 0.4, "similarityBoost": 0.9, "speed": 1.1}, True),
        ({"outputFormat": "mp3_22050_32"}, True),
        ({"captions": True}, False),
        ({"outputFormat": "wav_44100"}, False),
        ({"outputFormat": "opus_48000_96"}, False),
        ({"language": "de"}, False),
        ({"modelId": "eleven_flash_v2_5", "language": "de", "speed": 0.9}, True),
        ({"modelId": "eleven_v3", "stability": 0.5, "language": "de"}, True),
        ({"modelId": "eleven_v3", "speed": 0.9}, False),
        ({"modelId": "eleven_v3", "similarityBoost": 0.9}, False),
        ({"modelId": "eleven_v4"}, False),
        ({"modelId": "eleven_flash_v2"}, False),
    ],
)
def test_the_job_api_is_used_only_for_what_it_can_make(changes: dict[str, Any], possible: bool) -> None:
    assert job_can_do(config(**changes)) is possible


def test_the_job_body_names_the_voice_in_the_words_of_the_job_api() -> None:
    settings = config(modelId="eleven_flash_v2_5", stability=0.4, similarityBoost=0.9, speed=1.1, language="de")
    assert job_body(settings, "Hallo") == {
        "model_id": "eleven_flash_v2_5",
        "voice": "v1",
        "text": "Hallo",
        "output_format": "mp3_44100_128",
        "language_code": "de",
        "voice_settings": {"stability": 0.4, "similarity_boost": 0.9, "speed": 1.1},
    }


def test_the_timed_body_holds_no_voice_settings_that_nobody_set() -> None:
    assert timed_body(config(), "Hello") == {"text": "Hello", "model_id": "eleven_multilingual_v2"}


def request(*texts: str | None) -> GenerationRequest:
    return GenerationRequest(NODE, config(), {"script": tuple(InputContent("text", "0", text) for text in texts)})


def test_the_script_is_spoken_to_the_letter() -> None:
    assert script_of(request("  Hello,\n  world. \n")) == "  Hello,\n  world. \n"


@pytest.mark.parametrize("texts", [(), (None,), ("",), (" \n",), ("one", "two")])
def test_a_voiceover_without_one_script_is_refused(texts: tuple[str | None, ...]) -> None:
    with pytest.raises(RequestError, match="no script to speak"):
        script_of(request(*texts))

"""What Vertex AI is asked for: nothing that is paid for is chosen silently, and every default is written down."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from video_production.errors import RequestError
from video_production.providers.interface import GenerationRequest, InputContent
from video_production.providers.veo3.requests import (
    LARGEST_IMAGE,
    FirstFrame,
    check_size,
    effective_config,
    first_frame,
    prompt_of,
    submit_body,
)

NODE = "generate-animation"
MODEL = "veo-3.1-generate-001"


def effective(**config: Any) -> dict[str, Any]:
    return effective_config(NODE, {"duration": 8} | config, model=MODEL)


def test_every_default_that_shapes_the_film_is_written_down() -> None:
    assert effective() == {
        "provider": "veo3",
        "model": MODEL,
        "duration": 8,
        "aspectRatio": "16:9",
        "resolution": "720p",
        "generateAudio": True,
        "personGeneration": "allow_adult",
    }


def test_what_the_document_names_wins_over_the_environment() -> None:
    config = effective(model="veo-3.1-fast-generate-001", resolution="1080p", aspectRatio="9:16", seed=0)
    assert (config["model"], config["resolution"]) == ("veo-3.1-fast-generate-001", "1080p")
    assert (config["aspectRatio"], config["seed"]) == ("9:16", 0)
    assert "negativePrompt" not in config


@pytest.mark.parametrize(
    ("node_type", "config", "model", "words"),
    [
        ("generate-voiceover", {"duration": 8}, MODEL, "veo3 can't make a 'generate-voiceover' node"),
        (NODE, {"duration": 8}, "", r"names no model and neither do the settings.* or set VEO3_MODEL"),
        (NODE, {}, MODEL, "names no duration"),
    ],
)
def test_what_is_paid_for_is_never_chosen_silently(
    node_type: str, config: dict[str, Any], model: str, words: str
) -> None:
    with pytest.raises(RequestError, match=words):
        effective_config(node_type, config, model=model)


@pytest.mark.parametrize("texts", [(), ("  \n",), ("one", "two")])
def test_a_film_needs_one_prompt_that_says_something(texts: tuple[str, ...]) -> None:
    inputs = {"prompt": tuple(InputContent("text", "0", text) for text in texts)}
    with pytest.raises(RequestError, match="has no prompt"):
        prompt_of(GenerationRequest(NODE, effective(), inputs))


def test_a_body_asks_for_one_film_below_the_attempts_own_prefix() -> None:
    body = submit_body(effective(seed=7, negativePrompt="rain"), "A boat", storage_uri="gs://b/t/a/", attempt="a")
    assert body == {
        "instances": [{"prompt": "A boat"}],
        "parameters": {
            "sampleCount": 1,
            "durationSeconds": 8,
            "aspectRatio": "16:9",
            "resolution": "720p",
            "generateAudio": True,
            "personGeneration": "allow_adult",
            "storageUri": "gs://b/t/a/",
            "seed": 7,
            "negativePrompt": "rain",
        },
        "labels": {"attempt": "a"},
    }


def test_a_first_frame_travels_in_the_request() -> None:
    body = submit_body(effective(), "A boat", storage_uri="gs://b/", attempt="a", image=FirstFrame(b"png", "image/png"))
    image = body["instances"][0]["image"]
    assert base64.b64decode(image["bytesBase64Encoded"]) == b"png"
    assert image["mimeType"] == "image/png"


@pytest.mark.parametrize(
    ("content", "mime_type"), [(b"\x89PNG\r\n\x1a\n....", "image/png"), (b"\xff\xd8\xff\xe0....", "image/jpeg")]
)
def test_a_picture_is_what_its_first_bytes_say(content: bytes, mime_type: str) -> None:
    assert first_frame(content, "slide.gif").mime_type == mime_type


def test_other_kinds_of_pictures_are_refused_by_name() -> None:
    with pytest.raises(RequestError, match=r"The picture slide.webp is neither PNG nor JPEG"):
        first_frame(b"RIFF....WEBP", "slide.webp")


def test_a_picture_that_is_too_large_is_refused_with_its_size() -> None:
    check_size(LARGEST_IMAGE, "slide.png")
    with pytest.raises(RequestError, match=r"slide.png has 20.0 MB; Veo takes at most 20 MB"):
        check_size(LARGEST_IMAGE + 1, "slide.png")

"""What a provider would refuse of a picture or of speech is told with the document, before anything is paid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.pipelines.conftest import MP4_HEAD, PNG, VOICE
from video_production.pipelines import provider_limits as limits
from video_production.providers.heygen import requests as heygen

Problems = Callable[[dict[str, Any]], list[str]]
GIF, JPEG, WEBP = b"GIF89a" + b"\0" * 40, b"\xff\xd8\xff\xe0" + b"\0" * 40, b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 40
HEAD = {"provider": "heygen", "avatarId": "Anna_public_3"}


def document(node: dict[str, Any], **voice: Any) -> dict[str, Any]:
    script = {"id": "script", "type": "asset", "asset": {"type": "text", "content": "A robot walks."}}
    picture = {"id": "picture", "type": "asset", "asset": {"type": "image", "source": "picture"}}
    spoken = {
        "id": "voice",
        "type": "generate-voiceover",
        "inputs": {"script": "script"},
        "config": VOICE | voice,
    }
    return {"id": "p", "title": "P", "nodes": [script, picture, spoken, node]}


def clip(provider: str) -> dict[str, Any]:
    inputs = {"prompt": "script", "referenceImage": "picture"}
    config = {"provider": provider, "duration": 8}
    return {"id": "made", "type": "generate-animation", "inputs": inputs, "config": config}


def head(**inputs: str) -> dict[str, Any]:
    return {"id": "made", "type": "generate-talking-head", "inputs": {"audio": "voice", **inputs}, "config": HEAD}


def of_inputs(problems: list[str]) -> list[str]:
    return [one for one in problems if one.startswith("nodes.made.inputs")]


@pytest.mark.parametrize(
    ("node", "slot", "kinds", "refused"),
    [
        (clip("veo3"), "referenceImage", "PNG or JPEG; veo3", (GIF, WEBP)),
        (clip("runway"), "referenceImage", "PNG, JPEG or WebP; runway", (GIF,)),
        (head(background="picture"), "background", "PNG or JPEG; heygen", (GIF, WEBP)),
    ],
    ids=["veo3", "runway", "heygen"],
)
def test_a_picture_of_a_kind_that_a_provider_does_not_take_is_told(
    problems: Problems, folder: Path, node: dict[str, Any], slot: str, kinds: str, refused: tuple[bytes, ...]
) -> None:
    for content in (PNG, JPEG, GIF, WEBP):
        (folder / "picture").write_bytes(content)
        sentence = f"nodes.made.inputs.{slot}: The picture 'picture' is not {kinds} takes no other. Convert it."
        assert of_inputs(problems(document(node))) == ([sentence] if content in refused else [])


def test_a_picture_that_is_none_is_told_once(problems: Problems, folder: Path) -> None:
    (folder / "picture").write_bytes(MP4_HEAD)
    found = [one for one in problems(document(clip("veo3"))) if "picture" in one and "not used" not in one]
    assert [one for one in found if one.startswith("nodes.picture.asset.source")]
    assert of_inputs(found) == []


def test_speech_that_heygen_does_not_take_is_told(problems: Problems, folder: Path) -> None:
    (folder / "picture").write_bytes(PNG)
    node = head(background="picture")
    assert of_inputs(problems(document(node, outputFormat="wav_44100"))) == []
    assert of_inputs(problems(document(node, outputFormat="opus_48000_64"))) == [
        "nodes.made.inputs.audio: HeyGen takes MP3 or WAV, and 'voice' speaks Opus. "
        "Set its outputFormat to mp3_44100_128."
    ]


def test_the_longest_speech_is_the_one_that_the_request_takes() -> None:
    assert limits.LONGEST_SPEECH["heygen"] == heygen.LONGEST_SECONDS

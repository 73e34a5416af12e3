"""A small lesson on disk, and what is said about documents that break it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from video_production.errors import DocumentError
from video_production.pipelines.documents import parse_document
from video_production.pipelines.validation import validate_document

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060000000040001f6173855"
    "0000000049454e44ae426082"
)
MP4_HEAD = b"\0\0\0\x18ftypisom\0\0\0\0isommp41" + b"\0" * 64

VOICE = {"provider": "elevenlabs", "voiceId": "anna", "modelId": "eleven_multilingual_v2"}

LESSON: dict[str, Any] = {
    "id": "lesson-1",
    "title": "A lesson",
    "nodes": [
        {"id": "text", "type": "asset", "asset": {"type": "text", "source": "intro.txt"}},
        {"id": "slide", "type": "asset", "asset": {"type": "image", "source": "slide.png"}},
        {"id": "clip", "type": "asset", "asset": {"type": "video", "source": "clip.mp4"}},
        {"id": "voice", "type": "generate-voiceover", "inputs": {"script": "text"}, "config": VOICE},
        {"id": "intro", "type": "mix-audio", "inputs": {"video": "slide", "audio": "voice"}},
        {"id": "final", "type": "merge-videos", "inputs": {"segments": ["intro", "clip"]}},
    ],
}


def node(data: dict[str, Any], id: str) -> dict[str, Any]:
    """The node of that id in a document's data, to be changed by a test."""
    found: dict[str, Any] = next(item for item in data["nodes"] if item["id"] == id)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that LESSON names."""
    (tmp_path / "intro.txt").write_text("Hello, and welcome.\n")
    (tmp_path / "slide.png").write_bytes(PNG)
    (tmp_path / "clip.mp4").write_bytes(MP4_HEAD)
    return tmp_path


@pytest.fixture
def lesson() -> dict[str, Any]:
    """The data of a document without problems; a fresh copy for every test."""
    return copy.deepcopy(LESSON)


@pytest.fixture
def problems(folder: Path) -> Callable[[dict[str, Any]], list[str]]:
    """Everything that is said about a document's data, one line each."""

    def look(data: dict[str, Any]) -> list[str]:
        try:
            document = parse_document(json.loads(json.dumps(data)), folder)
        except DocumentError as error:
            return [str(problem) for problem in error.problems]
        return [str(problem) for problem in validate_document(document, folder)]

    return look

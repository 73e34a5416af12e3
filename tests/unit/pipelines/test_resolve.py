"""From a valid document to the nodes that are stored and made."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.unit.pipelines.conftest import PNG, VOICE, node
from video_production.errors import DocumentError
from video_production.pipelines.documents import PipelineDocument
from video_production.pipelines.validation import resolve

Data = dict[str, Any]


def test_resolving_gives_nodes_in_order_with_every_default_filled_in(lesson: Data, folder: Path) -> None:
    lesson["nodes"].reverse()
    nodes = resolve(PipelineDocument.model_validate(lesson), folder)
    assert [one.id for one in nodes] == ["clip", "slide", "text", "voice", "intro", "final"]
    by_id = {one.id: one for one in nodes}
    assert {one.pipeline_id for one in nodes} == {"lesson-1"}
    assert by_id["voice"].inputs == {"script": ("text",)}
    assert by_id["voice"].config == VOICE | {"outputFormat": "mp3_44100_128", "captions": False}
    assert by_id["intro"].config == {"provider": "ffmpeg", "mode": "replace", "volume": 1.0}
    assert by_id["final"].inputs == {"segments": ("intro", "clip")}
    assert by_id["final"].title == "final"
    assert by_id["final"].asset is None


def test_resolving_hashes_the_files(lesson: Data, folder: Path) -> None:
    nodes = {one.id: one for one in resolve(PipelineDocument.model_validate(lesson), folder)}
    assert nodes["slide"].asset == {
        "type": "image",
        "source": "slide.png",
        "sha256": hashlib.sha256(PNG).hexdigest(),
        "path": str(folder / "slide.png"),
    }


def test_resolving_keeps_inline_text_and_urls(lesson: Data, folder: Path) -> None:
    node(lesson, "text")["asset"] = {"type": "text", "content": "Grüß dich"}
    node(lesson, "clip")["asset"]["source"] = "s3://bucket/clip.mp4"
    nodes = {one.id: one for one in resolve(PipelineDocument.model_validate(lesson), folder)}
    digest = hashlib.sha256("Grüß dich".encode()).hexdigest()
    assert nodes["text"].asset == {"type": "text", "content": "Grüß dich", "sha256": digest}
    assert nodes["clip"].asset == {"type": "video", "source": "s3://bucket/clip.mp4"}


def test_a_changed_default_spelling_does_not_change_the_structure(lesson: Data, folder: Path) -> None:
    before = resolve(PipelineDocument.model_validate(lesson), folder)
    node(lesson, "voice")["inputs"] = {"script": ["text"]}
    node(lesson, "intro")["config"] = {"provider": "ffmpeg", "mode": "replace", "volume": 1}
    assert resolve(PipelineDocument.model_validate(lesson), folder) == before


def test_a_file_that_vanishes_before_it_is_hashed_is_no_crash(lesson: Data, folder: Path) -> None:
    document = PipelineDocument.model_validate(lesson)
    (folder / "clip.mp4").unlink()
    with pytest.raises(DocumentError, match=r"nodes\.clip\.asset\.source: 'clip\.mp4' can't be read"):
        resolve(document, folder)

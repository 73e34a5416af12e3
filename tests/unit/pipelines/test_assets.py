"""Assets: files, text in the document, and URLs; what is said about those that can't be used."""

# ruff: noqa: E501  a table of sentences is read line by line

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.pipelines.conftest import MP4_HEAD, PNG, node
from video_production.pipelines.asset_files import LARGEST_TEXT
from video_production.pipelines.documents import load_document
from video_production.pipelines.validation import validate_document

Problems = Callable[[dict[str, Any]], list[str]]
Data = dict[str, Any]


@pytest.mark.parametrize(
    ("asset", "line"),
    [
        ({"type": "text", "source": "intor.txt"}, ".source: 'intor.txt' does not exist; did you mean 'intro.txt'?"),
        ({"type": "text", "source": "a/b/c.txt"}, ".source: 'a/b/c.txt' does not exist. Paths start at the document's folder."),
        ({"type": "text", "source": "sub/intro.md"}, ".source: 'sub/intro.md' does not exist; did you mean 'sub/intro.txt'?"),
        ({"type": "text", "source": "intro.txt/x"}, ".source: 'intro.txt/x' does not exist. Paths start at the document's folder."),
        ({"type": "text", "source": "sub"}, ".source: 'sub' is a folder. Name a file in it."),
        ({"type": "text", "source": "empty.txt"}, ".source: 'empty.txt' is empty. Put something into it."),
        ({"type": "text", "source": "blank.txt"}, ".source: 'blank.txt' is empty. Put something into it."),
        ({"type": "text", "source": "latin.txt"}, ".source: 'latin.txt' is not UTF-8 text (byte 4). Save it as UTF-8."),
        ({"type": "text", "source": "huge.txt"}, ".source: 'huge.txt' has 1.5 MB; text may have 1 MB. Split it."),
        ({"type": "text", "source": "loop.txt"}, ".source: 'loop.txt' can't be read (Too many levels of symbolic links). Check the file and its permissions."),
        ({"type": "text", "source": "pipe.txt"}, ".source: 'pipe.txt' is not an ordinary file. Copy it into one."),
        ({"type": "text", "source": "a\0b"}, ".source: is no path: it holds a character that file names can't have."),
        ({"type": "text", "source": "slide.png"}, ".source: 'slide.png' is an image, not text. Check the file, or the asset's 'type'."),
        ({"type": "text", "content": ""}, ".content: is empty. Write the text."),
        ({"type": "text", "content": " \n"}, ".content: is empty. Write the text."),
        ({"type": "text", "content": 5}, ".content: must be text. Put it in quotes, or under 'content: |'."),
        ({"type": "text"}, ": has neither 'source' nor 'content'. Give it one of them."),
        ({"type": "text", "source": "intro.txt", "content": "Hi"}, ": has both 'source' and 'content'. Keep one of them."),
        ({"type": "text", "source": "http://example.com/a.txt"}, ".source: 'http://' can't be read. Use a path next to the document, an s3:// or an https:// URL."),
        ({"type": "text", "source": "gs://bucket/a.txt"}, ".source: 'gs://' can't be read. Use a path next to the document, an s3:// or an https:// URL."),
        ({"type": "text", "source": "s3://bucket"}, ".source: 's3://bucket' is not an S3 URL. Write s3://bucket/key."),
        ({"type": "text", "source": "s3://bucket/folder/"}, ".source: 's3://bucket/folder/' is not an S3 URL. Write s3://bucket/key."),
        ({"type": "text", "source": "https://example.com"}, ".source: 'https://example.com' is not a URL of a file. Write https://host/path."),
    ],
)  # fmt: skip
def test_text_assets(lesson: Data, problems: Problems, folder: Path, asset: Data, line: str) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "intro.txt").write_text("x")
    (folder / "empty.txt").touch()
    (folder / "blank.txt").write_text(" \n\t\n")
    (folder / "latin.txt").write_bytes(b"caf\xe9 au lait")
    (folder / "huge.txt").write_bytes(b"a" * (LARGEST_TEXT * 3 // 2))
    (folder / "loop.txt").symlink_to("loop.txt")
    os.mkfifo(folder / "pipe.txt")
    node(lesson, "text")["asset"] = asset
    assert problems(lesson) == [f"nodes.text.asset{line}"]


@pytest.mark.parametrize(
    ("id", "name", "content", "message"),
    [
        ("clip", "notes.mp4", b"Just some notes.\n", "is a text file, not a video."),
        ("clip", "photo.mp4", PNG, "is an image, not a video."),
        ("clip", "voice.mp4", b"ID3\x04" + b"\0" * 20, "is a sound, not a video."),
        ("clip", "voice.m4a", b"\0\0\0\x20ftypM4A " + b"\0" * 20, "is a sound, not a video."),
        ("slide", "clip.png", MP4_HEAD, "is a video, not an image."),
        ("slide", "page.png", b"<html>", "is a text file, not an image."),
    ],
)
def test_a_file_is_what_its_first_bytes_say_whatever_its_name(
    lesson: Data, problems: Problems, folder: Path, id: str, name: str, content: bytes, message: str
) -> None:
    (folder / name).write_bytes(content)
    node(lesson, id)["asset"]["source"] = name
    assert problems(lesson) == [f"nodes.{id}.asset.source: '{name}' {message} Check the file, or the asset's 'type'."]


def test_an_empty_clip_is_refused(lesson: Data, problems: Problems, folder: Path) -> None:
    (folder / "clip.mp4").write_bytes(b"")
    assert problems(lesson) == ["nodes.clip.asset.source: 'clip.mp4' is empty. Put something into it."]


def test_a_file_of_a_kind_that_nobody_knows_is_left_to_probing(lesson: Data, problems: Problems, folder: Path) -> None:
    (folder / "clip.mp4").write_bytes(b"\x8f\x00\x13\x37" * 100)
    assert problems(lesson) == []


def test_a_picture_can_not_be_written_into_the_document(lesson: Data, problems: Problems) -> None:
    node(lesson, "slide")["asset"] = {"type": "image", "content": "iVBORw0KGgo="}
    assert problems(lesson) == [
        "nodes.slide.asset.content: an image can't be written into the document. Name its file with 'source'."
    ]


@pytest.mark.parametrize(
    ("asset", "lines"),
    [
        ({"content": {"scene": [1, 2]}}, []),
        ({"content": '{"scene": 1}'}, []),
        ({"content": "{scene"}, [".content: is not valid JSON (line 1, column 2: expecting property name enclosed in double quotes)."]),
        ({"source": "good.json"}, []),
        ({"source": "bad.json"}, [".source: 'bad.json' is not valid JSON (line 2, column 1: expecting value)."]),
    ],
)  # fmt: skip
def test_json_assets(lesson: Data, problems: Problems, folder: Path, asset: Data, lines: list[str]) -> None:
    (folder / "good.json").write_text('{"a": 1}')
    (folder / "bad.json").write_text('{"a":\n}')
    lesson["nodes"] += [
        {"id": "settings", "type": "asset", "asset": {"type": "json"} | asset},
        {"id": "code", "type": "render-code", "inputs": {"config": "settings"}, "config": {"provider": "remotion"}},
    ]
    node(lesson, "final")["inputs"]["segments"].append("code")
    later = (
        "nodes.code.type: render-code can't be made yet. What can: 'generate-voiceover', 'generate-talking-head', "
        "'generate-animation', 'mix-audio' and 'merge-videos'."
    )
    assert problems(lesson) == [*(f"nodes.settings.asset{line}" for line in lines), later]


def test_json_that_contains_itself_is_refused_not_followed(folder: Path) -> None:
    path = folder / "pipeline.yaml"
    asset = "{id: a, type: asset, asset: {type: json, content: &self [*self]}}"
    path.write_text(f"id: x\ntitle: x\nnodes:\n  - {asset}\n")
    lines = [str(problem) for problem in validate_document(load_document(path), folder)]
    assert lines[0] == (
        "nodes.a.asset.content: holds a value that JSON does not know, such as a date. Put it in quotes."
    )


def test_paths_may_leave_the_folder_and_urls_are_taken_by_their_form(
    lesson: Data, problems: Problems, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "clip.mp4"
    elsewhere.write_bytes(MP4_HEAD)
    for source in (str(elsewhere), os.path.relpath(elsewhere, folder), "s3://jiki-videos-dev/a b/clip.mp4"):
        node(lesson, "clip")["asset"]["source"] = source
        assert problems(lesson) == []
    node(lesson, "clip")["asset"]["source"] = "https://cdn.example.com/clip.mp4?sig=1"
    assert problems(lesson) == []

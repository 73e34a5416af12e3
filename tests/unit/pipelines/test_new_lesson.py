"""A fresh lesson can be produced as it is, whatever its folder and its slides are called."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from jsonschema import Draft202012Validator
from PIL import Image

from video_production.errors import RequestError
from video_production.pipelines.new_lesson import write_lesson
from video_production.pipelines.schema import SCHEMA_PATH
from video_production.pipelines.validation import load_valid_document, resolve


def pictures(folder: Path, *names: str) -> Path:
    """A folder of small pictures, each of another color."""
    folder.mkdir()
    for number, name in enumerate(names):
        Image.new("RGB", (16, 16), (number * 20, 0, 0)).save(folder / name, "JPEG" if "jp" in name.lower() else "PNG")
    return folder


def test_a_fresh_lesson_has_no_problems_and_ends_in_one_video(tmp_path: Path) -> None:
    written = write_lesson(tmp_path / "my-lesson", schema=SCHEMA_PATH)
    document = load_valid_document(written[0])
    assert (document.id, document.title) == ("my-lesson", "My lesson")
    assert [path.relative_to(tmp_path / "my-lesson").as_posix() for path in written] == [
        "pipeline.yaml",
        "README.md",
        "slides/scene-1.png",
        "scripts/scene-1.txt",
        "slides/scene-2.png",
        "scripts/scene-2.txt",
    ]
    nodes = resolve(document, tmp_path / "my-lesson")
    assert [node.id for node in nodes if node.type == "mix-audio"] == ["scene-1", "scene-2"]
    assert nodes[-1].inputs == {"segments": ("scene-1", "scene-2")}


def test_nothing_else_is_written(tmp_path: Path) -> None:
    written = write_lesson(tmp_path / "my-lesson", schema=SCHEMA_PATH)
    assert sorted(written) == sorted(path for path in (tmp_path / "my-lesson").rglob("*") if path.is_file())


def test_editors_find_the_schema_from_the_document(tmp_path: Path) -> None:
    document = write_lesson(tmp_path / "a b" / "lesson", schema=SCHEMA_PATH)[0]
    first = document.read_text("utf-8").splitlines()[0]
    location = yaml.safe_load(document.read_text("utf-8"))["$schema"]
    assert first == f"# yaml-language-server: $schema={location}"
    assert (document.parent / location).resolve() == SCHEMA_PATH
    Draft202012Validator(json.loads(SCHEMA_PATH.read_text("utf-8"))).validate(
        yaml.safe_load(document.read_text("utf-8"))
    )


def test_the_voice_is_chosen_in_one_place(tmp_path: Path) -> None:
    path = write_lesson(tmp_path / "lesson", schema=SCHEMA_PATH)[0]
    assert path.read_text("utf-8").count("voiceId") == 1
    path.write_text(path.read_text("utf-8").replace("JBFqnCBsd6RMkjVDRZzb", "another"), "utf-8")
    voices = [
        node.config["voiceId"] for node in resolve(load_valid_document(path), path.parent) if "voiceId" in node.config
    ]
    assert voices == ["another", "another"]


def test_drawn_slides_are_pictures_with_readable_text(tmp_path: Path) -> None:
    slide = write_lesson(tmp_path / "lesson", schema=SCHEMA_PATH)[2]
    image = Image.open(slide)
    assert image.size == (1280, 720)
    light = np.asarray(image.convert("L")) > 150
    assert 5_000 < light.sum() < 100_000
    heading, points = light[150:240, 130:], light[300:520, 170:]
    assert heading.any()
    assert points.any()
    assert not light[:, 1200:].any(), "text reaches the edge"


def test_own_slides_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    slides = pictures(tmp_path / "deck", "Slide10.PNG", "Slide2.PNG", "slide1.jpg", "slide3.jpeg")
    (slides / "notes.txt").write_text("no slide")
    (slides / ".hidden.png").write_text("no slide")
    path = write_lesson(tmp_path / "lesson", slides=slides, schema=SCHEMA_PATH)[0]
    document = load_valid_document(path)
    assert [node.title for node in document.nodes if node.type == "mix-audio"] == [
        "slide1",
        "Slide2",
        "slide3",
        "Slide10",
    ]
    assert (path.parent / "slides" / "scene-4.png").read_bytes() == (slides / "Slide10.PNG").read_bytes()
    assert (path.parent / "scripts" / "scene-2.txt").read_text("utf-8") == (
        "This is scene 2 of 4, with the slide Slide2. Replace this text with what the voice should say.\n"
    )


def test_a_single_slide_needs_no_joining(tmp_path: Path) -> None:
    path = write_lesson(tmp_path / "lesson", slides=pictures(tmp_path / "deck", "one.png"), schema=SCHEMA_PATH)[0]
    assert [node.type for node in load_valid_document(path).nodes][-1] == "mix-audio"


@pytest.mark.parametrize(
    "name", ["2024", "true", "no", "Mein Kurs – Teil 1!", "ä", "$HOME 'x' \"y\"", "x" * 200, "_", "a: b"]
)
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    load_valid_document(write_lesson(tmp_path / name, schema=SCHEMA_PATH)[0])


def test_any_slide_name_will_do(tmp_path: Path) -> None:
    slides = pictures(
        tmp_path / "deck", "a: b #c.png", 'it\'s "q".png', "new\nline\x07.png", "😀.png", "y" * 240 + ".png"
    )
    document = load_valid_document(write_lesson(tmp_path / "lesson", slides=slides, schema=SCHEMA_PATH)[0])
    titles = [node.title for node in document.nodes if node.type == "mix-audio"]
    assert titles == ["a: b #c", 'it\'s "q"', "new line", "y" * 200, "😀"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "lesson"
    write_lesson(folder, schema=SCHEMA_PATH)
    (folder / "scripts" / "scene-1.txt").write_text("My words.")
    with pytest.raises(RequestError, match=r"lesson' is already there\. Choose another name, or remove it first\.$"):
        write_lesson(folder, schema=SCHEMA_PATH)
    assert (folder / "scripts" / "scene-1.txt").read_text() == "My words."


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "lesson").mkdir()
    load_valid_document(write_lesson(tmp_path / "lesson", schema=SCHEMA_PATH)[0])


def test_a_file_of_that_name_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "lesson").write_text("mine")
    with pytest.raises(RequestError, match="is already there"):
        write_lesson(tmp_path / "lesson", schema=SCHEMA_PATH)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "' holds no slides. Export them as PNG, JPEG or WebP pictures into it."),
        ({"deck.pptx": b"PK\x03\x04"}, "' holds no slides. Export them as PNG, JPEG or WebP pictures into it."),
        (
            {"a.png": b"just text"},
            "' can't be used: 'a.png' is a text file, not an image. Check the file, or the asset's 'type'.",
        ),
        ({"a.png": b""}, "' can't be used: 'a.png' is empty. Put something into it."),
    ],
)
def test_slides_that_can_not_be_used_leave_nothing_behind(
    tmp_path: Path, files: dict[str, bytes], message: str
) -> None:
    slides = tmp_path / "deck"
    slides.mkdir()
    for name, content in files.items():
        (slides / name).write_bytes(content)
    with pytest.raises(RequestError) as caught:
        write_lesson(tmp_path / "lesson", slides=slides, schema=SCHEMA_PATH)
    assert str(caught.value).endswith(message)
    assert not (tmp_path / "lesson").exists()


def test_slides_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        write_lesson(tmp_path / "lesson", slides=tmp_path / "nowhere", schema=SCHEMA_PATH)
    assert str(caught.value) == (
        f"'{tmp_path}/nowhere' is not a folder. Name the folder that holds the slides as pictures."
    )


def test_a_place_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RequestError) as caught:
        write_lesson(tmp_path / "file" / "lesson", schema=SCHEMA_PATH)
    assert str(caught.value) == (f"The lesson can't be written into '{tmp_path}/file/lesson' (Not a directory).")


def test_the_fonts_come_with_their_licence() -> None:
    fonts = SCHEMA_PATH.parent / "fonts"
    assert "SIL Open Font License, Version 1.1" in (fonts / "SourceSansPro-LICENSE.txt").read_text("utf-8")

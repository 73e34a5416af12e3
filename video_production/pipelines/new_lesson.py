"""A fresh lesson that can be produced at once: slides, scripts, a document, and a page that says how to go on."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import string
import unicodedata
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from video_production.errors import RequestError
from video_production.pipelines.asset_files import find_problem
from video_production.pipelines.node_base import Asset
from video_production.settings import LOCAL_BUCKET

__all__ = ["SLIDE_SUFFIXES", "draw_slide", "write_lesson"]

SLIDE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
SLIDE_SIZE = (1280, 720)

_HERE = Path(__file__).parent
_FONTS = _HERE / "fonts"
_VOICE = """&voice
      provider: elevenlabs
      voiceId: JBFqnCBsd6RMkjVDRZzb  # any voice of your ElevenLabs account; drafts need no account
      modelId: eleven_multilingual_v2
      captions: true"""
_BACKGROUND, _TEXT, _ACCENT, _QUIET = "#12263a", "#f4f1de", "#f2a65a", "#9db4c0"


@dataclass(frozen=True, slots=True)
class _Scene:
    """`slide` is a picture to copy, or None where one is drawn from `heading` and `points`."""

    heading: str
    script: str
    slide: Path | None = None
    points: tuple[str, ...] = ()


_FIRST_SCENES = (
    _Scene(
        "Start here",
        "Welcome to your new lesson. This is the first slide, and these are the first words.",
        points=("One slide and one script per scene", "Change the words in scripts/", "Then produce it again"),
    ),
    _Scene(
        "What comes next",
        "Replace this slide with your own, and this script with what you want to say about it.",
        points=("Put your own picture into slides/", "Add scenes in pipeline.yaml"),
    ),
)


def write_lesson(folder: Path, *, slides: Path | None = None, schema: Path) -> list[Path]:
    """Write a lesson into a new folder and return the files written, the document first.

    With `slides`, a folder of pictures, there is one scene for each of them, in the order of their names (2 before 10).
    `schema` is the JSON Schema that editors shall use; the document refers to it relative to itself. Nothing is
    overwritten: RequestError when `folder` holds anything, and when `slides` has no usable picture.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"'{folder}' is already there. Choose another name, or remove it first.")
    scenes = _FIRST_SCENES if slides is None else _scenes_of(slides)
    try:
        return _write(folder, scenes, schema)
    except OSError as error:
        raise RequestError(f"The lesson can't be written into '{folder}' ({error.strerror}).") from error


def _write(folder: Path, scenes: Sequence[_Scene], schema: Path) -> list[Path]:
    for name in ("slides", "scripts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    title = _title_of(folder)
    written: list[Path] = []
    parts: list[str] = []
    for number, scene in enumerate(scenes, start=1):
        slide, script = _write_scene(folder, scene, number, len(scenes))
        written += [slide, script]
        parts.append(_scene_nodes(scene, number, slide.relative_to(folder), script.relative_to(folder)))
    if len(scenes) > 1:
        parts.append(_joining_node(title, len(scenes)))
    document, readme = folder / "pipeline.yaml", folder / "README.md"
    location = _relative_url(schema, folder)
    document.write_text(
        _fill(
            "pipeline.yaml",
            schema=location,
            schema_text=json.dumps(location),
            id=_id_of(folder),
            title=json.dumps(title, ensure_ascii=False),
            bucket=LOCAL_BUCKET,
            nodes="\n".join(parts).rstrip("\n"),
        ),
        encoding="utf-8",
    )
    readme.write_text(_fill("README.md", title=title, document=shlex.quote(str(document))), encoding="utf-8")
    return [document, readme, *written]


def draw_slide(path: Path, heading: str, points: Sequence[str], footer: str = "") -> None:
    """Draw a 1280×720 slide as PNG: a heading, points below it, a quiet line at the bottom."""
    image = Image.new("RGB", SLIDE_SIZE, _BACKGROUND)
    draw = ImageDraw.Draw(image)
    bold, regular = _FONTS / "SourceSansPro-Bold.ttf", _FONTS / "SourceSansPro-Regular.ttf"
    draw.rectangle((96, 150, 104, 236), fill=_ACCENT)
    draw.text((136, 193), heading, font=ImageFont.truetype(bold, 84), fill=_TEXT, anchor="lm")
    for row, point in enumerate(points):
        y = 330 + row * 78
        draw.ellipse((138, y - 7, 152, y + 7), fill=_ACCENT)
        draw.text((182, y), point, font=ImageFont.truetype(regular, 44), fill=_TEXT, anchor="lm")
    draw.text((136, 650), footer, font=ImageFont.truetype(regular, 26), fill=_QUIET, anchor="lm")
    image.save(path, "PNG", optimize=True)


def _scenes_of(slides: Path) -> list[_Scene]:
    if not slides.is_dir():
        raise RequestError(f"'{slides}' is not a folder. Name the folder that holds the slides as pictures.")
    pictures = sorted(
        (path for path in slides.iterdir() if path.suffix.lower() in SLIDE_SUFFIXES and not path.name.startswith(".")),
        key=lambda path: _natural(path.name),
    )
    if not pictures:
        raise RequestError(f"'{slides}' holds no slides. Export them as PNG, JPEG or WebP pictures into it.")
    for picture in pictures:
        finding = find_problem(Asset(type="image", source=picture.name), slides)
        if finding:
            raise RequestError(f"The slides in '{slides}' can't be used: {finding[1]}")
    return [_scene_of(picture, number, len(pictures)) for number, picture in enumerate(pictures, start=1)]


def _scene_of(picture: Path, number: int, count: int) -> _Scene:
    name = " ".join("".join(char if char.isprintable() else " " for char in picture.stem).split()) or f"Scene {number}"
    script = (
        f"This is scene {number} of {count}, with the slide {name}. Replace this text with what the voice should say."
    )
    return _Scene(name, script, slide=picture)


def _write_scene(folder: Path, scene: _Scene, number: int, count: int) -> tuple[Path, Path]:
    script = folder / "scripts" / f"scene-{number}.txt"
    script.write_text(f"{scene.script}\n", encoding="utf-8")
    if scene.slide is None:
        slide = folder / "slides" / f"scene-{number}.png"
        draw_slide(slide, scene.heading, scene.points, f"{_title_of(folder)} · {number} of {count}")
    else:
        slide = folder / "slides" / f"scene-{number}{scene.slide.suffix.lower()}"
        shutil.copyfile(scene.slide, slide)
    return slide, script


def _scene_nodes(scene: _Scene, number: int, slide: Path, script: Path) -> str:
    return _fill(
        "scene.yaml",
        number=str(number),
        scene=f"scene-{number}",
        script=script.as_posix(),
        slide=slide.as_posix(),
        config=_VOICE if number == 1 else "*voice",
        voice_title=json.dumps(f"Voice of scene {number}"),
        scene_title=json.dumps(scene.heading[:200], ensure_ascii=False),
    )


def _joining_node(title: str, count: int) -> str:
    segments = "\n".join(f"        - scene-{number}" for number in range(1, count + 1))
    return (
        "  # --- the whole lesson: the scenes one after the other\n"
        f"  - id: lesson\n    title: {json.dumps(title, ensure_ascii=False)}\n    type: merge-videos\n"
        f"    inputs:\n      segments:\n{segments}\n"
    )


def _fill(template: str, **values: str) -> str:
    text = (_HERE / "templates" / f"{template}.template").read_text(encoding="utf-8")
    return string.Template(text).substitute(values)


def _natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key in which `Slide2` comes before `Slide10`, upper and lower case alike."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [(0, int(piece), "") if piece.isdigit() else (1, 0, piece) for piece in pieces], name


def _title_of(folder: Path) -> str:
    words = re.sub(r"[-_\s]+", " ", folder.resolve().name).strip()
    return (words[:1].upper() + words[1:])[:200] or "Lesson"


def _id_of(folder: Path) -> str:
    plain = unicodedata.normalize("NFKD", folder.resolve().name).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:64].strip("-")
    return json.dumps(name or "lesson")


def _relative_url(schema: Path, folder: Path) -> str:
    try:
        path = Path(os.path.relpath(schema.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return schema.resolve().as_uri()
    return urllib.parse.quote(path)

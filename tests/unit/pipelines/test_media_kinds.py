"""Kinds of files by their first bytes, on files that FFmpeg and Pillow have written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from video_production.pipelines.media_kinds import HEAD, kinds_of

VIDEO = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=0.3"]
SOUND = ["-f", "lavfi", "-i", "sine=duration=0.3"]


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("a.mp4", VIDEO, "video"),
        ("a.mov", VIDEO, "video"),
        ("a.mkv", VIDEO, "video"),
        ("a.webm", [*VIDEO, "-c:v", "libvpx", "-deadline", "realtime"], "video"),
        ("a.avi", VIDEO, "video"),
        ("a.ts", VIDEO, "video"),
        ("a.flv", VIDEO, "video"),
        ("a.mpg", ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:duration=0.3"], "video"),
        ("a.mp3", SOUND, "audio"),
        ("b.mp3", [*SOUND, "-id3v2_version", "0", "-write_xing", "0"], "audio"),
        ("a.wav", SOUND, "audio"),
        ("a.m4a", SOUND, "audio"),
        ("a.aac", SOUND, "audio"),
        ("a.flac", SOUND, "audio"),
        ("a.ogg", [*SOUND, "-c:a", "libvorbis"], "audio"),
        ("a.opus", [*SOUND, "-c:a", "libopus"], "audio"),
        ("a.aiff", SOUND, "audio"),
    ],
)
def test_what_ffmpeg_writes(tmp_path: Path, name: str, arguments: list[str], kind: str) -> None:
    path = tmp_path / name
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *arguments, str(path)], check=True, timeout=60)
    kinds = kinds_of(path.read_bytes()[:HEAD])
    assert kind in kinds
    assert "text" not in kinds
    assert "image" not in kinds


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.gif", "a.bmp", "a.tiff"])
def test_what_pillow_writes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    Image.new("RGB", (8, 8), "red").save(path)
    kinds = kinds_of(path.read_bytes()[:HEAD])
    assert "image" in kinds
    assert "text" not in kinds
    assert "audio" not in kinds


@pytest.mark.parametrize("brand", [b"avif", b"heic", b"mif1"])
def test_pictures_in_an_mp4_box_are_pictures(brand: bytes) -> None:
    assert kinds_of(b"\0\0\0\x1cftyp" + brand + b"\0" * 16) == ("image",)


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_text_is_text(text: str) -> None:
    content = f"Script: {text}\n".encode()
    assert kinds_of(content[:HEAD]) == ("text",)


def test_text_that_is_cut_in_the_middle_of_a_letter_is_text() -> None:
    assert kinds_of(("a" + "é" * HEAD).encode()[:HEAD]) == ("text",)


def test_text_of_other_encodings_is_text_and_noise_is_nothing() -> None:
    assert kinds_of("Hello".encode("utf-16")) == ("text",)
    assert kinds_of(b"\x00\x01\x02\x03\x04\x05\x06\x07\x08") == ()
    assert kinds_of(b"caf\xe9 au lait") == ()


@given(st.binary(max_size=600))
def test_no_beginning_is_too_short_or_too_strange(head: bytes) -> None:
    assert isinstance(kinds_of(head), tuple)

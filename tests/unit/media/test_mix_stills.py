"""Still images as the picture of a mix: turned upright, over black, even, held for as long as the sound lasts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.unit.media.clips import FFMPEG
from tests.unit.media.listening import RATE, heard, lag, seen, speech_like, tone, write_wav
from video_production.errors import MediaError
from video_production.media.mix import MixResult, Mode, mix
from video_production.media.probe import probe
from video_production.media.stills import Still, is_still, read_still, still_target

RED, BLACK = (255, 0, 0), (0, 0, 0)
ORIENTATION = 0x0112


def held(still: Path, folder: Path, seconds: float = 0.5, mode: Mode = "replace") -> tuple[MixResult, np.ndarray]:
    """The still under a short tone, and the frames of the result."""
    sound = write_wav(folder / "tone.wav", tone(440, seconds))
    work = folder / "work"
    work.mkdir(exist_ok=True)
    result = mix(still, sound, folder / "held.mp4", work, mode=mode, normalise_voice=False, ffmpeg=FFMPEG)
    assert not list(work.iterdir())
    return result, seen(folder / "held.mp4")


def corner_marked(size: tuple[int, int] = (64, 32)) -> Image.Image:
    """White, with a red upper left and a blue upper right corner: every turn of it looks different."""
    image = Image.new("RGB", size, "white")
    image.paste(RED, (0, 0, 16, 16))
    image.paste((0, 0, 255), (size[0] - 16, 0, size[0], 16))
    return image


def test_a_still_is_held_for_exactly_as_long_as_the_sound(tmp_path: Path) -> None:
    Image.new("RGB", (320, 180), (200, 120, 40)).save(tmp_path / "slide.png")
    result, frames = held(tmp_path / "slide.png", tmp_path, seconds=0.9)
    assert (result.frames, result.duration, result.picture) == (27, 0.9, "encoded")
    assert len(frames) == 27
    assert np.max(np.abs(frames.astype(int) - (200, 120, 40))) <= 4
    assert 0 <= len(heard(tmp_path / "held.mp4")) - 0.9 * RATE < 1024


def test_a_voice_under_a_still_begins_with_it(tmp_path: Path) -> None:
    Image.new("RGB", (320, 180)).save(tmp_path / "slide.png")
    voice = speech_like(1.31, 0.5)
    (tmp_path / "work").mkdir()
    result = mix(
        tmp_path / "slide.png",
        write_wav(tmp_path / "voice.wav", voice),
        tmp_path / "mixed.mp4",
        tmp_path / "work",
        mode="replace",
        normalise_voice=True,
        ffmpeg=FFMPEG,
    )
    sound = heard(tmp_path / "mixed.mp4")[:, 0]
    assert abs(lag(sound, voice)) < 0.001
    assert result.duration == pytest.approx(40 / 30)  # 1.31 s and the rest of the last frame
    assert np.corrcoef(sound[: len(voice)], voice)[0, 1] > 0.95


def test_transparency_is_laid_over_black(tmp_path: Path) -> None:
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    image.paste((255, 255, 255, 255), (0, 0, 32, 64))
    image.paste((255, 255, 255, 128), (32, 32, 64, 64))
    image.save(tmp_path / "logo.png")
    _, frames = held(tmp_path / "logo.png", tmp_path)
    assert np.allclose(frames[0, 8, 8], 255, atol=4)
    assert np.allclose(frames[0, 8, 56], 0, atol=4)
    assert np.allclose(frames[0, 56, 56], 128, atol=5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    corner_marked().save(tmp_path / "photo.jpg", exif=exif, quality=95, subsampling=0)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "photo.jpg")), dtype=int)
    _, frames = held(tmp_path / "photo.jpg", tmp_path, seconds=0.1)
    assert frames[0].shape == upright.shape
    assert np.mean(np.abs(frames[0].astype(int) - upright)) < 5


@pytest.mark.parametrize("name", ["photo.png", "photo.webp"])
@pytest.mark.parametrize("orientation", [3, 5, 6, 7, 8])
def test_png_and_webp_are_turned_upright_too(tmp_path: Path, name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    corner_marked().save(tmp_path / name, exif=exif, lossless=True)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / name)).convert("RGB"), dtype=int)
    _, frames = held(tmp_path / name, tmp_path, seconds=0.1)
    assert frames[0].shape == upright.shape
    assert np.mean(np.abs(frames[0].astype(int) - upright)) < 5


def test_odd_sizes_are_padded_with_black_and_not_stretched(tmp_path: Path) -> None:
    Image.new("RGB", (63, 47), "white").save(tmp_path / "odd.png")
    result, frames = held(tmp_path / "odd.png", tmp_path)
    assert (result.width, result.height) == (64, 48)
    assert np.min(frames[0, :46, :62]) > 240
    assert np.max(frames[0, 47, :60]) < 80
    assert np.max(frames[0, :44, 63]) < 80


@pytest.mark.parametrize("mode", ["L", "P", "LA", "I;16", "1", "CMYK"])
def test_every_kind_of_pixel_becomes_the_same_grey(tmp_path: Path, mode: str) -> None:
    grey = Image.new("L", (64, 64), 204)  # in Pillow's palette
    if mode == "I;16":
        image = Image.fromarray(np.full((64, 64), 204 * 257, dtype=np.uint16))
    elif mode == "1":
        image = Image.new("1", (64, 64), 1)
    else:
        image = grey.convert("RGB").convert(mode) if mode in ("P", "CMYK") else grey.convert(mode)
    path = tmp_path / ("grey.jpg" if mode == "CMYK" else "grey.png")
    image.save(path)
    _, frames = held(path, tmp_path, seconds=0.1)
    assert np.allclose(frames[0], 255 if mode == "1" else 204, atol=6)


@pytest.mark.parametrize("name", ["slide.jpg", "slide.webp", "slide.bmp", "slide.tiff"])
def test_every_format_shows_its_colours(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (96, 64), (200, 40, 120)).save(tmp_path / name)
    assert is_still(tmp_path / name)
    _, frames = held(tmp_path / name, tmp_path, seconds=0.1)
    assert np.max(np.abs(frames[0].astype(int) - (200, 40, 120))) <= 8


@pytest.mark.parametrize(
    ("size", "shown"), [((3000, 5000), (2160, 3600)), ((8000, 2000), (3840, 960)), ((3840, 2160), (3840, 2160))]
)
def test_photos_larger_than_4k_are_scaled_down(size: tuple[int, int], shown: tuple[int, int]) -> None:
    target = still_target(Still(Path("photo.jpg"), "jpeg_pipe", *size, turn=""))
    assert (target.width, target.height) == shown


def test_scaling_a_photo_down_shows_all_of_it_and_is_told(tmp_path: Path) -> None:
    image = Image.new("RGB", (64, 2400), "white")
    image.paste(RED, (0, 2200, 64, 2400))
    image.rotate(90, expand=True).resize((4000, 64)).save(tmp_path / "wide.png")
    result, frames = held(tmp_path / "wide.png", tmp_path, seconds=0.1)
    assert frames.shape[1:3] == (62, 3840)
    assert np.allclose(frames[0, 30, 3800], RED, atol=8)
    assert any("scaled from 4000×64" in note for note in result.notes)


def test_two_stills_of_one_size_can_be_joined_without_encoding(tmp_path: Path) -> None:
    entries = set()
    for name, colour in (("a.png", "white"), ("b.jpg", "navy")):
        Image.new("RGB", (320, 180), colour).save(tmp_path / name)
        held(tmp_path / name, tmp_path)
        track = probe(tmp_path / "held.mp4", FFMPEG).video
        assert track
        entries.add(track.sample_entry)
    assert len(entries) == 1


def test_a_still_has_no_sound_to_overlay(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "slide.png")
    result, _ = held(tmp_path / "slide.png", tmp_path, mode="overlay")
    assert any("the image has no sound" in note for note in result.notes)


def test_a_name_with_a_pattern_in_it_is_just_a_name(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "100%d: slide.png")
    assert held(tmp_path / "100%d: slide.png", tmp_path)[0].frames == 15


@pytest.mark.parametrize("name", ["slide.png", "slide.jpg", "slide.webp"])
def test_a_cut_off_image_is_refused(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=name):
        read_still(tmp_path / name, ffmpeg=FFMPEG)


def test_a_text_file_is_no_still(tmp_path: Path) -> None:
    (tmp_path / "slide.png").write_text("this is no image")
    assert not is_still(tmp_path / "slide.png")
    with pytest.raises(MediaError, match="PNG, JPEG, WebP, BMP or TIFF"):
        read_still(tmp_path / "slide.png", ffmpeg=FFMPEG)

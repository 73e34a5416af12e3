"""The card that film stand-ins make: as long as ordered, readable, moving, marked, and joinable without re-encoding."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from stand_ins.title_card import title_card
from tests.unit.media.clips import run_ffmpeg
from video_production.media import profile
from video_production.media.probe import probe

SIZE = (320, 180)


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("card") / "card.mp4"
    title_card("A paper boat drifts", path, size=SIZE, seconds=2.5, label="Veo 3.1")
    return path


def frames(path: Path) -> list[Any]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in film.decode(video=0)]


def test_it_lasts_exactly_as_long_as_ordered(card: Path) -> None:
    info = probe(card)
    assert info.video is not None
    assert info.audio is not None
    assert (info.video.frames, info.video.duration, info.video.frame_rate) == (60, Fraction(5, 2), 24)
    assert info.audio.duration == Fraction(5, 2)
    assert len(frames(card)) == 60


def test_it_joins_files_of_the_house_without_re_encoding(card: Path, tmp_path: Path) -> None:
    rate = Fraction(24)
    target = profile.Picture(*SIZE, rate)
    colours = (
        "format=yuv420p,setparams=field_mode=prog:range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
    )
    sources = ("-f", "lavfi", "-i", "testsrc2=d=1:s=320x180:r=24", "-f", "lavfi", "-i", "sine=d=1:r=48000")
    house = tmp_path / "house.mp4"
    encoders = (*profile.video_encoder(target), *profile.audio_encoder(), *profile.muxer(rate))
    run_ffmpeg(*sources, "-vf", colours, *encoders, house)
    ours, theirs = probe(card), probe(house)
    assert ours.video is not None
    assert theirs.video is not None
    assert ours.video.sample_entry == theirs.video.sample_entry
    assert ours.video.timescale == theirs.video.timescale


def test_it_is_marked_as_a_draft_in_file_and_picture(card: Path) -> None:
    with av.open(str(card)) as film:
        assert film.metadata["comment"] == profile.DRAFT_COMMENT
    first, last = frames(card)[0], frames(card)[-1]
    for frame in (first, last):
        badge = frame[4:20, 280:316]
        assert badge.min() < 80
        assert badge.max() > 150


def test_it_moves_and_its_words_stand_still(card: Path) -> None:
    first, middle, last = (frames(card)[number] for number in (0, 30, 59))
    bottom = (slice(-2, None), slice(None))
    lit = [int((frame[bottom].mean(axis=2) > 150).sum()) for frame in (first, middle, last)]
    assert lit[0] < lit[1] < lit[2]
    assert np.abs(last[30:60] - first[30:60]).mean() > 1
    words = first[60:120].min(axis=2) > 200
    assert words.sum() > 100
    assert last[60:120].min(axis=2)[words].mean() > 190


def test_two_prompts_look_and_sound_different_and_one_always_the_same(tmp_path: Path) -> None:
    for name, prompt in (("a", "A boat"), ("b", "A boat"), ("c", "A bird")):
        title_card(prompt, tmp_path / name, size=SIZE, seconds=0.5)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    first, other = frames(tmp_path / "a")[0], frames(tmp_path / "c")[0]
    assert np.abs(first[:40] - other[:40]).mean() > 3


@pytest.mark.parametrize("prompt", ["", "word " * 900, "Donaudampfschifffahrtsgesellschaft" * 9, "emoji 🚣 and 漢字"])
@pytest.mark.parametrize("size", [SIZE, (180, 320)])
def test_any_words_fit_in_any_shape(tmp_path: Path, prompt: str, size: tuple[int, int]) -> None:
    title_card(prompt, tmp_path / "card.mp4", size=size, seconds=0.1, audio=False)
    frame = frames(tmp_path / "card.mp4")[0]
    assert frame.shape == (size[1], size[0], 3)
    margin = round(size[0] * 0.04)
    assert frame[size[1] // 4 : -size[1] // 4, :margin].max() < 190
    assert frame[size[1] // 4 : -size[1] // 4, -margin:].max() < 190


def test_a_picture_is_the_ground_and_moves(tmp_path: Path) -> None:
    file = io.BytesIO()
    stripes = np.zeros((90, 160, 3), np.uint8)
    stripes[:, ::16] = (255, 220, 0)
    Image.fromarray(stripes).save(file, "PNG")
    title_card("A boat", tmp_path / "card.mp4", size=SIZE, seconds=1, audio=False, backdrop=file.getvalue())
    first, last = frames(tmp_path / "card.mp4")[0], frames(tmp_path / "card.mp4")[-1]
    yellow = first[150:175, 200:].reshape(-1, 3)
    assert (yellow[:, 0] - yellow[:, 2]).max() > 80
    assert np.abs(first[150:175, 200:] - last[150:175, 200:]).mean() > 5


def test_silence_has_no_track_and_a_broken_picture_is_named(tmp_path: Path) -> None:
    title_card("A boat", tmp_path / "card.mp4", size=SIZE, seconds=0.5, audio=False)
    assert probe(tmp_path / "card.mp4").audio is None
    with pytest.raises(ValueError, match="the picture can't be read"):
        title_card("A boat", tmp_path / "no.mp4", size=SIZE, seconds=0.5, backdrop=b"GIF89a")

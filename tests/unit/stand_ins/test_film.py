"""The talking card: as long as the voice, a mouth that follows it, captions where they belong, and joinable."""

from __future__ import annotations

import io
import resource
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from stand_ins.film import RATE, Line, SoundUnreadable, decode_sound, talking_card
from video_production.media.probe import probe
from video_production.media.profile import DRAFT_COMMENT

SAMPLES = 16_000
Picture = NDArray[np.uint8]
Film = Callable[..., list[Picture]]


def voice(folder: Path, *parts: tuple[float, float]) -> Path:
    """A WAV file of parts, each (seconds, loudness)."""
    path = folder / "voice.wav"
    pieces = [level * np.sin(2 * np.pi * 180 * np.arange(int(seconds * SAMPLES)) / SAMPLES) for seconds, level in parts]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLES)
        file.writeframes((np.concatenate(pieces) * 30000).astype("<i2").tobytes())
    return path


def frames(path: Path) -> list[Picture]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture
def film(tmp_path: Path) -> Film:
    def make(*parts: tuple[float, float], size: tuple[int, int] = (640, 360), **more: object) -> list[Picture]:
        talking_card(voice(tmp_path, *parts), tmp_path / "film.mp4", size=size, name="Anna", **more)  # type: ignore[arg-type]
        return frames(tmp_path / "film.mp4")

    return make


def part(picture: Picture, box: Sequence[float]) -> Picture:
    """Left, top, right, bottom as shares of the picture."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    return picture[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]


def differs(first: Picture, second: Picture) -> float:
    return float(np.abs(first.astype(int) - second.astype(int)).mean())


@pytest.mark.parametrize("seconds", [0.01, 0.5, 1.017])
def test_it_lasts_as_long_as_the_voice(tmp_path: Path, seconds: float) -> None:
    told = talking_card(voice(tmp_path, (seconds, 0.5)), tmp_path / "film.mp4", size=(320, 180))
    found = probe(tmp_path / "film.mp4")
    assert found.video is not None
    assert found.audio is not None
    assert found.video.frames == round(told * RATE)
    assert 0 <= told - seconds < 1 / RATE
    assert float(found.audio.duration) == pytest.approx(seconds, abs=0.001)


def test_it_has_the_profile_of_everything_that_is_joined_without_encoding(tmp_path: Path) -> None:
    from tests.unit.media.clips import run_ffmpeg
    from video_production.media.profile import Picture as Target
    from video_production.media.profile import muxer, video_encoder

    talking_card(voice(tmp_path, (0.3, 0.5)), tmp_path / "film.mp4", size=(640, 360))
    ours = tmp_path / "ours.mp4"
    source = ("-f", "lavfi", "-i", "color=c=red:s=640x360:r=30:d=0.3")
    run_ffmpeg(*source, *video_encoder(Target(640, 360, RATE)), "-vf", _BT709, *muxer(RATE), ours)
    made, other = probe(tmp_path / "film.mp4").video, probe(ours).video
    assert made is not None
    assert other is not None
    assert made.sample_entry == other.sample_entry
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert container.metadata["comment"] == DRAFT_COMMENT


_BT709 = (
    "setsar=1,setparams=field_mode=prog:range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709,"
    "format=yuv420p"
)


def test_the_mouth_moves_with_the_voice_and_rests_without_it(film: Film) -> None:
    shown = film((0.6, 0.8), (0.6, 0.0), (0.6, 0.8))
    mouth = (0.44, 0.34, 0.56, 0.46)
    speaking, silent, again = (part(shown[number], mouth) for number in (10, 27, 45))
    assert differs(speaking, silent) > 4 * differs(speaking, again)
    assert differs(speaking, silent) > 4


def test_the_waveform_runs(film: Film) -> None:
    shown = film((0.4, 0.8), (0.4, 0.2), (0.4, 0.8))
    wave_form = (0.25, 0.62, 0.75, 0.72)
    assert differs(part(shown[4], wave_form), part(shown[20], wave_form)) > 4
    corner = (0.0, 0.0, 0.2, 0.3)
    assert differs(part(shown[4], corner), part(shown[20], corner)) < 1


def test_captions_come_and_go(film: Film) -> None:
    shown = film((1.2, 0.5), captions=[Line(0.5, 0.9, "A line with {braces}\nand \\N another one")])
    lower = (0.2, 0.82, 0.8, 0.99)
    before, during, after = (part(shown[number], lower) for number in (6, 21, 33))
    assert differs(before, during) > 8
    assert differs(before, after) < 1
    assert during.max() > 220  # white letters


def test_a_backdrop_fills_the_frame_and_every_name_has_a_look(tmp_path: Path, film: Film) -> None:
    content = io.BytesIO()
    Image.new("RGB", (100, 100), (20, 200, 40)).save(content, "JPEG", quality=95)
    shown = film((0.2, 0.5), backdrop=content.getvalue())[0]
    assert np.abs(part(shown, (0, 0, 0.1, 0.2)).reshape(-1, 3).mean(axis=0) - (20, 200, 40)).max() < 8
    talking_card(voice(tmp_path, (0.2, 0.5)), tmp_path / "other.mp4", size=(640, 360), name="Tyler")
    again = film((0.2, 0.5))[0]
    assert differs(frames(tmp_path / "other.mp4")[0], again) > 5
    assert differs(film((0.2, 0.5))[0], again) == 0


@pytest.mark.parametrize("size", [(720, 1280), (1080, 1080), (864, 1080)])
def test_every_shape_has_its_badge(tmp_path: Path, size: tuple[int, int]) -> None:
    talking_card(voice(tmp_path, (0.1, 0.5)), tmp_path / "film.mp4", size=size)
    shown = frames(tmp_path / "film.mp4")[0]
    assert shown.shape[1::-1] == size
    unit = min(size)
    badge = shown[int(0.03 * unit) : int(0.08 * unit), -int(0.14 * unit) : -int(0.03 * unit)]
    assert badge.max() > 200
    assert badge.min() < 60


def test_what_is_no_sound_and_no_picture_is_said(tmp_path: Path) -> None:
    nonsense = tmp_path / "voice.mp3"
    nonsense.write_bytes(b"nothing to hear" * 100)
    with pytest.raises(SoundUnreadable):
        decode_sound(nonsense)
    with pytest.raises(ValueError, match="the picture can't be read"):
        talking_card(voice(tmp_path, (0.1, 0.5)), tmp_path / "film.mp4", size=(320, 180), backdrop=b"no picture")


def test_it_is_made_faster_than_it_plays(tmp_path: Path) -> None:
    began = processor_seconds()
    talking_card(voice(tmp_path, (3.0, 0.5)), tmp_path / "film.mp4")
    assert processor_seconds() - began < 3


def processor_seconds() -> float:
    """What this process and FFmpeg have used, however busy the machine is."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in spent)

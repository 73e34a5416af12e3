"""What differs is encoded to fit, and nothing else: the rest keeps every frame, and a clip's picture its packets."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.unit.media.clips import FFMPEG, make_clip, run_ffmpeg
from tests.unit.media.house import clicks, heard_clicks, house_clip
from tests.unit.media.spliced import decode_frames
from video_production.errors import OutOfTime
from video_production.media import time_budget
from video_production.media.merge import MergeInput, explain, merge
from video_production.media.merge_result import MergeResult
from video_production.media.probe import probe


def _merge(clips: list[Path], folder: Path, **options: object) -> MergeResult:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    inputs = [MergeInput(clip.name, clip) for clip in clips]
    told = explain(inputs, work, ffmpeg=FFMPEG)
    result = merge(inputs, folder / "out.mp4", work, ffmpeg=FFMPEG, **options).result  # type: ignore[arg-type]
    assert (told.method, told.reason) == (result.method, result.reason)
    assert [each.treatment for each in told.inputs] == [join.treatment for join in result.joins]
    return result


def _foreign_with(sound: list[str], path: Path, **clip: object) -> Path:
    """A clip that our encoder can't imitate, with other sound."""
    plain = make_clip(path.with_name(f"plain-{path.name}"), sample_rate=None, size=(160, 90), **clip)  # type: ignore[arg-type]
    run_ffmpeg("-i", plain, *sound, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-shortest", path)
    return path


_TONE = ["-f", "lavfi", "-i", "sine=sample_rate=48000", "-ac", "2", "-c:a", "aac"]


@pytest.mark.parametrize(
    ("sound", "why"),
    [
        (["-f", "lavfi", "-i", "sine=sample_rate=44100", "-ac", "1", "-c:a", "aac"], "44.1 kHz, mono"),
        (["-f", "lavfi", "-i", "sine=sample_rate=48000", "-ac", "2", "-c:a", "libmp3lame"], "MP3 sound"),
        (["-f", "lavfi", "-i", "sine=sample_rate=48000", "-ac", "2", "-c:a", "libopus"], "Opus sound"),
        (["-f", "lavfi", "-i", "sine=sample_rate=48000", "-ac", "6", "-c:a", "aac"], "6 channels"),
    ],
)
def test_where_only_the_sound_differs_only_that_is_encoded(sound: list[str], why: str, tmp_path: Path) -> None:
    first = _foreign_with(_TONE, tmp_path / "a.mp4", bframes=2, seconds=2)
    other = _foreign_with(sound, tmp_path / "b.mp4", bframes=2)
    result = _merge([first, other], tmp_path)
    assert result.method == "reencode-some"
    assert [(join.treatment, join.why) for join in result.joins] == [
        ("copied", "copied without re-encoding"),
        ("copied", f"{why} → sound re-encoded, picture copied without re-encoding"),
    ]
    assert result.reason == (f"Of b.mp4 ({why}) only the sound was re-encoded; a.mp4 was copied without re-encoding.")
    assert decode_frames(tmp_path / "out.mp4")[0] == decode_frames(first)[0] + decode_frames(other)[0]
    info = probe(tmp_path / "out.mp4")
    assert info.audio is not None
    assert (info.audio.sample_rate, info.audio.channels) == (48000, 2)
    assert float(info.duration) == pytest.approx(3.0, abs=0.03)


def test_new_sound_stays_in_step_with_its_picture(tmp_path: Path) -> None:
    moments = [0.2, 0.5, 0.9]
    first = house_clip(tmp_path / "a.mp4", frames=50, sound=clicks(2, [1.0]))
    house = house_clip(tmp_path / "house.mp4", sound=clicks(1, moments))
    other = tmp_path / "b.mp4"
    run_ffmpeg("-i", house, "-c:v", "copy", "-c:a", "libmp3lame", "-ar", "44100", other)
    result = _merge([first, other, first], tmp_path)
    assert [join.treatment for join in result.joins] == ["copied"] * 3
    expected = [1.0, *(2 + moment for moment in moments), 4.0]
    assert heard_clicks(tmp_path / "out.mp4") == pytest.approx(expected, abs=0.0125)


def test_a_picture_that_differs_is_encoded_like_the_others(tmp_path: Path) -> None:
    sound = clicks(2, [1.0])
    clips = [
        house_clip(tmp_path / "a.mp4", frames=60, rate=30, sound=sound),
        house_clip(tmp_path / "b.mp4", frames=25, rate=25, sound=sound[:48000]),
        house_clip(tmp_path / "c.mp4", frames=30, rate=30, source="rgbtestsrc", sound=sound[:48000]),
    ]
    result = _merge(clips, tmp_path)
    assert [join.why for join in result.joins] == [
        "copied without re-encoding",
        "25 fps → re-encoded",
        "copied without re-encoding",
    ]
    assert result.reason == (
        "b.mp4 (25 fps) was re-encoded to fit the others; a.mp4 and c.mp4 were copied without re-encoding."
    )
    frames = decode_frames(tmp_path / "out.mp4")[0]
    assert (frames[:60], frames[90:]) == (decode_frames(clips[0])[0], decode_frames(clips[2])[0])
    assert [join.start for join in result.joins] == pytest.approx([0, 2, 3], abs=0.001)


def test_everything_that_differs_is_named(tmp_path: Path) -> None:
    first = house_clip(tmp_path / "a.mp4", frames=90, rate=30, sound=clicks(3, [1.0]))
    phone = make_clip(
        tmp_path / "phone.mp4", size=(90, 160), rate="30000/1001", rotation=90, sample_rate=44100, channels=1
    )
    result = _merge([first, phone], tmp_path)
    assert result.joins[1].why == "rotated, 29.97 fps, 44.1 kHz, mono → re-encoded"


def test_a_clip_that_will_not_be_encoded_in_time_is_refused_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_budget, "_USABLE", 0.0)
    first = house_clip(tmp_path / "a.mp4", frames=4000)
    other = make_clip(tmp_path / "b.mp4", size=(640, 360), seconds=120, sample_rate=None)  # so long that FFmpeg reports
    (tmp_path / "out.mp4").write_bytes(b"before")
    with pytest.raises(OutOfTime, match=r"Encoding 120 s of video here would take about \d+ s more"):
        _merge([first, other], tmp_path, deadline=time.monotonic() + 120)
    assert (tmp_path / "out.mp4").read_bytes() == b"before"


def test_two_rates_of_the_majority_are_no_obstacle(tmp_path: Path) -> None:
    clips = [house_clip(tmp_path / f"{rate}.mp4", frames=rate, rate=rate) for rate in (25, 25)]
    result = _merge(clips, tmp_path)
    assert (result.method, result.picture.frame_rate) == ("splice", Fraction(25))
    assert np.isclose(result.duration, 2.0)

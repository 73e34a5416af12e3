from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.unit.media.clips import FFMPEG, run_ffmpeg
from tests.unit.media.house import clicks, heard_clicks, house_clip
from tests.unit.media.listening import RATE, heard, seen, tone
from video_production.media.merge_result import MergeResult
from video_production.media.probe import probe

Merge = Callable[..., MergeResult]


def test_a_click_at_the_start_of_each_of_many_clips_stays_there(tmp_path: Path, join: Merge, out: Path) -> None:
    one = house_clip(tmp_path / "a.mp4", frames=13, sound=clicks(0.52, [0.0]))
    two = house_clip(tmp_path / "b.mp4", frames=17, sound=clicks(0.68, [0.0]))
    result = join(*[one, two] * 12)
    starts = [clip.start for clip in result.joins]
    assert heard_clicks(out) == pytest.approx(starts, abs=0.003)
    assert starts[-1] == pytest.approx(11 * 30 / 25 + 13 / 25)


def test_clicks_stay_in_place_for_every_kind_of_sound(tmp_path: Path, join: Merge, out: Path) -> None:
    def clip(name: str, *sound_options: str, rate: str = "25") -> Path:
        wav = tmp_path / "clicks.wav"
        house_clip(tmp_path / "unused.mp4", sound=clicks(1.0, [0.0, 0.5])).with_suffix(".wav").replace(wav)
        picture = ["-f", "lavfi", "-i", f"testsrc2=size=160x90:rate={rate}", "-i", wav, "-t", "1", "-bf", "2"]
        run_ffmpeg(*picture, "-c:v", "libx264", "-preset", "ultrafast", *sound_options, tmp_path / name)
        return tmp_path / name

    clips = [
        clip("mono.mp4", "-c:a", "aac", "-ar", "44100", "-ac", "1"),
        clip("opus.mp4", "-c:a", "libopus"),
        clip("mp3.mp4", "-c:a", "libmp3lame"),
        clip("pcm.mov", "-c:a", "pcm_s16le"),
        clip("low.mp4", "-c:a", "aac", "-ar", "22050", rate="30"),
        clip("opus.mkv", "-c:a", "libopus"),
        clip("vorbis.webm", "-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libvorbis"),
        clip("fragments.mp4", "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov+delay_moov"),
    ]
    result = join(*clips)
    wanted = [clip.start + offset for clip in result.joins for offset in (0.0, 0.5)]
    assert heard_clicks(out) == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("silent", [0, 1, 2])
def test_a_clip_without_sound_is_silent_and_moves_nothing(tmp_path: Path, join: Merge, out: Path, silent: int) -> None:
    clips = [
        house_clip(tmp_path / f"{index}.mp4", sound=None if index == silent else clicks(1.0, [0.0, 0.4]))
        for index in range(3)
    ]
    result = join(*clips)
    wanted = [index + offset for index in range(3) if index != silent for offset in (0.0, 0.4)]
    assert heard_clicks(out) == pytest.approx(wanted, abs=0.003)
    assert len(heard(out)) == pytest.approx(3 * RATE, abs=1024)
    assert result.joins[silent].why == "no sound → silence added, picture copied without re-encoding"


def test_clips_that_are_all_silent_have_no_sound_track(tmp_path: Path, join: Merge, out: Path) -> None:
    clip = house_clip(tmp_path / "a.mp4")
    result = join(clip, clip)
    assert probe(out, FFMPEG).audio is None
    assert result.verification.audio_samples == 0


def test_sound_longer_than_its_picture_holds_the_last_frame(tmp_path: Path, join: Merge, out: Path) -> None:
    long = house_clip(tmp_path / "long.mp4", frames=20, sound=clicks(1.5, [0.0, 1.4]))
    after = house_clip(tmp_path / "after.mp4", frames=40, sound=clicks(1.6, [0.0]), source="mandelbrot")
    result = join(long, after)
    assert "sound 0.7 s longer than the picture, last frame held" in result.joins[0].why
    assert result.joins[1].start == pytest.approx(1.52)  # 38 frames: nothing of the sound is cut
    assert heard_clicks(out) == pytest.approx([0.0, 1.4, 1.52], abs=0.003)
    frames = seen(out).astype(int)
    assert np.abs(frames[19] - frames[37]).mean() < 1
    assert np.abs(frames[37] - frames[38]).mean() > 20


def test_sound_that_starts_late_stays_late(tmp_path: Path, join: Merge, out: Path) -> None:
    whole = house_clip(tmp_path / "whole.mp4", sound=clicks(1.0, [0.0, 0.5]))
    late = tmp_path / "late.mp4"
    run_ffmpeg(
        *("-i", whole, "-itsoffset", "0.25", "-i", whole, "-map", "0:v", "-map", "1:a", "-c", "copy"),
        *("-movie_timescale", "120000", late),
    )
    result = join(whole, late, whole)
    assert result.joins[2].start == pytest.approx(2.25, abs=0.05)
    start = result.joins[2].start
    assert heard_clicks(out) == pytest.approx([0.0, 0.5, 1.25, 1.75, start, start + 0.5], abs=0.02)


def test_neighbours_of_different_loudness_earn_a_warning(tmp_path: Path, join: Merge) -> None:
    loud = house_clip(tmp_path / "loud.mp4", sound=tone(1000, 1.0, level=0.5))
    soft = house_clip(tmp_path / "soft.mp4", sound=tone(1000, 1.0, level=0.1))
    near = house_clip(tmp_path / "near.mp4", sound=tone(1000, 1.0, level=0.35))
    assert join(loud, near).warnings == ()
    (warning,) = join(near, soft, house_clip(tmp_path / "silent.mp4")).warnings
    assert warning.startswith("soft.mp4 is 11 LU quieter than near.mp4 before it")

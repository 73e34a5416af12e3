"""A result counts only after it has been decoded, whole."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.unit.media.clips import FFMPEG, decoded_audio_samples, make_clip, make_tone, run_ffmpeg
from video_production.errors import OperatorError, OutOfTime, VerificationFailed
from video_production.media.probe import probe
from video_production.media.verify import Verification, verify_video


def verify(path: Path, **changes: Any) -> Verification:
    expected: dict[str, Any] = {"expected_frames": 25, "expected_duration": Fraction(1), "has_audio": True}
    return verify_video(path, **{**expected, "ffmpeg": FFMPEG, **changes})


def test_a_good_file_passes_with_its_figures(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", bframes=2)
    found = verify(path, joins=[0.4, Fraction(4, 5)])
    assert found.frames == 25
    assert found.audio_samples == decoded_audio_samples(path)
    assert found.audio_error_seconds == pytest.approx(found.audio_samples / 48000 - 1)
    assert found.warnings == ()


def test_a_silent_file_passes_when_silence_was_meant(tmp_path: Path) -> None:
    found = verify(make_clip(tmp_path / "a.mp4", sample_rate=None), has_audio=False)
    assert (found.frames, found.audio_samples, found.audio_error_seconds) == (25, 0, 0.0)


def test_varying_frame_rates_are_counted_as_they_are(tmp_path: Path) -> None:
    slower = ("-vf", "setpts=PTS*if(gt(N\\,10)\\,1.6\\,1)", "-fps_mode", "vfr", "-enc_time_base", "1/1000")
    path = make_clip(tmp_path / "a.mp4", sample_rate=None, extra=slower)
    video = probe(path).video
    assert video is not None
    assert not video.constant_rate
    verify(path, expected_frames=video.frames, has_audio=False)


@pytest.mark.parametrize("expected", [24, 26])
def test_a_frame_too_few_or_too_many_fails(tmp_path: Path, expected: int) -> None:
    with pytest.raises(VerificationFailed, match=rf"^a\.mp4 .*25 frames instead of {expected}\.$"):
        verify(make_clip(tmp_path / "a.mp4"), expected_frames=expected)


@pytest.mark.parametrize("expected", [0.97, Fraction(103, 100)])
def test_sound_that_is_too_long_or_too_short_fails(tmp_path: Path, expected: float) -> None:
    with pytest.raises(VerificationFailed, match=r"sound decodes to 1\.003 s instead of"):
        verify(make_clip(tmp_path / "a.mp4"), expected_duration=expected)


def test_sound_within_one_aac_frame_passes(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4")
    samples = decoded_audio_samples(path)
    verify(path, expected_duration=Fraction(samples - 1024, 48000))
    with pytest.raises(VerificationFailed):
        verify(path, expected_duration=Fraction(samples - 1025, 48000))


def test_missing_sound_fails(tmp_path: Path) -> None:
    with pytest.raises(VerificationFailed, match="sound is missing"):
        verify(make_clip(tmp_path / "a.mp4", sample_rate=None))


def test_unexpected_sound_fails(tmp_path: Path) -> None:
    with pytest.raises(VerificationFailed, match="sound although none was meant"):
        verify(make_clip(tmp_path / "a.mp4"), has_audio=False)


def test_another_sample_rate_fails(tmp_path: Path) -> None:
    with pytest.raises(VerificationFailed, match="44100 Hz instead of 48000 Hz"):
        verify(make_clip(tmp_path / "a.mp4", sample_rate=44100))


def test_missing_picture_fails(tmp_path: Path) -> None:
    with pytest.raises(VerificationFailed, match="does not decode"):
        verify(make_tone(tmp_path / "a.m4a"))


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_damaged_media_fails_although_its_header_is_perfect(tmp_path: Path, where: float) -> None:
    path = make_clip(tmp_path / "a.mp4", sample_rate=None)
    data = bytearray(path.read_bytes())
    start, end = data.index(b"mdat") + 4, data.rindex(b"moov")
    at = start + int((end - start) * where)
    data[at : at + 300] = bytes(300)
    path.write_bytes(data)
    with pytest.raises(VerificationFailed, match=r"^a\.mp4 failed its check"):
        verify(path, has_audio=False)


def test_frames_that_can_not_be_decoded_fail(tmp_path: Path) -> None:
    """A stream that begins in the middle of a group: packets, durations and counts are all in order."""
    whole = make_clip(tmp_path / "whole.mp4", gop=25, seconds=2, sample_rate=None)
    run_ffmpeg("-i", whole, "-c", "copy", "-bsf:v", "noise=drop=not(n)*1", tmp_path / "a.mp4")
    with pytest.raises(VerificationFailed):
        verify(tmp_path / "a.mp4", expected_frames=49, has_audio=False)


def test_a_file_that_is_not_there_or_no_media_fails(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no media")
    for name in ("a.mp4", "none.mp4"):
        with pytest.raises(VerificationFailed, match=name):
            verify(tmp_path / name)


def test_a_picture_that_stands_still_over_a_join_fails(tmp_path: Path) -> None:
    held = ("-vf", "setpts=(N+3*gte(N\\,10))/25/TB", "-fps_mode", "passthrough")
    path = make_clip(tmp_path / "a.mp4", sample_rate=None, extra=held)
    verify(path, expected_frames=24, joins=[Fraction(13, 25)], has_audio=False)
    with pytest.raises(VerificationFailed, match=r"no frame stands at the join at 0\.440 s"):
        verify(path, expected_frames=24, joins=[Fraction(11, 25)], has_audio=False)


def test_a_late_start_is_told(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4")
    late = tmp_path / "late.mp4"
    run_ffmpeg("-i", clip, "-itsoffset", "0.3", "-i", clip, "-map", "0:v", "-map", "1:a", "-c", "copy", late)
    assert verify(late, expected_duration=Fraction(1024, 1000)).warnings == (
        "The sound of late.mp4 starts 0.278 s after the file does.",
    )


def test_the_deadline_ends_it(tmp_path: Path) -> None:
    with pytest.raises(OutOfTime):
        verify(make_clip(tmp_path / "a.mp4"), deadline=time.monotonic() - 1)


def test_a_missing_ffmpeg_is_the_operators_business(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="FFmpeg was not found"):
        verify(make_clip(tmp_path / "a.mp4"), ffmpeg="/nowhere/ffmpeg")

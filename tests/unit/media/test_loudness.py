"""Loudness: both passes on real sounds, read back by an independent meter (FFmpeg's ebur128)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.unit.media.clips import FFMPEG
from tests.unit.media.listening import Samples, metered, speech_like, write_wav
from video_production.errors import MediaError, VideoProductionError
from video_production.media.loudness import Loudness, filter_for, measure, parse, true_peak_limiter


def filtered(path: Path, filters: str) -> Samples:
    command = [FFMPEG, "-v", "error", "-i", str(path), "-af", filters, "-f", "f32le", "-ac", "2", "-"]
    return (
        np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<f4")
        .reshape(-1, 2)
        .astype(float)
    )


BOTH = "pan=stereo|c0=c0|c1=c0"


@pytest.mark.parametrize(
    ("seconds", "level"),
    [(8.0, 0.02), (8.0, 0.3), (8.0, 1.0), (1.2, 0.05), (1.2, 1.0)],
    ids=["far too quiet", "a little quiet", "peaks at full scale", "short and quiet", "short and loud"],
)
def test_a_voice_is_brought_to_minus_16_lufs_without_peaks_over_the_ceiling(
    tmp_path: Path, seconds: float, level: float
) -> None:
    voice = write_wav(tmp_path / "voice.wav", speech_like(seconds, level))
    correction = filter_for(measure(voice, FFMPEG, chain=BOTH))
    loudness, peak = metered(voice, f"{BOTH},{correction}")
    assert loudness == pytest.approx(-16, abs=0.5)
    assert peak <= -1.4


def test_peaks_that_stand_far_out_are_held_back_and_the_target_is_still_met(tmp_path: Path) -> None:
    voice = speech_like(6.0, 0.1)
    voice[48000::48000] = 0.99
    path = write_wav(tmp_path / "pops.wav", voice)
    loudness, peak = metered(path, f"{BOTH},{filter_for(measure(path, FFMPEG, chain=BOTH))}")
    assert loudness == pytest.approx(-16, abs=0.5)
    assert peak <= -1.4


def test_the_correction_is_one_constant_gain_where_peaks_allow_it(tmp_path: Path) -> None:
    voice = write_wav(tmp_path / "voice.wav", np.tanh(speech_like(8.0, 8.0)) * 0.02)
    correction = filter_for(measure(voice, FFMPEG, chain=BOTH))
    before, after = filtered(voice, BOTH), filtered(voice, f"{BOTH},{correction}")
    assert "linear=true" in correction
    assert len(after) == len(before)
    gain = float(np.vdot(before, after) / np.vdot(before, before))
    assert gain > 1.5
    assert np.max(np.abs(after - gain * before)) < 1e-4


@pytest.mark.parametrize("level", [0.0, 0.0003])
def test_silence_and_faint_noise_are_left_as_they_are(tmp_path: Path, level: float) -> None:
    noise = level * np.random.default_rng(2).uniform(-1, 1, 48000)
    measured = measure(write_wav(tmp_path / "quiet.wav", noise), FFMPEG)
    assert measured.silent
    assert filter_for(measured) == "anull"


def test_a_sound_too_short_to_have_a_loudness_is_left_as_it_is(tmp_path: Path) -> None:
    measured = measure(write_wav(tmp_path / "click.wav", speech_like(0.2, 0.5)), FFMPEG)
    assert measured.integrated == float("-inf")
    assert filter_for(measured) == "anull"


def test_a_sound_louder_than_loudnorm_can_be_told_is_still_brought_down(tmp_path: Path) -> None:
    square = np.sign(np.sin(2 * np.pi * 1000 * np.arange(96000) / 48000 + 0.1))
    path = write_wav(tmp_path / "square.wav", np.stack([square, square], axis=1))
    measured = measure(path, FFMPEG)
    assert measured.integrated > 0
    assert metered(path, filter_for(measured))[0] == pytest.approx(-16, abs=0.5)


def test_the_limiter_neither_delays_nor_changes_what_is_below_its_ceiling(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "voice.wav", np.stack([speech_like(1.0, 0.8), speech_like(1.0, 0.5, seed=3)], axis=1))
    before, after = filtered(path, "anull"), filtered(path, true_peak_limiter(-1.0))
    assert len(after) == len(before)
    window = np.hanning(len(before))[:, np.newaxis]  # the resampler rings at the hard edges of a file
    audible = np.fft.rfftfreq(len(before), 1 / 48000) < 20000
    change = np.abs(np.fft.rfft((after - before) * window, axis=0))[audible]
    assert np.max(change) < 0.0002 * np.max(np.abs(np.fft.rfft(before * window, axis=0)))


def test_the_limiter_catches_peaks_between_samples(tmp_path: Path) -> None:
    time = np.arange(48000)
    sound = np.sin(2 * np.pi * time / 4 + np.pi / 4)  # every sample is 3 dB below the wave's peak
    path = write_wav(tmp_path / "hidden.wav", np.stack([sound, sound], axis=1) * 1.4)
    assert metered(path, "anull")[1] > 2
    assert metered(path, true_peak_limiter(-1.0))[1] <= -0.9


def test_messages_without_a_report_are_refused_in_one_sentence() -> None:
    with pytest.raises(VideoProductionError, match="measured no loudness"):
        parse("Output #0, null")


def test_the_report_of_silence_is_read() -> None:
    levels = '"input_i" : "-inf", "input_tp" : "-inf", "input_lra" : "0.00", "input_thresh" : "-70.00"'
    assert parse(f'size=N/A\n[x] {{ {levels}, "target_offset" : "inf" }}\n') == Loudness(
        float("-inf"), float("-inf"), 0.0, -70.0, float("inf")
    )


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "voice.mp3"
    path.write_text("this is no sound")
    with pytest.raises(MediaError):
        measure(path, FFMPEG)

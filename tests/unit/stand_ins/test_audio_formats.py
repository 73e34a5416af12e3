"""Encoded speech decodes to the same sound at the same time, so its captions stay on its words."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
import pytest

from stand_ins.elevenlabs.audio import AudioFormat, encode
from stand_ins.elevenlabs.errors import ApiError
from stand_ins.speech import Speech, speak

RAW = {"pcm": "s16le", "ulaw": "mulaw", "alaw": "alaw"}


@pytest.fixture(scope="module")
def speech() -> Speech:
    return speak("Apples, oranges; cats.", voice="JBFqnCBsd6RMkjVDRZzb")


def decode(path: Path, audio_format: AudioFormat, rate: int) -> npt.NDArray[np.float64]:
    raw = ["-f", RAW[audio_format.codec], "-ar", str(audio_format.rate)] if audio_format.codec in RAW else []
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *raw, "-i", str(path)]
    command += ["-ar", str(rate), "-ac", "1", "-f", "s16le", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<i2").astype(np.float64)


@pytest.mark.parametrize(
    "name", ["mp3_44100_128", "mp3_22050_32", "mp3_24000_48", "opus_48000_64", "pcm_16000", "wav_44100", "ulaw_8000"]
)
def test_decoded_speech_lies_where_it_was_spoken(name: str, speech: Speech, tmp_path: Path) -> None:
    audio_format, path = AudioFormat.parse(name), tmp_path / "speech"
    encode(speech, audio_format, path)
    spoken = np.frombuffer(speech.pcm, "<i2").astype(np.float64)
    decoded = decode(path, audio_format, speech.sample_rate)
    assert abs(len(decoded) - len(spoken)) <= 0.001 * speech.sample_rate
    length = 2 * len(spoken)
    product = np.fft.rfft(decoded[: len(spoken)], length) * np.conj(np.fft.rfft(spoken, length))
    correlation = np.fft.irfft(product)
    best = int(np.argmax(correlation))
    lag = best - length if best > length // 2 else best
    strength = correlation[best] / np.sqrt(np.sum(spoken**2) * np.sum(decoded**2))
    assert abs(lag) <= 0.002 * speech.sample_rate
    assert strength > 0.9


@pytest.mark.parametrize("name", ["mp3_44100_128", "opus_48000_64", "wav_16000"])
def test_the_same_speech_gives_the_same_file(name: str, speech: Speech, tmp_path: Path) -> None:
    for copy in ("first", "second"):
        encode(speech, AudioFormat.parse(name), tmp_path / copy)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize("name", ["mp3", "mp3_44100", "mp3_44100_127", "flac_44100", "pcm_96000", "", "../x"])
def test_formats_that_do_not_exist_are_refused(name: str) -> None:
    with pytest.raises(ApiError, match="not supported"):
        AudioFormat.parse(name)


@pytest.mark.parametrize(
    ("name", "plan"),
    [("mp3_44100_128", "free"), ("mp3_44100_192", "creator"), ("pcm_24000", "free"), ("wav_44100", "pro")],
)
def test_the_best_formats_need_a_larger_plan(name: str, plan: str) -> None:
    assert AudioFormat.parse(name).smallest_plan == plan

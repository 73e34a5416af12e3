"""Looking at and listening to media in tests: decoded frames and samples as arrays, edit lists applied."""

from __future__ import annotations

import re
import subprocess
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.unit.media.clips import FFMPEG

Samples = np.ndarray[Any, np.dtype[np.float64]]
"""Sound: one row per sample and one column per channel (or one dimension for mono), full scale at ±1."""
Frames = np.ndarray[Any, np.dtype[np.uint8]]

RATE = 48000


def write_wav(path: Path, sound: Samples, rate: int = RATE) -> Path:
    """16-bit PCM; what lies beyond full scale is clipped."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if sound.ndim == 1 else sound.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def tone(frequency: float, seconds: float, level: float = 0.5, rate: int = RATE) -> Samples:
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def speech_like(seconds: float, level: float, seed: int = 1) -> Samples:
    """Syllables of a buzzing tone with noise, with pauses and hard onsets: the shape of a voice. One channel."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    time = np.arange(len(noise)) / RATE
    buzz = sum((np.sin(2 * np.pi * 130 * k * time + k) / k for k in range(1, 20)), start=0.3 * noise)
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * time) + 0.3, 0, 1) * (np.sin(2 * np.pi * 0.4 * time) > -0.7)
    sound = buzz * syllables
    return level * sound / np.max(np.abs(sound))


def heard(path: Path) -> Samples:
    """The first sound track as a player hears it (PyAV, which applies edit lists), placed by its timestamps from 0."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        placed = [(frame.pts * frame.time_base, frame.to_ndarray().T) for frame in container.decode(stream)]
        assert stream.rate == RATE
    first = round(placed[0][0] * RATE)
    sound = np.concatenate([samples for _, samples in placed]).astype(float)
    assert first >= 0
    return np.concatenate([np.zeros((first, sound.shape[1])), sound])


def seen(path: Path) -> Frames:
    """Every presented frame as RGB: frames × height × width × 3."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def likeness(one: Frames, other: Frames) -> float:
    """How much two RGB frames of one size look alike, 0–1: the correlation of their luminance.

    Converting between colour spaces and encoding leave it above 0.97; another moment of a test picture does not.
    """
    weights = np.array([0.2126, 0.7152, 0.0722])
    return float(np.corrcoef((one @ weights).ravel(), (other @ weights).ravel())[0, 1])


def level_at(sound: Samples, frequency: float) -> float:
    """The amplitude of one frequency in a mono sound."""
    wave_there = np.exp(-2j * np.pi * frequency * np.arange(len(sound)) / RATE)
    return float(2 * abs(np.mean(sound * wave_there)))


def lag(sound: Samples, source: Samples) -> float:
    """By how many seconds `sound` comes later than `source` (mono, both at 48 kHz), by cross-correlation."""
    size = len(sound) + len(source)
    correlation = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(source, size)), size)
    shift = int(np.argmax(correlation))
    return (shift if shift < size / 2 else shift - size) / RATE


def metered(path: Path, filters: str = "anull") -> tuple[float, float]:
    """Integrated loudness (LUFS) and true peak (dBTP) behind `filters`, by FFmpeg's other meter, ebur128."""
    command = [
        FFMPEG,
        "-hide_banner",
        "-nostats",
        "-i",
        str(path),
        "-af",
        f"{filters},ebur128=peak=true:framelog=quiet",
    ]
    words = subprocess.run([*command, "-f", "null", "-"], capture_output=True, check=True, text=True).stderr
    integrated, peak = re.search(r"I:\s+(-?[\d.]+) LUFS", words), re.search(r"Peak:\s+(-?[\d.]+) dBFS", words)
    assert integrated
    assert peak
    return float(integrated[1]), float(peak[1])

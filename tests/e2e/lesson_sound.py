"""Finding voices again in a finished video's sound, by numbers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from tests.unit.media.clips import FFMPEG
from tests.unit.media.listening import RATE, Samples

__all__ = ["decoded", "match", "onset_near", "rms", "split"]


def decoded(path: Path) -> Samples:
    """The sound as FFmpeg decodes it, at 48 kHz, its channels averaged; full scale at ±1, never clipped on the way."""
    command = [FFMPEG, "-v", "error", "-i", str(path), "-map", "0:a:0", "-af", "aformat=sample_fmts=flt"]
    raw = subprocess.run([*command, "-ar", str(RATE), "-f", "f32le", "-"], capture_output=True, check=True).stdout
    channels = 2 if _stereo(path) else 1
    return np.frombuffer(raw, "<f4").reshape(-1, channels).mean(axis=1).astype(float)


def _stereo(path: Path) -> bool:
    words = subprocess.run(
        [FFMPEG, "-hide_banner", "-i", str(path)], capture_output=True, check=False, text=True
    ).stderr
    return any("Audio:" in line and "stereo" in line for line in words.splitlines())


def match(sound: Samples, voice: Samples, start: float, reach: float = 0.25) -> tuple[float, float]:
    """How well `voice` is found in `sound` around `start` (seconds): the best correlation (−1 to 1) and its lag.

    Every shift up to `reach` seconds is tried; each is normalised by the energy of its own window.
    """
    margin = round(reach * RATE)
    first = round(start * RATE) - margin
    window = np.zeros(len(voice) + 2 * margin)
    there = sound[max(0, first) : first + len(window)]
    window[max(0, -first) : max(0, -first) + len(there)] = there
    size = 1 << (len(window) + len(voice)).bit_length()
    products = np.fft.irfft(np.fft.rfft(window, size) * np.conj(np.fft.rfft(voice, size)), size)[: 2 * margin + 1]
    energies = np.concatenate([[0.0], np.cumsum(window**2)])
    energies = energies[len(voice) : len(voice) + 2 * margin + 1] - energies[: 2 * margin + 1]
    correlations = products / np.sqrt(np.maximum(energies, 1e-12) * np.sum(voice**2))
    best = int(np.argmax(correlations))
    return float(correlations[best]), (best - margin) / RATE


def split(sound: Samples, voice: Samples, start: float) -> tuple[Samples, Samples]:
    """What of `sound` from `start` on is `voice` (scaled as it fits best), and what is something else."""
    window = sound[round(start * RATE) :][: len(voice)]
    part = voice * (float(window @ voice) / float(voice @ voice))
    return part, window - part


def rms(sound: Samples) -> float:
    """Decibels of full scale."""
    return float(10 * np.log10(np.mean(sound**2) + 1e-12))


def onset_near(sound: Samples, moment: float, threshold: float, reach: float = 0.2) -> float | None:
    """When speech sets in after a silence, in seconds: the onset that is nearest to `moment`, at most `reach` away.

    Silence is what stays under `threshold` (decibels of full scale, over 10 ms) for at least 60 ms.
    """
    hop = RATE // 200
    first = max(0, round((moment - reach - 0.1) * RATE))
    piece = sound[first : round((moment + reach + 0.02) * RATE)]
    levels = [rms(piece[at : at + 2 * hop]) for at in range(0, len(piece) - 2 * hop, hop)]
    loud = (
        [True] * 12 + [level > threshold for level in levels]
        if first
        else [False] * 12 + [v > threshold for v in levels]
    )
    onsets = [
        (first + index * hop) / RATE
        for index in range(len(levels))
        if loud[index + 12] and not any(loud[index : index + 12])
    ]
    close = [onset for onset in onsets if abs(onset - moment) <= reach]
    return min(close, key=lambda onset: abs(onset - moment), default=None)

"""What is true of every splice, found by decoding: `check_splice` splices clips and holds the result to them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tests.unit.media.clips import FFMPEG
from video_production.media.mp4.reader import read_movie
from video_production.media.mp4.source import LocalFile
from video_production.media.splice.engine import Splice, plan_splice, read_candidates
from video_production.media.splice.transfer import write_file

RATE = 48_000
_WINDOW = RATE // 2
_EVERY_FRAME = ("-fps_mode", "passthrough", "-enc_time_base:v", "demux")


@dataclass(frozen=True, slots=True)
class Spliced:
    """A finished splice, `starts` in seconds."""

    path: Path
    starts: tuple[float, ...]
    plan: Splice


def why_not(*clips: Path, inband: bool = False) -> list[str]:
    """What keeps each clip from being spliced."""
    files = [LocalFile(clip) for clip in clips]
    try:
        named = [(clip.name, file) for clip, file in zip(clips, files, strict=True)]
        plan = plan_splice(read_candidates(named), inband=inband)
    finally:
        for file in files:
            file.close()
    assert isinstance(plan, list), "these clips can be spliced"
    return [str(why) for why in plan]


def splice(clips: Sequence[Path], output: Path, *, inband: bool = False) -> Spliced:
    """Splice and verify as the product does. AssertionError, saying why, when the clips don't fit."""
    files = [LocalFile(clip) for clip in clips]
    try:
        named = [(clip.name, file) for clip, file in zip(clips, files, strict=True)]
        plan = plan_splice(read_candidates(named), inband=inband)
        assert isinstance(plan, Splice), [str(why) for why in plan]
        assert plan.inband == inband
        plan.verify(ffmpeg=FFMPEG)
        write_file(plan.assembly.pieces, files, output)
    finally:
        for file in files:
            file.close()
    return Spliced(output, tuple(float(start) for start in plan.assembly.starts), plan)


def decode_frames(path: Path) -> tuple[list[str], list[float]]:
    """The hash of every frame in the order of presentation, and when it is seen (seconds). No warning is allowed."""
    listing = _ffmpeg("-v", "warning", "-i", path, "-map", "0:v:0", *_EVERY_FRAME, "-f", "framemd5", "-")
    hashes: list[str] = []
    times: list[float] = []
    tick = 1.0
    for line in listing.decode().splitlines():
        if line.startswith("#tb 0:"):
            numerator, denominator = line.partition(":")[2].strip().split("/")
            tick = int(numerator) / int(denominator)
        elif not line.startswith("#"):
            fields = [field.strip() for field in line.split(",")]
            times.append(int(fields[2]) * tick)
            hashes.append(fields[5])
    return hashes, times


def decode_sound(path: Path) -> np.ndarray:
    """Mono samples at 48 kHz, placed on the timeline as a player places them."""
    raw = _ffmpeg(
        *("-v", "warning", "-i", path, "-map", "0:a:0", "-af", "aresample=async=1:first_pts=0"),
        *("-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"),
    )
    return np.frombuffer(raw, np.float32)


def lag(heard: np.ndarray, own: np.ndarray, start: float) -> float:
    """Samples by which `own` is heard later than `start` seconds, from its loudest half second."""
    if len(own) < _WINDOW // 4:
        return 0.0
    window = own[: min(len(own), _WINDOW)]
    reach = 4096
    at = round(start * RATE)
    padded = np.concatenate([np.zeros(reach, np.float32), heard, np.zeros(reach + len(window), np.float32)])
    part = padded[at : at + len(window) + 2 * reach]
    size = 1 << (len(part) + len(window)).bit_length()
    found = np.fft.irfft(np.fft.rfft(part, size) * np.conj(np.fft.rfft(window, size)), size)
    return float(int(np.argmax(found[: 2 * reach])) - reach)


def check_splice(clips: Sequence[Path], output: Path, *, inband: bool = False) -> Spliced:
    """Splice `clips` and hold the result to them.

    Every packet and every decoded frame is an input's own, in order and at its time; the sound of every clip begins
    within half an AAC packet of its picture; nothing drifts; the decoder says nothing.
    """
    made = splice(clips, output, inband=inband)
    _check_packets(made, clips, inband)
    hashes, times = decode_frames(output)
    decoded = {clip: decode_frames(clip) for clip in dict.fromkeys(clips)}
    own = [decoded[clip] for clip in clips]
    assert hashes == [value for each, _ in own for value in each], "the frames are not the inputs' own"
    expected = [
        start + (seen - min(own_times[0], _sound_start(clip)))
        for start, clip, (_, own_times) in zip(made.starts, made.plan.clips, own, strict=False)
        for seen in own_times
    ]
    worst = max(abs(found - wanted) for found, wanted in zip(times, expected, strict=True))
    assert worst < 1e-3, f"a frame is {worst * 1000:.2f} ms from its time"
    if not any(clip.sound for clip in made.plan.clips):
        return made
    heard = decode_sound(output)
    sounds = {clip: decode_sound(clip) for clip in dict.fromkeys(clips) if _packets(clip, "audio")}
    for start, path, clip in zip(made.starts, clips, made.plan.clips, strict=False):
        if clip.sound is None:
            continue
        sound = sounds[path]
        begin = float(clip.sound.start)
        late = lag(heard, sound[round(begin * RATE) :], start + begin - float(clip.start))
        assert abs(late) <= 513 * RATE / clip.sound.rate, f"{path.name} is heard {late:.0f} samples late"
    assert abs(len(heard) / RATE - made.starts[-1]) < 1024 / 44100 + 0.001
    return made


def _check_packets(made: Spliced, clips: Sequence[Path], inband: bool) -> None:
    """The packets of the picture are the inputs' own, in order; those of the sound are, too, or silence."""
    packets = {kind: _packets(made.path, kind) for kind in ("video", "audio")}
    pictures: list[bytes] = []
    heard = iter(packets["audio"])
    for path, clip in zip(clips, made.plan.clips, strict=True):
        pictures += _packets(path, "video")[clip.picture.first : clip.picture.last]
    if inband:
        assert all(found.endswith(own) for found, own in zip(packets["video"], pictures, strict=True))
    else:
        assert packets["video"] == pictures
    own_sound = [packet for path in clips for packet in [*_packets(path, "audio"), None]]
    silence = {bytes.fromhex("00c800802380"), bytes.fromhex("210049900219002380")}
    remaining = iter(own_sound)
    for packet in heard:
        if packet not in silence:
            assert packet in remaining, "the sound is not a subsequence of the inputs' own"


def _packets(path: Path, kind: Literal["video", "audio"]) -> list[bytes]:
    with LocalFile(path) as file:
        tracks = read_movie(file).of_kind(kind)
        samples = next(iter(tracks), None)
        if samples is None or samples.samples.packed:
            return []
        spans = zip(samples.samples.offsets, samples.samples.sizes, strict=True)
        return [file.read(offset, size) for offset, size in spans]


def _sound_start(clip: object) -> float:
    sound = getattr(clip, "sound", None)
    return float(sound.start) if sound else float("inf")


def _ffmpeg(*arguments: str | Path) -> bytes:
    done = subprocess.run([FFMPEG, "-nostdin", *map(str, arguments)], capture_output=True, timeout=120, check=True)
    assert not done.stderr.strip(), done.stderr.decode(errors="replace")
    return done.stdout

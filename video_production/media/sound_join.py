"""Joining sound files of one kind without encoding them again: the frames of MP3s, the samples of WAVs.

Each encoder starts with silence of its own, which only the head of a file can declare. So an MP3 that is put behind
another one keeps its priming, some 25 ms: `starts` say where its sound begins all the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from video_production.errors import MediaError
from video_production.media.mp3 import DECODER_DELAY, Mp3Info, information_frame, read_mp3

__all__ = ["JoinedSound", "join_mp3", "join_wav"]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class JoinedSound:
    """All times in seconds as decoded: `starts` where the sound of each part begins, `duration` of the whole."""

    duration: float
    starts: tuple[float, ...]


def join_mp3(parts: Sequence[Path], target: Path) -> JoinedSound:
    """Write the frames of all parts behind each other, with one information frame in front where the first has one.

    Tags and information frames of the parts are left out. Raises MediaError for a part that is damaged or of another
    sample rate or number of channels.
    """
    infos = [read_mp3(_content(path), f"Part {number} of the sound") for number, path in enumerate(parts, start=1)]
    kinds = {(info.sample_rate, info.channels, info.frame_samples) for info in infos}
    if len(kinds) > 1:
        raise _unlike()
    first, last = infos[0], infos[-1]
    frames, size = sum(info.frames for info in infos), sum(info.end - info.begin for info in infos)
    with target.open("wb") as file:
        if first.encoder_delay is not None:
            with parts[0].open("rb") as source:
                source.seek(first.begin)
                head = source.read(4)
            file.write(information_frame(head, frames, size, first.encoder_delay, last.encoder_padding or 0))
        for path, info in zip(parts, infos, strict=True):
            _copy(path, info.begin, info.end, file)
    whole = read_mp3(_content(target), "The joined sound")
    starts, before = [], 0
    for info in infos:
        starts.append((before + _priming(info) - _priming(first)) / info.sample_rate)
        before += info.frames * info.frame_samples
    return JoinedSound(float(whole.duration), tuple(starts))


def join_wav(parts: Sequence[Path], target: Path) -> JoinedSound:
    """Write the samples of all parts behind each other under one header. Raises MediaError where they are not alike."""
    waves = [_Wave.read(path) for path in parts]
    form = waves[0].form
    if any(wave.form != form for wave in waves):
        raise _unlike()
    rate: int = struct.unpack_from("<I", form, 8)[0]
    size = sum(wave.size for wave in waves)
    padding, head = size % 2, 20 + len(form) + len(form) % 2
    with target.open("wb") as file:
        file.write(struct.pack("<4sI4s4sI", b"RIFF", head + size + padding, b"WAVE", b"fmt ", len(form)))
        file.write(form + b"\0" * (len(form) % 2) + struct.pack("<4sI", b"data", size))
        for path, wave in zip(parts, waves, strict=True):
            _copy(path, wave.begin, wave.begin + wave.size, file)
        file.write(b"\0" * padding)
    starts = [sum(wave.size for wave in waves[:number]) / rate for number in range(len(waves))]
    return JoinedSound(size / rate, tuple(starts))


@dataclass(frozen=True, slots=True)
class _Wave:
    """A WAV file: the content of its `fmt ` chunk, and where its samples lie."""

    form: bytes
    begin: int
    size: int

    @classmethod
    def read(cls, path: Path) -> _Wave:
        total, position, form = path.stat().st_size, 12, b""
        with path.open("rb") as file:
            if file.read(12)[8:] != b"WAVE":
                raise MediaError("A part of the sound is no WAV file, so its parts can't be joined.")
            while position + 8 <= total:
                file.seek(position)
                name, size = struct.unpack("<4sI", file.read(8))
                position += 8
                if name == b"fmt ":
                    form = file.read(size)
                if name == b"data" and len(form) >= 16:
                    block: int = struct.unpack_from("<H", form, 12)[0] or 1
                    held = min(size, total - position)
                    return cls(form, position, held - held % block)
                position += size + size % 2
        raise MediaError("A part of the sound holds no samples, so its parts can't be joined.")


def _priming(info: Mp3Info) -> int:
    """Samples that a decoder leaves out at the head of a file, because its information frame says so."""
    return 0 if info.encoder_delay is None else info.encoder_delay + DECODER_DELAY


def _unlike() -> MediaError:
    return MediaError(
        "The parts of the sound differ in sample rate or channels, so they can't be joined as they are; choose another "
        "outputFormat to have them made again."
    )


def _content(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _copy(path: Path, begin: int, end: int, target: BinaryIO) -> None:
    with path.open("rb") as source:
        source.seek(begin)
        left = end - begin
        while left > 0 and (chunk := source.read(min(left, _CHUNK))):
            target.write(chunk)
            left -= len(chunk)

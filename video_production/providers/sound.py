"""Sound files as providers deliver and take them: which format, how long, and whether they are whole. Without FFmpeg.

ElevenLabs names formats `codec_samplerate[_bitrate]`. `pcm`, `ulaw` and `alaw` come without any header; they are stored
as WAV files, the same samples, so that every later step can read them.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from video_production.errors import MediaError
from video_production.media.mp3 import read_mp3

__all__ = ["Sound", "finish_sound"]

_RAW = {"pcm": (1, 16), "alaw": (6, 8), "ulaw": (7, 8)}
"""Headerless codecs: WAVE format tag and bits per sample, always mono."""
_OPUS_RATE = 48_000
_CHUNK = 1 << 20
_TAIL = 128 << 10
"""An Ogg page is at most 64 KiB, so the last one begins within this many bytes of the end."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A checked sound file: `duration` in seconds, `suffix` with its dot."""

    path: Path
    suffix: str
    content_type: str
    duration: float


def finish_sound(path: Path, output_format: str) -> Sound:
    """Check a downloaded sound file and give it a header where it has none.

    What the file is is read from its first bytes; `output_format` decides only for headerless samples. Raises
    ValueError, saying why, for a file that is empty, cut off or of another kind.
    """
    with path.open("rb") as file:
        head = file.read(12)
    if not head:
        raise ValueError("the sound is empty")
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        return Sound(path, ".wav", "audio/wav", _wav_seconds(path))
    if head[:4] == b"OggS":
        return Sound(path, ".opus", "audio/ogg", _opus_seconds(path))
    codec, _, rest = output_format.partition("_")
    if codec in _RAW:
        return _wrapped(path, codec, int(rest))
    return Sound(path, ".mp3", "audio/mpeg", _mp3_seconds(path))


def _wrapped(path: Path, codec: str, rate: int) -> Sound:
    """Headerless mono samples as a WAV file."""
    tag, bits = _RAW[codec]
    size = path.stat().st_size
    frame = bits // 8
    if size % frame:
        raise ValueError("the sound is cut off in the middle of a sample")
    wav = path.with_suffix(".wav")
    form = struct.pack("<HHIIHH", tag, 1, rate, rate * frame, frame, bits)
    padding = size % 2
    with wav.open("wb") as target, path.open("rb") as source:
        target.write(struct.pack("<4sI4s4sI", b"RIFF", 36 + size + padding, b"WAVE", b"fmt ", len(form)) + form)
        target.write(struct.pack("<4sI", b"data", size))
        shutil.copyfileobj(source, target, _CHUNK)
        target.write(b"\0" * padding)
    return Sound(wav, ".wav", "audio/wav", size / frame / rate)


def _wav_seconds(path: Path) -> float:
    """Bytes of the data chunk over bytes per second; a streamed file that left its sizes open ends with the file."""
    rate = 0
    total = path.stat().st_size
    for name, start, size in _chunks(path, total):
        if name == b"fmt ":
            with path.open("rb") as file:
                file.seek(start)
                rate = struct.unpack("<HHIIHH", file.read(16))[3]
        if name == b"data":
            held = total - start
            if not rate or (size > held and size < 0xFFFF_FFFF - (1 << 16)):
                raise ValueError("the sound is cut off")
            return min(size, held) / rate
    raise ValueError("the sound file holds no sound")


def _chunks(path: Path, total: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, position and size of each RIFF chunk."""
    position = 12
    with path.open("rb") as file:
        while position + 8 <= total:
            file.seek(position)
            name, size = struct.unpack("<4sI", file.read(8))
            yield name, position + 8, size
            position += 8 + size + size % 2


def _opus_seconds(path: Path) -> float:
    """The last page's sample position less the samples to skip, at 48 kHz (RFC 7845, section 4)."""
    total = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(4096)
        file.seek(max(0, total - _TAIL))
        tail = file.read()
    header, last = first.find(b"OpusHead"), tail.rfind(b"OggS")
    if header < 0 or len(tail) < last + 27:
        raise ValueError("the sound file is not Ogg Opus")
    flags, position, segments = struct.unpack("<BQ12xB", tail[last + 5 : last + 27])
    body = sum(tail[last + 27 : last + 27 + segments])
    if not flags & 4 or len(tail) < last + 27 + segments + body:
        raise ValueError("the sound is cut off")
    skipped: int = struct.unpack_from("<H", first, header + 10)[0]
    return float(max(0, position - skipped) / _OPUS_RATE)


def _content(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _mp3_seconds(path: Path) -> float:
    try:
        return float(read_mp3(_content(path), "it").duration)
    except MediaError as error:
        raise ValueError(str(error)) from error

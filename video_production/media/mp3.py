"""MP3 durations to the sample, from a stream of bytes and without FFmpeg.

Walks the frame headers of MPEG-1, 2 and 2.5 Layer III (ISO/IEC 11172-3 §2.4.1.3, 13818-3), skips ID3v2 in front and the
usual tags behind, and reads the Xing/Info and LAME fields or the VBRI header of the first frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from video_production.errors import MediaError

__all__ = ["DECODER_DELAY", "UNDECLARED_PRIMING", "Mp3Info", "information_frame", "read_mp3"]

UNDECLARED_PRIMING = 1105
"""Samples of silence at the head of an MP3 whose encoder does not say so: LAME's 576 and the decoder's 529."""

DECODER_DELAY = 529
"""Samples by which every decoder is late."""
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_BIT_RATES = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG1, _LAYER_3, _MONO = 3, 1, 3
_LAME_PADS, _LAME_REST = 21, 12
"""Where in LAME's extension delay and padding stand, and how much follows them."""
_TRAILING_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", b"\0\0\0")


@dataclass(frozen=True, slots=True)
class Mp3Info:
    """One MP3 file.

    `frames` counts frames that hold sound (the Xing/Info/VBRI frame is none). `samples` per channel is what FFmpeg
    decodes: it leaves out the priming and padding that a Xing/Info header declares, and nothing where there is none.
    `encoder_delay` and `encoder_padding` are the LAME fields, None without a Xing/Info header. `undeclared_priming` is
    the number of leading samples that a mixer trims because nothing declares them: 1105 without a Xing/Info header,
    else 0. The frames that hold sound, `frame_samples` in each, are the bytes from `begin` to `end`, without any tag or
    information frame.
    """

    sample_rate: int
    channels: int
    frames: int
    samples: int
    encoder_delay: int | None
    encoder_padding: int | None
    undeclared_priming: int
    frame_samples: int
    begin: int = field(compare=False)
    end: int = field(compare=False)

    @property
    def duration(self) -> Fraction:
        """Seconds that FFmpeg decodes."""
        return Fraction(self.samples, self.sample_rate)

    @property
    def sound_duration(self) -> Fraction:
        """Seconds of sound once `undeclared_priming` is trimmed: how long it is in a mix."""
        return Fraction(max(0, self.samples - self.undeclared_priming), self.sample_rate)


@dataclass(frozen=True, slots=True)
class _Header:
    version: int
    sample_rate: int
    channels: int
    samples: int
    length: int


class _Stream:
    """Bytes of an iterable, looked at before they are taken; holds about one frame and one chunk."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._buffer = bytearray()
        self.position = 0

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end."""
        while len(self._buffer) < count:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._buffer += chunk
        return bytes(self._buffer[:count])

    def skip(self, count: int) -> bool:
        """Drop `count` bytes; False when the stream ends before."""
        self.position += count
        while count > len(self._buffer):
            count -= len(self._buffer)
            self._buffer.clear()
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            self._buffer += chunk
        del self._buffer[:count]
        return True


def read_mp3(chunks: Iterable[bytes], name: str = "The MP3") -> Mp3Info:
    """Read an MP3 from its bytes, in chunks of any size; memory stays at about one chunk.

    `name` stands in messages. Raises MediaError when it is no MP3, when it is damaged, or when it is cut off: in the
    middle of a frame, or before the number of frames that its header promises.
    """
    stream = _Stream(chunks)
    _skip_id3(stream, name)
    first = _header(stream.peek(4))
    if first is None:
        raise MediaError(f"{name} is not an MP3 file. Check what was sent or downloaded.")
    declared = _Declared.read(stream.peek(first.length), first)
    if declared is not None:
        _take(stream, first, name)
    begin, frames = stream.position, 0
    while (header := _next_header(stream, first, name)) is not None:
        _take(stream, header, name)
        frames += 1
    if declared is not None and declared.frames > frames:
        raise MediaError(f"{name} is cut off: its header promises {declared.frames} frames, it holds {frames}.")
    if frames == 0:
        raise MediaError(f"{name} holds no sound.")
    return _info(first, frames, declared, begin, stream.position)


def information_frame(sound: bytes, frames: int, size: int, delay: int, padding: int) -> bytes:
    """A frame to put in front of `frames` frames of `size` bytes, so that decoders leave out what is no sound.

    `sound` are the first four bytes of the first of them. `delay` and `padding` are LAME's fields, in samples.
    """
    header = _header(sound)
    if header is None:
        raise ValueError("no frame header")
    at = 4 + _side_info(header)
    fields = b"Info" + (3).to_bytes(4, "big") + frames.to_bytes(4, "big") + size.to_bytes(4, "big")
    pads = (min(delay, 0xFFF) << 12 | min(padding, 0xFFF)).to_bytes(3, "big")
    content = fields + b"LAME".ljust(_LAME_PADS, b"\0") + pads + bytes(_LAME_REST)
    flags = bytearray(sound[:4])
    flags[1] |= 1  # without a checksum, which would stand before the fields
    for index in range(flags[2] >> 4, 15):
        flags[2] = index << 4 | flags[2] & 0xF
        larger = _header(bytes(flags))
        if larger and larger.length >= at + len(content):
            return (bytes(flags) + bytes(at - 4) + content).ljust(larger.length, b"\0")
    raise ValueError("no frame is large enough")


def _skip_id3(stream: _Stream, name: str) -> None:
    while (head := stream.peek(10))[:3] == b"ID3" and len(head) == 10:
        size = 0
        for byte in head[6:]:
            size = size << 7 | byte & 127
        footer = 10 if head[5] & 0x10 else 0
        if not stream.skip(10 + size + footer):
            raise MediaError(f"{name} is cut off inside its ID3 tag. Fetch it again.")


def _header(head: bytes) -> _Header | None:
    """A frame header, None when these four bytes are none (free-format bit rates count as none)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate_index, rate_index = head[2] >> 4, head[2] >> 2 & 3
    if layer != _LAYER_3 or version not in _RATES or bit_rate_index in (0, 15) or rate_index == 3:
        return None
    sample_rate = _RATES[version][rate_index]
    samples = 1152 if version == _MPEG1 else 576
    bit_rate = _BIT_RATES[version == _MPEG1][bit_rate_index] * 1000
    length = samples // 8 * bit_rate // sample_rate + (head[2] >> 1 & 1)
    return _Header(version, sample_rate, 1 if head[3] >> 6 == _MONO else 2, samples, length)


def _next_header(stream: _Stream, first: _Header, name: str) -> _Header | None:
    """The header of the next frame, None at the end of the sound."""
    head = stream.peek(11)
    if not head or head.startswith(_TRAILING_TAGS) or not any(head):
        return None
    header = _header(head[:4])
    if header is None and len(head) < 4:
        raise MediaError(f"{name} is cut off in the middle of a frame. Fetch it again.")
    if header is None:
        raise MediaError(f"{name} is damaged: a frame does not begin where it should. Fetch or export it again.")
    if (header.version, header.sample_rate, header.channels) != (first.version, first.sample_rate, first.channels):
        raise MediaError(f"{name} changes its sample rate or channels on the way. Export it again.")
    return header


def _take(stream: _Stream, header: _Header, name: str) -> None:
    if not stream.skip(header.length):
        raise MediaError(f"{name} is cut off in the middle of a frame. Fetch it again.")


def _side_info(header: _Header) -> int:
    """Bytes between a frame's header and where an information frame has its fields."""
    stereo = header.channels == 2
    return (32 if stereo else 17) if header.version == _MPEG1 else 17 if stereo else 9


@dataclass(frozen=True, slots=True)
class _Declared:
    """What the information frame says: `frames` (0: nothing); `delay` and `padding` in samples, None for VBRI."""

    frames: int
    delay: int | None
    padding: int | None

    @classmethod
    def read(cls, frame: bytes, header: _Header) -> _Declared | None:
        """The information in a first frame; None when that frame holds sound."""
        if frame[36:40] == b"VBRI":
            return cls(int.from_bytes(frame[50:54], "big"), None, None)
        at = 4 + _side_info(header)
        if frame[at : at + 4] not in (b"Xing", b"Info"):
            return None
        flags = int.from_bytes(frame[at + 4 : at + 8], "big")
        frames = int.from_bytes(frame[at + 8 : at + 12], "big") if flags & 1 else 0
        lame = at + 8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
        pads = int.from_bytes(frame[lame + _LAME_PADS : lame + _LAME_PADS + 3].ljust(3, b"\0"), "big")
        return cls(frames, pads >> 12, pads & 0xFFF)


def _info(first: _Header, frames: int, declared: _Declared | None, begin: int, end: int) -> Mp3Info:
    delay = declared.delay if declared else None
    padding = declared.padding if declared else None
    samples = frames * first.samples
    if declared is not None and delay is not None and padding is not None:
        end = declared.frames * first.samples - padding + DECODER_DELAY if declared.frames else samples
        samples = max(0, min(samples, end) - delay - DECODER_DELAY)
    return Mp3Info(
        sample_rate=first.sample_rate,
        channels=first.channels,
        frames=frames,
        samples=samples,
        encoder_delay=delay,
        encoder_padding=padding,
        undeclared_priming=UNDECLARED_PRIMING if delay is None else 0,
        frame_samples=first.samples,
        begin=begin,
        end=end,
    )

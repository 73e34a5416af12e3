"""H.264 and HEVC sequence parameter sets: pixel format, scan and colour of the pictures they describe.

Sources: ITU-T H.264 §7.3.2.1.1 and annex E; ITU-T H.265 §7.3.2.2, §7.3.3 and annex E.
"""

from __future__ import annotations

from dataclasses import dataclass

from video_production.media.mp4.boxes import Malformed

__all__ = ["Picture", "read_avc_sps", "read_hevc_sps"]

_WITH_CHROMA_FORMAT = {44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 144, 244}
"""H.264 profiles whose parameter sets tell chroma format and bit depth; all others are 8-bit 4:2:0."""

_EXTENDED_ASPECT = 255
_UNSPECIFIED = 2
_LONGEST = 4096
"""Bytes of a parameter set that are looked at; real ones have some dozens."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What a sequence parameter set tells. `color` is (primaries, transfer, matrix, full range), None when untagged."""

    chroma_format: int
    bit_depth: int
    interlaced: bool
    color: tuple[int, int, int, bool] | None

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name of the pixel format, such as yuv420p or yuv422p10le."""
        name = ("gray", "yuv420p", "yuv422p", "yuv444p")[self.chroma_format]
        return name if self.bit_depth == 8 else f"{name}{self.bit_depth}le"


class _Bits:
    """A bit cursor over a NAL unit's payload, emulation prevention bytes removed."""

    def __init__(self, payload: bytes) -> None:
        raw = payload[:_LONGEST].replace(b"\0\0\3", b"\0\0")
        self._left = len(raw) * 8
        self._value = int.from_bytes(raw, "big")

    def read(self, count: int) -> int:
        if count > self._left:
            raise Malformed("a parameter set of its video is too short")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def flag(self) -> bool:
        return self.read(1) == 1

    def ue(self) -> int:
        """An unsigned Exp-Golomb number."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 32:
                raise Malformed("a parameter set of its video holds an impossible number")
        return (1 << zeros) - 1 + self.read(zeros)

    def se(self) -> int:
        """A signed Exp-Golomb number."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def read_avc_sps(unit: bytes) -> Picture:
    """Read an H.264 sequence parameter set (a NAL unit with its one-byte header). Raises Malformed."""
    bits = _Bits(unit[1:])
    profile = bits.read(8)
    bits.read(16)  # constraint flags, level
    bits.ue()
    chroma_format, bit_depth = 1, 8
    if profile in _WITH_CHROMA_FORMAT:
        chroma_format, bit_depth = _avc_format(bits)
    bits.ue()  # log2_max_frame_num_minus4
    _skip_avc_picture_order(bits)
    bits.ue()  # max_num_ref_frames
    bits.read(1)
    bits.ue()  # width
    bits.ue()  # height
    interlaced = not bits.flag()
    if interlaced:
        bits.read(1)
    bits.read(1)
    if bits.flag():  # cropping
        for _ in range(4):
            bits.ue()
    color = _color(bits) if bits.flag() else None
    return Picture(_checked_chroma(chroma_format), _checked_depth(bit_depth), interlaced, color)


def _avc_format(bits: _Bits) -> tuple[int, int]:
    chroma_format = _checked_chroma(bits.ue())
    if chroma_format == 3:
        bits.read(1)
    bit_depth = 8 + bits.ue()
    bits.ue()  # chroma depth; FFmpeg decodes only equal depths
    bits.read(1)
    if bits.flag():
        for index in range(12 if chroma_format == 3 else 8):
            if bits.flag():
                _skip_avc_scaling_list(bits, 16 if index < 6 else 64)
    return chroma_format, bit_depth


def _skip_avc_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _skip_avc_picture_order(bits: _Bits) -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.read(1)
        bits.se()
        bits.se()
        for _ in range(_checked(bits.ue(), 255)):
            bits.se()


def read_hevc_sps(unit: bytes) -> Picture:
    """Read an HEVC sequence parameter set (a NAL unit with its two-byte header). Raises Malformed."""
    bits = _Bits(unit[2:])
    bits.read(4)
    layers = bits.read(3)
    bits.read(1)
    interlaced = _hevc_profile(bits, layers)
    bits.ue()
    chroma_format = _checked_chroma(bits.ue())
    if chroma_format == 3:
        bits.read(1)
    bits.ue()  # width
    bits.ue()  # height
    if bits.flag():  # conformance window
        for _ in range(4):
            bits.ue()
    bit_depth = _checked_depth(8 + bits.ue())
    bits.ue()
    color, fields = _hevc_rest(bits, layers)
    return Picture(chroma_format, bit_depth, interlaced or fields, color)


def _hevc_profile(bits: _Bits, layers: int) -> bool:
    """Skip profile_tier_level; tell whether the source is marked interlaced and not progressive."""
    bits.read(8 + 32)
    progressive, interlaced = bits.flag(), bits.flag()
    bits.read(46 + 8)
    present = [(bits.flag(), bits.flag()) for _ in range(layers)]
    if layers:
        bits.read(2 * (8 - layers))
    for profile, level in present:
        bits.read(88 * profile + 8 * level)
    return interlaced and not progressive


def _hevc_rest(bits: _Bits, layers: int) -> tuple[tuple[int, int, int, bool] | None, bool]:
    """From log2_max_pic_order_cnt on: the colour, and whether pictures are fields."""
    order_bits = _checked(bits.ue(), 12) + 4
    for _ in range(layers + 1 if bits.flag() else 1):
        for _ in range(3):
            bits.ue()
    for _ in range(6):
        bits.ue()  # coding block and transform sizes and depths
    if bits.flag() and bits.flag():
        _skip_hevc_scaling_lists(bits)
    bits.read(2)
    if bits.flag():  # PCM
        bits.read(8)
        bits.ue()
        bits.ue()
        bits.read(1)
    _skip_hevc_reference_sets(bits)
    if bits.flag():  # long-term references
        for _ in range(_checked(bits.ue(), 32)):
            bits.read(order_bits + 1)
    bits.read(2)
    if not bits.flag():
        return None, False
    color = _color(bits)
    if bits.flag():  # chroma location
        bits.ue()
        bits.ue()
    bits.read(1)
    return color, bits.flag()


def _skip_hevc_scaling_lists(bits: _Bits) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not bits.flag():
                bits.ue()
                continue
            if size > 1:
                bits.se()
            for _ in range(min(64, 1 << (4 + 2 * size))):
                bits.se()


def _skip_hevc_reference_sets(bits: _Bits) -> None:
    pictures = 0
    for index in range(_checked(bits.ue(), 64)):
        if index and bits.flag():  # predicted from the set before it
            bits.read(1)
            bits.ue()
            kept = 0
            for _ in range(pictures + 1):
                used = bits.flag()
                kept += 1 if used else bits.read(1)
            pictures = kept
        else:
            pictures = _checked(bits.ue(), 16) + _checked(bits.ue(), 16)
            for _ in range(pictures):
                bits.ue()
                bits.read(1)


def _color(bits: _Bits) -> tuple[int, int, int, bool] | None:
    """The colour from the head of the usability information, which H.264 and HEVC share."""
    if bits.flag() and bits.read(8) == _EXTENDED_ASPECT:
        bits.read(32)
    if bits.flag():  # overscan
        bits.read(1)
    if not bits.flag():
        return None
    bits.read(3)
    full_range = bits.flag()
    codes = (bits.read(8), bits.read(8), bits.read(8)) if bits.flag() else (_UNSPECIFIED,) * 3
    return None if codes == (_UNSPECIFIED,) * 3 and not full_range else (*codes, full_range)


def _checked(value: int, most: int) -> int:
    if value > most:
        raise Malformed("a parameter set of its video holds an impossible number")
    return value


def _checked_chroma(value: int) -> int:
    return _checked(value, 3)


def _checked_depth(value: int) -> int:
    return _checked(value, 16)

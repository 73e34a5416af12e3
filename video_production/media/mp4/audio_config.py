"""The elementary stream descriptor (`esds`, ISO/IEC 14496-1 §7.2.6) and AudioSpecificConfig (14496-3 §1.6.2.1)."""

from __future__ import annotations

from video_production.media.mp4.boxes import Bytes, Fields, Malformed

__all__ = ["read_esds", "sound_of_aac"]

_ES, _DECODER_CONFIG, _SPECIFIC_INFO = 3, 4, 5
_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 14: 8}
_SBR, _PS = 5, 29


def read_esds(payload: Bytes) -> tuple[int, bytes]:
    """The object type indication and the DecoderSpecificInfo. Raises Malformed."""
    fields = Fields(payload, "esds")
    fields.full_box()
    stream = _descriptor(fields, _ES)
    stream.u16()
    flags = stream.u8()
    if flags & 0x80:
        stream.u16()
    if flags & 0x40:
        stream.take(stream.u8())
    if flags & 0x20:
        stream.u16()
    decoder = _descriptor(stream, _DECODER_CONFIG)
    object_type = decoder.u8()
    decoder.take(12)
    info = bytes(_descriptor(decoder, _SPECIFIC_INFO).rest()) if decoder.left else b""
    return object_type, info


def _descriptor(fields: Fields, tag: int) -> Fields:
    found, length = fields.u8(), 0
    if found != tag:
        raise Malformed(f"its 'esds' box holds descriptor {found} where {tag} belongs")
    for _ in range(4):
        byte = fields.u8()
        length = length << 7 | byte & 127
        if not byte & 128:
            break
    return Fields(fields.take(length), "esds")


def sound_of_aac(config: bytes, rate: int, channels: int) -> tuple[int, int]:
    """Sample rate and channels that an AAC decoder puts out; the given ones where the configuration is silent."""
    bits = _Bits(config)
    kind = bits.object_type()
    base = bits.rate()
    layout = bits.read(4)
    channels = _CHANNELS.get(layout, channels)
    if kind in (_SBR, _PS):
        base = bits.rate()
        bits.object_type()
    elif 2 <= kind <= 4 and bits.left >= 3 + 11 + 5 + 1 + 4:
        bits.read(3)
        if bits.read(11) == 0x2B7 and bits.object_type() == _SBR and bits.read(1):
            base = bits.rate()
    return base or rate, 2 if kind == _PS and channels == 1 else channels


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self.left = len(data) * 8

    def read(self, count: int) -> int:
        if count > self.left:
            raise Malformed("its AAC configuration is too short")
        self.left -= count
        return self._value >> self.left & (1 << count) - 1

    def object_type(self) -> int:
        kind = self.read(5)
        return 32 + self.read(6) if kind == 31 else kind

    def rate(self) -> int:
        """A sample rate in Hz; 0 for a reserved index."""
        index = self.read(4)
        if index == 15:
            return self.read(24)
        return _RATES[index] if index < len(_RATES) else 0

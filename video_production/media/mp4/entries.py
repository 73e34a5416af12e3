"""Sample entries: which codec a track holds and how it is configured.

Sources: ISO/IEC 14496-12 §8.5.2 and §12, 14496-14 (esds), 14496-15 (avcC, hvcC), QuickTime File Format (sound
description versions 1 and 2), the Opus, AV1 and VP9 bindings.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Literal

from video_production.media.mp4.audio_config import read_esds, sound_of_aac
from video_production.media.mp4.boxes import Boxes, Bytes, Fields, Malformed, box, children, printable
from video_production.media.mp4.model import AudioEntry, Color, OtherEntry, SampleEntry, VideoEntry
from video_production.media.mp4.parameters import Picture, read_avc_sps, read_hevc_sps

__all__ = ["read_sample_entries"]

_VIDEO_CODECS = {
    **dict.fromkeys(("avc1", "avc3"), "h264"),
    **dict.fromkeys(("hvc1", "hev1", "dvh1", "dvhe"), "hevc"),
    **dict.fromkeys(("apch", "apcn", "apcs", "apco", "ap4h", "ap4x"), "prores"),
    **dict.fromkeys(("jpeg", "mjpa", "mjpb"), "mjpeg"),
    "av01": "av1",
    "vp08": "vp8",
    "vp09": "vp9",
    "mp4v": "mpeg4",
}
_AUDIO_CODECS = {
    **dict.fromkeys(("sowt", "twos", "in24", "in32", "fl32", "fl64", "lpcm", "ipcm", "fpcm", "raw ", "NONE"), "pcm"),
    "mp4a": "aac",
    "Opus": "opus",
    "alac": "alac",
    "fLaC": "flac",
    "ac-3": "ac3",
    "ec-3": "eac3",
    ".mp3": "mp3",
    "ulaw": "pcm_mulaw",
    "alaw": "pcm_alaw",
}
_OBJECT_TYPES = {0x69: "mp3", 0x6B: "mp3", 0xA5: "ac3", 0xA6: "eac3", 0xA9: "dts", 0xAD: "opus"}
_CONFIGURATIONS = ("avcC", "hvcC", "av1C", "vpcC")
_WITHOUT_EFFECT = {"btrt", "free", "skip", "gama", "colr", "pasp", *_CONFIGURATIONS}
_SPS_OF_AVC, _SPS_OF_HEVC, _SEI_OF_HEVC = 7, 33, (39, 40)
_MOST_ENTRIES = 256


def read_sample_entries(
    stsd: Bytes, kind: Literal["video", "audio", "other"], timescale: int
) -> tuple[list[SampleEntry], list[int]]:
    """The entries of an `stsd` box and the (1-based) data reference of each.

    `timescale` is the track's, which stands for a sample rate too large for its field. Raises Malformed.
    """
    fields = Fields(stsd, "stsd")
    version, _ = fields.full_box()
    count = fields.u32()
    if not 1 <= count <= _MOST_ENTRIES:
        raise Malformed(f"its 'stsd' box states {count} sample entries")
    entries: list[SampleEntry] = []
    references: list[int] = []
    for form, payload in children(fields.rest(), "stsd"):
        entry = Fields(payload, form)
        entry.take(6)
        references.append(entry.u16())
        if form in ("encv", "enca", "enct", "encs", "drmi", "drms"):
            raise Malformed("it is encrypted (DRM); export it without protection")
        match kind:
            case "video":
                entries.append(_read_video(form, entry))
            case "audio":
                entries.append(_read_audio(form, entry, timescale, quicktime=version == 0))
            case _:
                entries.append(OtherEntry(form))
    if len(entries) != count:
        raise Malformed(f"its 'stsd' box states {count} sample entries and holds {len(entries)}")
    return entries, references


def _boxes(fields: Fields, form: str) -> Boxes:
    boxes = Boxes(fields.rest(), form)
    if "sinf" in boxes:
        raise Malformed("it is encrypted (DRM); export it without protection")
    return boxes


def _read_video(form: str, fields: Fields) -> VideoEntry:
    fields.take(16)
    width, height = fields.u16(), fields.u16()
    fields.take(50)
    payload = fields.rest()
    boxes = _boxes(Fields(payload, form), form)
    codec = _VIDEO_CODECS.get(form, printable(form).strip().lower())
    configuration = _configuration(codec, boxes)
    length_size, units = _parameter_sets(codec, configuration)
    picture = _picture(codec, form, configuration, units)
    aspect = _pixel_aspect(boxes)
    tagged = _tagged_color(boxes)
    return VideoEntry(
        format=form,
        codec=codec,
        width=width,
        height=height,
        configuration=configuration,
        parameter_sets=units,
        length_size=length_size,
        pixel_aspect=aspect,
        color=tagged or (picture.color if picture else None),
        clean_aperture=bytes(boxes.get("clap") or b""),
        pixel_format=picture.pixel_format if picture else "",
        bit_depth=picture.bit_depth if picture else 0,
        interlaced=_interlaced(boxes, picture),
        canonical=_canonical_video(form, width, height, payload, configuration, aspect, tagged),
    )


def _configuration(codec: str, boxes: Boxes) -> bytes:
    name = {"h264": "avcC", "hevc": "hvcC", "av1": "av1C", "vp9": "vpcC", "vp8": "vpcC"}.get(codec)
    if name is None:
        return bytes(boxes.get("esds") or b"")
    return bytes(boxes.need(name))


def _parameter_sets(codec: str, configuration: bytes) -> tuple[int, tuple[tuple[int, bytes], ...]]:
    """The bytes of a length field, and (NAL unit type, unit) pairs from avcC or hvcC."""
    units: list[tuple[int, bytes]] = []
    if codec == "h264":
        fields = Fields(configuration, "avcC")
        fields.take(4)
        length_size = (fields.u8() & 3) + 1
        for kind, mask in ((_SPS_OF_AVC, 31), (8, 255)):
            for _ in range(fields.u8() & mask):
                units.append((kind, bytes(fields.take(fields.u16()))))
        return length_size, tuple(units)
    if codec == "hevc":
        fields = Fields(configuration, "hvcC")
        fields.take(21)
        length_size = (fields.u8() & 3) + 1
        for _ in range(fields.u8()):
            kind = fields.u8() & 63
            for _ in range(fields.u16()):
                units.append((kind, bytes(fields.take(fields.u16()))))
        return length_size, tuple(units)
    return 0, ()


def _picture(codec: str, form: str, configuration: bytes, units: tuple[tuple[int, bytes], ...]) -> Picture | None:
    """Pixels, scan and colour where the codec's configuration tells them; None where it does not."""
    by_type = dict(reversed(units))
    try:
        if codec == "h264" and _SPS_OF_AVC in by_type:
            return read_avc_sps(by_type[_SPS_OF_AVC])
        if codec == "hevc" and _SPS_OF_HEVC in by_type:
            return read_hevc_sps(by_type[_SPS_OF_HEVC])
    except Malformed:  # an extension we do not know: a decoder may still read it
        return None
    if codec == "prores":
        return Picture(3 if form.startswith("ap4") else 2, 12 if form.startswith("ap4") else 10, False, None)
    if codec == "vp9" and len(configuration) >= 12:
        packed, codes = configuration[6], tuple(configuration[7:10])
        chroma = (1, 1, 2, 3)[min(packed >> 1 & 7, 3)]
        return Picture(chroma, packed >> 4, False, _color(codes, bool(packed & 1)))
    if codec == "av1" and len(configuration) >= 4:
        flags = configuration[2]
        depth = (12 if flags & 0x20 else 10) if flags & 0x40 else 8
        chroma = 0 if flags & 0x10 else {0xC: 1, 0x8: 2}.get(flags & 0xC, 3)
        return Picture(chroma, depth, False, None)
    return None


def _pixel_aspect(boxes: Boxes) -> Fraction:
    if "pasp" not in boxes:
        return Fraction(1)
    fields = boxes.fields("pasp")
    horizontal, vertical = fields.u32(), fields.u32()
    return Fraction(horizontal, vertical) if horizontal and vertical else Fraction(1)


def _color(codes: tuple[int, ...], full_range: bool) -> Color | None:
    if codes == (2, 2, 2) and not full_range:
        return None
    return (codes[0], codes[1], codes[2], full_range)


def _tagged_color(boxes: Boxes) -> Color | None:
    """What `colr` says; QuickTime's `nclc` means limited range. ICC profiles are left to the canonical entry."""
    for payload in boxes.all("colr"):
        fields = Fields(payload, "colr")
        kind = fields.code()
        if kind in ("nclx", "nclc"):
            codes = (fields.u16(), fields.u16(), fields.u16())
            return _color(codes, kind == "nclx" and bool(fields.u8() & 0x80))
    return None


def _interlaced(boxes: Boxes, picture: Picture | None) -> bool:
    if picture and picture.interlaced:
        return True
    return "fiel" in boxes and boxes.fields("fiel").u8() == 2


def _canonical_video(
    form: str,
    width: int,
    height: int,
    payload: memoryview,
    configuration: bytes,
    aspect: Fraction,
    color: Color | None,
) -> bytes:
    head = bytes(24) + struct.pack(">HH", width, height) + bytes(50)
    kept = [box(kind, body) for kind, body in children(payload, form) if kind not in _WITHOUT_EFFECT]
    kept += [
        box("colr", body) for kind, body in children(payload, form) if kind == "colr" and bytes(body[:3]) != b"ncl"
    ]
    for kind, _ in children(payload, form):
        if kind in _CONFIGURATIONS:
            kept.append(box(kind, _without_sei(configuration) if kind == "hvcC" else configuration))
    if aspect != 1:
        kept.append(box("pasp", struct.pack(">II", aspect.numerator, aspect.denominator)))
    if color is not None:
        kept.append(box("colr", b"nclx", struct.pack(">HHHB", *color[:3], color[3] << 7)))
    return box(form, head, *sorted(kept))


def _without_sei(hvcc: bytes) -> bytes:
    """hvcC without its SEI arrays: they hold the encoder's name and settings."""
    fields = Fields(hvcc, "hvcC")
    head = bytes(fields.take(22))
    arrays: list[bytes] = []
    for _ in range(fields.u8()):
        kind, count = fields.u8(), fields.u16()
        units = b"".join(struct.pack(">H", len(unit)) + unit for unit in _hevc_units(fields, count))
        if kind & 63 not in _SEI_OF_HEVC:
            arrays.append(struct.pack(">BH", kind, count) + units)
    return head + bytes([len(arrays)]) + b"".join(arrays)


def _hevc_units(fields: Fields, count: int) -> list[bytes]:
    return [bytes(fields.take(fields.u16())) for _ in range(count)]


def _read_audio(form: str, fields: Fields, timescale: int, *, quicktime: bool) -> AudioEntry:
    version = fields.u16()
    fields.take(6)
    channels, _, _, _ = fields.u16(), fields.u16(), fields.u16(), fields.u16()
    rate = fields.u32() >> 16
    if quicktime and version == 1:
        fields.take(16)
    elif quicktime and version == 2:
        fields.take(4)
        rate = _whole_rate(fields.take(8))
        channels = fields.u32()
        fields.take(20)
    boxes = _boxes(fields, form)
    if "esds" not in boxes and "wave" in boxes:
        boxes = Boxes(boxes.need("wave"), "wave")
    codec, object_type, config = _AUDIO_CODECS.get(form, printable(form).strip().lower()), 0, b""
    if "esds" in boxes:
        object_type, config = read_esds(boxes.need("esds"))
        codec = _OBJECT_TYPES.get(object_type, codec)
    if codec == "aac" and config:
        rate, channels = sound_of_aac(config, rate, channels)
    elif "dOps" in boxes:
        rate, channels, config = _read_opus(boxes.fields("dOps"))
    elif "srat" in boxes:
        srat = boxes.fields("srat")
        srat.full_box()
        rate = srat.u32()
    rate = rate or timescale
    if not 1 <= rate <= 768_000 or not 1 <= channels <= 255:
        raise Malformed(f"its sound states {rate} Hz and {channels} channels")
    told = struct.pack(">IIB", rate, channels, object_type)
    return AudioEntry(form, codec, rate, channels, object_type, config, box(form, told, config))


def _whole_rate(field: memoryview) -> int:
    rate: float = struct.unpack(">d", field)[0]
    if not 1 <= rate <= 768_000:  # false for NaN, too
        raise Malformed("its sound states an impossible sample rate")
    return round(rate)


def _read_opus(fields: Fields) -> tuple[int, int, bytes]:
    """The rate and channels that an Opus decoder puts out, and `dOps` without its pre-skip, which is per file."""
    version, channels = fields.u8(), fields.u8()
    fields.take(2)
    return 48_000, channels, bytes([version, channels, 0, 0]) + bytes(fields.rest())

"""What kind of media a file is, judged by its first bytes. Probing a file to its end is the media room's work."""

from __future__ import annotations

import codecs
from typing import Literal

__all__ = ["HEAD", "Kind", "kinds_of", "picture_format"]

HEAD = 4096
"""How many bytes `kinds_of` wants to see."""

Kind = Literal["text", "image", "video", "audio"]

_SIGNATURES: tuple[tuple[bytes, tuple[Kind, ...]], ...] = (
    (b"\x89PNG\r\n\x1a\n", ("image",)),
    (b"\xff\xd8\xff", ("image",)),
    (b"GIF87a", ("image", "video")),
    (b"GIF89a", ("image", "video")),
    (b"II*\0", ("image",)),
    (b"MM\0*", ("image",)),
    (b"\x1a\x45\xdf\xa3", ("video", "audio")),  # Matroska, WebM
    (b"OggS", ("audio", "video")),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", ("video", "audio")),  # Windows Media
    (b"FLV\x01", ("video", "audio")),
    (b"\x00\x00\x01\xba", ("video",)),  # MPEG program stream
    (b"\x00\x00\x01\xb3", ("video",)),  # MPEG elementary video
    (b"ID3", ("audio",)),
    (b"fLaC", ("audio",)),
    (b"caff", ("audio",)),
    (b"#!AMR", ("audio",)),
)
_RIFF: dict[bytes, tuple[Kind, ...]] = {b"WAVE": ("audio",), b"WEBP": ("image", "video"), b"AVI ": ("video", "audio")}
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_IMAGE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
_AUDIO_BRANDS = (b"M4A ", b"M4B ", b"M4P ")
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")


def kinds_of(head: bytes) -> tuple[Kind, ...]:
    """What a file that starts with `head` may hold; empty when the beginning tells nothing."""
    for signature, kinds in _SIGNATURES:
        if head.startswith(signature):
            return kinds
    if head[:4] in (b"RIFF", b"RF64"):
        return _RIFF.get(head[8:12], ())
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return ("audio",)
    if head[4:8] == b"ftyp":
        return _brand(head[8:12])
    if head[4:8] in _QUICKTIME_BOXES:
        return ("video", "audio")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ("text",)
    if _is_transport_stream(head):
        return ("video", "audio")
    if _is_mpeg_audio(head):
        return ("audio",)
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return ("image",)
    return ("text",) if _is_text(head) else ()


def picture_format(head: bytes) -> str:
    """`PNG`, `JPEG` or `WebP` for a picture that starts with `head`; empty for every other file."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    return "WebP" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else ""


def _brand(brand: bytes) -> tuple[Kind, ...]:
    if brand in _IMAGE_BRANDS:
        return ("image",)
    return ("audio",) if brand in _AUDIO_BRANDS else ("video", "audio")


def _is_transport_stream(head: bytes) -> bool:
    return len(head) > 376 and head[0] == head[188] == head[376] == 0x47


def _is_mpeg_audio(head: bytes) -> bool:
    """An MP3 or ADTS frame header: eleven sync bits, no reserved version, and a sampling rate that exists."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0 or head[1] & 0x18 == 0x08:
        return False
    is_adts = head[1] & 0x06 == 0
    return is_adts or (head[2] >> 4 != 0x0F and head[2] & 0x0C != 0x0C)


def _is_text(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return _CONTROLS.isdisjoint(head)

"""Still images as video sources: PNG, JPEG, WebP, BMP and TIFF.

A still is decoded once, turned upright (EXIF), laid over black where it is transparent, padded to even size, and held.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from video_production.errors import MediaError
from video_production.media.ffmpeg import run_ffmpeg
from video_production.media.info import VideoTrack
from video_production.media.profile import Picture, fit_filters, sdr_filters

__all__ = ["STILL_RATE", "Still", "is_still", "read_still", "still_filters", "still_input", "still_target"]

STILL_RATE = Fraction(30)
"""Frames per second of a held still. A joined video takes the rate that covers most seconds, which is often that of
stills; at 30, screen recordings and phone clips beside them keep their motion smooth."""

_LARGEST = (3840, 2160)
_DEMUXERS = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "png_pipe"),
    (re.compile(rb"\xff\xd8\xff"), "jpeg_pipe"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "webp_pipe"),
    (re.compile(rb"BM....\0\0\0\0", re.DOTALL), "bmp_pipe"),
    (re.compile(rb"II\*\0|MM\0\*"), "tiff_pipe"),
)
_TURNS = {
    2: "hflip",
    3: "hflip,vflip",
    4: "vflip",
    5: "transpose=cclock_flip",
    6: "transpose=clock",
    7: "transpose=clock_flip",
    8: "transpose=cclock",
}
_SHOWN_SIZE = re.compile(r" s:(\d+)x(\d+) ")
_ORIENTATION_TAG = 0x0112
_EXIF_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Still:
    """One image: FFmpeg's `demuxer` for it, its upright size in pixels, the filters that `turn` it upright, or ""."""

    path: Path
    demuxer: str
    width: int
    height: int
    turn: str


def is_still(path: Path) -> bool:
    """Whether the file's first bytes are those of a still image. (A GIF may move: it counts as a video.)"""
    return _demuxer(path) is not None


def read_still(path: Path, *, ffmpeg: str = "ffmpeg", deadline: float | None = None) -> Still:
    """Decode a still once to learn its upright size. Raises MediaError when it is damaged or no still image."""
    demuxer = _demuxer(path)
    if demuxer is None:
        raise MediaError(f"{path.name} is no still image that can be used; give PNG, JPEG, WebP, BMP or TIFF.")
    turn = _TURNS.get(_orientation(path, demuxer), "")
    filters = f"{turn},showinfo=checksum=0" if turn else "showinfo=checksum=0"
    arguments = ["-f", demuxer, "-i", f"file:{path}", "-vf", filters, "-frames:v", "1", "-f", "null", "-"]
    try:
        messages = run_ffmpeg(arguments, deadline=deadline, ffmpeg=ffmpeg)
    except MediaError:
        messages = ""
    shown = _SHOWN_SIZE.search(messages)
    if shown is None or (demuxer == "jpeg_pipe" and not _jpeg_ends(path)):
        raise MediaError(f"The image {path.name} can't be read: it is damaged or cut off. Export it again.")
    return Still(path, demuxer, int(shown[1]), int(shown[2]), turn)


def still_target(still: Still) -> Picture:
    """The picture that a still is held as: its own size, even, fitted into 4K where it is larger."""
    width, height = _even(still.width), _even(still.height)
    wide, high = _LARGEST if width >= height else _LARGEST[::-1]
    scale = min(Fraction(1), Fraction(wide, width), Fraction(high, height))
    return Picture(_even(round(width * scale)), _even(round(height * scale)), STILL_RATE)


def still_input(still: Still) -> list[str]:
    """FFmpeg's input arguments for the image."""
    return ["-f", still.demuxer, "-i", f"file:{still.path}"]


def still_filters(still: Still, target: Picture, frames: int) -> str:
    """The filters that make the decoded image into `frames` frames of `target`; all but the last work on one frame."""
    width, height = _even(still.width), _even(still.height)
    padded = VideoTrack(
        codec="", width=width, height=height, frames=1, frame_rate=target.frame_rate,
        start=Fraction(0), duration=target.frame, pixel_format="rgba",
    )  # fmt: skip
    parts = [
        "trim=end_frame=1",
        still.turn,
        "format=rgba",
        f"pad={width}:{height}:0:0:black" if (width, height) != (still.width, still.height) else "",
        sdr_filters(padded),
        fit_filters(padded, target),
        # A JPEG's chroma stands elsewhere, and a stream that says so could not be joined with others.
        "zscale=chromal=left",
        f"loop=loop={frames - 1}:size=1:start=0",
        f"settb={1 / target.frame_rate},setpts=N,fps={target.frame_rate}",
    ]
    return ",".join(part for part in parts if part)


def _even(number: int) -> int:
    return number + number % 2


def _demuxer(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(16)
    return next((demuxer for signature, demuxer in _DEMUXERS if signature.match(head)), None)


def _jpeg_ends(path: Path) -> bool:
    """Whether an end marker follows the start of the scan (ISO/IEC 10918-1, B): decoders make up what is missing."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        place = 2
        while data[place : place + 1] == b"\xff" and data[place : place + 2] != b"\xff\xda":
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        return data.find(b"\xff\xd9", place) >= 0


def _orientation(path: Path, demuxer: str) -> int:
    """The EXIF orientation (1–8) of a PNG or WebP image; FFmpeg applies that of a JPEG by itself."""
    with path.open("rb") as file:
        chunks = _png_chunks(file) if demuxer == "png_pipe" else _webp_chunks(file) if demuxer == "webp_pipe" else ()
        exif = next((data for name, data in chunks if name in (b"eXIf", b"EXIF")), b"")
    return _tiff_orientation(exif.removeprefix(b"Exif\0\0"))


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    file.seek(8)
    while len(head := file.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        yield name, _content(file, name, size)
        file.seek(4, 1)


def _webp_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        yield name, _content(file, name, size)
        file.seek(size % 2, 1)


def _content(file: BinaryIO, name: bytes, size: int) -> bytes:
    if name in (b"eXIf", b"EXIF") and size <= _EXIF_LIMIT:
        return file.read(size)
    file.seek(size, 1)
    return b""


def _tiff_orientation(exif: bytes) -> int:
    """The orientation entry of the first image file directory (TIFF 6.0, section 2); 1 where there is none."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, directory)
        for place in range(entries):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, directory + 2 + 12 * place)
            if tag == _ORIENTATION_TAG:
                return int(value)
    except struct.error:
        return 1
    return 1

"""Writes the header of the result: `ftyp` and `moov` (ISO/IEC 14496-12), all tables made anew from the samples.

Only what every player reads is written: one edit for each track (with an empty one before it where the track begins
late), one sample entry for each track, chunks as runs of samples that lie side by side.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from video_production.media.mp4.boxes import box
from video_production.media.mp4.model import AudioEntry, VideoEntry
from video_production.media.splice.spans import Numbers

__all__ = ["Chapter", "TrackTable", "file_type", "movie_header", "sample_entry"]

_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_WIDEST = 0xFFFFFFFF
_MOST_CHAPTERS = 255
_SEVENTY_TWO_DPI = 0x00480000


@dataclass(frozen=True, slots=True)
class TrackTable:
    """One track of the result.

    `entry` is its sample entry as a box. `durations` and `composition` (None: all zero) in ticks of `timescale`,
    `sync` None: every sample is one. `offsets` count from the first byte of the media. `media_time` is where the edit
    begins, `length` how long it is and `late` when it begins, all in ticks. `size` is (width, height) in pixels.
    """

    kind: Literal["video", "audio"]
    timescale: int
    entry: bytes
    sizes: Numbers
    offsets: Numbers
    durations: Numbers
    composition: Numbers | None
    sync: npt.NDArray[np.bool_] | None
    media_time: int
    length: int
    late: int
    size: tuple[int, int] = (0, 0)
    matrix: bytes = _MATRIX


@dataclass(frozen=True, slots=True)
class Chapter:
    """`start` in seconds; the title may hold any characters."""

    start: float
    title: str


def file_type(entry: VideoEntry) -> bytes:
    """The `ftyp` box for a picture of this kind."""
    brands = [b"isom", b"iso6", b"mp41"] + ([b"avc1"] if entry.format == "avc1" else [])
    return box("ftyp", b"isom", struct.pack(">I", 0x200), b"".join(brands))


_INBAND = {"avc1": b"avc3", "hvc1": b"hev1"}


def sample_entry(entry: VideoEntry | AudioEntry, *, inband: bool = False) -> bytes:
    """The sample entry with which a track of the result is described: what matters to a decoder, nothing else.

    `inband` says that parameter sets stand in the stream, too.
    """
    if isinstance(entry, VideoEntry):
        picture = bytearray(entry.canonical[:86])
        struct.pack_into(">H", picture, 14, 1)
        struct.pack_into(">IIIH", picture, 36, _SEVENTY_TWO_DPI, _SEVENTY_TWO_DPI, 0, 1)
        struct.pack_into(">Hh", picture, 82, 0x18, -1)
        if inband and entry.format in _INBAND:
            picture[4:8] = _INBAND[entry.format]
        return bytes(picture) + entry.canonical[86:]
    head = struct.pack(">6xHIIHHHHI", 1, 0, 0, entry.channels, 16, 0, 0, min(entry.sample_rate, 0xFFFF) << 16)
    return box("mp4a", head, _esds(entry))


def _esds(entry: AudioEntry) -> bytes:
    specific = _descriptor(5, entry.decoder_config)
    config = _descriptor(4, struct.pack(">BBxxxII", entry.object_type, 0x15, 0, 0), specific)
    return box("esds", bytes(4), _descriptor(3, struct.pack(">HB", 0, 0), config, _descriptor(6, b"\2")))


def _descriptor(tag: int, *payload: bytes) -> bytes:
    """An MPEG-4 descriptor; its length takes four bytes, as every writer does it (ISO/IEC 14496-1 §8.3.3)."""
    body = b"".join(payload)
    size = len(body)
    return bytes([tag, *(0x80 | size >> shift & 0x7F for shift in (21, 14, 7)), size & 0x7F]) + body


def movie_header(
    tracks: Sequence[TrackTable],
    *,
    media_size: int,
    before: int,
    chapters: Sequence[Chapter] = (),
    comment: str = "",
) -> bytes:
    """The `moov` box of a file in which `before` bytes come first, then `moov`, then 16 bytes, then the media."""
    size = 0
    for wide in (False, True):
        tables = [_tables(track, wide) for track in tracks]
        size = len(_moov(tracks, tables, 0, chapters, comment))
        if before + size + 16 + media_size <= _WIDEST:
            break
    return _moov(tracks, tables, before + size + 16, chapters, comment)


@dataclass(frozen=True, slots=True)
class _Tables:
    """The boxes of `stbl`, and the positions of the chunks, which count from the first byte of the media."""

    boxes: bytes
    positions: Numbers
    wide: bool

    def stbl(self, base: int) -> bytes:
        form = ">u8" if self.wide else ">u4"
        positions = (self.positions + base).astype(form).tobytes()
        head = struct.pack(">II", 0, len(self.positions))
        return box("stbl", self.boxes, box("co64" if self.wide else "stco", head, positions))


def _moov(
    tracks: Sequence[TrackTable], tables: Sequence[_Tables], base: int, chapters: Sequence[Chapter], comment: str
) -> bytes:
    timescale = tracks[0].timescale
    longest = max(_movie_ticks(track, track.late + track.length, timescale) for track in tracks)
    mvhd = struct.pack(">IQQIQIH10x", 1 << 24, 0, 0, timescale, longest, 0x10000, 0x100)
    mvhd += _MATRIX + bytes(24) + struct.pack(">I", len(tracks) + 1)
    numbered = enumerate(zip(tracks, tables, strict=True), start=1)
    traks = [_trak(number, track, timescale, table.stbl(base)) for number, (track, table) in numbered]
    return box("moov", box("mvhd", mvhd), *traks, *_user_data(chapters, comment))


def _movie_ticks(track: TrackTable, ticks: int, timescale: int) -> int:
    return -(-ticks * timescale // track.timescale)


def _trak(number: int, track: TrackTable, movie_timescale: int, stbl: bytes) -> bytes:
    length = _movie_ticks(track, track.length, movie_timescale)
    late = round(track.late * movie_timescale / track.timescale)
    sound = track.kind == "audio"
    tkhd = struct.pack(">IQQIIQ8xhhHH", 1 << 24 | 3, 0, 0, number, 0, late + length, 0, sound, sound << 8, 0)
    tkhd += track.matrix + struct.pack(">II", *(min(pixels, 0xFFFF) << 16 for pixels in track.size))
    edits = [struct.pack(">Qqi", late, -1, 0x10000)] if late else []
    edits.append(struct.pack(">Qqi", length, track.media_time, 0x10000))
    elst = box("elst", struct.pack(">II", 1 << 24, len(edits)), *edits)
    mdhd = struct.pack(">IQQIQHH", 1 << 24, 0, 0, track.timescale, int(track.durations.sum()), 0x55C4, 0)
    name = b"SoundHandler\0" if sound else b"VideoHandler\0"
    hdlr = struct.pack(">II4s12x", 0, 0, b"soun" if sound else b"vide") + name
    media = box("smhd", bytes(8)) if sound else box("vmhd", struct.pack(">I8x", 1))
    dinf = box("dinf", box("dref", struct.pack(">II", 0, 1), box("url ", struct.pack(">I", 1))))
    minf = box("minf", media, dinf, stbl)
    mdia = box("mdia", box("mdhd", mdhd), box("hdlr", hdlr), minf)
    return box("trak", box("tkhd", tkhd), box("edts", elst), mdia)


def _tables(track: TrackTable, wide: bool) -> _Tables:
    boxes = [
        box("stsd", struct.pack(">II", 0, 1), track.entry),
        _runs("stts", 0, track.durations, ">u4"),
    ]
    if track.composition is not None and track.composition.any():
        signed = bool((track.composition < 0).any())
        boxes.append(_runs("ctts", int(signed), track.composition, ">i4"))
    if track.sync is not None and not track.sync.all():
        numbers = np.flatnonzero(track.sync) + 1
        boxes.append(box("stss", struct.pack(">II", 0, len(numbers)), numbers.astype(">u4").tobytes()))
    chunks, positions = _chunks(track)
    return _Tables(b"".join([*boxes, chunks, _sizes(track.sizes)]), positions, wide)


def _runs(kind: str, version: int, values: Numbers, form: str) -> bytes:
    """A run-length table: pairs of (count, value)."""
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    pairs = np.empty((len(starts), 2), ">u4")
    pairs[:, 0] = np.diff(starts, append=len(values))
    pairs[:, 1] = values[starts].astype(form).view(">u4")
    return box(kind, struct.pack(">II", version << 24, len(starts)), pairs.tobytes())


def _sizes(sizes: Numbers) -> bytes:
    return box("stsz", struct.pack(">III", 0, 0, len(sizes)), sizes.astype(">u4").tobytes())


def _chunks(track: TrackTable) -> tuple[bytes, Numbers]:
    """`stsc` and where the chunks begin: a chunk is a run of samples that lie side by side."""
    ends = track.offsets + track.sizes
    firsts = np.flatnonzero(np.concatenate([[True], track.offsets[1:] != ends[:-1]]))
    counts = np.diff(firsts, append=len(track.offsets))
    changes = np.flatnonzero(np.concatenate([[True], counts[1:] != counts[:-1]]))
    runs = np.ones((len(changes), 3), ">u4")
    runs[:, 0], runs[:, 1] = changes + 1, counts[changes]
    return box("stsc", struct.pack(">II", 0, len(changes)), runs.tobytes()), track.offsets[firsts]


def _user_data(chapters: Sequence[Chapter], comment: str) -> list[bytes]:
    """Chapters as players of MP4 files read them (`chpl`, in units of 100 ns), and a comment (iTunes' metadata)."""
    boxes = []
    if chapters:
        kept = chapters[:_MOST_CHAPTERS]
        entries = b""
        for chapter in kept:
            title = chapter.title.encode(errors="replace")[:255].decode(errors="ignore").encode()
            entries += struct.pack(">QB", round(chapter.start * 10_000_000), len(title)) + title
        boxes.append(box("chpl", struct.pack(">B3xIB", 1, 0, len(kept)), entries))
    if comment:
        text = box("data", struct.pack(">II", 1, 0), comment.encode())
        hdlr = box("hdlr", struct.pack(">II4s4s9x", 0, 0, b"mdir", b"appl"))
        boxes.append(box("meta", bytes(4), hdlr, box("ilst", box("\xa9cmt", text))))
    return [box("udta", *boxes)] if boxes else []

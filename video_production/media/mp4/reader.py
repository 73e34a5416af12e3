"""The way through a file: top-level boxes, `moov`, fragments. Media bytes are stepped over, never read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from video_production.errors import MediaError
from video_production.media.mp4.boxes import Boxes, Fields, Malformed, children
from video_production.media.mp4.chapters import read_chapters
from video_production.media.mp4.entries import read_sample_entries
from video_production.media.mp4.fragments import Defaults, read_defaults, read_fragment
from video_production.media.mp4.model import Edit, Movie, OtherEntry, SampleEntry, Samples, Track
from video_production.media.mp4.source import Source
from video_production.media.mp4.tables import Budget, SampleBuilder, read_sample_tables

__all__ = ["looks_like_mp4", "read_movie"]

_FIRST_BOXES = {"ftyp", "moov", "mdat", "free", "skip", "wide", "pnot", "styp", "moof", "sidx", "pdin"}
_STILL_BRANDS = {b"heic", b"heix", b"mif1", b"avif"}
_LARGEST_HEADER = 128 << 20
"""Bytes of a `moov` or `moof` box; ten hours of film have about 20 MiB."""

_MOST_BOXES = 100_000
_MOST_TRACKS = 64
_MOST_EDITS = 10_000
_MOST_TICKS = 1 << 31
_MOST_TIME = 1 << 60

_Matrix = tuple[int, int, int, int]
_IDENTITY: _Matrix = (0x10000, 0, 0, 0x10000)


@dataclass(frozen=True, slots=True)
class _Box:
    """A box of the file itself: where it starts, where its payload starts, where it ends."""

    kind: str
    start: int
    body: int
    end: int


@dataclass(slots=True)
class _Header:
    """What `moov` tells of one track; samples are still being collected."""

    id: int
    kind: Literal["video", "audio", "other"]
    timescale: int
    enabled: bool
    matrix: _Matrix
    edits: tuple[Edit, ...]
    entries: tuple[SampleEntry, ...]
    builder: SampleBuilder
    defaults: Defaults | None = None


@dataclass(slots=True)
class _Open:
    """A movie being read."""

    timescale: int
    matrix: _Matrix
    tracks: list[_Header]
    budget: Budget
    fragmented: bool = False
    chapters: tuple[tuple[Fraction, str], ...] = ()


def looks_like_mp4(source: Source) -> bool:
    """True when the file begins with a box that MP4 and MOV files begin with."""
    if source.size < 8:
        return False
    head = source.read(0, 8)
    size = int.from_bytes(head[:4], "big")
    return head[4:].decode("latin-1") in _FIRST_BOXES and (size >= 8 or size <= 1)


def read_movie(source: Source) -> Movie:
    """Read an MP4 or MOV file, fragmented or not.

    Raises MediaError with one sentence when it is something else, damaged, cut off, encrypted, or absurd. Memory is
    bounded by the size of its header and by `MOST_SAMPLES`.
    """
    if not looks_like_mp4(source):
        raise MediaError(f"{source.name} is neither an MP4 nor a MOV file. Export it again as one.")
    try:
        return _read(source)
    except Malformed as why:
        raise MediaError(f"{source.name} can't be used: {why}.") from why


def _read(source: Source) -> Movie:
    movie: _Open | None = None
    for found in _top_level(source):
        if found.kind == "moov":
            if movie is not None:
                raise Malformed("it has several 'moov' boxes")
            movie = _read_moov(_payload(source, found), source.size)
        elif found.kind == "moof":
            if movie is None:
                raise Malformed("a fragment comes before its 'moov' box")
            _read_moof(_payload(source, found), found.start, movie)
    if movie is None:
        if source.size >= 12 and source.read(8, 4) in _STILL_BRANDS:
            raise Malformed("it is a still picture (HEIC or AVIF), not a video; convert it to PNG or JPEG")
        raise Malformed("it has no 'moov' box, so its recording was never finished; record or export it again")
    return _closed(source, movie)


def _top_level(source: Source) -> Iterator[_Box]:
    at = 0
    for _ in range(_MOST_BOXES):
        if source.size - at < 8:
            return
        head = source.read(at, min(16, source.size - at))
        kind, size, body = head[4:8].decode("latin-1"), int.from_bytes(head[:4], "big"), 8
        if size == 0 and kind == "\0\0\0\0":
            return  # padding after the last box
        if size == 1 and len(head) == 16:
            size, body = int.from_bytes(head[8:], "big"), 16
        elif size == 0:
            size = source.size - at
        if size < body or not kind.isprintable():
            raise Malformed(f"at byte {at:,} there is no box where one belongs")
        if at + size > source.size:
            raise Malformed(
                f"it is cut off: its '{kind}' box reaches byte {at + size:,}, the file ends at {source.size:,};"
                " copy or export it again"
            )
        yield _Box(kind, at, at + body, at + size)
        at += size
    raise Malformed(f"it holds more than {_MOST_BOXES:,} boxes")


def _payload(source: Source, found: _Box) -> bytes:
    size = found.end - found.body
    if size > _LARGEST_HEADER:
        raise Malformed(f"its '{found.kind}' box is impossibly large ({size:,} bytes)")
    return source.read(found.body, size)


def _read_moov(payload: bytes, file_size: int) -> _Open:
    moov = Boxes(payload, "moov")
    if "cmov" in moov:
        raise Malformed("its header is compressed ('cmov'); export it again")
    mvhd = moov.fields("mvhd")
    version, _ = mvhd.full_box()
    mvhd.take(16 if version else 8)
    timescale = _timescale(mvhd.u32())
    mvhd.take((8 if version else 4) + 16)
    movie = _Open(timescale, _read_matrix(mvhd), [], Budget(file_size), chapters=read_chapters(moov))
    traks = moov.all("trak")
    if len(traks) > _MOST_TRACKS:
        raise Malformed(f"it has {len(traks)} tracks")
    movie.tracks = [_read_trak(Boxes(trak, "trak"), file_size, movie.budget) for trak in traks]
    if len({track.id for track in movie.tracks}) < len(movie.tracks):
        raise Malformed("two of its tracks have the same number")
    if "mvex" in moov:
        movie.fragmented = True
        defaults = dict(read_defaults(trex) for trex in Boxes(moov.need("mvex"), "mvex").all("trex"))
        for track in movie.tracks:
            track.defaults = defaults.get(track.id)
    return movie


def _read_trak(trak: Boxes, file_size: int, budget: Budget) -> _Header:
    number, enabled, matrix = _read_tkhd(trak.fields("tkhd"))
    mdia = Boxes(trak.need("mdia"), "mdia")
    mdhd = mdia.fields("mdhd")
    version, _ = mdhd.full_box()
    mdhd.take(16 if version else 8)
    timescale = mdhd.u32()
    hdlr = mdia.fields("hdlr")
    hdlr.take(8)
    kind = _kind(hdlr.code())
    if kind == "other":
        return _Header(number, kind, timescale, enabled, matrix, (), (OtherEntry(""),), SampleBuilder())
    minf = Boxes(mdia.need("minf"), "minf")
    stbl = Boxes(minf.need("stbl"), "stbl")
    entries, references = read_sample_entries(stbl.need("stsd"), kind, _timescale(timescale))
    _check_references(minf, references)
    sound = kind == "audio"
    builder = read_sample_tables(stbl, sound=sound, entries=len(entries), file_size=file_size, budget=budget)
    return _Header(number, kind, timescale, enabled, matrix, _read_edits(trak), tuple(entries), builder)


def _kind(handler: str) -> Literal["video", "audio", "other"]:
    if handler == "vide":
        return "video"
    return "audio" if handler == "soun" else "other"


def _timescale(value: int) -> int:
    if not 1 <= value < _MOST_TICKS:
        raise Malformed(f"it states a time scale of {value} ticks per second")
    return value


def _read_tkhd(tkhd: Fields) -> tuple[int, bool, _Matrix]:
    version, flags = tkhd.full_box()
    tkhd.take(16 if version else 8)
    number = tkhd.u32()
    tkhd.take((12 if version else 8) + 16)
    return number, bool(flags & 1), _read_matrix(tkhd)


def _read_matrix(fields: Fields) -> _Matrix:
    values = fields.table("i", 9)
    return values[0], values[1], values[3], values[4]


def _read_edits(trak: Boxes) -> tuple[Edit, ...]:
    if "edts" not in trak:
        return ()
    edts = Boxes(trak.need("edts"), "edts")
    if "elst" not in edts:
        return ()
    elst = edts.fields("elst")
    version, _ = elst.full_box()
    width = 8 if version else 4
    count = elst.u32()
    if count > _MOST_EDITS or count * (2 * width + 4) > elst.left:
        raise Malformed(f"its edit list states {count:,} edits")
    edits: list[Edit] = []
    for index in range(count):
        duration, time, rate = elst.unsigned(width), elst.signed(width), elst.u32()
        if not -1 <= time < _MOST_TIME or duration >= _MOST_TIME:
            raise Malformed("its edit list is impossible")
        if time >= 0 and rate != 0x10000:
            raise Malformed("its edit list changes the speed of playing; export it again without that")
        open_ended = duration == 0 and index == count - 1
        edits.append(Edit(None if open_ended else duration, None if time == -1 else time))
    return tuple(edits)


def _check_references(minf: Boxes, used: list[int]) -> None:
    """Refuse media that lies in another file (ISO/IEC 14496-12 §8.7.2, flag 1: in this file)."""
    dinf = minf.get("dinf")
    dref = Boxes(dinf, "dinf").get("dref") if dinf is not None else None
    if dref is None:
        return
    fields = Fields(dref, "dref")
    fields.take(8)
    flags = [Fields(payload, "dref").u32() for _, payload in children(fields.rest(), "dref")]
    if any(1 <= index <= len(flags) and not flags[index - 1] & 1 for index in used):
        raise Malformed("its media lies in another file; export it as one self-contained file")


def _read_moof(payload: bytes, start: int, movie: _Open) -> None:
    movie.fragmented = True
    nothing = Defaults(1, 0, 0, 0)
    tracks = {track.id: (track.builder, track.defaults or nothing, len(track.entries)) for track in movie.tracks}
    read_fragment(payload, start, tracks, movie.budget)


def _closed(source: Source, movie: _Open) -> Movie:
    tracks: list[Track] = []
    streams = {"video": 0, "audio": 0, "other": 0}
    for header in movie.tracks:
        samples = header.builder.built()
        _check_inside(samples, header, source.size)
        rotation, mirrored = _orientation(header.matrix, movie.matrix)
        tracks.append(
            Track(
                id=header.id,
                kind=header.kind,
                stream=streams[header.kind] if header.kind != "other" else 0,
                timescale=header.timescale,
                enabled=header.enabled,
                rotation=rotation,
                mirrored=mirrored,
                edits=header.edits,
                entries=header.entries,
                samples=samples,
            )
        )
        streams[header.kind] += 1
    return Movie(source.name, source.size, movie.timescale, movie.fragmented, tuple(tracks), movie.chapters)


def _check_inside(samples: Samples, header: _Header, file_size: int) -> None:
    if header.kind == "other" or not len(samples):
        return
    end = max(map(int.__add__, samples.offsets, samples.sizes))
    if end > file_size:
        raise Malformed(
            f"it is cut off: its {header.kind} reaches byte {end:,}, the file ends at {file_size:,};"
            " copy or export it again"
        )


def _orientation(track: _Matrix, movie: _Matrix) -> tuple[int, bool]:
    """Degrees clockwise, and whether the picture is flipped left to right before it is turned."""
    a, b, c, d = track
    e, f, g, h = movie if movie != (0, 0, 0, 0) else _IDENTITY
    a, b, c, d = a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h
    determinant = a * d - b * c
    if determinant == 0:
        return 0, False
    if determinant < 0:
        a, b = -a, -b
    return round(math.degrees(math.atan2(b, a)) / 90) % 4 * 90, determinant < 0

"""Clips into the plan of a file: its header, and which bytes of which clip follow in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from video_production.media.mp4.model import AudioEntry, VideoEntry
from video_production.media.mp4.tables import MOST_SAMPLES
from video_production.media.splice.header import Chapter, TrackTable, file_type, movie_header, sample_entry
from video_production.media.splice.parts import Bytes, Piece, Range
from video_production.media.splice.spans import AAC_FRAME, Clip, Numbers, Unfit
from video_production.media.splice.timeline import (
    PictureTable,
    SoundTable,
    lay_out_picture,
    lay_out_sound,
    starts,
)

__all__ = ["Assembly", "assemble"]

_SILENCE = {1: bytes.fromhex("00c800802380"), 2: bytes.fromhex("210049900219002380")}
"""One AAC-LC packet of digital silence, by channels."""

_LARGEST_SAMPLE = (1 << 32) - 1
"""Bytes; what the table of sizes can state."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """A file that needs only be put together: `pieces` in order, `size` in bytes.

    `starts` are the clips' beginnings in the result and, last, its duration (seconds); `tracks` its tables, whose
    offsets count from `media_start`, the first byte of the media.
    """

    pieces: tuple[Piece, ...]
    size: int
    media_start: int
    starts: tuple[Fraction, ...]
    picture: PictureTable
    sound: SoundTable | None
    tracks: tuple[TrackTable, ...]


@dataclass(frozen=True, slots=True)
class _Media:
    """The bytes of one clip in the result: `silence` bytes first, then [begin, end) of its file; `at` in the media.

    `settings` are inserted in front of the samples that begin at the offsets `keys` (in order) of its file.
    """

    at: int
    silence: int
    begin: int
    end: int
    settings: bytes
    keys: Numbers

    @property
    def size(self) -> int:
        return self.silence + self.end - self.begin + len(self.settings) * len(self.keys)

    def moved(self, offsets: Numbers) -> Numbers:
        """Offsets in the clip's file as offsets in the result's media."""
        before = np.searchsorted(self.keys, offsets) * len(self.settings)
        return offsets + (self.at + self.silence - self.begin) + before

    def pieces(self, index: int, silence: bytes) -> Iterator[Piece]:
        if self.silence:
            yield Bytes(silence * (self.silence // len(silence)))
        at = self.begin
        for key in self.keys.tolist():
            if key > at:
                yield Range(index, at, key - at)
            yield Bytes(self.settings)
            at = key
        if self.end > at:  # an empty sample may come last
            yield Range(index, at, self.end - at)


def assemble(
    clips: Sequence[Clip], *, inband: bool = False, chapters: Sequence[str] = (), comment: str = ""
) -> Assembly:
    """Lay out the clips behind each other, with a title for each where there are `chapters`. Raises Unfit.

    All must have the same sample entries; with `inband` they may differ in their codec settings, which are then put
    into the stream, in front of every key frame (`avc3`, `hev1`: ISO/IEC 14496-15).
    """
    picture, sound = lay_out_picture(clips), lay_out_sound(clips)
    if len(picture.sizes) + (sound.packets if sound else 0) > MOST_SAMPLES:
        raise Unfit(f"together they would hold more than {MOST_SAMPLES:,} pictures and packets of sound")
    settings = [_settings_of(clip) if inband else b"" for clip in clips]
    if inband:
        added = np.array([len(each) for each in settings], np.int64)[picture.clip]
        picture = replace(picture, sizes=picture.sizes + added * picture.sync)
        if int(picture.sizes.max()) > _LARGEST_SAMPLE:
            raise Unfit("a picture that is too large")
    times = starts(clips)
    silence = _silence_of(clips) if sound and any(run.silent for run in sound.runs) else b""
    media = _lay_out_media(clips, sound, len(silence), settings)
    tracks = [_picture_track(clips, picture, media, inband)]
    if sound:
        tracks.append(_sound_track(clips, sound, media, len(silence), times[-1]))
    size = sum(each.size for each in media)
    marks = [Chapter(float(at), title) for at, title in zip(times, chapters, strict=False)]
    entry = clips[0].video.entry
    assert isinstance(entry, VideoEntry)
    head = file_type(entry)
    head += movie_header(tracks, media_size=size, before=len(head), chapters=marks, comment=comment)
    head += (1).to_bytes(4, "big") + b"mdat" + (16 + size).to_bytes(8, "big")
    pieces: list[Piece] = [Bytes(head)]
    for index, each in enumerate(media):
        pieces += each.pieces(index, silence)
    return Assembly(tuple(pieces), len(head) + size, len(head), tuple(times), picture, sound, tuple(tracks))


def _silence_of(clips: Sequence[Clip]) -> bytes:
    entry = next((clip.audio.entry for clip in clips if clip.audio), None)
    if not isinstance(entry, AudioEntry):
        return b""
    if entry.channels not in _SILENCE:
        raise Unfit(f"silence is missing for sound with {entry.channels} channels")
    return _SILENCE[entry.channels]


def _settings_of(clip: Clip) -> bytes:
    """The clip's parameter sets as they stand in a sample."""
    entry = clip.video.entry
    assert isinstance(entry, VideoEntry)
    return b"".join(len(unit).to_bytes(entry.length_size, "big") + unit for _, unit in entry.parameter_sets)


def _lay_out_media(
    clips: Sequence[Clip], sound: SoundTable | None, frame: int, settings: Sequence[bytes]
) -> list[_Media]:
    """Silence lies before the media of the clip whose time it fills, so that players find it close by."""
    silent = [0] * len(clips)
    for run in sound.runs if sound else ():
        if run.silent:
            silent[run.clip] += run.count * frame
    media: list[_Media] = []
    at = 0
    for clip, quiet, inserted in zip(clips, silent, settings, strict=True):
        spans = [(clip.picture.offsets, clip.picture.sizes)]
        if clip.sound:
            spans.append((clip.sound.offsets, clip.sound.sizes))
        begin = min(int(offsets.min()) for offsets, _ in spans)
        end = max(int((offsets + sizes).max()) for offsets, sizes in spans)
        keys = np.empty(0, np.int64)
        if inserted:
            _refuse_shared_bytes(spans)
            keys = np.unique(clip.picture.offsets[clip.picture.sync])
        media.append(_Media(at, quiet, begin, end, inserted, keys))
        at += media[-1].size
    return media


def _refuse_shared_bytes(spans: Sequence[tuple[Numbers, Numbers]]) -> None:
    """Nothing can be inserted in front of a sample that lies within another one. `spans` are (offsets, sizes)."""
    offsets, sizes = (np.concatenate(column) for column in zip(*spans, strict=True))
    order = np.lexsort((sizes, offsets))
    if (offsets[order][1:] < (offsets + sizes)[order][:-1]).any():
        raise Unfit("samples that share bytes")


def _picture_track(clips: Sequence[Clip], table: PictureTable, media: Sequence[_Media], inband: bool) -> TrackTable:
    first = clips[0].video
    entry = first.entry
    assert isinstance(entry, VideoEntry)
    offsets = [each.moved(clip.picture.offsets) for clip, each in zip(clips, media, strict=True)]
    width = round(entry.width * entry.pixel_aspect)
    return TrackTable(
        kind="video",
        timescale=table.timescale,
        entry=sample_entry(entry, inband=inband),
        sizes=table.sizes,
        offsets=np.concatenate(offsets),
        durations=np.diff(table.dts, append=table.end),
        composition=table.composition,
        sync=table.sync,
        media_time=table.shown,
        length=table.length,
        late=table.late,
        size=(width, entry.height),
    )


def _sound_track(
    clips: Sequence[Clip], table: SoundTable, media: Sequence[_Media], frame: int, duration: Fraction
) -> TrackTable:
    sizes: list[Numbers] = []
    offsets: list[Numbers] = []
    used = [0] * len(clips)
    for run in table.runs:
        if run.silent:
            at = media[run.clip].at + used[run.clip]
            used[run.clip] += run.count * frame
            sizes.append(np.full(run.count, frame, np.int64))
            offsets.append(at + frame * np.arange(run.count, dtype=np.int64))
            continue
        span = clips[run.clip].sound
        assert span is not None
        kept = slice(run.first, run.first + run.count)
        sizes.append(span.sizes[kept])
        offsets.append(media[run.clip].moved(span.offsets[kept]))
    entry = next(clip.audio.entry for clip in clips if clip.audio)
    assert isinstance(entry, AudioEntry)
    return TrackTable(
        kind="audio",
        timescale=table.rate,
        entry=sample_entry(entry),
        sizes=np.concatenate(sizes),
        offsets=np.concatenate(offsets),
        durations=np.full(table.packets, AAC_FRAME, np.int64),
        composition=None,
        sync=None,
        media_time=table.hidden,
        length=min(round(duration * table.rate), table.packets * AAC_FRAME - table.hidden),
        late=0,
    )

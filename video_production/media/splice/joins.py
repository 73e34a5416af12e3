"""Proof that a splice is sound, from the bytes at its joins: what begins a clip, and what decodes on both sides."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from video_production.errors import OperatorError, OutOfTime, VerificationFailed, VideoProductionError
from video_production.media.frames import DECODE_PICTURE, DECODE_SOUND, list_frames
from video_production.media.mp4.model import VideoEntry
from video_production.media.mp4.reader import read_movie
from video_production.media.mp4.source import Source
from video_production.media.scratch import Scratch, scratch
from video_production.media.splice.assemble import Assembly
from video_production.media.splice.header import TrackTable, movie_header
from video_production.media.splice.spans import AAC_FRAME, Clip, Unfit

__all__ = ["refuse_unsafe_start", "verify_joins", "verify_tables"]

_AT_ONCE = 2
"""Joins decoded side by side: as many as the function has processors."""

_MOST_SHOWN = 200
_GAP = 64 << 10
"""Bytes between two samples that cost less to read than another request does."""

_MOST_UNITS = 1000
"""NAL units that are looked at in one sample; those before its picture are a handful."""

_LONGEST_SETTING = 0xFFFF
"""Bytes of a parameter set that a sample entry can hold."""


@dataclass(frozen=True, slots=True)
class _Units:
    """NAL unit types of a codec: `begins` may follow anything, `pictures` are pictures, `settings` parameter sets."""

    begins: frozenset[int]
    pictures: range
    settings: frozenset[int]

    @staticmethod
    def kind(codec: str, head: int) -> int:
        return head & 31 if codec == "h264" else head >> 1 & 63


_UNITS = {
    "h264": _Units(frozenset({5}), range(1, 6), frozenset({7, 8})),
    "hevc": _Units(frozenset({19, 20}), range(32), frozenset({32, 33, 34})),
}


def refuse_unsafe_start(clip: Clip, source: Source) -> None:
    """Raise Unfit unless the clip begins with a picture before which nothing is referred to.

    The sync sample table also lists recovery points of open groups of pictures (ISO/IEC 14496-15); parameter sets
    inside the stream must be those of its sample entry, or a decoder would keep others for the next clip.
    """
    entry = clip.video.entry
    assert isinstance(entry, VideoEntry)
    units = _UNITS.get(entry.codec)
    if units is None:
        raise Unfit(f"{entry.codec.upper()} picture")
    declared = {unit for _, unit in entry.parameter_sets}
    start = int(clip.picture.offsets[0])
    for kind, begin, size in _listed(source, start, start + int(clip.picture.sizes[0]), entry):
        if kind in units.settings and (size > _LONGEST_SETTING or source.read(begin, size) not in declared):
            raise Unfit("codec settings change within the file")
        if kind in units.pictures:
            break
    if not _begins_anew(source, entry, start, int(clip.picture.sizes[0])):
        raise Unfit("begins with a picture that refers to earlier ones")


def _begins_anew(source: Source, entry: VideoEntry, position: int, size: int) -> bool:
    """Whether nothing after this sample refers to anything before it (IDR)."""
    units = _UNITS[entry.codec]
    kinds = (kind for kind, _, _ in _listed(source, position, position + size, entry))
    return next((kind in units.begins for kind in kinds if kind in units.pictures), False)


def _listed(source: Source, position: int, end: int, entry: VideoEntry) -> Iterator[tuple[int, int, int]]:
    """The NAL units of one sample: type, where it begins in the file, size in bytes."""
    for _ in range(_MOST_UNITS):
        if position + entry.length_size >= end:
            return
        head = source.read(position, entry.length_size + 1)
        size, begin = int.from_bytes(head[:-1], "big"), position + entry.length_size
        if begin + size > end:
            return
        yield _Units.kind(entry.codec, head[-1]), begin, size
        position = begin + size


def verify_tables(result: Source, assembly: Assembly) -> None:
    """Read the result's header back and compare every sample with what was laid out. Raises VerificationFailed."""
    movie = read_movie(result)
    for track, table in zip(movie.tracks, assembly.tracks, strict=True):
        samples = track.samples
        decoded = np.concatenate([[0], np.cumsum(table.durations)])
        composition = np.asarray(samples.composition) if samples.composition is not None else np.zeros(1, np.int64)
        same = (
            len(samples) == len(table.sizes)
            and np.array_equal(np.asarray(samples.sizes), table.sizes)
            and np.array_equal(np.asarray(samples.offsets).astype(np.int64), table.offsets + assembly.media_start)
            and np.array_equal(np.asarray(samples.dts), decoded[:-1])
            and samples.end == decoded[-1]
            and (table.composition is None or bool((composition == table.composition).all()))
        )
        if not same:
            raise VerificationFailed(
                f"The tables of the merged {table.kind} don't say what was meant; nothing was stored."
            )


def verify_joins(
    result: Source, assembly: Assembly, clips: Sequence[Clip], *, ffmpeg: str = "ffmpeg", deadline: float | None = None
) -> int:
    """Decode the group of pictures on each side of every join, with its sound; return the number of frames decoded.

    `result` is read, not written: it need not exist yet. Raises VerificationFailed when a frame or a sample is missing
    or the decoder warns, OutOfTime, OperatorError.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        checks = [
            pool.submit(_verify_join, result, assembly, clips, index, ffmpeg, deadline)
            for index in range(1, len(clips))
        ]
        return sum(check.result() for check in checks)


def _verify_join(
    result: Source, assembly: Assembly, clips: Sequence[Clip], index: int, ffmpeg: str, deadline: float | None
) -> int:
    """Decode what lies around the beginning of clip `index`."""
    picture = assembly.picture
    begin, end = _around(result, assembly, clips, index)
    tracks = [_excerpt(assembly.tracks[0], begin, end)]
    if assembly.sound:
        rate, scale = assembly.sound.rate, picture.timescale
        times = [int(picture.dts[index]) - picture.shown + picture.late for index in (begin, end - 1)]
        first, last = ((time * rate // scale + assembly.sound.hidden) // AAC_FRAME for time in times)
        first, last = max(0, first), min(last + 1, assembly.sound.packets)
        if last > first:
            tracks.append(_excerpt(assembly.tracks[1], first, last))
    what = f"The join of {clips[index - 1].name} and {clips[index].name}"
    with scratch("join.mp4") as excerpt:
        _write_excerpt(excerpt.open_path(), result, assembly, tracks)
        frames, samples = _decode(excerpt, what, ffmpeg, deadline)
    if frames != end - begin:
        raise VerificationFailed(f"{what} failed its check: {frames} of {end - begin} frames decode.")
    if len(tracks) > 1 and samples != len(tracks[1].sizes) * AAC_FRAME:
        raise VerificationFailed(f"{what} failed its check: its sound does not decode whole.")
    return frames


def _around(result: Source, assembly: Assembly, clips: Sequence[Clip], index: int) -> tuple[int, int]:
    """The samples from the last picture before clip `index` that begins anew to the clip's second key frame."""
    picture, table = assembly.picture, assembly.tracks[0]
    entry = clips[index].video.entry
    assert isinstance(entry, VideoEntry)
    first, bound = (int(np.searchsorted(picture.clip, clip)) for clip in (index - 1, index))
    keys = np.flatnonzero(picture.sync)
    begin = first
    for key in reversed(keys[(keys > first) & (keys < bound)].tolist()):
        if _begins_anew(result, entry, assembly.media_start + int(table.offsets[key]), int(table.sizes[key])):
            begin = key
            break
    later = keys[keys > bound]
    return begin, int(later[0]) if len(later) else len(picture.sizes)


def _excerpt(track: TrackTable, begin: int, end: int) -> TrackTable:
    """Samples [begin, end) as a track of their own, shown from their first frame; offsets stay what they are."""
    kept = slice(begin, end)
    durations = track.durations[kept]
    composition = track.composition[kept] if track.composition is not None else None
    decoded = np.cumsum(durations) - durations
    shown = decoded if composition is None else decoded + composition
    earliest = int(shown.min())
    return replace(
        track,
        sizes=track.sizes[kept],
        offsets=track.offsets[kept],
        durations=durations,
        composition=composition,
        sync=track.sync[kept] if track.sync is not None else None,
        media_time=earliest,
        length=int((shown + durations).max()) - earliest,
        late=0,
    )


def _write_excerpt(path: Path, result: Source, assembly: Assembly, tracks: list[TrackTable]) -> None:
    at, moved = 0, []
    samples: list[tuple[int, int]] = []
    for track in tracks:
        moved.append(replace(track, offsets=at + np.cumsum(track.sizes) - track.sizes))
        samples += zip((assembly.media_start + track.offsets).tolist(), track.sizes.tolist(), strict=True)
        at += int(track.sizes.sum())
    head = movie_header(moved, media_size=at, before=0)
    blocks = _fetched(result, samples)
    with path.open("wb") as file:
        file.write(head + (1).to_bytes(4, "big") + b"mdat" + (16 + at).to_bytes(8, "big"))
        file.writelines(blocks.cut(offset, size) for offset, size in samples)


class _Blocks:
    """Parts of a file: where each begins, and its bytes."""

    def __init__(self, starts: list[int], contents: list[bytes]) -> None:
        self._starts = starts
        self._contents = contents

    def cut(self, offset: int, size: int) -> memoryview:
        index = bisect_right(self._starts, offset) - 1
        begin = offset - self._starts[index]
        return memoryview(self._contents[index])[begin : begin + size]


def _fetched(result: Source, samples: Sequence[tuple[int, int]]) -> _Blocks:
    """The (offset, size) samples of all tracks: what lies close together is read at once, and nothing twice."""
    runs: list[list[int]] = []
    for offset, size in sorted(samples):
        if runs and offset <= runs[-1][1] + _GAP:
            runs[-1][1] = max(runs[-1][1], offset + size)
        else:
            runs.append([offset, offset + size])
    return _Blocks([begin for begin, _ in runs], [result.read(begin, end - begin) for begin, end in runs])


def _decode(excerpt: Scratch, what: str, ffmpeg: str, deadline: float | None) -> tuple[int, int]:
    inputs = ["-v", "warning", "-xerror", "-i", f"file:{excerpt.path}"]
    outputs = ["-map", "0:v:0", "-map", "0:a:0?", *DECODE_PICTURE, *DECODE_SOUND]
    try:
        streams, messages = list_frames(inputs, outputs, ffmpeg=ffmpeg, deadline=deadline, inherited=excerpt.inherited)
    except (OperatorError, OutOfTime):
        raise
    except VideoProductionError as error:
        raise VerificationFailed(f"{what} failed its check: it does not decode ({error}).") from error
    if messages.strip():
        said = messages.strip().splitlines()[0][:_MOST_SHOWN]
        raise VerificationFailed(f"{what} failed its check: the decoder warns '{said}'.")
    frames = next((len(stream.times) for stream in streams if stream.kind == "video"), 0)
    return frames, next((stream.samples for stream in streams if stream.kind == "audio"), 0)

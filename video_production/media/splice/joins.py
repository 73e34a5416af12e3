"""Proof that a splice is sound, from the bytes at its joins: what begins a clip, and what decodes on both sides."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from video_production.errors import OperatorError, OutOfTime, VerificationFailed, VideoProductionError
from video_production.media.frames import DECODE_PICTURE, DECODE_SOUND, list_frames
from video_production.media.mp4.model import Samples, VideoEntry
from video_production.media.mp4.reader import read_movie
from video_production.media.mp4.source import LocalFile, Source
from video_production.media.scratch import Scratch, scratch
from video_production.media.splice.assemble import Assembly
from video_production.media.splice.header import TrackTable, movie_header
from video_production.media.splice.spans import AAC_FRAME, Clip, Numbers, PictureSpan, Unfit

__all__ = ["begins_with_delimiter", "refuse_unsafe_picture", "verify_joins", "verify_tables"]

_AT_ONCE = 1
"""Joins decoded side by side. A decoder uses all processors, and its pictures take the most memory of all."""

_MOST_FETCHED = 16 << 20
"""Bytes of pictures on either side of a join that are decoded: two seconds at 64 Mbit/s."""

_LOOKED_AT = 8
"""Key frames of an object whose heads are fetched, where parameter sets stand in its stream."""

_MOST_SHOWN = 200
_SPARING = ("-threads", "2", "-thread_queue_size", "1", "-skip_loop_filter", "all")
"""More threads would each keep pictures of their own in memory. Smoothing pictures, which nobody sees, can't fail."""

_SHRUNK = ("-vf", "scale=16:16:flags=neighbor")
"""What waits to be counted need not be a whole picture."""

_GAP = 64 << 10
"""Bytes between two samples that cost less to read than another request does."""

_MOST_UNITS = 1000
"""NAL units that are looked at in one sample; those before its picture are a handful."""

_LONGEST_SETTING = 0xFFFF
"""Bytes of a parameter set that a sample entry can hold."""


@dataclass(frozen=True, slots=True)
class _Units:
    """NAL unit types of a codec: `begins` may follow anything, `pictures` are pictures, `settings` parameter sets.

    Nothing may stand before a `delimiter` in its sample.
    """

    begins: frozenset[int]
    pictures: range
    settings: frozenset[int]
    delimiter: int

    @staticmethod
    def kind(codec: str, head: int) -> int:
        return head & 31 if codec == "h264" else head >> 1 & 63


_UNITS = {
    "h264": _Units(frozenset({5}), range(1, 6), frozenset({7, 8}), 9),
    "hevc": _Units(frozenset({19, 20}), range(32), frozenset({32, 33, 34}), 35),
}


def refuse_unsafe_picture(clip: Clip, source: Source) -> None:
    """Raise Unfit unless other clips can be put before and behind this one.

    It must begin with a picture before which nothing is referred to (the sync sample table also lists recovery points
    of open groups of pictures, ISO/IEC 14496-15). And parameter sets inside the stream must be those of its sample
    entry, or a decoder would keep others for the next clip. A local file is looked into at every key frame; of an
    object the first and the last one are fetched, and some between where parameter sets are met.
    """
    entry = clip.video.entry
    assert isinstance(entry, VideoEntry)
    if entry.codec not in _UNITS:
        raise Unfit(f"{entry.codec.upper()} picture")
    span = clip.picture
    if not _begins_anew(source, entry, int(span.offsets[0]), int(span.sizes[0])):
        raise Unfit("begins with a picture that refers to earlier ones")
    declared = {unit for _, unit in entry.parameter_sets}
    keys = np.flatnonzero(span.sync)
    if isinstance(source, LocalFile):
        looked_at = keys.tolist()
    else:
        looked_at = [int(keys[0]), int(keys[-1])]
        if any(_settings_in(source, entry, span, key) for key in looked_at):
            looked_at = [int(keys[len(keys) * number // _LOOKED_AT]) for number in range(_LOOKED_AT)] + looked_at
    for key in dict.fromkeys(looked_at):
        if not declared.issuperset(_settings_in(source, entry, span, key)):
            raise Unfit("codec settings change within the file")


def begins_with_delimiter(clip: Clip, source: Source) -> bool:
    """Whether the clip's pictures begin with a unit that parameter sets can't be put in front of."""
    entry, span = clip.video.entry, clip.picture
    assert isinstance(entry, VideoEntry)
    start = int(span.offsets[0])
    kinds = (kind for kind, _, _ in _listed(source, start, start + int(span.sizes[0]), entry))
    return next(kinds, None) == _UNITS[entry.codec].delimiter


def _settings_in(source: Source, entry: VideoEntry, span: PictureSpan, index: int) -> list[bytes]:
    """The parameter sets that stand in front of the picture in a sample."""
    units, found = _UNITS[entry.codec], []
    begin = int(span.offsets[index])
    for kind, at, size in _listed(source, begin, begin + int(span.sizes[index]), entry):
        if kind in units.pictures:
            break
        if kind in units.settings:
            found.append(source.read(at, size))
    return found


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
            and (table.sync is None or np.array_equal(_sync(samples), table.sync))
            and track.edits[-1].media_time == table.media_time
            and len(track.edits) == 1 + bool(table.late)
        )
        if not same:
            raise VerificationFailed(
                f"The tables of the merged {table.kind} don't say what was meant; nothing was stored."
            )


def _sync(samples: Samples) -> npt.NDArray[np.bool_]:
    if samples.sync is None:
        return np.ones(len(samples), bool)
    return np.frombuffer(samples.sync, np.uint8).astype(bool)


def verify_joins(
    result: Source,
    assembly: Assembly,
    clips: Sequence[Clip],
    *,
    ffmpeg: str = "ffmpeg",
    deadline: float | None = None,
    on_progress: Callable[[float], None] = lambda _: None,
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
        frames = 0
        for done, check in enumerate(checks, start=1):
            frames += check.result()
            on_progress(done / len(checks))
        return frames


def _verify_join(
    result: Source, assembly: Assembly, clips: Sequence[Clip], index: int, ffmpeg: str, deadline: float | None
) -> int:
    """Decode what lies around the beginning of clip `index`."""
    shown = _around(result, assembly, clips, index)
    tracks = [_excerpt(assembly.tracks[0], shown)]
    heard = _heard_beside(assembly, shown)
    if len(heard):
        tracks.append(_excerpt(assembly.tracks[1], heard))
    what = f"The join of {clips[index - 1].name} and {clips[index].name}"
    with scratch("join.mp4") as excerpt:
        _write_excerpt(excerpt.open_path(), result, assembly, tracks)
        frames, samples = _decode(excerpt, what, ffmpeg, deadline)
    if frames != len(shown):
        raise VerificationFailed(f"{what} failed its check: {frames} of {len(shown)} frames decode.")
    if samples != len(heard) * AAC_FRAME:
        raise VerificationFailed(f"{what} failed its check: its sound does not decode whole.")
    return frames


def _around(result: Source, assembly: Assembly, clips: Sequence[Clip], index: int) -> Numbers:
    """The samples from the last picture before clip `index` that begins anew to the clip's second key frame.

    Of a group too long to be fetched, its first pictures stand for all: they decode without the rest.
    """
    picture, table = assembly.picture, assembly.tracks[0]
    entry = clips[index].video.entry
    assert isinstance(entry, VideoEntry)
    begin, bound = (int(np.searchsorted(picture.clip, clip)) for clip in (index - 1, index))
    keys = np.flatnonzero(picture.sync)
    fetched = np.cumsum(table.sizes[begin:bound][::-1])[::-1]
    near = keys[(keys > begin) & (keys < bound)]
    for key in reversed(near[fetched[near - begin] <= _MOST_FETCHED].tolist()):
        if _begins_anew(result, entry, assembly.media_start + int(table.offsets[key]), int(table.sizes[key])):
            begin = key
            break
    later = keys[keys > bound]
    end = int(later[0]) if len(later) else len(picture.sizes)
    before, after = np.arange(begin, bound), np.arange(bound, end)
    return np.concatenate([_first_bytes(before, table.sizes), _first_bytes(after, table.sizes)])


def _first_bytes(samples: Numbers, sizes: Numbers) -> Numbers:
    """As many of the samples as may be fetched; one at least."""
    return samples[: max(1, int(np.searchsorted(np.cumsum(sizes[samples]), _MOST_FETCHED, side="right")))]


def _heard_beside(assembly: Assembly, shown: Numbers) -> Numbers:
    """The packets of sound beside pictures."""
    picture, sound = assembly.picture, assembly.sound
    if sound is None:
        return np.empty(0, np.int64)
    times = picture.dts[shown] - picture.shown + picture.late
    packets = (times * sound.rate // picture.timescale + sound.hidden) // AAC_FRAME
    steps = np.diff(packets, append=packets[-1])
    beside = np.concatenate([packets + number for number in range(int(steps.max(initial=0, where=steps < 8)) + 1)])
    return np.unique(beside[(beside >= 0) & (beside < sound.packets)])


def _excerpt(track: TrackTable, kept: Numbers) -> TrackTable:
    """Some samples as a track of their own, shown from their first frame; offsets stay what they are."""
    begins = (np.cumsum(track.durations) - track.durations)[kept]
    composition = track.composition[kept] if track.composition is not None else None
    # Sound is packed; pictures keep their times, whatever was left out between them.
    packed = track.composition is None
    durations = track.durations[kept] if packed else np.diff(begins, append=begins[-1] + track.durations[kept[-1]])
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
    inputs = ["-v", "warning", "-xerror", *_SPARING, "-i", f"file:{excerpt.path}"]
    outputs = ["-map", "0:v:0", "-map", "0:a:0?", *_SHRUNK, *DECODE_PICTURE, *DECODE_SOUND]
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

"""Movie fragments (`moof`, ISO/IEC 14496-12 §8.8), appended to the sample arrays of their tracks."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from video_production.media.mp4.boxes import Boxes, Bytes, Fields, Malformed
from video_production.media.mp4.tables import Budget, SampleBuilder

__all__ = ["Defaults", "read_defaults", "read_fragment"]

_NOT_SYNC = 0x10000


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for a fragment's samples unless it says otherwise: `entry` is 1-based, `duration` in media ticks."""

    entry: int
    duration: int
    size: int
    flags: int


def read_defaults(trex: Bytes) -> tuple[int, Defaults]:
    """A track's id and its defaults."""
    fields = Fields(trex, "trex")
    fields.full_box()
    return fields.u32(), Defaults(fields.u32(), fields.u32(), fields.u32(), fields.u32())


@dataclass(slots=True)
class _Run:
    """Where the next run of samples starts when it does not say so itself."""

    base: int
    position: int


def read_fragment(
    moof: Bytes,
    start: int,
    tracks: Mapping[int, tuple[SampleBuilder, Defaults, int]],
    budget: Budget,
) -> None:
    """Append the samples of a fragment whose `moof` box begins at `start` in the file.

    `tracks` maps a track id to its builder, its defaults and its number of sample entries. Raises Malformed.
    """
    run = _Run(start, start)
    for payload in Boxes(moof, "moof").all("traf"):
        traf = Boxes(payload, "traf")
        fields = traf.fields("tfhd")
        _, flags = fields.full_box()
        track = tracks.get(fields.u32())
        if track is None:
            raise Malformed("a fragment belongs to a track that is not there")
        builder, defaults, entries = track
        run.base = fields.u64() if flags & 1 else start if flags & 0x20000 else run.base
        defaults = _overridden(fields, flags, defaults)
        if not 1 <= defaults.entry <= entries:
            raise Malformed("a fragment names a sample entry that is not there")
        _set_time(traf, builder)
        run.position = run.base
        for trun in traf.all("trun"):
            builder.use_entry(defaults.entry - 1)
            _read_run(Fields(trun, "trun"), run, builder, defaults, budget)
        run.base = run.position


def _overridden(fields: Fields, flags: int, defaults: Defaults) -> Defaults:
    return Defaults(
        entry=fields.u32() if flags & 2 else defaults.entry,
        duration=fields.u32() if flags & 8 else defaults.duration,
        size=fields.u32() if flags & 0x10 else defaults.size,
        flags=fields.u32() if flags & 0x20 else defaults.flags,
    )


def _set_time(traf: Boxes, builder: SampleBuilder) -> None:
    """Move the track's clock to the fragment's decoding time; the sample before it lasts until then."""
    if "tfdt" not in traf:
        return
    fields = traf.fields("tfdt")
    version, _ = fields.full_box()
    time = fields.u64() if version else fields.u32()
    if time >> 60:
        raise Malformed("a fragment starts at an impossible time")
    if len(builder) and time <= builder.dts[-1]:
        raise Malformed("its fragments overlap in time; export it again")
    builder.end = time


def _read_run(fields: Fields, run: _Run, builder: SampleBuilder, defaults: Defaults, budget: Budget) -> None:
    _, flags = fields.full_box()
    count = fields.u32()
    budget.spend(count)
    if flags & 1:
        run.position = run.base + fields.signed(4)
    first_flags = fields.u32() if flags & 4 else None
    present = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    rows = fields.table("I", len(present) * count)
    column = {bit: rows[index :: len(present)] for index, bit in enumerate(present)}

    def values(bit: int, default: int) -> array[int]:
        return column[bit] if bit in column else array("I", [default]) * count

    durations, sizes = values(0x100, defaults.duration), values(0x200, defaults.size)
    if any(duration >> 31 for duration in durations):
        raise Malformed("it states a sample of impossible duration")
    if not 0 <= run.position < 1 << 62:
        raise Malformed("a fragment points outside the file")
    ends = array("Q", accumulate(sizes, initial=run.position))
    run.position = ends.pop()
    composition = column.get(0x800)
    signed = array("q", array("i", composition.tobytes())) if composition is not None else None
    builder.add(sizes, ends, durations, signed, _sync(values(0x400, defaults.flags), first_flags))


def _sync(flags: array[int], first: int | None) -> bytes:
    sync = bytearray(not value & _NOT_SYNC for value in flags)
    if first is not None and sync:
        sync[0] = not first & _NOT_SYNC
    return bytes(sync)

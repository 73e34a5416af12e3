"""Sample tables (`stbl`, ISO/IEC 14496-12 §8.6–8.7) into the flat arrays of `Samples`."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from video_production.media.mp4.boxes import Boxes, Malformed
from video_production.media.mp4.model import Samples

__all__ = ["MOST_SAMPLES", "Budget", "SampleBuilder", "read_sample_tables"]

MOST_SAMPLES = 5_000_000
"""Samples of all tracks of a file together: ten hours at 60 frames with sound. Some kilobytes can state billions."""

_FURTHEST = 1 << 60
"""Ticks beyond which no decoding time makes sense."""


class Budget:
    """How many samples may still be read from a file of `file_size` bytes: no more than it has bytes.

    A fragment of a hundred bytes can state millions of empty samples.
    """

    def __init__(self, file_size: int) -> None:
        self._left = self._most = min(MOST_SAMPLES, file_size)

    def spend(self, samples: int) -> None:
        self._left -= samples
        if self._left < 0:
            raise Malformed(f"it states more than {self._most:,} samples")


class SampleBuilder:
    """Collects the samples of one track, from its tables first and then from its fragments."""

    def __init__(self) -> None:
        self.sizes = array("I")
        self.offsets = array("Q")
        self.dts = array("q")
        self.end = 0
        self.packed = False
        self.entries: list[tuple[int, int]] = []
        self._composition = array("q")
        self._sync = bytearray()
        self._any_composition = False
        self._all_sync = True

    def __len__(self) -> int:
        return len(self.sizes)

    def use_entry(self, index: int) -> None:
        """Samples added from now on are described by sample entry `index`."""
        if not self.entries or self.entries[-1][1] != index:
            self.entries.append((len(self), index))

    def add(
        self,
        sizes: array[int],
        offsets: array[int],
        durations: array[int],
        composition: array[int] | None,
        sync: bytes | None,
    ) -> None:
        """Append samples; all arrays are of equal length. `composition` None means zero, `sync` None means all."""
        count = len(sizes)
        times = array("q", accumulate(durations, initial=self.end))
        if times[-1] > _FURTHEST:
            raise Malformed("its samples last impossibly long")
        self.end = times.pop()
        self.dts.extend(times)
        self.sizes.extend(sizes)
        self.offsets.extend(offsets)
        self._composition.extend(composition if composition is not None else array("q", bytes(8 * count)))
        self._sync += sync if sync is not None else b"\1" * count
        self._any_composition |= composition is not None and any(composition)
        self._all_sync &= sync is None or 0 not in sync

    def built(self) -> Samples:
        return Samples(
            sizes=self.sizes,
            offsets=self.offsets,
            dts=self.dts,
            end=self.end,
            composition=self._composition if self._any_composition else None,
            sync=None if self._all_sync else bytes(self._sync),
            entries=tuple(self.entries) or ((0, 0),),
            packed=self.packed,
        )


def read_sample_tables(stbl: Boxes, *, sound: bool, entries: int, file_size: int, budget: Budget) -> SampleBuilder:
    """Flatten the tables of one track. `entries` is how many sample entries it has. Raises Malformed."""
    builder = SampleBuilder()
    if "stsz" not in stbl and "stz2" in stbl:
        raise Malformed("it has a compact sample size table ('stz2'), which is not supported; remux it with FFmpeg")
    constant, sizes, count = _read_sizes(stbl, file_size)
    if count == 0:
        return builder
    durations = _read_runs(stbl, "stts", "I", count)
    packed = sound and constant and "ctts" not in stbl and "stss" not in stbl and durations.only(1)
    if not packed:
        budget.spend(count)
    chunks = _read_chunks(stbl, count, entries, file_size)
    if packed:
        _add_packed(builder, constant, chunks, budget)
        return builder
    if constant:
        sizes = array("I", [constant]) * count
    offsets = array("Q")
    first = 0
    for offset, samples, entry in zip(chunks.offsets, chunks.samples, chunks.entries, strict=True):
        if not builder.entries or builder.entries[-1][1] != entry:
            builder.entries.append((first, entry))
        offsets.extend(_offsets(offset, sizes[first : first + samples]))
        first += samples
    composition = _read_runs(stbl, "ctts", "i", count).expanded() if "ctts" in stbl else None
    builder.add(sizes, offsets, durations.expanded(), composition, _read_sync(stbl, count))
    return builder


def _offsets(start: int, sizes: array[int]) -> Iterator[int]:
    ends = accumulate(sizes, initial=start)
    return (offset for offset, _ in zip(ends, sizes, strict=False))


def _add_packed(builder: SampleBuilder, size: int, chunks: _Chunks, budget: Budget) -> None:
    """Uncompressed sound has a sample per 1/48000 s: keep one item per chunk instead."""
    budget.spend(len(chunks.offsets))
    if max(chunks.samples) * size > 0xFFFFFFFF:
        raise Malformed("a chunk of its uncompressed sound is impossibly large")
    builder.packed = True
    for index, entry in enumerate(chunks.entries):
        if not builder.entries or builder.entries[-1][1] != entry:
            builder.entries.append((index, entry))
    sizes = array("I", (samples * size for samples in chunks.samples))
    builder.add(sizes, chunks.offsets, chunks.samples, None, None)


def _read_sizes(stbl: Boxes, file_size: int) -> tuple[int, array[int], int]:
    """`stsz` as (constant size or 0, one size per sample if not constant, number of samples)."""
    fields = stbl.fields("stsz")
    fields.full_box()
    constant, count = fields.u32(), fields.u32()
    if not constant:
        return 0, fields.table("I", count), count
    if constant * count > file_size:
        raise Malformed(f"it states {count:,} samples of {constant} bytes, more than the file holds; it may be cut off")
    return constant, array("I"), count


class _Runs:
    """A run-length table: pairs of (count, value), checked to cover every sample."""

    def __init__(self, counts: array[int], values: array[int]) -> None:
        self._counts = counts
        self._values = values

    def only(self, value: int) -> bool:
        return all(found == value for found in self._values)

    def expanded(self) -> array[int]:
        flat = array("q")
        for count, value in zip(self._counts, self._values, strict=True):
            flat.extend(array("q", [value]) * count)
        return flat


def _read_runs(stbl: Boxes, kind: str, typecode: str, samples: int) -> _Runs:
    fields = stbl.fields(kind)
    fields.full_box()
    pairs = fields.table("I", 2 * fields.u32())
    counts, values = pairs[::2], pairs[1::2]
    if sum(counts) != samples:
        raise Malformed(f"its '{kind}' box covers {sum(counts):,} samples of {samples:,}")
    if typecode == "i":  # version 0 states unsigned offsets, but writers put negative ones there, too
        values = array("i", values.tobytes())
    elif any(value >> 31 for value in values):
        raise Malformed("it states a sample of impossible duration")
    return _Runs(counts, values)


def _read_sync(stbl: Boxes, count: int) -> bytes | None:
    if "stss" not in stbl:
        return None
    fields = stbl.fields("stss")
    fields.full_box()
    flags = bytearray(count)
    for number in fields.table("I", fields.u32()):
        if not 1 <= number <= count:
            raise Malformed(f"its 'stss' box names sample {number:,} of {count:,}")
        flags[number - 1] = 1
    return bytes(flags)


@dataclass(slots=True)
class _Chunks:
    """The chunks that hold samples: offset in the file, number of samples, index of their sample entry."""

    offsets: array[int] = field(default_factory=lambda: array("Q"))
    samples: array[int] = field(default_factory=lambda: array("I"))
    entries: array[int] = field(default_factory=lambda: array("I"))


def _read_chunks(stbl: Boxes, samples: int, entries: int, file_size: int) -> _Chunks:
    wide = "co64" in stbl
    fields = stbl.fields("co64" if wide else "stco")
    fields.full_box()
    offsets = fields.table("Q" if wide else "I", fields.u32())
    if offsets and max(offsets) > file_size:
        raise Malformed(f"it is cut off: its media reaches byte {max(offsets):,}, the file ends at {file_size:,}")
    firsts, counts, described = _read_chunk_runs(stbl, entries)
    chunks = _Chunks()
    left = samples
    bounds = [*(first - 1 for first in firsts[1:]), len(offsets)]
    for first, bound, count, entry in zip(firsts, bounds, counts, described, strict=True):
        for offset in offsets[first - 1 : bound]:
            if not left or not count:
                break
            chunks.offsets.append(offset)
            chunks.samples.append(min(count, left))
            chunks.entries.append(entry - 1)
            left -= min(count, left)
    if left:
        raise Malformed(f"its chunks hold {samples - left:,} samples of {samples:,}")
    return chunks


def _read_chunk_runs(stbl: Boxes, entries: int) -> tuple[array[int], array[int], array[int]]:
    """`stsc` as three columns: first chunk, samples in each chunk, sample entry (both counted from 1)."""
    fields = stbl.fields("stsc")
    fields.full_box()
    runs = fields.table("I", 3 * fields.u32())
    firsts, counts, described = runs[::3], runs[1::3], runs[2::3]
    if not firsts or firsts[0] != 1 or any(b <= a for a, b in pairwise(firsts)):
        raise Malformed("its 'stsc' box is out of order")
    if not all(1 <= index <= entries for index in described):
        raise Malformed("its 'stsc' box names a sample entry that is not there")
    return firsts, counts, described

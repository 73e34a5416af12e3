"""An MP4 or MOV file as plain data: tracks, sample tables, edits, sample entries.

Times are integers in the ticks of a timescale; seconds are exact fractions.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

__all__ = ["AudioEntry", "Color", "Edit", "Movie", "OtherEntry", "SampleEntry", "Samples", "Track", "VideoEntry"]

Color: TypeAlias = tuple[int, int, int, bool]
"""Primaries, transfer, matrix, full range: the code points of ISO/IEC 23091-2."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One entry of an edit list: `duration` in movie ticks (None: to the end of the media); `media_time` in media
    ticks, None for an empty edit, which shows nothing."""

    duration: int | None
    media_time: int | None


@dataclass(frozen=True, slots=True)
class VideoEntry:
    """A visual sample entry.

    `codec` is FFmpeg's name; `configuration` the payload of the codec's own box (avcC, hvcC, av1C, vpcC, esds), empty
    where it has none. `parameter_sets` are (NAL unit type, NAL unit) pairs and `length_size` the bytes of a NAL unit's
    length (0 for other codecs). `clean_aperture` is the payload of `clap`. `pixel_format` is FFmpeg's name, "" when
    unknown. `canonical` is the entry as a box without what makes no difference to a decoder: bit rates, compressor
    name, resolution, square pixels, SEI messages.
    """

    format: str
    codec: str
    width: int
    height: int
    configuration: bytes
    parameter_sets: tuple[tuple[int, bytes], ...]
    length_size: int
    pixel_aspect: Fraction
    color: Color | None
    clean_aperture: bytes
    pixel_format: str
    bit_depth: int
    interlaced: bool
    canonical: bytes


@dataclass(frozen=True, slots=True)
class AudioEntry:
    """An audio sample entry.

    `sample_rate` (Hz) and `channels` are those that a decoder puts out. `object_type` is the MPEG-4 object type
    indication (0x40 for AAC), 0 without `esds`; `decoder_config` the DecoderSpecificInfo of `esds` or the payload of
    `dOps`; `canonical` is what makes a difference to a decoder.
    """

    format: str
    codec: str
    sample_rate: int
    channels: int
    object_type: int
    decoder_config: bytes
    canonical: bytes


@dataclass(frozen=True, slots=True)
class OtherEntry:
    """A sample entry that is neither picture nor sound (subtitles, time codes)."""

    format: str


SampleEntry: TypeAlias = VideoEntry | AudioEntry | OtherEntry


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of one track in decoding order, as flat arrays of equal length.

    `sizes` and `offsets` in bytes, offsets from the start of the file; `dts` in media ticks from the track's zero,
    `end` is where the last sample ends. `composition` holds cts − dts (None: all zero), `sync` one byte per sample, 1
    for a sync sample (None: all are). `entries` lists (first sample, index of its sample entry) where it changes.
    `packed`: uncompressed sound, one item here for each chunk of samples.
    """

    sizes: array[int]
    offsets: array[int]
    dts: array[int]
    end: int
    composition: array[int] | None
    sync: bytes | None
    entries: tuple[tuple[int, int], ...]
    packed: bool = False

    def __len__(self) -> int:
        return len(self.sizes)

    def duration(self, index: int) -> int:
        """Ticks from this sample's decoding time to the next one's."""
        following = self.dts[index + 1] if index + 1 < len(self.dts) else self.end
        return following - self.dts[index]

    def pts(self, index: int) -> int:
        """The sample's presentation time in media ticks, before any edit."""
        return self.dts[index] + (self.composition[index] if self.composition is not None else 0)

    def is_sync(self, index: int) -> bool:
        return self.sync is None or self.sync[index] == 1

    def entry(self, index: int) -> int:
        """The index of the sample entry that describes this sample."""
        return self.entries[bisect_right(self.entries, index, key=lambda run: run[0]) - 1][1]


@dataclass(frozen=True, slots=True)
class Track:
    """One track. `timescale` in ticks per second; `stream` is FFmpeg's N in `0:v:N` or `0:a:N` (all other kinds: 0).

    `rotation` in degrees clockwise and `mirrored` (flipped left to right before it is rotated) are what the track's and
    the movie's matrices say. `entries` are all sample entries; `entry` is the first one in use.
    """

    id: int
    kind: Literal["video", "audio", "other"]
    stream: int
    timescale: int
    enabled: bool
    rotation: int
    mirrored: bool
    edits: tuple[Edit, ...]
    entries: tuple[SampleEntry, ...]
    samples: Samples

    @property
    def entry(self) -> SampleEntry:
        return self.entries[self.samples.entry(0)]


@dataclass(frozen=True, slots=True)
class Movie:
    """One file. `timescale` is that of edit durations; `size` in bytes; tracks in the file's order.

    `chapters` are (start in seconds, title) in order.
    """

    name: str
    size: int
    timescale: int
    fragmented: bool
    tracks: tuple[Track, ...]
    chapters: tuple[tuple[Fraction, str], ...] = ()

    def of_kind(self, kind: Literal["video", "audio"]) -> list[Track]:
        """The tracks of one kind that hold samples."""
        return [track for track in self.tracks if track.kind == kind and len(track.samples)]

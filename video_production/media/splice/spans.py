"""What of a clip is spliced: which samples of its picture and its sound, and when they are seen and heard.

A clip can be spliced when its bytes need no decoder between them and the result: one edit at most (beside a leading
empty one), a cut that falls on a key frame, AAC-LC sound without gaps. Everything else raises `Unfit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from video_production.media.mp4.model import AudioEntry, Edit, Movie, Track

__all__ = ["AAC_FRAME", "Clip", "Numbers", "PictureSpan", "SoundSpan", "Unfit", "UnfitSound", "aac_setup", "read_clip"]

Numbers: TypeAlias = npt.NDArray[np.int64]

AAC_FRAME = 1024
"""Samples per channel that one AAC-LC packet decodes to (ISO/IEC 14496-3, frameLengthFlag 0)."""

_AAC, _AAC_LC = 0x40, 2
_SYNC_EXTENSION = bytes.fromhex("56e5")
"""What announces spectral band replication after the configuration; the bit behind it says whether there is any."""


_SOUNDS = {"aac": "an unusual kind of AAC", "opus": "Opus", "pcm": "uncompressed"}


class Unfit(Exception):
    """Why a clip can't be spliced, in words that follow its name: "several edits"."""


class UnfitSound(Unfit):
    """The same where only the sound is at fault: the picture can be spliced."""


@dataclass(frozen=True, slots=True)
class PictureSpan:
    """The pictures of one clip, samples [first, last) in decoding order.

    `pts` and `dts` are in ticks of `timescale`, `sizes` and `offsets` in bytes of the clip's file. `start` and `end`
    are seconds on the clip's own timeline; the frame with the presentation time `shown` is seen at `start`. `early` is
    by how many ticks decoding begins before it.
    """

    first: int
    last: int
    timescale: int
    start: Fraction
    end: Fraction
    shown: int
    pts: Numbers
    dts: Numbers
    sizes: Numbers
    offsets: Numbers
    sync: npt.NDArray[np.bool_]
    stands: int
    """Ticks for which the last sample (in decoding order) stands."""

    @property
    def early(self) -> int:
        return self.shown - int(self.dts[0])

    @property
    def delay(self) -> int:
        """Ticks by which decoding must begin early so that no frame is due before it is decoded."""
        return self.early - min(0, int((self.pts - self.dts).min()))


@dataclass(frozen=True, slots=True)
class SoundSpan:
    """The sound of one clip, packets in order; each decodes to `AAC_FRAME` samples.

    `start` and `end` are seconds on the clip's own timeline. `hidden` counts the samples of the first packets that come
    before `start` (priming).
    """

    rate: int
    start: Fraction
    end: Fraction
    hidden: Fraction
    sizes: Numbers
    offsets: Numbers


@dataclass(frozen=True, slots=True)
class Clip:
    """One input, ready to be spliced. `name` is for people."""

    name: str
    movie: Movie
    video: Track
    audio: Track | None
    picture: PictureSpan
    sound: SoundSpan | None

    @property
    def start(self) -> Fraction:
        """When its earliest track starts, on its own timeline."""
        return min(self.picture.start, self.sound.start) if self.sound else self.picture.start

    @property
    def end(self) -> Fraction:
        return max(self.picture.end, self.sound.end) if self.sound else self.picture.end

    @property
    def duration(self) -> Fraction:
        return self.end - self.start


def read_clip(name: str, movie: Movie, video: Track, audio: Track | None) -> Clip:
    """What of `movie` is spliced. Raises Unfit; UnfitSound when the picture is fit."""
    picture = _picture_span(video, movie.timescale)
    sound = _sound_span(audio, movie.timescale) if audio else None
    return Clip(name, movie, video, audio, picture, sound)


def _only_edit(track: Track, movie_timescale: int, unfit: type[Unfit] = Unfit) -> tuple[Fraction, Edit | None]:
    """Seconds before the track begins, and its one edit (None: no edit list)."""
    late, shown = Fraction(0), None
    for edit in track.edits:
        if edit.media_time is not None:
            if shown is not None:
                raise unfit("several edits" if unfit is Unfit else "several edits of its sound")
            shown = edit
        elif shown is None:
            late += Fraction(edit.duration or 0, movie_timescale)
    return late, shown


def _picture_span(track: Track, movie_timescale: int) -> PictureSpan:
    samples = track.samples
    late, edit = _only_edit(track, movie_timescale)
    dts = _numbers(samples.dts)
    pts = dts if samples.composition is None else dts + _numbers(samples.composition)
    origin = edit.media_time if edit and edit.media_time is not None else 0
    first, last = _shown(pts, origin, _edit_end(edit, track, movie_timescale))
    if not samples.is_sync(first):
        raise Unfit("cut inside a group of pictures")
    stands = np.diff(dts, append=samples.end)
    if stands[-1] == 0 and len(stands) > 1:  # a last frame that states no duration stands as long as the one before it
        stands[-1] = stands[-2]
    kept = slice(first, last)
    shown = int(pts[kept].min())
    start = late + Fraction(shown - origin, track.timescale)
    end = start + Fraction(int((pts[kept] + stands[kept]).max()) - shown, track.timescale)
    if end <= start:
        raise Unfit("a picture that lasts no time")
    sync = np.ones(last - first, bool)
    if samples.sync is not None:
        sync = np.frombuffer(samples.sync, np.uint8)[kept].astype(bool)
    sizes, offsets = _numbers(samples.sizes), _numbers(samples.offsets)
    return PictureSpan(
        first=first,
        last=last,
        timescale=track.timescale,
        start=start,
        end=end,
        shown=shown,
        pts=pts[kept],
        dts=dts[kept],
        sizes=sizes[kept],
        offsets=offsets[kept],
        sync=sync,
        stands=int(stands[last - 1]),
    )


def _shown(pts: Numbers, begin: int, end: int | None) -> tuple[int, int]:
    """The range of samples that an edit shows. Frames outside of it can be left out only at its two ends."""
    if begin <= int(pts.min()) and end is None:
        return 0, len(pts)
    visible = pts >= begin
    if end is not None:
        visible &= pts < end
    indices = np.flatnonzero(visible)
    if not len(indices):
        raise Unfit("an edit list that shows nothing")
    first, last = int(indices[0]), int(indices[-1]) + 1
    if not visible[first:last].all():
        raise Unfit("cut inside a group of pictures")
    return first, last


def _edit_end(edit: Edit | None, track: Track, movie_timescale: int) -> int | None:
    """The tick at which the edit ends, rounded as FFmpeg rounds it."""
    if edit is None or edit.duration is None or edit.media_time is None:
        return None
    ticks = (2 * edit.duration * track.timescale + movie_timescale) // (2 * movie_timescale)
    return edit.media_time + ticks


def _sound_span(track: Track, movie_timescale: int) -> SoundSpan:
    entry, samples = track.entry, track.samples
    assert isinstance(entry, AudioEntry)
    if aac_setup(entry) is None:
        raise UnfitSound(f"{_SOUNDS.get(entry.codec, entry.codec.upper())} sound")
    late, edit = _only_edit(track, movie_timescale, UnfitSound)
    dts = _numbers(samples.dts)
    _refuse_gaps(dts, track.timescale, entry.sample_rate)
    origin = edit.media_time if edit and edit.media_time is not None else 0
    begin = max(origin, int(dts[0]))
    start = late + Fraction(begin - origin, track.timescale)
    end = late + Fraction(samples.end - origin, track.timescale)
    if edit and edit.duration is not None:
        end = min(end, late + Fraction(edit.duration, movie_timescale))
    if end <= start:
        raise UnfitSound("an edit list that lets nothing be heard")
    hidden = Fraction(begin - int(dts[0]), track.timescale) * entry.sample_rate
    if hidden >= AAC_FRAME * len(dts):
        raise UnfitSound("an edit list that lets nothing be heard")
    return SoundSpan(entry.sample_rate, start, end, hidden, _numbers(samples.sizes), _numbers(samples.offsets))


def aac_setup(entry: AudioEntry) -> bytes | None:
    """What a decoder of plain AAC-LC is set up with (rate and channels), None for every other kind of sound.

    Packets of equal setup can follow each other, and the frames of silence that we write fit beside them. Not so what
    bears spectral band replication, packets of 960 samples, or a layout of channels of its own.
    """
    config = entry.decoder_config
    if entry.codec != "aac" or entry.object_type != _AAC or len(config) < 2:
        return None
    object_type, channel_configuration = config[0] >> 3, config[1] >> 3 & 15
    frequency_index = (config[0] & 7) << 1 | config[1] >> 7
    extended = len(config) > 4 and config[2:4] == _SYNC_EXTENSION and bool(config[4] & 0x80)
    plain = object_type == _AAC_LC and not config[1] & 7 and channel_configuration and frequency_index < 13
    return config[:2] if plain and not extended else None


def _refuse_gaps(dts: Numbers, timescale: int, rate: int) -> None:
    """Packets follow each other without holes, give or take the rounding of the time scale and a short last one."""
    expected = np.arange(len(dts), dtype=np.int64) * (AAC_FRAME * timescale) // rate
    if len(dts) > 1 and int(np.abs(dts - dts[0] - expected).max()) * rate > AAC_FRAME * timescale // 2:
        raise UnfitSound("gaps in its sound")


def _numbers(values: object) -> Numbers:
    """An `array.array` as 64-bit numbers."""
    return np.asarray(values).astype(np.int64, copy=False)

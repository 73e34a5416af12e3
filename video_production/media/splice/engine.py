"""Splicing from start to end: read what the inputs are, say whether they fit, lay out, prove, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction

from video_production.errors import MediaError
from video_production.media.mp4.boxes import children
from video_production.media.mp4.model import AudioEntry, Movie, VideoEntry
from video_production.media.mp4.reader import looks_like_mp4, read_movie
from video_production.media.mp4.source import Source
from video_production.media.probe import main_picture, main_sound
from video_production.media.profile import DRAFT_COMMENT
from video_production.media.splice.assemble import Assembly, assemble
from video_production.media.splice.joins import refuse_unsafe_picture, verify_joins, verify_tables
from video_production.media.splice.spans import Clip, Unfit, read_clip
from video_production.media.splice.transfer import VirtualFile

__all__ = ["Candidate", "Splice", "differences", "plan_splice", "read_candidates"]

_READ_AT_ONCE = 8
_BOXES_AT = 86
"""Where the boxes of a visual sample entry begin (ISO/IEC 14496-12 §12.1.3)."""

_PROFILE_END = {"h264": 4, "hevc": 13}
"""Where profile, tier and level end in `avcC` and `hvcC`; they begin at byte 1."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One input, looked into. `clip` is None where it can't be spliced with anything; `unfit` says why."""

    name: str
    source: Source
    clip: Clip | None
    unfit: str = ""


@dataclass(frozen=True, slots=True)
class Splice:
    """A result that is laid out and proven, and need only be put together."""

    clips: tuple[Clip, ...]
    sources: tuple[Source, ...]
    assembly: Assembly
    inband: bool = False

    @property
    def frames(self) -> int:
        return len(self.assembly.picture.sizes)

    @property
    def duration(self) -> Fraction:
        """Seconds."""
        return self.assembly.starts[-1]

    def marked(self, *, draft: bool, chapters: bool = True) -> Splice:
        """The same with what the file says of itself: a mark for drafts, a chapter for each clip."""
        comment = DRAFT_COMMENT if draft else ""
        chapters = chapters and len(self.clips) > 1
        made = assemble(self.clips, inband=self.inband, chapters=chapters, comment=comment)
        return replace(self, assembly=made)

    def verify(self, *, ffmpeg: str = "ffmpeg", deadline: float | None = None) -> int:
        """Read the header back, decode both sides of every join; return the number of frames decoded.

        Nothing has been written yet. Raises VerificationFailed, OutOfTime, OperatorError.
        """
        result = VirtualFile("the merged video", self.assembly.pieces, self.sources)
        verify_tables(result, self.assembly)
        return verify_joins(result, self.assembly, self.clips, ffmpeg=ffmpeg, deadline=deadline)


def read_candidates(
    named: Sequence[tuple[str, Source]], on_progress: Callable[[float], None] | None = None
) -> list[Candidate]:
    """Look into every input, several at once. Raises MediaError for what is damaged, encrypted or no MP4 at all."""
    found: list[Candidate] = []
    with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
        for candidate in pool.map(lambda each: _read(*each), named):
            found.append(candidate)
            if on_progress:
                on_progress(len(found) / len(named))
    return found


def _read(name: str, source: Source) -> Candidate:
    if not looks_like_mp4(source):
        return Candidate(name, source, None, "not an MP4 file")
    try:
        clip = _clip(name, read_movie(source))
        refuse_unsafe_picture(clip, source)
    except Unfit as why:
        return Candidate(name, source, None, str(why))
    return Candidate(name, source, clip)


def _clip(name: str, movie: Movie) -> Clip:
    video, audio = main_picture(movie), main_sound(movie)
    if video is None:
        raise MediaError(
            f"{name} has no picture, so it can't be merged with videos. "
            "Put the sound under a picture with mix-audio first."
        )
    if video.rotation or video.mirrored:
        raise Unfit("rotated" if video.rotation else "mirrored")
    for track in (video, audio):
        if track is not None and len({index for _, index in track.samples.entries}) > 1:
            raise Unfit("codec settings change within the file")
    return read_clip(name, movie, video, audio)


def plan_splice(candidates: Sequence[Candidate], *, inband: bool = False) -> Splice | list[str]:
    """Lay out the result, or say of each input what keeps it from being spliced ("" for those that fit).

    With `inband`, codec settings may differ; they are put into the stream then.
    """
    obstacles = [candidate.unfit for candidate in candidates]
    fit = [candidate.clip for candidate in candidates if candidate.clip is not None]
    if fit:
        model = _majority(fit)
        sound = _sound_of_most(fit)
        for index, candidate in enumerate(candidates):
            if candidate.clip is not None:
                obstacles[index] = ", ".join(differences(candidate.clip, model, sound, inband=inband))
        if inband and not any(obstacles) and len({_reordering(clip) for clip in fit}) > 1:
            return ["frames reordered in different ways"] * len(candidates)
    if any(obstacles):
        return obstacles
    clips = tuple(fit)
    try:
        sources = tuple(candidate.source for candidate in candidates)
        return Splice(clips, sources, assemble(clips, inband=inband), inband)
    except Unfit as why:
        return [str(why)] * len(candidates)


def _majority(clips: Sequence[Clip]) -> VideoEntry:
    """The sample entry that covers most seconds; a tie goes to the first clip."""
    seconds: dict[bytes, Fraction] = {}
    entries: dict[bytes, VideoEntry] = {}
    for clip in clips:
        entry = clip.video.entry
        assert isinstance(entry, VideoEntry)
        entries.setdefault(entry.canonical, entry)
        seconds[entry.canonical] = seconds.get(entry.canonical, Fraction(0)) + clip.duration
    return entries[max(seconds, key=lambda key: seconds[key])]


def _sound_of_most(clips: Sequence[Clip]) -> AudioEntry | None:
    seconds: dict[tuple[int, int], Fraction] = {}
    entries: dict[tuple[int, int], AudioEntry] = {}
    for clip in clips:
        if clip.audio is not None and isinstance(clip.audio.entry, AudioEntry):
            key = (clip.audio.entry.sample_rate, clip.audio.entry.channels)
            entries.setdefault(key, clip.audio.entry)
            seconds[key] = seconds.get(key, Fraction(0)) + clip.duration
    return entries[max(seconds, key=lambda key: seconds[key])] if seconds else None


def differences(clip: Clip, model: VideoEntry, sound: AudioEntry | None, *, inband: bool = False) -> list[str]:
    """How a clip differs from what it is to be spliced with, in words for people; empty when it fits."""
    entry = clip.video.entry
    assert isinstance(entry, VideoEntry)
    found: list[str] = []
    if entry.canonical != model.canonical:
        found = _picture_differences(entry, model)
        if not found and not (inband and _settings_may_differ(entry, model)):
            found = ["encoded with other settings"]
    if clip.audio is not None and sound is not None and isinstance(clip.audio.entry, AudioEntry):
        own = clip.audio.entry
        if own.sample_rate != sound.sample_rate:
            found.append(f"{own.sample_rate / 1000:g} kHz")
        if own.channels != sound.channels:
            found.append({1: "mono", 2: "stereo"}.get(own.channels, f"{own.channels} channels"))
    return found


def _picture_differences(entry: VideoEntry, model: VideoEntry) -> list[str]:
    names = {"h264": "H.264", "hevc": "HEVC"}
    if entry.codec != model.codec:
        return [names.get(entry.codec, entry.codec.upper())]
    found: list[str] = []
    if (entry.width, entry.height) != (model.width, model.height):
        found.append(f"{entry.width}×{entry.height}")
    if entry.pixel_aspect != model.pixel_aspect:
        found.append("another pixel shape")
    if entry.pixel_format != model.pixel_format:
        found.append(f"pixels as {entry.pixel_format or 'unknown'}")
    if entry.color != model.color:
        found.append("other colour tags")
    if entry.interlaced != model.interlaced:
        found.append("interlaced" if entry.interlaced else "progressive")
    if entry.codec == "h264" and entry.configuration[1:4] != model.configuration[1:4] and not found:
        found.append("another H.264 profile or level")
    return found


def _settings_may_differ(entry: VideoEntry, model: VideoEntry) -> bool:
    """Whether nothing but the parameter sets tells two entries apart, and both have some."""
    return (
        entry.format == model.format in ("avc1", "hvc1")
        and entry.length_size == model.length_size
        and entry.clean_aperture == model.clean_aperture
        and entry.bit_depth == model.bit_depth
        and bool(entry.parameter_sets)
        and entry.configuration[1 : _PROFILE_END[entry.codec]] == model.configuration[1 : _PROFILE_END[entry.codec]]
        and _without_settings(entry) == _without_settings(model)
    )


def _without_settings(entry: VideoEntry) -> list[tuple[str, bytes]]:
    """The boxes of an entry but for the one that holds its parameter sets."""
    boxes = children(entry.canonical[_BOXES_AT:], entry.format)
    return [(kind, bytes(body)) for kind, body in boxes if kind not in ("avcC", "hvcC")]


def _reordering(clip: Clip) -> int:
    """How many frames are held back for reordering."""
    span = clip.picture
    frame = (span.end - span.start) / len(span.dts)
    return round(Fraction(span.delay, span.timescale) / frame)

"""Splicing from start to end: read what the inputs are, say whether they fit, lay out, prove, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from fractions import Fraction

from video_production.errors import MediaError
from video_production.media.mp4.model import Movie, VideoEntry
from video_production.media.mp4.reader import looks_like_mp4, read_movie
from video_production.media.mp4.source import Source
from video_production.media.probe import main_picture, main_sound
from video_production.media.profile import DRAFT_COMMENT
from video_production.media.splice.assemble import Assembly, assemble
from video_production.media.splice.fitting import Differences, differences, model_of, reordering
from video_production.media.splice.joins import (
    begins_with_delimiter,
    refuse_unsafe_picture,
    verify_joins,
    verify_tables,
)
from video_production.media.splice.spans import Clip, Unfit, UnfitSound, read_clip
from video_production.media.splice.transfer import VirtualFile

__all__ = ["Candidate", "Splice", "plan_splice", "read_candidates"]

_READ_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """One input, looked into. `movie` is None for what is no MP4 file; `unfit` says what forbids any splice.

    `clip` is None where the picture is unfit, and has no sound where only the sound is.
    """

    name: str
    source: Source
    movie: Movie | None
    clip: Clip | None
    unfit: Differences = field(default_factory=Differences)


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

    def marked(self, *, draft: bool, chapters: Sequence[str]) -> Splice:
        """The same with what the file says of itself: a mark for drafts, a chapter of this title for each clip."""
        comment = DRAFT_COMMENT if draft else ""
        titles = chapters if len(self.clips) > 1 else ()
        made = assemble(self.clips, inband=self.inband, chapters=titles, comment=comment)
        return replace(self, assembly=made)

    def verify(
        self,
        *,
        ffmpeg: str = "ffmpeg",
        deadline: float | None = None,
        on_progress: Callable[[float], None] = lambda _: None,
    ) -> int:
        """Read the header back, decode both sides of every join; return the number of frames decoded.

        Nothing has been written yet. Raises VerificationFailed, OutOfTime, OperatorError.
        """
        result = VirtualFile("the merged video", self.assembly.pieces, self.sources)
        verify_tables(result, self.assembly)
        return verify_joins(
            result, self.assembly, self.clips, ffmpeg=ffmpeg, deadline=deadline, on_progress=on_progress
        )


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
        return Candidate(name, source, None, None, Differences(("not an MP4 file",)))
    movie = read_movie(source)
    unfit = Differences()
    try:
        try:
            clip = _clip(name, movie, with_sound=True)
        except UnfitSound as why:
            unfit = Differences(sound=(str(why),))
            clip = _clip(name, movie, with_sound=False)
        refuse_unsafe_picture(clip, source)
    except Unfit as why:
        return Candidate(name, source, movie, None, Differences((str(why),), unfit.sound))
    return Candidate(name, source, movie, clip, unfit)


def _clip(name: str, movie: Movie, *, with_sound: bool) -> Clip:
    video, audio = main_picture(movie), main_sound(movie) if with_sound else None
    if video is None:
        raise MediaError(
            f"{name} has no picture, so it can't be merged with videos. "
            "Put the sound under a picture with mix-audio first."
        )
    if video.rotation or video.mirrored:
        raise Unfit("rotated" if video.rotation else "mirrored")
    for track, unfit in ((video, Unfit), (audio, UnfitSound)):
        if track is not None and len({index for _, index in track.samples.entries}) > 1:
            raise unfit("codec settings change within the file")
    return read_clip(name, movie, video, audio)


def plan_splice(candidates: Sequence[Candidate], *, inband: bool = False) -> Splice | list[Differences]:
    """Lay out the result, or say of each input what keeps it from being spliced (nothing for those that fit).

    With `inband`, codec settings may differ; they are put into the stream then.
    """
    fit = [each.clip for each in candidates if each.clip is not None and not each.unfit.sound]
    obstacles = [each.unfit for each in candidates]
    if fit:
        model = model_of(fit)
        obstacles = [
            differences(each.movie, model, each.unfit, inband=inband) if each.movie else each.unfit
            for each in candidates
        ]
    if any(map(str, obstacles)):
        return obstacles
    if inband and len({reordering(clip) for clip in fit}) > 1:
        return [Differences(("frames reordered in different ways",))] * len(candidates)
    if inband and len({_entry_bytes(clip) for clip in fit}) > 1:
        delimited = [begins_with_delimiter(clip, each.source) for clip, each in zip(fit, candidates, strict=True)]
        if any(delimited):
            return [Differences(("access unit delimiters in its stream",) if found else ()) for found in delimited]
    else:
        inband = False  # nothing differs that would have to be put into the stream
    try:
        sources = tuple(candidate.source for candidate in candidates)
        return Splice(tuple(fit), sources, assemble(fit, inband=inband), inband)
    except Unfit as why:
        return [Differences((str(why),))] * len(candidates)


def _entry_bytes(clip: Clip) -> bytes:
    assert isinstance(clip.video.entry, VideoEntry)
    return clip.video.entry.canonical

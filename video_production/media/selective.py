"""Makes the inputs that differ like the others, so that all can be spliced: only these are fetched and encoded.

Where only the sound of a clip differs, only that is encoded. A picture can be encoded to fit where the others are
encoded as our own encoder encodes: it must get their very sample entry. Whether it does is found out by encoding one
frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from video_production.media.clip_parts import SAMPLE_BYTES, encoder_entry, make_part
from video_production.media.ffmpeg import run_ffmpeg
from video_production.media.join_plan import (
    InputPlan,
    PlannedInput,
    Treatment,
    listed,
    plan_input,
    refuse_unfit,
)
from video_production.media.merge_result import MergeResult
from video_production.media.mp4.model import AudioEntry, VideoEntry
from video_production.media.mp4.source import LocalFile
from video_production.media.probe import probe
from video_production.media.profile import (
    CHANNELS,
    SAMPLE_RATE,
    Picture,
    audio_encoder,
    audio_filters,
    muxer,
    snap_frame_rate,
)
from video_production.media.splice.engine import Candidate, Splice, plan_splice, read_candidates
from video_production.media.splice.fitting import Differences
from video_production.media.splice.spans import Clip
from video_production.media.time_budget import TimeBudget

__all__ = ["Fitted", "can_fit", "fit_others", "reason_of_some", "told_of"]

_PADDING = Fraction(1, 20)
"""Seconds of sound after the last frame that an encoder added; nobody meant the picture to wait for them."""

_CLOSE = Fraction(1, 1000)
"""Seconds by which a copied picture may move against its clip's start."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A splice in which some clips were encoded anew: `changed` maps their position to why.

    `opened` are the files that the splice reads from; close them when it is done.
    """

    splice: Splice
    changed: dict[int, Differences]
    opened: tuple[LocalFile, ...]

    def told(self, result: MergeResult) -> MergeResult:
        """The splice's result, saying what was encoded and why."""
        joins = list(result.joins)
        for index, why in self.changed.items():
            treatment, words = told_of(why)
            joins[index] = replace(joins[index], treatment=treatment, why=words)
        found = [(join.name, self.changed.get(index, Differences())) for index, join in enumerate(joins)]
        return replace(result, joins=tuple(joins), reason=reason_of_some(found), method="reencode-some")


def told_of(why: Differences) -> tuple[Treatment, str]:
    """What happens to the picture of a clip that differs so, and what happens to it all, in words."""
    if why.picture:
        return "re-encoded", f"{why} → re-encoded"
    if why.sound:
        return "copied", f"{why} → sound re-encoded, picture copied without re-encoding"
    return "copied", "copied without re-encoding"


def reason_of_some(found: Sequence[tuple[str, Differences]]) -> str:
    """The reason of a merge in which some clips were re-encoded, from their names and how they differed."""
    pictures = [f"{name} ({why})" for name, why in found if why.picture]
    sounds = [f"{name} ({why})" for name, why in found if why.sound and not why.picture]
    kept = [name for name, why in found if not str(why)]
    parts = []
    if pictures:
        parts.append(f"{listed(pictures)} {_was(pictures)} re-encoded to fit the others")
    if sounds:
        parts.append(f"of {listed(sounds)} only the sound was re-encoded")
    reason = "; ".join([*parts, f"{listed(kept)} {_was(kept)} copied without re-encoding."])
    return reason[0].upper() + reason[1:] if not pictures else reason


def _was(names: Sequence[str]) -> str:
    return "was" if len(names) == 1 else "were"


def can_fit(
    candidates: Sequence[Candidate],
    obstacles: Sequence[Differences],
    work: Path,
    *,
    deadline: float | None,
    ffmpeg: str,
) -> Clip | None:
    """A clip without obstacle that the others can be made like; None where there is none."""
    model = next(iter(_fitting(candidates, obstacles)), None)
    if model is None or not any(why.picture for why in obstacles):
        return model
    return model if _can_be_encoded_like(model, work, deadline, ffmpeg) else None


def _fitting(candidates: Sequence[Candidate], obstacles: Sequence[Differences]) -> list[Clip]:
    return [each.clip for each, why in zip(candidates, obstacles, strict=True) if each.clip and not str(why)]


def fit_others(
    candidates: Sequence[Candidate],
    obstacles: Sequence[Differences],
    fetch: Callable[[int], Path],
    work: Path,
    *,
    on_progress: Callable[[float], None],
    deadline: float | None,
    ffmpeg: str,
) -> Fitted | None:
    """Encode of the clips that have an obstacle what differs, and lay out the splice; None where it can't be.

    `fetch` gives an input as a local file. Raises MediaError, OutOfTime, OperatorError.
    """
    model = can_fit(candidates, obstacles, work, deadline=deadline, ffmpeg=ffmpeg)
    if model is None:
        return None
    picture, sound = _target(model), _sound(_fitting(candidates, obstacles))
    paths: dict[int, Path] = {}
    plans: dict[int, InputPlan] = {}
    for index, why in enumerate(obstacles):
        if str(why):
            paths[index] = fetch(index)
            clip = PlannedInput(candidates[index].name, probe(paths[index], ffmpeg))
            refuse_unfit(clip)
            plans[index] = plan_input(clip, picture, [*why.picture])
    encoded = [plan.frames * picture.frame for plan in plans.values() if plan.treatment == "re-encoded"]
    budget = TimeBudget(deadline, sum(encoded, Fraction(0)))
    done = Fraction(0)
    replaced = list(candidates)
    opened: list[LocalFile] = []
    for index, plan in plans.items():
        stem = work / f"fitted-{index:04}"
        if plan.treatment == "re-encoded":
            share = plan.frames * picture.frame / budget.seconds
            tell = partial(_part_of, (on_progress, budget.progress), float(done), float(share))
            made = _encoded(plan, paths[index], picture, sound, stem, tell, deadline, ffmpeg)
            done += share
        else:
            made = _with_new_sound(plan, paths[index], sound, stem, deadline, ffmpeg)
        opened.append(LocalFile(made))
        replaced[index] = read_candidates([(candidates[index].name, opened[-1])])[0]
    splice = plan_splice(replaced)
    copies = [index for index, plan in plans.items() if plan.treatment == "copied"]
    if not isinstance(splice, Splice) or not all(_same_picture(candidates[i].clip, replaced[i].clip) for i in copies):
        for file in opened:
            file.close()
        return None
    return Fitted(splice, {index: obstacles[index] for index in plans}, tuple(opened))


def _same_picture(before: Clip | None, after: Clip | None) -> bool:
    """Whether copying left a picture what it was: the same packets at the same times."""
    if before is None or after is None or not np.array_equal(before.picture.sizes, after.picture.sizes):
        return False
    moved = (after.picture.start - after.start) - (before.picture.start - before.start)
    longer = (after.picture.end - after.picture.start) - (before.picture.end - before.picture.start)
    return abs(moved) < _CLOSE and abs(longer) < _CLOSE


def _part_of(hearers: Sequence[Callable[[float], None]], begin: float, share: float, fraction: float) -> None:
    for hear in hearers:
        hear(begin + share * fraction)


def _target(model: Clip) -> Picture:
    entry, span = model.video.entry, model.picture
    assert isinstance(entry, VideoEntry)
    rate = Fraction(len(span.dts)) / (span.end - span.start)
    return Picture(entry.width, entry.height, snap_frame_rate(rate))


def _can_be_encoded_like(model: Clip, work: Path, deadline: float | None, ffmpeg: str) -> bool:
    entry = model.video.entry
    assert isinstance(entry, VideoEntry)
    if entry.codec != "h264" or entry.width % 2 or entry.height % 2 or entry.pixel_aspect != 1:
        return False
    return encoder_entry(_target(model), work, deadline=deadline, ffmpeg=ffmpeg) == entry.canonical


@dataclass(frozen=True, slots=True)
class _Sound:
    """What sound is encoded to: samples per second, and channels."""

    rate: int
    channels: int

    def encoder(self) -> list[str]:
        return [*audio_encoder(), "-ar", str(self.rate), "-ac", str(self.channels)]


def _sound(clips: Sequence[Clip]) -> _Sound:
    """That of the clips that stay as they are; the house's where none has sound."""
    for clip in clips:
        if clip.audio is not None and isinstance(clip.audio.entry, AudioEntry):
            return _Sound(clip.audio.entry.sample_rate, clip.audio.entry.channels)
    return _Sound(SAMPLE_RATE, CHANNELS)


def _encoded(
    plan: InputPlan,
    source: Path,
    picture: Picture,
    sound: _Sound,
    stem: Path,
    tell: Callable[[float], None],
    deadline: float | None,
    ffmpeg: str,
) -> Path:
    """A clip with its picture and its sound encoded, the sound exactly as long as the picture."""
    part = make_part(plan, source, picture, stem, on_progress=tell, deadline=deadline, ffmpeg=ffmpeg)
    if part.sound is None:
        return part.picture
    length = plan.frames * picture.frame
    with part.sound.open("r+b") as pcm:
        pcm.truncate(round(length * SAMPLE_RATE) * SAMPLE_BYTES)
    made = part.picture.with_suffix(".whole.mp4")
    heard = ["-f", "f32le", "-ar", str(SAMPLE_RATE), "-ac", str(CHANNELS), "-i", f"file:{part.sound}"]
    inputs = ["-i", f"file:{part.picture}", *heard, "-map", "0:v:0", "-c:v", "copy", "-map", "1:a:0", *sound.encoder()]
    run_ffmpeg([*inputs, *muxer(picture.frame_rate), str(made)], deadline=deadline, ffmpeg=ffmpeg)
    part.sound.unlink()
    part.picture.unlink()
    return made


def _with_new_sound(
    plan: InputPlan, source: Path, sound: _Sound, stem: Path, deadline: float | None, ffmpeg: str
) -> Path:
    """A clip with its picture as it is and its sound encoded."""
    video, audio = plan.info.video, plan.info.audio
    assert video is not None
    assert audio is not None
    made = stem.with_suffix(".mp4")
    own = ["-copyts", "-i", f"file:{source}"]
    shift = f"setts=pts=PTS-({plan.origin})/TB:dts=DTS-({plan.origin})/TB"
    picture = ["-map", f"0:v:{video.stream}", "-c:v", "copy", *(("-bsf:v", shift) if plan.origin else ())]
    filters = audio_filters(audio, origin=plan.origin)
    end = video.start + video.duration
    if audio.start + audio.duration <= end + _PADDING:
        filters += f",atrim=end={float(end - plan.origin):.6f}"
    heard = ["-map", f"0:a:{audio.stream}", "-af", filters, *sound.encoder()]
    form = [*muxer(video.frame_rate), "-video_track_timescale", str(video.timescale)]
    run_ffmpeg([*own, *picture, *heard, *form, str(made)], deadline=deadline, ffmpeg=ffmpeg)
    return made

"""Makes the inputs that differ like the others, so that all can be spliced: only these are fetched and encoded.

That works where the others are encoded as our own encoder encodes: a re-encoded clip must have the very sample entry of
those beside it. Whether it does is found out by encoding one frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from video_production.media.clip_parts import SAMPLE_BYTES, Part, encoder_entry, make_part
from video_production.media.ffmpeg import run_ffmpeg
from video_production.media.join_plan import InputPlan, PlannedInput, listed, plan_input, refuse_unfit
from video_production.media.merge_result import MergeResult
from video_production.media.mp4.model import AudioEntry, VideoEntry
from video_production.media.mp4.source import LocalFile
from video_production.media.probe import probe
from video_production.media.profile import CHANNELS, SAMPLE_RATE, Picture, audio_encoder, muxer, snap_frame_rate
from video_production.media.splice.engine import Candidate, Splice, plan_splice, read_candidates
from video_production.media.splice.spans import Clip
from video_production.media.time_budget import TimeBudget

__all__ = ["Fitted", "can_fit", "fit_others", "reason_of_some"]

_REENCODED = " → re-encoded"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A splice in which some clips were encoded anew: `changed` maps their position to why.

    `opened` are the files that the splice reads from; close them when it is done. `fetched` counts the bytes that had
    to be fetched for it.
    """

    splice: Splice
    changed: dict[int, str]
    opened: tuple[LocalFile, ...]
    fetched: int

    def told(self, result: MergeResult) -> MergeResult:
        """The splice's result, saying which clips were encoded and why."""
        joins = tuple(
            replace(join, treatment="re-encoded", why=self.changed[index] + _REENCODED)
            if index in self.changed
            else join
            for index, join in enumerate(result.joins)
        )
        reason = reason_of_some([(join.name, join.why) for join in joins])
        return replace(result, joins=joins, reason=reason, method="reencode-some")


def reason_of_some(told: Sequence[tuple[str, str]]) -> str:
    """The reason of a merge in which some clips were re-encoded, from (name, what happened to it)."""
    changed = [f"{name} ({why.removesuffix(_REENCODED)})" for name, why in told if why.endswith(_REENCODED)]
    kept = [name for name, why in told if not why.endswith(_REENCODED)]
    return (
        f"{listed(changed)} {'was' if len(changed) == 1 else 'were'} re-encoded to fit the others; {listed(kept)} "
        f"{'was' if len(kept) == 1 else 'were'} copied without re-encoding."
    )


def can_fit(
    candidates: Sequence[Candidate], obstacles: Sequence[str], work: Path, *, deadline: float | None, ffmpeg: str
) -> Clip | None:
    """A clip without obstacle that the others can be encoded like; None where there is none."""
    fitting = (each.clip for each, why in zip(candidates, obstacles, strict=True) if each.clip is not None and not why)
    model = next(fitting, None)
    return model if model is not None and _can_be_encoded_like(model, work, deadline, ffmpeg) else None


def fit_others(
    candidates: Sequence[Candidate],
    obstacles: Sequence[str],
    fetch: Callable[[int], Path],
    work: Path,
    *,
    on_progress: Callable[[float], None],
    deadline: float | None,
    ffmpeg: str,
) -> Fitted | None:
    """Encode the clips that have an obstacle like those that have none, and lay out the splice; None where it can't be.

    `fetch` gives an input as a local file. Raises MediaError, OutOfTime, OperatorError.
    """
    model = can_fit(candidates, obstacles, work, deadline=deadline, ffmpeg=ffmpeg)
    if model is None:
        return None
    fitting = [each.clip for each, why in zip(candidates, obstacles, strict=True) if each.clip is not None and not why]
    picture, rate, channels = _target(model), *_sound(fitting)
    odd = [index for index, why in enumerate(obstacles) if why]
    plans: dict[int, InputPlan] = {}
    paths: dict[int, Path] = {}
    for index in odd:
        paths[index] = fetch(index)
        clip = PlannedInput(candidates[index].name, probe(paths[index], ffmpeg))
        refuse_unfit(clip)
        plans[index] = plan_input(clip, picture, [obstacles[index]])
    budget = TimeBudget(deadline, sum((plan.frames * picture.frame for plan in plans.values()), Fraction(0)))
    done = Fraction(0)
    replaced = list(candidates)
    opened: list[LocalFile] = []
    for index, plan in plans.items():
        share = plan.frames * picture.frame / budget.seconds
        part = make_part(
            plan,
            paths[index],
            picture,
            work / f"fitted-{index:04}",
            on_progress=partial(_part_of, (on_progress, budget.progress), float(done), float(share)),
            deadline=deadline,
            ffmpeg=ffmpeg,
        )
        made = _with_sound(part, plan, picture, rate, channels, deadline, ffmpeg)
        done += share
        opened.append(LocalFile(made))
        replaced[index] = read_candidates([(candidates[index].name, opened[-1])])[0]
    splice = plan_splice(replaced)
    if not isinstance(splice, Splice):
        for file in opened:
            file.close()
        return None
    fetched = sum(path.stat().st_size for path in paths.values())
    return Fitted(splice, {index: obstacles[index] for index in odd}, tuple(opened), fetched)


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


def _sound(clips: Sequence[Clip]) -> tuple[int, int]:
    """Sample rate and channels of the clips that stay as they are; the house's where none has sound."""
    for clip in clips:
        if clip.audio is not None and isinstance(clip.audio.entry, AudioEntry):
            return clip.audio.entry.sample_rate, clip.audio.entry.channels
    return SAMPLE_RATE, CHANNELS


def _with_sound(
    part: Part, plan: InputPlan, picture: Picture, rate: int, channels: int, deadline: float | None, ffmpeg: str
) -> Path:
    """The part's picture with its sound beside it, encoded, exactly as long as the picture."""
    if part.sound is None:
        return part.picture
    length = plan.frames * picture.frame
    with part.sound.open("r+b") as pcm:
        pcm.truncate(round(length * SAMPLE_RATE) * SAMPLE_BYTES)
    made = part.picture.with_suffix(".whole.mp4")
    sound = ["-f", "f32le", "-ar", str(SAMPLE_RATE), "-ac", str(CHANNELS), "-i", f"file:{part.sound}"]
    encoded = [*audio_encoder(), "-ar", str(rate), "-ac", str(channels)]
    inputs = ["-i", f"file:{part.picture}", *sound, "-map", "0:v:0", "-c:v", "copy", "-map", "1:a:0", *encoded]
    run_ffmpeg([*inputs, *muxer(picture.frame_rate), str(made)], deadline=deadline, ffmpeg=ffmpeg)
    part.sound.unlink()
    part.picture.unlink()
    return made

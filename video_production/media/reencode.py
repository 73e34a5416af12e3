"""Joins clips by re-encoding what does not fit, and proves it by decoding the whole result.

Every clip is made ready by itself (`clip_parts`): its picture copied or encoded into a file of its own, its sound
decoded. Then the pictures' packets follow each other on one exact grid of frames; the sound is laid out as PCM, each
clip at its absolute position, and encoded once. So nothing drifts, and a clip without sound is just silence.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

from video_production.errors import MediaError, OperatorError, VerificationFailed
from video_production.media.clip_parts import (
    SAMPLE_BYTES,
    Part,
    UnsafeToCopy,
    encoder_entry,
    make_part,
    why_unsafe,
)
from video_production.media.ffmpeg import run_ffmpeg
from video_production.media.join_plan import (
    JoinPlan,
    PlannedInput,
    choose_picture,
    plan_join,
    refuse_unfit,
)
from video_production.media.merge_result import Join, MergeResult, OnProgress
from video_production.media.probe import probe
from video_production.media.profile import CHANNELS, SAMPLE_RATE, audio_encoder, muxer
from video_production.media.verify import Verification, verify_video

__all__ = ["LocalClip", "reencode"]

LOUDNESS_STEP = 6.0
"""LU between neighbours from which on the listener is warned."""


@dataclass(frozen=True, slots=True)
class LocalClip:
    """One clip on disk: `name` is what people call it."""

    name: str
    path: Path


def reencode(
    inputs: Sequence[LocalClip],
    output: Path,
    work: Path,
    *,
    draft: bool = False,
    on_progress: OnProgress | None = None,
    deadline: float | None = None,
    ffmpeg: str = "ffmpeg",
) -> MergeResult:
    """Join `inputs` in order into the MP4 file `output`, which appears only once it has been verified.

    `work` is a folder for intermediate files (twice the result's size plus 2.8 GB per hour of sound); nothing stays
    there. `draft` marks the file as a draft in its metadata. `deadline` is a `time.monotonic()` value.
    Raises MediaError for inputs that can't be joined, OutOfTime, OperatorError (disk, FFmpeg) and VerificationFailed.
    """
    if not inputs:
        raise MediaError("There is nothing to merge: no clips were given.")
    with tempfile.TemporaryDirectory(prefix="merge-", dir=work) as folder:
        run = _Merge(inputs, Path(folder), draft, on_progress or _unheard, deadline, ffmpeg)
        try:
            result = run.run()
            _hand_over(run.joined, output)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise OperatorError(
                    "The disk is full, so the clips could not be merged. Free some space and run again."
                ) from error
            raise
        return result


def _hand_over(made: Path, output: Path) -> None:
    """Give the finished file its name in one step, so that nobody ever sees half of it."""
    try:
        made.replace(output)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = output.with_name(f".{output.name}.partial")
        try:
            shutil.copyfile(made, beside)
            beside.replace(output)
        finally:
            beside.unlink(missing_ok=True)


class _Merge:
    """One merge under way: what was read, what was found unsafe to copy, which clips are ready."""

    def __init__(
        self,
        inputs: Sequence[LocalClip],
        folder: Path,
        draft: bool,
        report: OnProgress,
        deadline: float | None,
        ffmpeg: str,
    ) -> None:
        self.joined = folder / "joined.mp4"
        self._inputs = inputs
        self._folder = folder
        self._draft = draft
        self._report = report
        self._deadline = deadline
        self._ffmpeg = ffmpeg
        self._planned: list[PlannedInput] = []
        self._unsafe: dict[int, str] = {}
        self._parts: dict[int, Part] = {}

    def run(self) -> MergeResult:
        self._read()
        picture = choose_picture(self._planned)
        entry = encoder_entry(picture, self._folder, deadline=self._deadline, ffmpeg=self._ffmpeg)
        while True:
            plan = plan_join(self._planned, encoder_entry=entry, unsafe=self._unsafe)
            try:
                self._make_parts(plan)
                self._join(plan)
                return self._result(plan, self._check(plan))
            except _PlanAgain:
                continue
            except VerificationFailed:
                if not self._doubt_copies(plan):
                    raise

    def _read(self) -> None:
        for index, source in enumerate(self._inputs):
            self._report("reading", index / len(self._inputs))
            clip = PlannedInput(source.name, probe(source.path, self._ffmpeg))
            refuse_unfit(clip)
            self._planned.append(clip)
            video = clip.info.video
            if video and video.codec == "h264" and video.sample_entry:
                why = why_unsafe(source.path, video.stream)
                if why is not None:
                    self._unsafe[index] = why
        self._report("reading", 1.0)

    def _make_parts(self, plan: JoinPlan) -> None:
        """Make every clip ready that is not yet, in the way that the plan wants."""
        for index, clip in enumerate(plan.inputs):
            ready = self._parts.get(index)
            if ready and ready.treatment == clip.treatment:
                continue
            begin, share = float(plan.start(index) / plan.duration), float(clip.frames / plan.frames)
            try:
                self._parts[index] = make_part(
                    clip,
                    self._inputs[index].path,
                    plan.picture,
                    self._folder / f"part-{index:04}",
                    on_progress=partial(self._report_encoding, begin, share),
                    deadline=self._deadline,
                    ffmpeg=self._ffmpeg,
                )
            except UnsafeToCopy as found:
                self._unsafe[index] = found.why
                raise _PlanAgain from found
        self._report("encoding", 1.0)
        if len({part.video.sample_entry for part in self._parts.values()}) > 1:
            if not self._doubt_copies(plan):
                raise VerificationFailed(
                    "The re-encoded clips differ in their codec settings, so they can't be joined."
                )
            raise _PlanAgain

    def _report_encoding(self, begin: float, share: float, done: float) -> None:
        self._report("encoding", begin + share * done)

    def _doubt_copies(self, plan: JoinPlan) -> bool:
        """Have every copied clip re-encoded in the next round; False when there is none."""
        copied = [index for index, clip in enumerate(plan.inputs) if clip.treatment == "copied"]
        self._unsafe.update(dict.fromkeys(copied, "its copied picture did not pass the check"))
        return bool(copied)

    def _join(self, plan: JoinPlan) -> None:
        """Put the packets of all pictures behind each other and the sound of all clips beside them."""
        sound = self._lay_out_sound(plan) if plan.has_audio else None
        pictures = ["-f", "concat", "-safe", "0", "-auto_convert", "0", "-i", f"file:{self._list_pictures(plan)}"]
        pcm = ["-f", "f32le", "-ar", str(SAMPLE_RATE), "-ac", str(CHANNELS), "-i", f"file:{sound}"] if sound else []
        picture = ["-map", "0:v:0", "-c:v", "copy", "-bsf:v", self._retiming(plan)]
        encoded = ["-map", "1:a:0", *audio_encoder()] if sound else []
        run_ffmpeg(
            [*pictures, *pcm, *picture, *encoded, *muxer(plan.picture.frame_rate, draft=self._draft), str(self.joined)],
            duration=float(plan.duration),
            on_progress=lambda fraction: self._report("joining", fraction),
            deadline=self._deadline,
            ffmpeg=self._ffmpeg,
        )
        if sound:
            sound.unlink()

    def _list_pictures(self, plan: JoinPlan) -> Path:
        """A list for FFmpeg's concat demuxer; durations are differences of rounded starts, so that they never drift."""
        starts = [round(plan.start(index) * 1_000_000) for index in range(len(plan.inputs))]
        starts.append(round(plan.duration * 1_000_000))
        lines = ["ffconcat version 1.0"]
        for index, (start, end) in enumerate(pairwise(starts)):
            lines += [f"file '{self._parts[index].picture.name}'", f"duration {end - start}us"]
        path = self._folder / "pictures.ffconcat"
        path.write_text("\n".join(lines) + "\n")
        return path

    def _retiming(self, plan: JoinPlan) -> str:
        """A bitstream filter that puts every packet on the exact grid of frames.

        Decoding times count packets, early by the deepest reordering of all clips: so they rise steadily however the
        clips' own structures differ.
        """
        ticks = plan.timescale / plan.picture.frame_rate
        videos = [part.video for part in self._parts.values()]
        depth = max(round(Fraction(video.reorder, video.timescale) * plan.picture.frame_rate) for video in videos)
        return f"setts=pts=round(PTS/{ticks})*{ticks}:dts=(N-{depth})*{ticks}"

    def _lay_out_sound(self, plan: JoinPlan) -> Path:
        """One PCM file in which every clip's sound begins at its absolute position and fills its span exactly."""
        path = self._folder / "sound.f32"
        with path.open("wb") as joined:
            for index in range(len(plan.inputs)):
                own = self._parts[index].sound
                if own is not None:
                    with own.open("rb") as file:
                        shutil.copyfileobj(file, joined, 1 << 20)
                end = plan.start_sample(index + 1) * SAMPLE_BYTES
                joined.flush()
                os.ftruncate(joined.fileno(), end)  # cuts what is too long, fills with silence what is too short
                joined.seek(end)
        return path

    def _check(self, plan: JoinPlan) -> Verification:
        self._report("checking", 0.0)
        checked = verify_video(
            self.joined,
            expected_frames=plan.frames,
            expected_duration=plan.duration,
            has_audio=plan.has_audio,
            joins=[plan.start(index) for index in range(1, len(plan.inputs))],
            ffmpeg=self._ffmpeg,
            deadline=self._deadline,
        )
        self._report("checking", 1.0)
        return checked

    def _result(self, plan: JoinPlan, verification: Verification) -> MergeResult:
        joins = tuple(
            Join(
                name=clip.name,
                start=float(plan.start(index)),
                duration=float(clip.frames * plan.picture.frame),
                treatment=clip.treatment,
                why=clip.why,
            )
            for index, clip in enumerate(plan.inputs)
        )
        return MergeResult(
            picture=plan.picture,
            method=plan.method,
            reason=plan.reason,
            duration=float(probe(self.joined, self._ffmpeg).duration),
            frames=verification.frames,
            joins=joins,
            verification=verification,
            warnings=(*plan.warnings, *self._heard_warnings(plan), *verification.warnings),
        )

    def _heard_warnings(self, plan: JoinPlan) -> list[str]:
        found = []
        for first, second in pairwise(range(len(plan.inputs))):
            before, after = self._parts[first].loudness, self._parts[second].loudness
            if before is not None and after is not None and abs(after - before) > LOUDNESS_STEP:
                word = "louder" if after > before else "quieter"
                found.append(
                    f"{plan.inputs[second].name} is {abs(after - before):.0f} LU {word} than {plan.inputs[first].name} "
                    "before it; bring them to the same loudness with mix-audio."
                )
        return found


def _unheard(stage: str, fraction: float) -> None:
    """Progress that nobody asked for."""


class _PlanAgain(Exception):
    """A clip can't be copied after all; the next plan knows."""

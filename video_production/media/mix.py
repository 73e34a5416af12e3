"""Mixing: a video or a still image, and a sound, become one video in the house profile.

Two FFmpeg runs: one decodes the added sound, to know its exact length and loudness; one makes the file, copying the
picture where it can be. The result is decoded again before it is handed over.
"""

from __future__ import annotations

import math
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from video_production.errors import MediaError, RequestError, VerificationFailed
from video_production.media.ffmpeg import broken_picture, broken_sound, run_ffmpeg, undecodable
from video_production.media.info import MediaInfo, VideoTrack
from video_production.media.loudness import FIRST_PASS, filter_for, parse, true_peak_limiter
from video_production.media.probe import probe
from video_production.media.profile import (
    SAMPLE_RATE,
    Picture,
    audio_encoder,
    audio_filters,
    display_size,
    muxer,
    snap_frame_rate,
    video_encoder,
    video_filters,
)
from video_production.media.stills import Still, is_still, read_still, still_filters, still_input, still_target
from video_production.media.verify import Verification, verify_video

__all__ = ["MixResult", "Mode", "OnProgress", "mix"]

Mode = Literal["replace", "overlay"]
OnProgress = Callable[[str, float], None]
"""Told the stage (a plain word) and how far it is, 0–1."""

MIX_CEILING = -1.0
"""dBTP that the sum of two sounds is held under, so that nothing clips; what is below passes unchanged."""

_HALF_FRAME = Fraction(512, SAMPLE_RATE)
"""Half an AAC frame: a sound that outlasts its picture by no more than this needs no held frame."""

_SAMPLES = re.compile(r"Number of samples: (\d+)")

_NOTED_SILENCE = 2.0
"""Seconds of silence after the added sound from which on people are told."""


@dataclass(frozen=True, slots=True)
class MixResult:
    """A finished mix. `duration` in seconds and `frames` as measured on the file, `size` in bytes.

    `picture` says whether the video packets were copied or encoded. `audio_offset` is where the added sound begins, in
    seconds from the start: captions of that sound are shifted by it. `notes` are sentences for the user.
    """

    duration: float
    frames: int
    size: int
    width: int
    height: int
    picture: Literal["copied", "encoded"]
    audio_offset: float
    notes: tuple[str, ...]
    verification: Verification


@dataclass(frozen=True, slots=True)
class _Sound:
    """One sound on its way into the mix: FFmpeg's name of its stream, its filters, its length in samples at 48 kHz."""

    stream: str
    filters: str
    samples: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the second run makes: `frames` pictures of `target` and `samples` of sound, which end together."""

    source: MediaInfo | Still
    target: Picture
    copied: bool
    frames: int
    samples: int

    @property
    def duration(self) -> Fraction:
        return Fraction(self.samples, SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class _Run:
    """What both FFmpeg runs need to know about the outside."""

    ffmpeg: str
    deadline: float | None
    on_progress: OnProgress

    def run(self, arguments: list[str], stage: str, duration: float, name: str) -> str:
        """`name` is the file that is decoded for the first time: the one at fault if any is."""
        try:
            return run_ffmpeg(
                arguments,
                duration=duration,
                on_progress=lambda fraction: self.on_progress(stage, fraction),
                deadline=self.deadline,
                ffmpeg=self.ffmpeg,
            )
        except MediaError as error:
            raise undecodable(name, error) from error


def mix(
    video: Path,
    audio: Path,
    output: Path,
    work: Path,
    *,
    mode: Mode,
    volume: float = 1.0,
    normalise_voice: bool,
    draft: bool = False,
    on_progress: OnProgress | None = None,
    deadline: float | None = None,
    ffmpeg: str = "ffmpeg",
) -> MixResult:
    """Put the sound of `audio` on `video` (a video or a still image) and write the result to `output`, an MP4 file.

    "replace" drops the clip's own sound, "overlay" keeps it. `volume` is the linear gain of the added sound, applied
    after a voice was brought to −16 LUFS. Nothing is cut: the longer input decides the length, the last frame is held
    or silence follows. A still is held for as long as the sound lasts. `work` is an existing folder for the file under
    way, on the disk of `output`, which appears once it is verified. `deadline` is a `time.monotonic()` value.

    Raises MediaError when an input can't be used, VerificationFailed when the result does not decode as planned, and
    what `run_ffmpeg` raises.
    """
    if not 0 <= volume < math.inf:
        raise RequestError(f"The volume is {volume}; it must be 0 (silent), 1 (unchanged) or another number from 0 on.")
    run = _Run(ffmpeg, deadline, on_progress or _quiet)
    source = _source(video, mode, run)
    notes: list[str] = []
    added = _added_sound(audio, volume, normalise_voice, run, notes)
    own = _own_sound(source)
    if isinstance(source, MediaInfo):
        notes += _left_out(source, "clip")
    if mode == "overlay" and own is None:
        notes.append(f"the {'image' if isinstance(source, Still) else 'clip'} has no sound of its own to keep")
    plan = _plan(source, added, own)
    with tempfile.TemporaryDirectory(prefix="mix-", dir=work) as folder:
        made = Path(folder) / "mixed.mp4"
        try:
            verification, damaged = _make(video, audio, made, plan, _sound_graph(added, own, plan, volume), draft, run)
        except VerificationFailed:
            if not plan.copied:
                raise
            # Its packets are not what the clip's header promised; a picture that we encode ourselves is.
            plan = _plan(source, added, own, may_copy=False)
            verification, damaged = _make(video, audio, made, plan, _sound_graph(added, own, plan, volume), draft, run)
        shutil.move(made, output)
    notes += _length_notes(source, added, plan)
    if damaged:
        notes.append("a sound is damaged in places: what could be decoded of it was used")
    return MixResult(
        duration=float(probe(output, ffmpeg).duration),
        frames=verification.frames,
        size=output.stat().st_size,
        width=plan.target.width,
        height=plan.target.height,
        picture="copied" if plan.copied else "encoded",
        audio_offset=0.0,
        notes=tuple(notes),
        verification=verification,
    )


def _quiet(stage: str, fraction: float) -> None:
    """Tells nobody."""


def _source(video: Path, mode: Mode, run: _Run) -> MediaInfo | Still:
    """The still, or the clip with what will be used of it: without its sound where that is replaced."""
    if is_still(video):
        return read_still(video, ffmpeg=run.ffmpeg, deadline=run.deadline)
    info = probe(video, run.ffmpeg)
    if info.video is None:
        raise MediaError(f"{video.name} has no picture. Give a video or an image as the mix's video.")
    return replace(info, audio=None, dropped_audio=0) if mode == "replace" else info


def _left_out(info: MediaInfo, owner: str) -> list[str]:
    """Names the sound tracks that are not used: of each file only the default one is."""
    return [f"further sound tracks of the {owner} left out: {info.dropped_audio}"] if info.dropped_audio else []


def _added_sound(audio: Path, volume: float, normalise_voice: bool, run: _Run, notes: list[str]) -> _Sound:
    """Decode the added sound once: its exact length, and the correction of its loudness."""
    info = probe(audio, run.ffmpeg)
    if info.audio is None:
        raise MediaError(f"{audio.name} has no sound. Give an audio file as the mix's audio.")
    notes += _left_out(info, "added sound")
    # Whatever time its first sample bears, the sound begins at 0, without the silence that an MP3 does not declare.
    stream = f"a:{info.audio.stream}"
    filters = f"atrim=start_sample={info.audio.priming},asetpts=PTS-STARTPTS,{audio_filters(info.audio)}"
    meter = "astats=measure_perchannel=none:measure_overall=Number_of_samples"
    if normalise_voice:
        meter += f",{FIRST_PASS}"
    arguments = ["-i", f"file:{audio}", "-map", f"0:{stream}", "-af", f"{filters},{meter}", "-f", "null", "-"]
    messages = run.run(arguments, "measuring", float(info.duration), audio.name)
    if broken_picture(messages):
        raise MediaError(f"{audio.name} is damaged: parts of the file are missing. Fetch or export it again.")
    counted = _SAMPLES.search(messages)
    if counted is None or int(counted[1]) == 0:
        raise MediaError(f"{audio.name} holds no sound: not one sample could be decoded. Export it again.")
    if normalise_voice:
        measured = parse(messages)
        filters = f"{filters},{filter_for(measured)}"
        if measured.silent:
            notes.append("the voice is silent, or too short or faint to have a loudness: its level was left as it is")
    if volume != 1:
        filters = f"{filters},volume={volume:.6f}"
    return _Sound(f"1:{stream}", filters, int(counted[1]))


def _own_sound(source: MediaInfo | Still) -> _Sound | None:
    """The sound of the clip that is kept."""
    if isinstance(source, Still) or source.audio is None:
        return None
    end = source.audio.start + source.audio.duration - _origin(source)
    filters = audio_filters(source.audio, origin=_origin(source))
    return _Sound(f"0:a:{source.audio.stream}", filters, math.ceil(end * SAMPLE_RATE))


def _plan(source: MediaInfo | Still, added: _Sound, own: _Sound | None, *, may_copy: bool = True) -> _Plan:
    """How many frames and samples the result has: as many as the longer input, and both ending together."""
    sound = max(added.samples, own.samples if own else 0)
    length = Fraction(sound, SAMPLE_RATE)
    if isinstance(source, Still):
        target = still_target(source)
        shown = 1
    else:
        picture = _picture(source)
        ends = picture.start + picture.duration - _origin(source)
        if may_copy and length <= ends + _HALF_FRAME and _copyable(source):
            target = Picture(picture.width, picture.height, picture.frame_rate)
            return _Plan(source, target, True, picture.frames, max(sound, round(ends * SAMPLE_RATE)))
        target = Picture(*display_size(picture), snap_frame_rate(picture.frame_rate))
        shown = max(1, round(ends * target.frame_rate))
    frames = max(shown, math.ceil(length * target.frame_rate))
    return _Plan(source, target, False, frames, round(frames / target.frame_rate * SAMPLE_RATE))


def _picture(source: MediaInfo) -> VideoTrack:
    assert source.video is not None  # checked before anything is planned
    return source.video


def _origin(source: MediaInfo) -> Fraction:
    """The moment on the clip's own timeline (seconds) that becomes the start: that of its earliest track in use."""
    if source.audio is None:
        return _picture(source).start
    return min(_picture(source).start, source.audio.start) if source.container == "mp4" else Fraction(0)


def _copyable(source: MediaInfo) -> bool:
    """Whether the picture can be taken over packet by packet: plain H.264 in an MP4 that every player shows alike."""
    picture = _picture(source)
    return (
        source.container == "mp4"
        and picture.sample_entry[4:8] == b"avc1"
        and picture.pixel_format == "yuv420p"
        and (picture.width % 2, picture.height % 2) == (0, 0)
        and not (picture.rotation or picture.mirrored or picture.interlaced)
        and picture.pixel_aspect == 1
        and picture.constant_rate
        and picture.starts_with_key
        and picture.start == _origin(source) == 0
        and abs(picture.duration - picture.frames / picture.frame_rate) <= 1 / picture.frame_rate / 2
    )


def _sound_graph(added: _Sound, own: _Sound | None, plan: _Plan, volume: float) -> str:
    """The filters that end in `[sound]`: exactly `plan.samples` samples, the first one at 0."""
    limiter = true_peak_limiter(MIX_CEILING)
    fitted = f"apad=whole_len={plan.samples},atrim=end_sample={plan.samples}[sound]"
    if own is None:
        # Without a second sound nothing can clip that did not clip before, unless it was made louder.
        return ",".join([f"[{added.stream}]{added.filters}", *([limiter] if volume > 1 else []), fitted])
    both = f"[{own.stream}]{own.filters}[own];[{added.stream}]{added.filters}[added];[own][added]"
    return f"{both}amix=inputs=2:normalize=0:duration=longest,{limiter},{fitted}"


def _make(
    video: Path, audio: Path, made: Path, plan: _Plan, sound_graph: str, draft: bool, run: _Run
) -> tuple[Verification, bool]:
    """The second run, and the check of what it made. Also whether a sound turned out to be damaged."""
    graph = [sound_graph]
    picture = ["-map", "[picture]", *video_encoder(plan.target)]
    if isinstance(plan.source, Still):
        inputs = still_input(plan.source)
        graph.append(f"[0:v:0]{still_filters(plan.source, plan.target, plan.frames)}[picture]")
    else:
        # MP4 files keep their own timeline, which the plan counts in; all others FFmpeg moves to 0.
        inputs = [*(["-copyts"] if plan.source.container == "mp4" else []), "-i", f"file:{video}"]
        track = _picture(plan.source)
        if plan.copied:
            picture = ["-map", f"0:v:{track.stream}", "-c:v", "copy"]
        else:
            origin = _origin(plan.source)
            shift = f"setpts=PTS-({origin})/TB," if origin else ""
            held = f"tpad=stop=-1:stop_mode=clone,trim=end_frame={plan.frames}"
            graph.append(f"[0:v:{track.stream}]{shift}{video_filters(track, plan.target)},{held}[picture]")
    arguments = [
        *(*inputs, "-i", f"file:{audio}", "-filter_complex", ";".join(graph)),
        *(*picture, "-map", "[sound]", *audio_encoder(), *muxer(plan.target.frame_rate, draft=draft), f"file:{made}"),
    ]
    messages = run.run(arguments, "encoding", float(plan.duration), video.name)
    if broken_picture(messages):
        raise MediaError(
            f"{video.name} is damaged: parts of it could not be decoded, so the result would be broken there. "
            "Fetch or export it again."
        )
    run.on_progress("checking", 0.0)
    verification = verify_video(
        made,
        expected_frames=plan.frames,
        expected_duration=plan.duration,
        has_audio=True,
        sample_rate=SAMPLE_RATE,
        ffmpeg=run.ffmpeg,
        deadline=run.deadline,
    )
    run.on_progress("checking", 1.0)
    return verification, broken_sound(messages)


def _length_notes(source: MediaInfo | Still, added: _Sound, plan: _Plan) -> list[str]:
    """What was done about inputs of different length, where a viewer would notice."""
    notes: list[str] = []
    silence = float(plan.duration - Fraction(added.samples, SAMPLE_RATE))
    if silence >= _NOTED_SILENCE:
        notes.append(f"the added sound ends {silence:.1f} s before the picture")
    if isinstance(source, Still):
        if plan.target.width < source.width:
            notes.append(f"the image was scaled from {source.width}×{source.height} down to 4K")
        return notes
    picture = _picture(source)
    held = float(plan.duration - (picture.start + picture.duration - _origin(source)))
    if held >= 0.1:
        notes.append(f"the last frame is held for {held:.1f} s because the sound is longer")
    return notes

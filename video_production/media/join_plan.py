"""Decides, before anything is encoded, how clips are joined: what they become, which are copied and why.

Pure: it looks at what probing told and touches no file. A clip's picture is copied only when that is provably safe; the
sound is always decoded, fitted to its clip's span and encoded once. Further methods of joining slot in as functions
beside `_reencode_method`, tried first.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, TypeVar

from video_production.errors import MediaError
from video_production.media.info import MediaInfo, VideoTrack
from video_production.media.profile import (
    FRAME_RATES,
    SAMPLE_RATE,
    Picture,
    display_size,
    is_hdr,
    snap_frame_rate,
    track_timescale,
)

__all__ = [
    "InputPlan",
    "JoinPlan",
    "Method",
    "PlannedInput",
    "Treatment",
    "choose_picture",
    "listed",
    "plan_input",
    "plan_join",
    "refuse_unfit",
]

Method = Literal["splice", "splice-inband", "reencode-some", "reencode-all"]
Treatment = Literal["copied", "re-encoded"]
Value = TypeVar("Value", bound=Hashable)

_STILL_CODECS = {"png", "apng", "mjpeg", "bmp", "gif", "webp", "tiff", "jpegxl", "jpeg2000", "ppm", "pgm", "psd", "svg"}
_MOST_SOUND_CUT = Fraction(1, 20)
"""Seconds of sound after the last frame that count as the encoder's padding; with low frame rates this is the limit."""
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class PlannedInput:
    """One clip in playing order: its name for people, and what probing told."""

    name: str
    info: MediaInfo


@dataclass(frozen=True, slots=True)
class InputPlan:
    """What happens to one clip.

    `why` says it in plain words. `origin` is the moment on the clip's own timeline (seconds) that becomes its start in
    the result, `frames` the number of frames it has there, `start_frame` the number of frames before it.
    """

    name: str
    info: MediaInfo
    treatment: Treatment
    why: str
    differences: tuple[str, ...]
    origin: Fraction
    frames: int
    start_frame: int = 0


@dataclass(frozen=True, slots=True)
class JoinPlan:
    """How clips are joined: `method` and `reason` as the merger answers them; `picture` is what the clips become."""

    picture: Picture
    method: Method
    reason: str
    inputs: tuple[InputPlan, ...]
    has_audio: bool
    warnings: tuple[str, ...]

    @property
    def frames(self) -> int:
        return sum(clip.frames for clip in self.inputs)

    @property
    def duration(self) -> Fraction:
        """Seconds."""
        return self.frames * self.picture.frame

    @property
    def timescale(self) -> int:
        """Ticks per second of the picture."""
        return track_timescale(self.picture.frame_rate)

    def start(self, index: int) -> Fraction:
        """When clip `index` starts in the result, in seconds."""
        return self.inputs[index].start_frame * self.picture.frame

    def start_sample(self, index: int) -> int:
        """The first sample of clip `index` in the joined sound; `index` may be one past the last clip, for the end.

        Counted from the start of the result, so that rounding never adds up.
        """
        start = self.duration if index == len(self.inputs) else self.start(index)
        return round(start * SAMPLE_RATE)


def plan_join(
    inputs: Sequence[PlannedInput],
    *,
    encoder_entry: bytes | None = None,
    unsafe: Mapping[int, str] | None = None,
) -> JoinPlan:
    """Plan the joining of `inputs` in their order.

    `encoder_entry` is the sample entry that our encoder writes for `choose_picture(inputs)`: only clips with the same
    one can stand beside a re-encoded clip. None: assume that it equals the entry of most seconds. `unsafe` tells of
    clips (by position) whose picture must not be copied, and why, found out by looking into their packets.
    Raises MediaError for an input that is not a clip.
    """
    for clip in inputs:
        refuse_unfit(clip)
    picture = choose_picture(inputs)
    obstacles = [
        [*_obstacles(clip.info, picture), *([unsafe[index]] if unsafe and index in unsafe else [])]
        for index, clip in enumerate(inputs)
    ]
    safe = [clip.info for clip, found in zip(inputs, obstacles, strict=True) if not found]
    entry = _majority(safe, lambda info: _video(info).sample_entry) if safe else b""
    alone = len(safe) == len(inputs) and all(_video(info).sample_entry == entry for info in safe)
    if encoder_entry is not None and not alone:
        entry = encoder_entry

    plans: list[InputPlan] = []
    for clip, found in zip(inputs, obstacles, strict=True):
        if not found and _video(clip.info).sample_entry != entry:
            found.append("encoded with other settings")
        plans.append(plan_input(clip, picture, found, before=sum(plan.frames for plan in plans)))
    if any(clip.info.audio for clip in inputs):
        plans = [_with_silence(plan) for plan in plans]
    method, reason = _reencode_method(plans, picture)
    return JoinPlan(
        picture=picture,
        method=method,
        reason=reason,
        inputs=tuple(plans),
        has_audio=any(clip.info.audio for clip in inputs),
        warnings=tuple(_warnings(inputs)),
    )


def refuse_unfit(clip: PlannedInput) -> None:
    """Raise MediaError, saying what to use instead, when an input is not a video clip."""
    video = clip.info.video
    if video is None:
        raise MediaError(
            f"{clip.name} has no picture, so it can't be merged with videos. "
            "Put the sound under a picture with mix-audio first."
        )
    if clip.info.container == "other" and video.codec in _STILL_CODECS and video.frames <= 1:
        raise MediaError(
            f"{clip.name} is a still picture, so it can't be merged with videos. "
            "Give it sound and a length with mix-audio first."
        )
    if not video.frames or not video.width or not video.height or video.duration <= 0:
        raise MediaError(f"{clip.name} holds no frames of its picture. Export the clip again.")


def choose_picture(inputs: Sequence[PlannedInput]) -> Picture:
    """Size and frame rate of the result: of each, the value that covers most seconds; a tie goes to the first input.

    (But a slide show of one frame per second never makes the clips beside it jerk.)
    """
    infos = [clip.info for clip in inputs]
    width, height = _majority(infos, lambda info: display_size(_video(info)))
    return Picture(width, height, _choose_rate(infos))


def _choose_rate(infos: Sequence[MediaInfo]) -> Fraction:
    """A rate below every house rate is kept only where all clips have it.

    Others would lose their motion to it, and rounding their length to its long frames would cut or stretch them.
    """
    smooth = [info for info in infos if _frame_rate(info) >= FRAME_RATES[0]]
    if smooth or len({_frame_rate(info) for info in infos}) == 1:
        return _majority(smooth or infos, _frame_rate)
    return FRAME_RATES[0]


def _video(info: MediaInfo) -> VideoTrack:
    if info.video is None:
        raise MediaError("An input has no picture.")
    return info.video


def _majority(infos: Sequence[MediaInfo], value: Callable[[MediaInfo], Value]) -> Value:
    seconds: dict[Value, Fraction] = {}
    for info in infos:
        seconds[value(info)] = seconds.get(value(info), Fraction(0)) + info.duration
    return max(seconds, key=lambda candidate: seconds[candidate])  # the first of equals: dicts keep their order


def _frame_rate(info: MediaInfo) -> Fraction:
    """The rate that a clip votes for: its own where its picture could be copied, else the nearest house rate."""
    video = _video(info)
    return _rate(video) if not _own_obstacles(info) else snap_frame_rate(video.frame_rate)


def _rate(video: VideoTrack) -> Fraction:
    """The clip's frame rate, freed of its timescale's rounding: a house rate when its frames lie on that grid."""
    house = snap_frame_rate(video.frame_rate)
    drift = abs((video.frames - 1) * (1 / video.frame_rate - 1 / house))
    on_grid = video.constant_rate and video.timescale and drift <= Fraction(3, 2 * video.timescale)
    return house if on_grid else video.frame_rate


def _origin(info: MediaInfo) -> Fraction:
    """The clip's start on its own timeline: that of its earliest track."""
    video = _video(info)
    return min(video.start, info.audio.start) if info.audio else video.start


def _own_obstacles(info: MediaInfo) -> list[str]:
    """Why a clip's picture can't be copied, whatever it is joined with; empty when nothing speaks against it."""
    video = _video(info)
    half_frame = 1 / _rate(video) / 2
    found: list[str] = []
    if video.codec != "h264":
        found.append(_codec_name(video.codec))
    elif info.container != "mp4" or video.sample_entry[4:8] != b"avc1":
        found.append("not in an MP4 file" if info.container != "mp4" else "parameters inside the stream")
    elif len(video.sample_entry) != int.from_bytes(video.sample_entry[:4], "big"):
        found.append("codec settings change within the file")
    if video.rotation:
        found.append("rotated")
    if video.mirrored:
        found.append("mirrored")
    if video.interlaced:
        found.append("interlaced")
    if video.pixel_aspect != 1:
        found.append("non-square pixels")
    if is_hdr(video):
        found.append("HDR")
    if not video.constant_rate:
        found.append("variable frame rate")
    elif abs(video.duration - video.frames / _rate(video)) > half_frame:
        found.append("last frame held")
    if not video.starts_with_key:
        found.append("cut inside a group of pictures")
    if video.start - _origin(info) >= half_frame:
        found.append("picture starts late")
    if _sound_overhang(info) > 0:
        found.append(f"sound {float(_sound_overhang(info)):.2g} s longer than the picture, last frame held")
    return found


def _obstacles(info: MediaInfo, picture: Picture) -> list[str]:
    """Why a clip's picture can't be copied into a result of size and rate `picture`."""
    video = _video(info)
    size = display_size(video)
    found: list[str] = []
    if size != (picture.width, picture.height):
        found.append(f"{size[0]}×{size[1]}")
    elif not video.rotation and (video.width, video.height) != size and video.pixel_aspect == 1:
        found.append(f"odd size {video.width}×{video.height}")
    own = _own_obstacles(info)
    if _rate(video) != picture.frame_rate and "variable frame rate" not in own:
        own.append(f"{_decimal(_rate(video))} fps")
    return found + own


def _sound_overhang(info: MediaInfo) -> Fraction:
    """Seconds by which the sound outlasts the picture, 0 where it is no more than an encoder's padding."""
    video, audio = _video(info), info.audio
    if audio is None:
        return Fraction(0)
    overhang = audio.start + audio.duration - (video.start + video.duration)
    return overhang if overhang > min(1 / _rate(video), _MOST_SOUND_CUT) else Fraction(0)


def plan_input(clip: PlannedInput, picture: Picture, obstacles: list[str], *, before: int = 0) -> InputPlan:
    """What happens to one clip in a result of size and rate `picture`; re-encoded where there are `obstacles`."""
    video, origin = _video(clip.info), _origin(clip.info)
    differences = [*obstacles, *_sound_differences(clip.info)]
    plan = InputPlan(
        name=clip.name,
        info=clip.info,
        treatment="copied",
        why="copied without re-encoding",
        differences=tuple(differences),
        origin=origin,
        frames=video.frames,
        start_frame=before,
    )
    if not obstacles:
        return plan
    span = video.start - origin + video.duration + _sound_overhang(clip.info)
    return replace(
        plan,
        treatment="re-encoded",
        why=f"{', '.join(differences)} → re-encoded",
        frames=max(1, round(span * picture.frame_rate)),
    )


def _with_silence(plan: InputPlan) -> InputPlan:
    """Say that silence stands in for the sound that a clip lacks."""
    if plan.info.audio is not None:
        return plan
    if plan.treatment == "copied":
        return replace(plan, why="no sound → silence added, picture copied without re-encoding")
    return replace(plan, why=plan.why.replace(" → re-encoded", ", no sound → re-encoded, silence added"))


def _sound_differences(info: MediaInfo) -> list[str]:
    """What is unlike the house's sound; it is encoded anew in any case, so this only explains."""
    if info.audio is None:
        return []
    found = []
    if info.audio.sample_rate != SAMPLE_RATE:
        found.append(f"{_decimal(Fraction(info.audio.sample_rate, 1000))} kHz")
    if info.audio.channels != 2:
        found.append("mono" if info.audio.channels == 1 else f"{info.audio.channels} channels")
    return found


def _reencode_method(plans: Sequence[InputPlan], picture: Picture) -> tuple[Method, str]:
    copied = [plan.name for plan in plans if plan.treatment == "copied"]
    changed = [f"{plan.name} ({', '.join(plan.differences)})" for plan in plans if plan.treatment == "re-encoded"]
    sound = " and the sound was encoded once" if any(plan.info.audio for plan in plans) else ""
    if not changed:
        return "reencode-some", f"All pictures fit together, so they were copied without re-encoding{sound}."
    if not copied:
        form = f"{picture.width}×{picture.height} at {_decimal(picture.frame_rate)} fps"
        return "reencode-all", f"No picture could be copied, so all became {form}: {listed(changed)}."
    were = "was" if len(changed) == 1 else "were"
    rest = f"{listed(copied)} {'was' if len(copied) == 1 else 'were'} copied without re-encoding"
    return "reencode-some", f"{listed(changed)} {were} re-encoded to fit the others; {rest}{sound}."


def _warnings(inputs: Sequence[PlannedInput]) -> list[str]:
    found = []
    for clip in inputs:
        if count := clip.info.dropped_audio:
            tracks = "1 further sound track was" if count == 1 else f"{count} further sound tracks were"
            found.append(f"{clip.name}: {tracks} left out; only the default one is used.")
        if is_hdr(_video(clip.info)):
            found.append(f"{clip.name} is HDR; its colours were converted to standard range.")
    return found


def _codec_name(codec: str) -> str:
    names = {"hevc": "HEVC", "vp9": "VP9", "vp8": "VP8", "av1": "AV1", "prores": "ProRes", "mpeg4": "MPEG-4"}
    return names.get(codec, codec.upper())


def _decimal(value: Fraction) -> str:
    return f"{float(value):.3f}".rstrip("0").rstrip(".") if value.denominator != 1001 else f"{float(value):.2f}"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`, shortened when there are many."""
    shown = list(names)
    if len(shown) > _MOST_NAMED:
        shown = [*shown[: _MOST_NAMED - 1], f"{len(names) - _MOST_NAMED + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"

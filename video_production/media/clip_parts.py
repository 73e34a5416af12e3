"""One clip of a join, made ready: its picture as a file whose packets can be joined, its sound as PCM.

Everything is read once per clip: one FFmpeg run copies or encodes the picture, decodes the sound and measures its
loudness. Sound is 32-bit float, little-endian, stereo, 48 kHz.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from video_production.errors import MediaError
from video_production.media.ffmpeg import broken_picture, broken_sound, run_ffmpeg, undecodable
from video_production.media.info import VideoTrack
from video_production.media.join_plan import InputPlan, Treatment
from video_production.media.mp4 import LocalFile, VideoEntry, read_movie
from video_production.media.probe import probe
from video_production.media.profile import Picture, audio_filters, muxer, video_encoder, video_filters

__all__ = ["SAMPLE_BYTES", "Part", "UnsafeToCopy", "encoder_entry", "make_part", "why_unsafe"]

SAMPLE_BYTES = 8
"""Bytes of one stereo sample."""

_LOUDNESS = re.compile(r"^ +I: +(-?\d+\.\d) LUFS", re.MULTILINE)
_SILENCE = -60.0
_NAL_OF_PICTURES = range(1, 6)
_NAL_OF_PARAMETERS = (7, 8)
_IDR = 5
_NO_IDR = "does not start with an independent frame"


class UnsafeToCopy(Exception):
    """A clip's picture turned out not to be copyable. `why` in plain words; never leaves the merge."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Part:
    """One clip, ready to be joined.

    `picture` is an MP4 file with the picture alone, `video` what probing tells of it; `sound` is PCM (None: no sound).
    `loudness` is in LUFS, None where nothing is heard.
    """

    treatment: Treatment
    picture: Path
    video: VideoTrack
    sound: Path | None
    loudness: float | None


def make_part(
    plan: InputPlan,
    source: Path,
    target: Picture,
    stem: Path,
    *,
    on_progress: Callable[[float], None],
    deadline: float | None,
    ffmpeg: str,
) -> Part:
    """Make one clip ready; its files are `stem` with a suffix.

    Raises UnsafeToCopy when a copy did not come out as planned, MediaError when the clip can't be decoded whole.
    """
    picture, sound = stem.with_suffix(".mp4"), stem.with_suffix(".f32")
    arguments = [*_input_arguments(plan, source), *_picture_arguments(plan, target), str(picture)]
    if plan.info.audio:
        chain = f"{audio_filters(plan.info.audio, origin=plan.origin)},ebur128=framelog=quiet"
        arguments += ["-map", f"0:a:{plan.info.audio.stream}", "-af", chain, "-f", "f32le", str(sound)]
    try:
        messages = run_ffmpeg(
            arguments,
            duration=float(plan.frames * target.frame),
            on_progress=on_progress,
            deadline=deadline,
            ffmpeg=ffmpeg,
        )
    except MediaError as error:
        raise undecodable(plan.name, error) from error
    if broken_picture(messages) or broken_sound(messages):
        raise MediaError(
            f"{plan.name} is damaged: parts of it could not be decoded, so the result would be broken there. "
            "Fetch or export it again."
        )
    video = _made_picture(picture, ffmpeg)
    if video is None or video.frames != plan.frames:
        found = video.frames if video else 0
        if plan.treatment == "copied":
            raise UnsafeToCopy("its packets are not its frames")
        raise MediaError(
            f"{plan.name} gave {found} frames instead of {plan.frames}. The file is damaged; export it again."
        )
    if plan.treatment == "copied" and plan.info.video and video.sample_entry != plan.info.video.sample_entry:
        raise UnsafeToCopy("its codec settings change within the file")
    return Part(
        treatment=plan.treatment,
        picture=picture,
        video=video,
        sound=sound if plan.info.audio else None,
        loudness=_loudness(messages) if plan.info.audio else None,
    )


def _made_picture(path: Path, ffmpeg: str) -> VideoTrack | None:
    """What FFmpeg made of a clip's picture; None where it met nothing to decode, which it calls a success."""
    try:
        return probe(path, ffmpeg).video
    except MediaError:
        return None


def _input_arguments(plan: InputPlan, source: Path) -> list[str]:
    """MP4 files keep their own timeline; others begin at 0, as they did for probing. `origin` counts from there."""
    own_timeline = ["-copyts"] if plan.info.container == "mp4" else []
    return [*own_timeline, "-i", f"file:{source}"]


def _picture_arguments(plan: InputPlan, target: Picture) -> list[str]:
    assert plan.info.video is not None
    output = [*muxer(target.frame_rate), "-map", f"0:v:{plan.info.video.stream}"]
    if plan.treatment == "copied":
        return [*output, "-c:v", "copy"]
    shift = f"setpts=PTS-({plan.origin})/TB," if plan.origin else ""
    # The last frame is held for as long as the plan wants: frames never vanish at the end, sound may outlast them.
    chain = f"{shift}{video_filters(plan.info.video, target)},tpad=stop_mode=clone:stop=-1"
    return [*output, "-vf", chain, "-frames:v", str(plan.frames), *video_encoder(target)]


def _loudness(messages: str) -> float | None:
    values = [float(value) for value in _LOUDNESS.findall(messages)]
    return values[-1] if values and values[-1] > _SILENCE else None


def encoder_entry(target: Picture, folder: Path, *, deadline: float | None, ffmpeg: str) -> bytes:
    """The sample entry that our encoder writes for `target`, found by encoding one frame."""
    path = folder / "entry.mp4"
    source = f"color=black:size={target.width}x{target.height}:rate={target.frame_rate}"
    arguments = ["-f", "lavfi", "-i", source, "-frames:v", "1", "-vf", _entry_filters(target), *video_encoder(target)]
    run_ffmpeg([*arguments, *muxer(target.frame_rate), str(path)], deadline=deadline, ffmpeg=ffmpeg)
    video = probe(path, ffmpeg).video
    path.unlink()
    return video.sample_entry if video else b""


def _entry_filters(target: Picture) -> str:
    frame = VideoTrack(
        codec="",
        width=target.width,
        height=target.height,
        frames=1,
        frame_rate=target.frame_rate,
        start=Fraction(0),
        duration=target.frame,
        color=(1, 1, 1, False),
    )
    return video_filters(frame, target)


def why_unsafe(path: Path, stream: int) -> str | None:
    """Why an H.264 picture must not be copied, as its packets tell and its tables can't; None when all is well.

    `stream` is its number among the video tracks of the MP4 file. It must begin with an IDR frame, before which nothing
    is referred to: the sync sample table also lists recovery points of open groups of pictures (ISO/IEC 14496-15). And
    parameter sets inside the stream must be those of its sample entry: a decoder would keep others for the next clip.
    """
    with LocalFile(path) as file:
        track = next(track for track in read_movie(file).of_kind("video") if track.stream == stream)
        entry, samples = track.entry, track.samples
        if not isinstance(entry, VideoEntry) or not entry.length_size:
            return _NO_IDR
        declared = {unit for _, unit in entry.parameter_sets}
        for index in range(len(samples)):
            if index and not samples.is_sync(index):
                continue
            first = None
            end = samples.offsets[index] + samples.sizes[index]
            for kind, begin, size in _units(file, samples.offsets[index], end, entry.length_size):
                if kind in _NAL_OF_PICTURES:
                    first = kind
                    break
                if kind in _NAL_OF_PARAMETERS and file.read(begin, size) not in declared:
                    return "codec settings change within the file"
            if not index and first != _IDR:
                return _NO_IDR
    return None


def _units(file: LocalFile, position: int, end: int, length_size: int) -> Iterator[tuple[int, int, int]]:
    """The NAL units of one sample: type, where it begins in the file, size in bytes."""
    while position + length_size < end:
        head = file.read(position, length_size + 1)
        size, begin = int.from_bytes(head[:-1], "big"), position + length_size
        if begin + size > end:
            return
        yield head[-1] & 31, begin, size
        position = begin + size

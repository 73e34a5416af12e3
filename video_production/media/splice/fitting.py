"""Whether clips fit together: what most of them are, and how each differs from that, in words for people."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from video_production.media.mp4.boxes import children
from video_production.media.mp4.model import AudioEntry, Movie, Track, VideoEntry
from video_production.media.mp4.timeline import present_picture
from video_production.media.probe import main_picture, main_sound
from video_production.media.profile import snap_frame_rate
from video_production.media.splice.spans import Clip, aac_setup

__all__ = ["Differences", "Model", "differences", "model_of", "reordering", "settings_may_differ"]

_CODECS = {"h264": "H.264", "hevc": "HEVC"}
_PQ, _HLG = 16, 18
_SNAP = Fraction(1, 1000)
_BOXES_AT = 86
"""Where the boxes of a visual sample entry begin (ISO/IEC 14496-12 §12.1.3)."""

_PROFILE_END = {"h264": 4, "hevc": 13}
"""Where profile, tier and level end in `avcC` and `hvcC`; they begin at byte 1."""

Value = TypeVar("Value", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Model:
    """What the others are compared with. `sound` is None where no clip has any."""

    picture: VideoEntry
    rate: str
    sound: AudioEntry | None


@dataclass(frozen=True, slots=True)
class Differences:
    """In words for people; both are empty where a clip fits. Where only the sound differs, the picture can stay."""

    picture: tuple[str, ...] = ()
    sound: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join((*self.picture, *self.sound))


def model_of(clips: Sequence[Clip]) -> Model:
    """The picture and the sound of most seconds; a tie goes to the first clip."""
    looks = _most(clips, lambda clip: _picture_entry(clip.video).canonical)
    heard = _most([clip for clip in clips if clip.audio], lambda clip: _setup(clip.audio))
    rate = _rate(looks.movie) if looks else ""
    assert looks is not None
    entry = heard.audio.entry if heard and heard.audio else None
    return Model(_picture_entry(looks.video), rate, entry if isinstance(entry, AudioEntry) else None)


def _most(clips: Sequence[Clip], value: Callable[[Clip], Value]) -> Clip | None:
    """The first clip with the value that covers most seconds."""
    seconds: dict[Value, Fraction] = {}
    firsts: dict[Value, Clip] = {}
    for clip in clips:
        firsts.setdefault(value(clip), clip)
        seconds[value(clip)] = seconds.get(value(clip), Fraction(0)) + clip.duration
    return firsts[max(seconds, key=lambda key: seconds[key])] if seconds else None


def _picture_entry(track: Track) -> VideoEntry:
    assert isinstance(track.entry, VideoEntry)
    return track.entry


def _setup(track: Track | None) -> bytes | None:
    return aac_setup(track.entry) if track is not None and isinstance(track.entry, AudioEntry) else None


def differences(movie: Movie, model: Model, unfit: Differences, *, inband: bool = False) -> Differences:
    """How a clip differs from `model`, beside what makes it `unfit` for any splice.

    With `inband`, other codec settings are no difference. Its frame rate is told where its picture can't stay anyway.
    """
    video, audio = main_picture(movie), main_sound(movie)
    if video is None:
        return unfit
    entry = _picture_entry(video)
    picture = [*_size_difference(video, model.picture), *unfit.picture, *_picture_differences(entry, model.picture)]
    minor = entry.canonical != model.picture.canonical and not (inband and settings_may_differ(entry, model.picture))
    if picture or minor:
        rate = _rate(movie)
        picture += [rate] if rate not in ("", model.rate) else []
    if minor and not picture:
        picture = [_minor_difference(entry, model.picture)]
    heard = audio.entry if audio is not None else None
    sound = _sound_differences(heard, model.sound) if isinstance(heard, AudioEntry) and model.sound else []
    return Differences(tuple(picture), (*unfit.sound, *sound))


def _sound_differences(own: AudioEntry, model: AudioEntry) -> list[str]:
    found: list[str] = []
    if own.sample_rate != model.sample_rate:
        found.append(f"{own.sample_rate / 1000:g} kHz")
    if own.channels != model.channels:
        found.append({1: "mono", 2: "stereo"}.get(own.channels, f"{own.channels} channels"))
    if not found and aac_setup(own) is not None and aac_setup(own) != aac_setup(model):
        found.append("another layout of channels")
    return found


def _size_difference(track: Track, model: VideoEntry) -> list[str]:
    """The size as people see it, where it is another."""
    entry = _picture_entry(track)
    size = (entry.width, entry.height)
    if track.rotation in (90, 270):
        size = (entry.height, entry.width)
    return [] if size == (model.width, model.height) else [f"{size[0]}×{size[1]}"]


def _picture_differences(entry: VideoEntry, model: VideoEntry) -> list[str]:
    """What else people see, or have heard of."""
    if entry.codec != model.codec:
        return [_CODECS.get(entry.codec, entry.codec.upper())]
    found: list[str] = []
    if entry.pixel_aspect != model.pixel_aspect:
        found.append("non-square pixels" if entry.pixel_aspect != 1 else "square pixels")
    if _is_hdr(entry) != _is_hdr(model):
        found.append("HDR" if _is_hdr(entry) else "not HDR")
    if entry.pixel_format != model.pixel_format and "HDR" not in found:
        found.append(f"pixels as {entry.pixel_format or 'unknown'}")
    if entry.interlaced != model.interlaced:
        found.append("interlaced" if entry.interlaced else "progressive")
    return found


def _minor_difference(entry: VideoEntry, model: VideoEntry) -> str:
    """What is worth telling only where nothing that people see differs."""
    if entry.color != model.color:
        return "other colour tags"
    if entry.codec == "h264" and entry.configuration[1:4] != model.configuration[1:4]:
        return "another H.264 profile or level"
    return "encoded with other settings"


def _is_hdr(entry: VideoEntry) -> bool:
    return entry.color is not None and entry.color[1] in (_PQ, _HLG)


def _rate(movie: Movie) -> str:
    """The frame rate in words; "" where it can't be told."""
    track = main_picture(movie)
    shown = present_picture(track, movie.timescale) if track is not None else None
    if shown is None or not shown.rate:
        return ""
    if not shown.constant:
        return "variable frame rate"
    house = snap_frame_rate(shown.rate)
    rate = house if abs(shown.rate - house) / house < _SNAP else shown.rate
    return f"{float(rate):.2f}".rstrip("0").rstrip(".") + " fps"


def settings_may_differ(entry: VideoEntry, model: VideoEntry) -> bool:
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


def reordering(clip: Clip) -> int:
    """How many frames are held back for reordering."""
    span = clip.picture
    frame = (span.end - span.start) / len(span.dts)
    return round(Fraction(span.delay, span.timescale) / frame)

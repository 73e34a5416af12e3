"""`probe`: what is in a file or an object, as a table or for programs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from video_production.cli.aws.refusals import told
from video_production.cli.media_places import ffmpeg_program, place
from video_production.cli.words import clock_time, count, visible
from video_production.errors import MediaError
from video_production.media.info import AudioTrack, MediaInfo, VideoTrack
from video_production.media.mp4.reader import looks_like_mp4
from video_production.media.mp4.source import LocalFile, S3Object, Source
from video_production.media.probe import probe, probe_source
from video_production.storage import S3Location, Storage, file_name

__all__ = ["Found", "lines", "look_into", "to_object"]

_CODECS = {"h264": "H.264", "hevc": "HEVC", "av1": "AV1", "vp9": "VP9", "vp8": "VP8", "aac": "AAC", "mp3": "MP3"}
_RANGES = {False: "limited range", True: "full range"}
_TRANSFERS = {1: "BT.709", 6: "BT.601", 13: "sRGB", 14: "BT.2020", 15: "BT.2020", 16: "PQ (HDR)", 18: "HLG (HDR)"}
_LABEL = 9


@dataclass(frozen=True, slots=True)
class Found:
    """What is in a file; `bytes_read` is what it took to find out."""

    name: str
    info: MediaInfo
    bytes_read: int


class _Counted:
    """A source that counts what is read of it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name, self.size = source.name, source.size
        self.fetched = 0

    def read(self, offset: int, length: int) -> bytes:
        self.fetched += length
        return self._source.read(offset, length)


@told()
def look_into(text: str) -> Found:
    """Probe a path or an S3 URL. Raises MediaError, RequestError, OperatorError, TransientError."""
    where = place(text)
    if isinstance(where, Path):
        return _look_into_file(where, text)
    storage = Storage()
    source = S3Object(storage.client, where.bucket, where.key)
    if looks_like_mp4(source):
        info = probe_source(source)
        return Found(text, info, source.fetched)
    return _fetch_and_look(where, storage, text, source.fetched)


def _look_into_file(path: Path, text: str) -> Found:
    with LocalFile(path) as file:
        if file.size and looks_like_mp4(file):
            counted = _Counted(file)
            info = probe_source(counted)
            return Found(text, info, counted.fetched)
        size = file.size
    return Found(text, probe(path, ffmpeg_program()), size)


def _fetch_and_look(where: S3Location, storage: Storage, text: str, read: int) -> Found:
    with tempfile.TemporaryDirectory(prefix="jiki-probe-") as folder:
        path = Path(folder) / file_name(where.key)
        storage.download(where.bucket, where.key, path)
        try:
            return Found(text, probe(path, ffmpeg_program()), read + storage.bytes_read)
        except MediaError as error:
            raise MediaError(str(error).replace(path.name, text, 1)) from error


def lines(found: Found) -> Iterator[str]:
    """The table: one line for each fact, the exact number behind the rounded one."""
    info = found.info
    yield visible(found.name)
    kind = "MP4 or MOV" if info.container == "mp4" else "read by FFmpeg"
    yield _line("file", f"{kind}{', fragmented' if info.fragmented else ''} · {info.size:,} bytes")
    yield _line("duration", _seconds(info.duration))
    yield from _picture_lines(info.video) if info.video else [_line("picture", "none")]
    yield from _sound_lines(info.audio, info.dropped_audio) if info.audio else [_line("sound", "none")]
    for index, chapter in enumerate(info.chapters):
        yield _line("" if index else "chapters", f"{clock_time(float(chapter.start))} {visible(chapter.title)}")
    yield _line("read", f"{count(found.bytes_read, 'byte')} of {info.size:,}")


def _picture_lines(video: VideoTrack) -> Iterator[str]:
    pixels = f" · {video.pixel_format}" if video.pixel_format else ""
    aspect = "" if video.pixel_aspect == 1 else f" · pixels {_ratio(video.pixel_aspect)}"
    yield _line("picture", f"{_codec(video.codec)} · {video.width}×{video.height}{pixels}{aspect}")
    spacing = "constant" if video.constant_rate else "variable (VFR)"
    if video.frame_rate:
        yield _line("rate", f"{_number(video.frame_rate)} fps{_exactly(video.frame_rate)}, {spacing}")
    turned = f"{video.rotation}° clockwise" if video.rotation else "none"
    yield _line("rotation", f"{turned}{', mirrored' if video.mirrored else ''}")
    held = f" · {count(video.samples, 'sample')}, {video.sync_samples:,} of them sync" if video.samples else ""
    yield _line("frames", f"{video.frames:,} shown{held}{' · interlaced' if video.interlaced else ''}")
    yield _line("starts", f"{_seconds(video.start)}, lasts {_seconds(video.duration)}")
    if video.timescale:
        reordered = f" · reordered by {count(video.reorder, 'tick')}" if video.reorder else ""
        yield _line("timing", f"{_timing(video.timescale, video.edits)}{reordered}")
    if video.color:
        primaries, transfer, matrix, full = video.color
        name = _TRANSFERS.get(transfer, "unknown")
        yield _line("colour", f"{name} ({primaries}/{transfer}/{matrix}), {_RANGES[full]}")


def _sound_lines(audio: AudioTrack, others: int) -> Iterator[str]:
    channels = {1: "mono", 2: "stereo"}.get(audio.channels, f"{audio.channels} channels")
    more = f" · and {count(others, 'other track')}" if others else ""
    packets = f" · {count(audio.packets, 'packet')}" if audio.packets else ""
    yield _line("sound", f"{_codec(audio.codec)} · {audio.sample_rate:,} Hz · {channels}{packets}{more}")
    yield _line("starts", f"{_seconds(audio.start)}, lasts {_seconds(audio.duration)}")
    if audio.timescale:
        yield _line("timing", _timing(audio.timescale, audio.edits))


def _line(label: str, text: str) -> str:
    return f" {label:<{_LABEL}} {text}"


def _codec(name: str) -> str:
    return _CODECS.get(name, name)


def _timing(timescale: int, edits: int) -> str:
    return f"{timescale:,} ticks a second · {count(edits, 'edit') if edits else 'no edit list'}"


def _ratio(value: Fraction) -> str:
    return f"{value.numerator}:{value.denominator}"


def _number(value: Fraction) -> str:
    return f"{float(value):.3f}".rstrip("0").rstrip(".")


def _exactly(value: Fraction) -> str:
    """The fraction behind a decimal number that does not say it all."""
    return "" if Fraction(_number(value)) == value else f" ({value})"


def _seconds(value: Fraction) -> str:
    return f"{_number(value)} s{_exactly(value)}"


def to_object(found: Found) -> dict[str, Any]:
    """For programs: `MediaInfo` as it is, fractions as text ("30000/1001"), bytes as hexadecimal digits."""
    plain: dict[str, Any] = _plain(asdict(found.info))
    return {"name": found.name, **plain, "bytes_read": found.bytes_read}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, Fraction):
        return str(value)
    return value.hex() if isinstance(value, bytes) else value

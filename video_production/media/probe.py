"""What is in a media file, in exact numbers: MP4 and MOV by our own reader, everything else through FFmpeg."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from video_production.errors import MediaError, OperatorError, OutOfTime, VideoProductionError
from video_production.media.ffmpeg import run_ffmpeg
from video_production.media.frames import DECODE_PICTURE, DECODE_SOUND, StreamFrames, list_frames
from video_production.media.info import AudioTrack, Chapter, MediaInfo, VideoTrack
from video_production.media.mp3 import UNDECLARED_PRIMING
from video_production.media.mp4.model import AudioEntry, Movie, Track, VideoEntry
from video_production.media.mp4.reader import looks_like_mp4, read_movie
from video_production.media.mp4.source import LocalFile, Source
from video_production.media.mp4.timeline import average_rate, evenly_spaced, present_picture, present_sound

__all__ = ["main_picture", "main_sound", "probe", "probe_source"]

_LOOKED_AT = 4096
"""Bytes at the start of a file that tell text from media."""

_STREAMED = 0x7FFFF000
"""From this size on, the size in an AVI header was written by a program that did not know it."""

_FORMATS = (
    "matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mp3,wav,w64,aiff,flac,aac,ac3,eac3,amr,caf,mxf,dv,gif,apng,image2,"
    "png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,tiff_pipe,jpegxl_pipe"
)
"""FFmpeg's formats that hold media themselves; playlists, which make it open others, are left out."""

_STREAM = re.compile(r"^  Stream #0:\d+(?:\[\w+\])?(?:\(\w+\))?: (Video|Audio): (.*)$", re.MULTILINE)
_FORMAT = re.compile(r"^Input #0, (.+), from ", re.MULTILINE)
_LATE = re.compile(r"^  Duration: .*?, start: 0\.0*[1-9]", re.MULTILINE)
_SIZE = re.compile(r", (\d+)x(\d+)\b")
_ASPECT = re.compile(r"\bSAR (\d+):(\d+)")
_PIXELS = re.compile(r"^[^,]*, (\w+)(?:\(([^)]*)\))?")
_TURN = re.compile(r"rotation of (-?[\d.]+) degrees")
_STILLS = ("image2", "_pipe")
_CODE_POINTS = {
    "gbr": 0,
    "bt709": 1,
    "fcc": 4,
    "bt470m": 4,
    "bt470bg": 5,
    "smpte170m": 6,
    "smpte240m": 7,
    "film": 8,
    "bt2020": 9,
    "bt2020nc": 9,
    "bt2020c": 10,
    "smpte431": 11,
    "smpte432": 12,
    "iec61966-2-1": 13,
    "bt2020-10": 14,
    "bt2020-12": 15,
    "smpte2084": 16,
    "arib-std-b67": 18,
}
"""FFmpeg's names of primaries, transfers and matrices as ISO/IEC 23091-2 numbers them; 2 is "unspecified"."""


def probe(path: Path, ffmpeg: str = "ffmpeg") -> MediaInfo:
    """Look into a local file of any kind.

    MP4 and MOV are read from their boxes alone. Of anything else FFmpeg lists the picture's packets (decoding them only
    where they bear no times) and decodes the sound, whose exact length no header tells. Raises MediaError, naming the
    file, when it is missing, damaged, or no media; OperatorError when FFmpeg can't run.
    """
    with LocalFile(path) as source:
        if source.size == 0:
            raise MediaError(f"{path.name} is empty. Export or copy it again.")
        if looks_like_mp4(source):
            return probe_source(source)
        _refuse_text(source)
        _refuse_cut_avi(source)
        return _ask_ffmpeg(path, source.size, ffmpeg)


def probe_source(source: Source) -> MediaInfo:
    """Look into an MP4 or MOV file wherever it lies. Raises MediaError for anything else."""
    movie = read_movie(source)
    video = _describe_picture(movie)
    audio, dropped = _describe_sound(movie)
    if video is None and audio is None:
        raise MediaError(f"{source.name} holds neither picture nor sound. Export it again.")
    duration = max(track.start + track.duration for track in (video, audio) if track is not None)
    chapters = tuple(Chapter(start, title) for start, title in movie.chapters)
    return MediaInfo("mp4", source.size, duration, video, audio, dropped, movie.fragmented, chapters)


def _refuse_text(source: LocalFile) -> None:
    head = source.read(0, min(_LOOKED_AT, source.size))
    try:
        text = head[: -3 if len(head) == _LOOKED_AT else None].decode("utf-8")
    except UnicodeDecodeError:
        return
    if all(character.isprintable() or character in "\t\r\n\f\ufeff" for character in text):
        raise MediaError(f"{source.name} holds text, not media, whatever its name says. Give the real file.")


def _describe_picture(movie: Movie) -> VideoTrack | None:
    track = main_picture(movie)
    if track is None:
        return None
    shown = present_picture(track, movie.timescale)
    if shown is None:
        raise MediaError(f"The edit list of {movie.name} shows none of its picture. Export it again.")
    entry = track.entry
    assert isinstance(entry, VideoEntry)
    used = sorted({index for _, index in track.samples.entries})
    return VideoTrack(
        codec=entry.codec,
        width=entry.width,
        height=entry.height,
        frames=shown.samples,
        frame_rate=shown.rate,
        start=shown.start,
        duration=shown.duration,
        rotation=track.rotation,
        pixel_aspect=entry.pixel_aspect,
        pixel_format=entry.pixel_format,
        interlaced=entry.interlaced,
        color=entry.color,
        constant_rate=shown.constant,
        starts_with_key=shown.first == 0 and track.samples.is_sync(0),
        timescale=track.timescale,
        reorder=shown.reorder,
        edits=shown.edits,
        sample_entry=b"".join(_canonical(track, index) for index in used),
        mirrored=track.mirrored,
        stream=track.stream,
        samples=len(track.samples),
        sync_samples=track.samples.sync.count(1) if track.samples.sync is not None else len(track.samples),
    )


def _canonical(track: Track, index: int) -> bytes:
    entry = track.entries[index]
    return entry.canonical if isinstance(entry, VideoEntry) else b""


def main_picture(movie: Movie) -> Track | None:
    """The first picture that is enabled and no cover; the first one at all where there is none such."""
    tracks = movie.of_kind("video")
    films = [
        track for track in tracks if isinstance(track.entry, VideoEntry) and track.entry.codec not in ("mjpeg", "png")
    ]
    candidates = [*(track for track in films if track.enabled), *films, *tracks]
    return candidates[0] if candidates else None


def main_sound(movie: Movie) -> Track | None:
    """The first sound that is enabled; the first one at all where there is none such."""
    tracks = movie.of_kind("audio")
    return next((track for track in tracks if track.enabled), tracks[0] if tracks else None)


def _describe_sound(movie: Movie) -> tuple[AudioTrack | None, int]:
    """The first sound that is enabled, else the first; and how many others there are."""
    tracks = movie.of_kind("audio")
    if not tracks:
        return None, 0
    track = main_sound(movie)
    assert track is not None
    heard = present_sound(track, movie.timescale)
    if heard is None:
        return None, len(tracks)
    entry = track.entry
    assert isinstance(entry, AudioEntry)
    sound = AudioTrack(
        codec=entry.codec,
        sample_rate=entry.sample_rate,
        channels=entry.channels,
        start=heard.start,
        duration=heard.duration,
        default=track.enabled,
        stream=track.stream,
        packets=len(track.samples),
        timescale=track.timescale,
        edits=heard.edits,
    )
    return sound, len(tracks) - 1


def _refuse_cut_avi(source: LocalFile) -> None:
    """An AVI file states its size first of all; FFmpeg does not mind when the end is missing."""
    head = source.read(0, min(12, source.size))
    stated = 8 + int.from_bytes(head[4:8], "little")
    if head[:4] == b"RIFF" and head[8:] == b"AVI " and source.size < stated < _STREAMED:
        raise MediaError(
            f"{source.name} is cut off: it states {stated:,} bytes and has {source.size:,}. Copy or export it again."
        )


@dataclass(frozen=True, slots=True)
class _Stream:
    """One line of FFmpeg's description: `number` is N in `0:v:N` or `0:a:N`, `side` what follows until the next one."""

    kind: str
    number: int
    line: str
    side: str

    @property
    def codec(self) -> str:
        return self.line.split()[0].rstrip(",")


def _ask_ffmpeg(path: Path, size: int, ffmpeg: str) -> MediaInfo:
    guarded = ["-protocol_whitelist", "file", "-format_whitelist", _FORMATS, "-i", f"file:{path}"]
    try:
        described = run_ffmpeg([*guarded, "-f", "ffmetadata", os.devnull], ffmpeg=ffmpeg)
        form = _FORMAT.search(described)
        streams = _streams(described.partition("Output #0")[0])
        picture = next((s for s in streams if s.kind == "Video" and "(attached pic)" not in s.line), None)
        sounds = [s for s in streams if s.kind == "Audio"]
        sound = next((s for s in sounds if "(default)" in s.line), sounds[0] if sounds else None)
        chosen = ["-map", f"0:v:{picture.number}"] if picture else []
        if sound:
            chosen += ["-map", f"0:a:{sound.number}", *DECODE_SOUND]
        if not chosen:
            raise MediaError("it holds neither picture nor sound")
        quiet = ["-v", "error", *guarded]
        listed, _ = list_frames(quiet, [*chosen, "-c:v", "copy"], ffmpeg=ffmpeg)
        if not all(stream.timed for stream in listed):
            listed, _ = list_frames(quiet, [*chosen, *DECODE_PICTURE], ffmpeg=ffmpeg)
    except (OperatorError, OutOfTime):
        raise
    except VideoProductionError as error:
        raise MediaError(f"{path.name} can't be read as media: {_reason(error)}. Export it again.") from error
    by_kind = {stream.kind: stream for stream in listed}
    still = form is not None and form[1].endswith(_STILLS)
    video = _packets_picture(picture, by_kind["video"], still) if picture and by_kind["video"].times else None
    undeclared = form is not None and form[1] == "mp3" and not _LATE.search(described)
    audio = _decoded_sound(sound, by_kind["audio"], undeclared) if sound and by_kind["audio"].samples else None
    if video is None and audio is None:
        raise MediaError(f"{path.name} holds neither picture nor sound. Export it again.")
    duration = max(track.start + track.duration for track in (video, audio) if track is not None)
    return MediaInfo("other", size, duration, video, audio, len(sounds) - 1 if audio else 0)


def _reason(error: Exception) -> str:
    if "Format not on whitelist" in str(error):
        return "it is no kind of media that is supported"
    return str(error).removeprefix("FFmpeg can't read an input: ").removeprefix("FFmpeg failed: ").rstrip(".")


def _streams(described: str) -> list[_Stream]:
    found = list(_STREAM.finditer(described))
    ends = [match.start() for match in found[1:]] + [len(described)]
    numbers = {"Video": 0, "Audio": 0}
    streams: list[_Stream] = []
    for match, end in zip(found, ends, strict=True):
        streams.append(_Stream(match[1], numbers[match[1]], match[2], described[match.end() : end]))
        numbers[match[1]] += 1
    return streams


def _packets_picture(stream: _Stream, packets: StreamFrames, still: bool) -> VideoTrack | None:
    size, aspect, pixels = _SIZE.search(stream.line), _ASPECT.search(stream.line), _PIXELS.search(stream.line)
    if size is None:
        return None
    described = (pixels[2] or "").split(", ") if pixels else []
    turn = _TURN.search(stream.side)
    packets.times = type(packets.times)("q", sorted(packets.times))
    constant = evenly_spaced(packets.times)
    duration = Fraction(0) if still else packets.duration
    count = len(packets.times)
    return VideoTrack(
        codec=stream.codec,
        width=int(size[1]),
        height=int(size[2]),
        frames=count,
        frame_rate=average_rate(packets.times, packets.time_base, constant, count, duration),
        start=packets.start,
        duration=duration,
        rotation=round(-float(turn[1]) / 90) % 4 * 90 if turn else 0,
        pixel_aspect=Fraction(int(aspect[1]), int(aspect[2])) if aspect and int(aspect[2]) else Fraction(1),
        pixel_format=pixels[1] if pixels else "",
        interlaced=any(word.endswith(" first") for word in described),
        color=_color(described),
        constant_rate=constant,
        stream=stream.number,
    )


def _color(described: list[str]) -> tuple[int, int, int, bool] | None:
    """FFmpeg prints `range, matrix/primaries/transfer`, or one name for all three."""
    full_range = "pc" in described
    for words in described:
        names = words.split("/")
        if len(names) in (1, 3) and any(name in _CODE_POINTS for name in names):
            matrix, primaries, transfer = (
                _CODE_POINTS.get(name, 2) for name in (names * 3 if len(names) == 1 else names)
            )
            return primaries, transfer, matrix, full_range
    return (2, 2, 2, True) if full_range else None


def _decoded_sound(stream: _Stream, decoded: StreamFrames, undeclared: bool) -> AudioTrack:
    priming = min(UNDECLARED_PRIMING, decoded.samples) if undeclared else 0
    return AudioTrack(
        codec=stream.codec,
        sample_rate=decoded.sample_rate,
        channels=decoded.channels,
        start=decoded.start,
        duration=Fraction(decoded.samples - priming, decoded.sample_rate),
        default="(default)" in stream.line,
        stream=stream.number,
        priming=priming,
    )

"""The real files that fuzzing starts from: small, and of every structure that the reader and the splicer tell apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.unit.media.clips import make_clip, make_tone, run_ffmpeg
from video_production.media.mp4.boxes import box

__all__ = ["make_seeds"]

_SMALL = {"size": (64, 64), "seconds": 0.4}
Maker = Callable[[Path], Path]


def _clip(name: str, **options: object) -> Maker:
    return lambda folder: make_clip(folder / name, **{**_SMALL, **options})  # type: ignore[arg-type]


def _remuxed(name: str, *options: str, before: tuple[str, ...] = (), **clip: object) -> Maker:
    def make(folder: Path) -> Path:
        source = make_clip(folder / f"{name}.source.mp4", **{**_SMALL, **clip})  # type: ignore[arg-type]
        run_ffmpeg(*before, "-i", source, "-c", "copy", *options, folder / name)
        source.unlink()
        return folder / name

    return make


def _with_subtitles(folder: Path) -> Path:
    source = make_clip(folder / "titled.source.mp4", **_SMALL)  # type: ignore[arg-type]
    captions = folder / "titled.srt"
    captions.write_text("1\n00:00:00,000 --> 00:00:00,300\nHello\n")
    codecs = ("-c", "copy", "-c:s", "mov_text")
    run_ffmpeg("-i", source, "-i", captions, "-map", "0", "-map", "0:a", "-map", "1", *codecs, folder / "titled.mp4")
    source.unlink()
    captions.unlink()
    return folder / "titled.mp4"


def _wide(folder: Path) -> Path:
    """64-bit chunk offsets and a 64-bit media size, which FFmpeg writes only beyond 4 GiB."""
    data = make_clip(folder / "wide.mp4", **_SMALL).read_bytes()  # type: ignore[arg-type]
    at, boxes = 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        boxes.append(data[at : at + size])
        at += size
    wide = [
        (1).to_bytes(4, "big") + b"mdat" + (len(each) + 8).to_bytes(8, "big") + each[8:]
        if each[4:8] == b"mdat"
        else each
        for each in boxes
    ]
    moov = _with_wide_offsets(boxes[-1][8:], moved=8)
    (folder / "wide.mp4").write_bytes(b"".join(wide[:-1]) + box("moov", moov))
    return folder / "wide.mp4"


_PARENTS = (b"trak", b"mdia", b"minf", b"stbl")


def _with_wide_offsets(data: bytes, moved: int) -> bytes:
    at, made = 0, b""
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = data[at + 8 : at + size]
        if kind in _PARENTS:
            made += box(kind.decode(), _with_wide_offsets(body, moved))
        elif kind == b"stco":
            offsets = [int.from_bytes(body[i : i + 4], "big") + moved for i in range(8, len(body), 4)]
            made += box("co64", body[:8], b"".join(offset.to_bytes(8, "big") for offset in offsets))
        else:
            made += data[at : at + size]
        at += size
    return made


_MAKERS: dict[str, Maker] = {
    "plain": _clip("plain.mp4"),
    "B-frames, header first": _clip("first.mp4", bframes=2, extra=("-movflags", "faststart")),
    "several groups of pictures": _clip("groups.mp4", gop=3, bframes=1),
    "fragments": _clip("fragments.mp4", gop=4, extra=("-movflags", "frag_keyframe+delay_moov")),
    "fragments without a header": _clip(
        "empty.mp4", gop=4, extra=("-movflags", "frag_keyframe+empty_moov+default_base_moof")
    ),
    "fragments with an index": _clip("dash.mp4", gop=4, extra=("-movflags", "dash+frag_keyframe")),
    "QuickTime": _clip("plain.mov"),
    "QuickTime with uncompressed sound": _clip("pcm.mov", audio_codec="pcm_s16le"),
    "HEVC": _clip("hevc.mp4", codec="libx265", extra=("-tag:v", "hvc1")),
    "HEVC, settings in the stream": _clip("hev1.mp4", codec="libx265", extra=("-tag:v", "hev1")),
    "MPEG-4 part 2": _clip("part2.mp4", codec="mpeg4"),
    "ProRes": _clip("prores.mov", codec="prores_ks", pixel_format="yuv422p10le", seconds=0.1),
    "VP9": _clip("vp9.mp4", codec="libvpx-vp9", seconds=0.2),
    "Opus": _clip("opus.mp4", audio_codec="libopus"),
    "ALAC": _clip("alac.mp4", audio_codec="alac"),
    "MP3": _clip("mp3.mp4", audio_codec="libmp3lame"),
    "mono": _clip("mono.mp4", channels=1),
    "5.1": _clip("surround.mp4", channels=6),
    "no sound": _clip("silent.mp4", sample_rate=None),
    "44.1 kHz": _clip("44100.mp4", sample_rate=44100),
    "rotated": _clip("rotated.mp4", rotation=90),
    "interlaced": _clip("interlaced.mp4", extra=("-flags", "+ildct+ilme", "-x264-params", "tff=1")),
    "tagged colour": _clip("colour.mp4", extra=("-color_primaries", "bt709", "-color_trc", "bt709")),
    "variable frame rate": _clip("vfr.mp4", extra=("-vf", "select=not(eq(mod(n\\,5)\\,3))", "-fps_mode", "vfr")),
    "cut by an edit list": _remuxed("cut.mp4", before=("-ss", "0.2"), gop=5),
    "late sound": _remuxed("late.mp4", before=("-itsoffset", "0.2"), gop=5),
    "fine time scale": _remuxed("fine.mp4", "-video_track_timescale", "90000"),
    "odd time scale": _remuxed("odd.mp4", "-video_track_timescale", "65537"),
    "time code": _remuxed("timecode.mov", "-timecode", "01:00:00:00"),
    "subtitles and two sounds": _with_subtitles,
    "64-bit offsets": _wide,
    "sound alone": lambda folder: make_tone(folder / "tone.m4a", seconds=0.3),
}


def make_seeds(folder: Path) -> list[Path]:
    """Make the seeds in `folder`, one file each."""
    return [make(folder) for make in _MAKERS.values()]

"""More kinds of clips: each is spliced, or refused with the words that say why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.media.clips import FFMPEG, make_clip, run_ffmpeg
from tests.unit.media.spliced import check_splice, decode_frames, splice, why_not
from video_production.errors import MediaError
from video_production.media.merge import MergeInput, merge
from video_production.media.mp4.model import AudioEntry
from video_production.media.mp4.reader import read_movie
from video_production.media.mp4.source import LocalFile
from video_production.media.splice.engine import Splice, plan_splice, read_candidates
from video_production.media.splice.header import file_type, movie_header
from video_production.media.splice.spans import aac_setup
from video_production.media.splice.transfer import VirtualFile

Maker = Callable[[Path], list[Path]]

_NOISE = "anoisesrc=seed=7:amplitude=0.3:sample_rate=48000:color=pink"
_HDR = ("-x265-params", "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc", "-tag:v", "hvc1")
_HEVC = ("-tag:v", "hvc1")
_STREAM = ("-frames:v", "20", "-g", "10", "-bf", "0")


def _clip(path: Path, sound: tuple[str, ...] = ("-ac", "2", "-c:a", "aac"), **options: object) -> Path:
    """A clip whose sound is noise, which can be found again to the sample; `sound` are its encoder's options."""
    plain = make_clip(path.with_name(f"{path.stem}.plain.mp4"), sample_rate=None, **options)  # type: ignore[arg-type]
    run_ffmpeg("-i", plain, "-f", "lavfi", "-i", _NOISE, "-c:v", "copy", *sound, "-shortest", path)
    return path


def _raw(folder: Path, *qualities: int) -> Path:
    """A clip made from a bare stream that repeats its parameter sets, as remuxing MPEG-TS makes them."""
    stream = b""
    for quality in qualities:
        part = folder / f"{quality}.h264"
        run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=160x90", *_STREAM, "-crf", quality, part)
        stream += part.read_bytes()
    (folder / "all.h264").write_bytes(stream)
    path = folder / f"raw-{'-'.join(map(str, qualities))}.mp4"
    run_ffmpeg("-r", "25", "-i", folder / "all.h264", "-c", "copy", path)
    return path


CASES: dict[str, Maker] = {
    "stereo and mono apart: mono": lambda d: [_clip(d / f"{n}.mp4", ("-ac", "1", "-c:a", "aac")) for n in (1, 2)],
    "interlaced": lambda d: [_clip(d / f"{n}.mp4", extra=("-flags", "+ildct+ilme")) for n in (1, 2)],
    "odd size": lambda d: [
        _clip(d / f"{n}.mp4", extra=("-vf", "scale=161:91"), pixel_format="yuv444p") for n in (1, 2)
    ],
    "HDR": lambda d: [
        _clip(d / f"{n}.mp4", codec="libx265", pixel_format="yuv420p10le", extra=_HDR, seconds=0.4) for n in (1, 2)
    ],
    "every frame a key frame": lambda d: [_clip(d / f"{n}.mp4", gop=1) for n in (1, 2)],
    "one frame per second beside 60": lambda d: [
        _clip(d / "slow.mp4", rate="1", seconds=2, extra=("-x264-params", "force-cfr=0")),
        _clip(d / "slow2.mp4", rate="1", seconds=3, extra=("-x264-params", "force-cfr=0")),
    ],
    "non-square pixels": lambda d: [_clip(d / f"{n}.mp4", extra=("-vf", "setsar=4/3")) for n in (1, 2)],
    "deep and shallow reordering in one entry": lambda d: [
        _clip(d / "a.mp4", bframes=3, gop=12),
        _clip(d / "b.mp4", bframes=3, gop=12, seconds=0.04),
    ],
    "repeated parameter sets": lambda d: [_raw(d, 23), _raw(d, 23)],
    "cut at both ends by an edit list": lambda d: [_clip(d / "a.mp4", gop=5), _between(d)],
    "a picture that begins late": lambda d: [_clip(d / "a.mp4"), _late_picture(d), _clip(d / "b.mp4")],
    "a time scale of 1000": lambda d: [
        _remuxed(d / "a.mp4", "-video_track_timescale", "1000", rate="30000/1001"),
        _remuxed(d / "b.mp4", "-video_track_timescale", "1000", rate="30000/1001"),
    ],
    "short fragments": lambda d: [
        _remuxed(d / "a.mp4", "-movflags", "default_base_moof+delay_moov", "-frag_duration", "100000"),
        _clip(d / "b.mp4"),
    ],
    "negative composition offsets": lambda d: [
        _remuxed(d / "a.mp4", "-movflags", "negative_cts_offsets", bframes=2),
        _remuxed(d / "b.mp4", "-movflags", "negative_cts_offsets", bframes=2),
        _clip(d / "c.mp4", bframes=2),
    ],
}


def _remuxed(path: Path, *options: str, **clip: object) -> Path:
    source = _clip(path.with_name(f"{path.stem}.source.mp4"), **clip)
    run_ffmpeg("-i", source, "-c", "copy", *options, path)
    return path


def _between(folder: Path) -> Path:
    source = _clip(folder / "whole.mp4", gop=5, seconds=2, bframes=0)
    path = folder / "between.mp4"
    run_ffmpeg("-ss", "0.4", "-i", source, "-t", "0.6", "-c", "copy", path)
    return path


def _late_picture(folder: Path) -> Path:
    source, path = _clip(folder / "soon.mp4"), folder / "late.mp4"
    run_ffmpeg("-itsoffset", "0.2", "-i", source, "-i", source, "-map", "0:v", "-map", "1:a", "-c", "copy", path)
    return path


@pytest.mark.parametrize("case", CASES)
def test_a_splice_decodes_to_its_inputs_own_frames_and_sound(case: str, tmp_path: Path) -> None:
    check_splice(CASES[case](tmp_path), tmp_path / "out.mp4")


INBAND: dict[str, Maker] = {
    "another quality": lambda d: [_clip(d / f"{crf}.mp4", gop=10, extra=("-crf", str(crf))) for crf in (18, 40)],
    "another quality and sound in one only": lambda d: [
        make_clip(d / "a.mp4", sample_rate=None, extra=("-crf", "18")),
        _clip(d / "b.mp4", extra=("-crf", "40"), gop=5),
        make_clip(d / "c.mp4", sample_rate=None, extra=("-crf", "18")),
    ],
    "HEVC": lambda d: [
        _clip(d / f"{n}.mp4", codec="libx265", extra=("-x265-params", f"log-level=none:sao={n}:keyint=10", *_HEVC))
        for n in (0, 1)
    ],
    "a QuickTime file": lambda d: [_clip(d / "a.mp4", extra=("-crf", "18")), _clip(d / "b.mov", extra=("-crf", "40"))],
}


@pytest.mark.parametrize("case", INBAND)
def test_codec_settings_that_differ_go_into_the_stream(case: str, tmp_path: Path) -> None:
    clips = INBAND[case](tmp_path)
    assert "encoded with other settings" in why_not(*clips)
    check_splice(clips, tmp_path / "out.mp4", inband=True)


def test_a_merge_puts_settings_into_the_stream_only_where_that_is_allowed(tmp_path: Path) -> None:
    clips = [MergeInput(path.name, path) for path in next(iter(INBAND.values()))(tmp_path)]
    methods = []
    for allowed in (False, True):
        work = tmp_path / str(allowed)
        work.mkdir()
        made = merge(clips, work / "out.mp4", work, allow_inband=allowed, ffmpeg=FFMPEG)
        methods.append(made.result.method)
    assert methods == ["reencode-all", "splice-inband"]


UNFIT: dict[str, tuple[Maker, str]] = {
    "another quality": (lambda d: [_clip(d / "b.mp4", extra=("-crf", "40"))], "encoded with other settings"),
    "rate": (lambda d: [_clip(d / "b.mp4", rate="30")], "30 fps"),
    "rate and level": (lambda d: [_clip(d / "b.mp4", rate="30", extra=("-level", "5.1"))], "30 fps"),
    "level": (lambda d: [_clip(d / "b.mp4", extra=("-level", "5.1"))], "another H.264 profile or level"),
    "HDR": (
        lambda d: [_clip(d / "b.mp4", codec="libx265", pixel_format="yuv420p10le", extra=_HDR, seconds=0.4)],
        "HEVC",
    ),
    "chroma": (lambda d: [_clip(d / "b.mp4", pixel_format="yuv444p")], "pixels as yuv444p"),
    "odd size": (
        lambda d: [_clip(d / "b.mp4", extra=("-vf", "scale=319:179"), pixel_format="yuv444p")],
        "319×179",
    ),
    "interlaced": (lambda d: [_clip(d / "b.mp4", extra=("-flags", "+ildct+ilme"))], "interlaced"),
    "pixel shape": (lambda d: [_clip(d / "b.mp4", extra=("-vf", "setsar=4/3"))], "non-square pixels"),
    "5.1": (lambda d: [_clip(d / "b.mp4", ("-ac", "6", "-c:a", "aac"))], "6 channels"),
    "Opus": (lambda d: [_clip(d / "b.mp4", ("-ac", "2", "-c:a", "libopus"))], "Opus sound"),
    "uncompressed": (lambda d: [_clip(d / "b.mov", ("-ac", "2", "-c:a", "pcm_s16le"))], "uncompressed sound"),
    "settings that change": (lambda d: [_raw(d, 18, 40)], "160×90, codec settings change within the file"),
    "MPEG-4": (lambda d: [make_clip(d / "b.mp4", codec="mpeg4")], "MPEG4"),
    "mirrored": (lambda d: [_mirrored(d)], "mirrored"),
}


def _mirrored(folder: Path) -> Path:
    source, path = _clip(folder / "plain.mp4"), folder / "mirrored.mp4"
    run_ffmpeg("-display_hflip", "-i", source, "-c", "copy", path)
    return path


@pytest.mark.parametrize("case", UNFIT)
def test_what_does_not_fit_is_named(case: str, tmp_path: Path) -> None:
    make, why = UNFIT[case]
    [first, other] = why_not(_clip(tmp_path / "a.mp4", seconds=4), *make(tmp_path))
    assert first == ""
    assert why in other


def test_hdr_beside_sdr_of_the_same_codec_is_called_hdr(tmp_path: Path) -> None:
    plain = _clip(tmp_path / "a.mp4", codec="libx265", pixel_format="yuv420p10le", extra=_HEVC, seconds=0.8)
    bright = _clip(tmp_path / "b.mp4", codec="libx265", pixel_format="yuv420p10le", extra=_HDR, seconds=0.4)
    assert why_not(plain, bright) == ["", "HDR"]
    assert why_not(plain, bright, inband=True) == ["", "HDR"]


def test_sound_alone_is_no_clip(tmp_path: Path) -> None:
    run_ffmpeg("-f", "lavfi", "-i", "sine", "-t", "1", "-c:a", "aac", tmp_path / "a.m4a")
    with pytest.raises(MediaError, match=r"a\.m4a has no picture, .* with mix-audio first"):
        why_not(tmp_path / "a.m4a")


def test_settings_that_change_in_an_object_are_found_from_its_last_key_frame(tmp_path: Path) -> None:
    """Of an object only some key frames are fetched."""
    with LocalFile(_raw(tmp_path, 18, 40)) as file:
        whole = VirtualFile("object", _everything(file), [file])
        [candidate] = read_candidates([("object", whole)])
    assert str(candidate.unfit) == "codec settings change within the file"


def _everything(file: LocalFile) -> list:  # type: ignore[type-arg]
    from video_production.media.splice.parts import Range

    return [Range(0, 0, file.size)]


def test_no_parameter_sets_go_in_front_of_an_access_unit_delimiter(tmp_path: Path) -> None:
    clips = []
    for crf in (18, 40):
        clips.append(tmp_path / f"{crf}.mp4")
        source = _clip(tmp_path / f"{crf}.source.mp4", extra=("-crf", str(crf)))
        run_ffmpeg("-i", source, "-c", "copy", "-bsf:v", "h264_metadata=aud=insert", clips[-1])
    assert why_not(*clips, inband=True) == ["access unit delimiters in its stream"] * 2


def test_six_channels_are_copied_where_no_silence_is_needed(tmp_path: Path) -> None:
    clips = []
    for number in (1, 2):
        plain = make_clip(tmp_path / f"{number}.plain.mp4", sample_rate=None)
        clips.append(tmp_path / f"{number}.mp4")
        noise = ("-f", "lavfi", "-t", "1.02", "-i", _NOISE)
        run_ffmpeg("-i", plain, *noise, "-c:v", "copy", "-c:a", "aac", "-ac", "6", clips[-1])
    check_splice(clips, tmp_path / "out.mp4")
    silent = make_clip(tmp_path / "silent.mp4", sample_rate=None)
    assert why_not(*clips, silent) == ["silence is missing for sound with 6 channels"] * 3


@pytest.mark.parametrize(
    ("config", "plain"),
    [
        ("1190", True),  # 48 kHz stereo
        ("119056e500", True),  # the same, without the extension that it names
        ("119056e580", False),  # with spectral band replication
        ("2b11", False),  # HE-AAC stated outright
        ("eb09", False),  # HE-AAC v2
        ("1194", False),  # packets of 960 samples
        ("1180", False),  # channels laid out elsewhere
        ("0990", False),  # Main profile
        ("1780bb8010", False),  # a rate spelt out
        ("", False),
    ],
)
def test_only_plain_aac_is_copied(config: str, plain: bool) -> None:
    entry = AudioEntry("mp4a", "aac", 48000, 2, 0x40, bytes.fromhex(config), b"")
    assert (aac_setup(entry) is not None) == plain
    assert aac_setup(replace(entry, object_type=0x67)) is None


# -- files beyond 4 GiB

_HOLE = 4 << 30


def _giant(folder: Path) -> tuple[Path, Path]:
    """A clip, and the same with a hole of 4 GiB in the middle of its media (the file is sparse)."""
    clip, path = _clip(folder / "clip.mp4", gop=5), folder / "giant.mp4"
    with LocalFile(clip) as file:
        plan = plan_splice(read_candidates([("clip", file)]))
        assert isinstance(plan, Splice)
        assembly = plan.assembly
        whole = VirtualFile("clip", assembly.pieces, plan.sources)
        size = assembly.size - assembly.media_start
        far = size // 2
        tracks = [replace(t, offsets=t.offsets + _HOLE * (t.offsets >= far)) for t in assembly.tracks]
        head = file_type(plan.clips[0].video.entry)  # type: ignore[arg-type]
        head += movie_header(tracks, media_size=size + _HOLE, before=len(head))
        head += (1).to_bytes(4, "big") + b"mdat" + (16 + size + _HOLE).to_bytes(8, "big")
        with path.open("wb") as target:
            target.truncate(len(head) + size + _HOLE)
            target.write(head)
            for before, after in zip(assembly.tracks, tracks, strict=True):
                spans = zip(before.offsets.tolist(), after.offsets.tolist(), before.sizes.tolist(), strict=True)
                for begin, end, length in spans:
                    target.seek(len(head) + end)
                    target.write(whole.read(assembly.media_start + begin, length))
    return clip, path


def test_files_beyond_4_gib_are_laid_out_and_read_back(tmp_path: Path) -> None:
    clip, giant = _giant(tmp_path)
    with giant.open("rb") as file:
        assert b"co64" in file.read(1 << 16)
    assert decode_frames(giant)[0] == decode_frames(clip)[0]
    files = [LocalFile(path) for path in (clip, giant, giant)]
    try:
        plan = plan_splice(read_candidates([(file.name, file) for file in files]))
        assert isinstance(plan, Splice)
        plan.verify(ffmpeg=FFMPEG)
        result = VirtualFile("result", plan.assembly.pieces, plan.sources)
        assert result.size > 2 * _HOLE
        picture = read_movie(result).of_kind("video")[0].samples
        own = read_movie(files[0]).of_kind("video")[0].samples
        spans = list(zip(own.offsets, own.sizes, strict=True)) * 3
        for (begin, size), at, length in zip(spans, picture.offsets, picture.sizes, strict=True):
            assert result.read(at, length) == files[0].read(begin, size)
        assert np.all(np.asarray(picture.offsets) > 0)
    finally:
        for file in files:
            file.close()


@pytest.mark.slow
def test_a_result_beyond_4_gib_decodes(tmp_path: Path) -> None:
    clip, giant = _giant(tmp_path)
    made = splice([clip, giant], tmp_path / "out.mp4")
    assert decode_frames(made.path)[0] == decode_frames(clip)[0] * 2
    made.path.unlink()

"""Clips that are spliced: every decoded frame is an input's own, and sound stays beside its picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.media.clips import make_clip, run_ffmpeg
from tests.unit.media.spliced import check_splice, why_not

Maker = Callable[[Path], list[Path]]


def _noise(path: Path, seed: int = 1, **options: object) -> Path:
    """A clip whose sound is noise, which can be found again to the sample."""
    plain = make_clip(path.with_name(f"{path.stem}.plain.mp4"), sample_rate=None, **options)  # type: ignore[arg-type]
    return _with_noise(plain, path, seed)


def _with_noise(picture: Path, path: Path, seed: int, *, sound: tuple[str, ...] = (), rate: int = 48000) -> Path:
    noise = f"anoisesrc=seed={seed}:amplitude=0.3:sample_rate={rate}:color=pink"
    run_ffmpeg(
        *("-i", picture, "-f", "lavfi", "-i", noise, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac"),
        *("-ac", "2", *sound, "-shortest", path),
    )
    return path


def _remux(path: Path, *options: str, seed: int = 1, **clip: object) -> Path:
    source = _noise(path.with_name(f"{path.stem}.source.mp4"), seed, **clip)
    run_ffmpeg("-i", source, "-c", "copy", *options, path)
    return path


def _three(folder: Path) -> list[Path]:
    return [_noise(folder / f"{seed}.mp4", seed) for seed in (1, 2, 3)]


CASES: dict[str, Maker] = {
    "three clips encoded alike": _three,
    "the same clip sixty times": lambda d: [_noise(d / "a.mp4", seconds=0.5)] * 60,
    "B-frames": lambda d: [_noise(d / f"{n}.mp4", n, bframes=3) for n in (1, 2)],
    "no B-frames": lambda d: [_noise(d / f"{n}.mp4", n, bframes=0) for n in (1, 2)],
    "video without sound first": lambda d: [make_clip(d / "s.mp4", sample_rate=None), _noise(d / "a.mp4")],
    "video without sound between": lambda d: [
        _noise(d / "a.mp4"),
        make_clip(d / "s.mp4", sample_rate=None),
        _noise(d / "b.mp4", 2),
    ],
    "video without sound last": lambda d: [_noise(d / "a.mp4"), make_clip(d / "s.mp4", sample_rate=None)],
    "no sound at all": lambda d: [make_clip(d / f"{n}.mp4", sample_rate=None) for n in (1, 2)],
    "44.1 kHz": lambda d: [
        _with_noise(make_clip(d / f"p{n}.mp4", sample_rate=None), d / f"{n}.mp4", n, rate=44100) for n in (1, 2, 3)
    ],
    "another time scale": lambda d: [
        _noise(d / "a.mp4"),
        _remux(d / "b.mp4", "-video_track_timescale", "90000", seed=2),
    ],
    "time scales without a small common multiple": lambda d: [
        _remux(d / f"{scale}.mp4", "-video_track_timescale", str(scale), seed=scale) for scale in (90000, 65537, 44999)
    ],
    "QuickTime": lambda d: [_remux(d / "a.mov"), _noise(d / "b.mp4", 2)],
    "header first and header last": lambda d: [_remux(d / "a.mp4", "-movflags", "faststart"), _noise(d / "b.mp4", 2)],
    "fragments": lambda d: [
        _remux(d / "a.mp4", "-movflags", "frag_keyframe+delay_moov", gop=10),
        _noise(d / "b.mp4", 2, gop=10),
    ],
    "variable frame rate": lambda d: [
        _noise(
            d / "a.mp4", rate="30", extra=("-vf", "select=not(eq(mod(n\\,7)\\,3))", "-fps_mode", "vfr"), seconds=0.8
        ),
        _noise(d / "b.mp4", 2, rate="30"),
    ],
    "another quality": lambda d: [
        _noise(d / "a.mp4", extra=("-crf", "18", "-x264-params", "stitchable=1")),
        _noise(d / "b.mp4", 2, extra=("-crf", "40", "-x264-params", "stitchable=1")),
    ],
    "one frame": lambda d: [
        _noise(d / "a.mp4", seconds=0.04),
        _noise(d / "b.mp4", 2),
        _noise(d / "c.mp4", 3, seconds=0.04),
    ],
    "sound that begins late": lambda d: [_late(d, 0.3), _noise(d / "b.mp4", 2)],
    "sound longer than the picture": lambda d: [_long_sound(d), _noise(d / "b.mp4", 2)],
    "sound shorter than the picture": lambda d: [_short_sound(d), _noise(d / "b.mp4", 2)],
    "cut at a key frame by an edit list": lambda d: [
        _noise(d / "b.mp4", 2, gop=5),
        _cut(d, "0.4", gop=5),
    ],
    "open groups of pictures": lambda d: [
        _noise(d / f"{n}.mp4", n, extra=("-x264-params", "open-gop=1:keyint=10:bframes=2")) for n in (1, 2)
    ],
    "HEVC": lambda d: [_noise(d / f"{n}.mp4", n, codec="libx265", extra=("-tag:v", "hvc1")) for n in (1, 2)],
    "two sound tracks": lambda d: [_two_sounds(d), _noise(d / "b.mp4", 2)],
    "odd seconds": lambda d: [_noise(d / f"{n}.mp4", n, seconds=0.52 + n / 25) for n in range(1, 8)],
    "29.97 frames a second": lambda d: [_noise(d / f"{n}.mp4", n, rate="30000/1001") for n in (1, 2, 3)],
}


def _late(folder: Path, seconds: float) -> Path:
    source = _noise(folder / "early.mp4")
    path = folder / "late.mp4"
    run_ffmpeg("-i", source, "-itsoffset", str(seconds), "-i", source, "-map", "0:v", "-map", "1:a", "-c", "copy", path)
    return path


def _long_sound(folder: Path) -> Path:
    picture = make_clip(folder / "picture.mp4", sample_rate=None, seconds=0.6)
    path = folder / "long.mp4"
    run_ffmpeg(
        *("-i", picture, "-f", "lavfi", "-i", "anoisesrc=seed=5:amplitude=0.3:duration=1.1:sample_rate=48000"),
        *("-c:v", "copy", "-c:a", "aac", "-ac", "2", path),
    )
    return path


def _short_sound(folder: Path) -> Path:
    picture = make_clip(folder / "picture.mp4", sample_rate=None, seconds=1.2)
    path = folder / "short.mp4"
    run_ffmpeg(
        *("-i", picture, "-f", "lavfi", "-i", "anoisesrc=seed=5:amplitude=0.3:duration=0.7:sample_rate=48000"),
        *("-c:v", "copy", "-c:a", "aac", "-ac", "2", path),
    )
    return path


def _cut(folder: Path, at: str, **clip: object) -> Path:
    source = _noise(folder / "whole.mp4", 1, **clip)
    path = folder / "cut.mp4"
    run_ffmpeg("-ss", at, "-i", source, "-c", "copy", path)
    return path


def _two_sounds(folder: Path) -> Path:
    source = _noise(folder / "one.mp4")
    path = folder / "two.mp4"
    run_ffmpeg("-i", source, "-map", "0:v", "-map", "0:a", "-map", "0:a", "-c", "copy", path)
    return path


@pytest.mark.parametrize("case", CASES)
def test_a_splice_decodes_to_its_inputs_own_frames_and_sound(case: str, tmp_path: Path) -> None:
    check_splice(CASES[case](tmp_path), tmp_path / "out.mp4")


UNFIT: dict[str, tuple[Maker, str]] = {
    "size": (lambda d: [_noise(d / "a.mp4"), _noise(d / "b.mp4", size=(640, 360))], "640×360"),
    "mono": (lambda d: [_noise(d / "a.mp4", seconds=2), make_clip(d / "b.mp4", channels=1)], "mono"),
    "rate": (lambda d: [_noise(d / "a.mp4", seconds=2), make_clip(d / "b.mp4", sample_rate=44100)], "44.1 kHz"),
    "codec": (
        lambda d: [_noise(d / "a.mp4", seconds=2), _noise(d / "b.mp4", codec="libx265", extra=("-tag:v", "hvc1"))],
        "HEVC",
    ),
    "rotation": (lambda d: [_noise(d / "a.mp4", seconds=2), make_clip(d / "b.mp4", rotation=90)], "180×320, rotated"),
    "hidden frames": (
        lambda d: [_noise(d / "a.mp4", seconds=2), _cut(d, "0.5", gop=250)],
        "cut inside a group of pictures",
    ),
    "MP3": (lambda d: [_noise(d / "a.mp4", seconds=2), make_clip(d / "b.mp4", audio_codec="libmp3lame")], "MP3 sound"),
    "MKV": (lambda d: [_noise(d / "a.mp4", seconds=2), make_clip(d / "b.mkv")], "not an MP4 file"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_does_not_fit_is_named(case: str, tmp_path: Path) -> None:
    make, why = UNFIT[case]
    assert why_not(*make(tmp_path)) == ["", why]

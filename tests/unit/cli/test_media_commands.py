"""The pieces of `merge` and `probe` that need no media."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import get_args

import pytest

from video_production.cli import media_places
from video_production.cli.files import METHODS
from video_production.cli.media_places import ffmpeg_program, place, short_names
from video_production.cli.probing import Found, lines, to_object
from video_production.cli.words import file_size
from video_production.errors import OperatorError, RequestError
from video_production.media.info import AudioTrack, Chapter, MediaInfo, VideoTrack
from video_production.media.merge import Wish
from video_production.storage import S3Location


def test_the_methods_on_the_command_line_are_those_of_the_library() -> None:
    assert get_args(Wish) == METHODS


def test_inputs_are_called_by_their_file_names_unless_these_are_the_same() -> None:
    assert short_names(["a/one.mp4", "s3://b/c/two.mp4", "a/one.mp4"]) == ["one.mp4", "two.mp4", "one.mp4"]
    assert short_names(["a/one.mp4", "s3://b/one.mp4"]) == ["a/one.mp4", "s3://b/one.mp4"]


def test_a_place_is_a_path_or_an_object() -> None:
    assert place("s3:/x.mp4") == Path("s3:/x.mp4")
    assert place("s3://bucket/a b.mp4") == S3Location("bucket", "a b.mp4")
    with pytest.raises(RequestError, match="is not an S3 URL"):
        place("s3://bucket")


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (5_242_880, "5.2 MB"), (1_090_000_000, "1.09 GB")],
)
def test_sizes_are_told_in_decimal_units(size: int, words: str) -> None:
    assert file_size(size) == words


def test_without_any_ffmpeg_it_is_said_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise RuntimeError

    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", missing)
    monkeypatch.setattr(media_places.shutil, "which", lambda name: None)
    with pytest.raises(OperatorError, match=r"^There is no FFmpeg here; run make demo, which brings one, or install"):
        ffmpeg_program()
    monkeypatch.setattr(media_places.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert ffmpeg_program() == "/usr/bin/ffmpeg"


def _unusual() -> Found:
    video = VideoTrack(
        codec="hevc",
        width=1920,
        height=1080,
        frames=300,
        frame_rate=Fraction(2997, 100),
        start=Fraction(1, 3),
        duration=Fraction(10),
        pixel_aspect=Fraction(4, 3),
        pixel_format="yuv420p10le",
        interlaced=True,
        color=(9, 16, 9, False),
        constant_rate=False,
        timescale=90_000,
        reorder=3003,
        edits=2,
        mirrored=True,
        samples=310,
        sync_samples=5,
        sample_entry=b"\x01\xff",
    )
    audio = AudioTrack("opus", 48_000, 6, Fraction(0), Fraction(10), packets=500, timescale=48_000)
    chapters = (Chapter(Fraction(0), "One\x1b[31m"), Chapter(Fraction(61), "Two"))
    return Found("f\x07.mp4", MediaInfo("mp4", 12_345, Fraction(31, 3), video, audio, 2, True, chapters), 678)


def test_everything_unusual_is_told_and_nothing_reaches_the_terminal_raw() -> None:
    assert list(lines(_unusual())) == [
        "f\\x07.mp4",
        " file      MP4 or MOV, fragmented · 12,345 bytes",
        " duration  10.333 s (31/3)",
        " picture   HEVC · 1920×1080 · yuv420p10le · pixels 4:3",
        " rate      29.97 fps, variable (VFR)",
        " rotation  none, mirrored",
        " frames    300 shown · 310 samples, 5 of them sync · interlaced",
        " starts    0.333 s (1/3), lasts 10 s",
        " timing    90,000 ticks a second · 2 edits · reordered by 3,003 ticks",
        " colour    PQ (HDR) (9/16/9), limited range",
        " sound     opus · 48,000 Hz · 6 channels · 500 packets · and 2 other tracks",
        " starts    0 s, lasts 10 s",
        " timing    48,000 ticks a second · no edit list",
        " chapters  0:00 One\\x1b[31m",
        "           1:01 Two",
        " read      678 bytes of 12,345",
    ]


def test_programs_get_exact_fractions_and_hexadecimal_bytes() -> None:
    told = to_object(_unusual())
    assert (told["duration"], told["video"]["frame_rate"]) == ("31/3", "2997/100")
    assert (told["video"]["sample_entry"], told["video"]["color"]) == ("01ff", [9, 16, 9, False])
    assert (told["chapters"][1], told["bytes_read"]) == ({"start": "61", "title": "Two"}, 678)

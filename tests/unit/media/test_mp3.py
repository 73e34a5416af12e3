"""MP3 durations without FFmpeg are FFmpeg's own, to the sample."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.media.clips import decoded_audio_samples, make_still, make_tone, run_ffmpeg
from video_production.errors import MediaError
from video_production.media.mp3 import read_mp3

HEADERLESS = ("-write_xing", "0", "-id3v2_version", "0")


@pytest.mark.parametrize("extra", [(), HEADERLESS, ("-q:a", "4"), ("-b:a", "32k"), ("-metadata", "title=a" * 50)])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sample_rate", [44100, 48000, 32000, 22050, 16000, 8000])
def test_samples_are_those_that_ffmpeg_decodes(
    tmp_path: Path, sample_rate: int, channels: int, extra: tuple[str, ...]
) -> None:
    path = make_tone(tmp_path / "a.mp3", sample_rate=sample_rate, channels=channels, seconds=0.5123, extra=extra)
    info = read_mp3([path.read_bytes()])
    assert (info.sample_rate, info.channels) == (sample_rate, channels)
    assert info.samples == decoded_audio_samples(path)
    assert info.duration == Fraction(info.samples, sample_rate)


def test_a_declared_priming_and_padding_leave_the_sound_alone(tmp_path: Path) -> None:
    info = read_mp3([make_tone(tmp_path / "a.mp3", seconds=1.0).read_bytes()])
    assert (info.samples, info.undeclared_priming) == (44100, 0)
    assert info.encoder_delay == 576
    assert info.encoder_padding is not None
    assert info.frames * 1152 == 576 + 44100 + info.encoder_padding
    assert info.duration == info.sound_duration == 1


def test_without_a_header_1105_samples_are_left_to_trim(tmp_path: Path) -> None:
    info = read_mp3([make_tone(tmp_path / "a.mp3", seconds=1.0, extra=HEADERLESS).read_bytes()])
    assert info.encoder_delay is info.encoder_padding is None
    assert info.samples == info.frames * 1152
    assert info.undeclared_priming == 1105
    assert info.sound_duration == Fraction(info.samples - 1105, 44100)


@pytest.mark.parametrize("extra", [(), HEADERLESS])
def test_the_size_of_chunks_makes_no_difference(tmp_path: Path, extra: tuple[str, ...]) -> None:
    data = make_tone(tmp_path / "a.mp3", extra=extra).read_bytes()
    whole = read_mp3([data])
    for size in (1, 7, 417, 4096):
        assert read_mp3(data[at : at + size] for at in range(0, len(data), size)) == whole
    assert read_mp3([b"", data, b""]) == whole


def test_memory_stays_at_about_a_chunk(tmp_path: Path) -> None:
    data = make_tone(tmp_path / "a.mp3", extra=HEADERLESS).read_bytes()
    taken = 0

    def chunks() -> Iterator[bytes]:
        nonlocal taken
        for at in range(0, len(data), 500):
            taken = at
            yield data[at : at + 500]

    stream = chunks()
    info = read_mp3(stream)
    assert taken + 500 >= len(data)
    assert info.samples == read_mp3([data]).samples


def test_tags_before_and_after_are_skipped(tmp_path: Path) -> None:
    tone, cover = make_tone(tmp_path / "t.mp3"), make_still(tmp_path / "c.jpg")
    pictured = tmp_path / "a.mp3"
    run_ffmpeg("-i", tone, "-i", cover, "-map", "0", "-map", "1", "-c", "copy", pictured)
    plain = read_mp3([tone.read_bytes()])
    assert read_mp3([pictured.read_bytes()]) == plain
    for tag in (b"TAG" + bytes(125), b"APETAGEX" + bytes(24), bytes(500), b"LYRICSBEGIN" + b"x" * 40):
        assert read_mp3([tone.read_bytes() + tag]) == plain


@pytest.mark.parametrize(
    "content",
    [b"", b"ID3", b'{"detail": {"status": "quota_exceeded"}}', b"RIFF" + bytes(100), bytes(1000), b"\xff\xfb"],
)
def test_what_is_no_mp3_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(MediaError, match=r"^voice\.mp3 is not an MP3 file"):
        read_mp3([content], "voice.mp3")


@pytest.mark.parametrize("extra", [(), HEADERLESS])
@pytest.mark.parametrize("lost", [1, 3, 100, 2000])
def test_a_file_cut_off_in_a_frame_is_refused(tmp_path: Path, extra: tuple[str, ...], lost: int) -> None:
    data = make_tone(tmp_path / "a.mp3", extra=extra).read_bytes()
    with pytest.raises(MediaError, match=r"^The MP3 is cut off"):
        read_mp3([data[:-lost]])


def test_a_file_cut_off_between_frames_is_refused_when_its_header_promises_more(tmp_path: Path) -> None:
    data = make_tone(tmp_path / "a.mp3", extra=("-b:a", "64k")).read_bytes()
    last = data.rindex(b"\xff\xfb")
    with pytest.raises(MediaError, match="its header promises"):
        read_mp3([data[:last]])


def test_a_hole_in_the_middle_is_refused(tmp_path: Path) -> None:
    data = make_tone(tmp_path / "a.mp3").read_bytes()
    with pytest.raises(MediaError, match="damaged"):
        read_mp3([data[:3000], data[3100:]])


def test_a_change_of_sample_rate_is_refused(tmp_path: Path) -> None:
    first = make_tone(tmp_path / "a.mp3", extra=HEADERLESS).read_bytes()
    second = make_tone(tmp_path / "b.mp3", sample_rate=48000, extra=HEADERLESS).read_bytes()
    with pytest.raises(MediaError, match="changes its sample rate"):
        read_mp3([first + second])


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_tone(tmp_path_factory.mktemp("mp3") / "a.mp3", seconds=0.3).read_bytes()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_never_ends_in_anything_but_a_sentence(tone: bytes, data: st.DataObject) -> None:
    changed = bytearray(tone)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    said = ""
    try:
        assert read_mp3([bytes(changed)]).samples >= 0
    except MediaError as error:
        said = str(error)
    assert "\n" not in said

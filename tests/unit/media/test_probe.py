"""Probing tells exact numbers of any media file, and one sentence of anything else."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests.unit.media.clips import (
    FFMPEG,
    decoded_audio_samples,
    decoded_video_hashes,
    make_clip,
    make_still,
    make_tone,
    run_ffmpeg,
)
from video_production.errors import MediaError, OperatorError
from video_production.media.info import MediaInfo
from video_production.media.mp3 import read_mp3
from video_production.media.probe import probe


def look(path: Path) -> MediaInfo:
    return probe(path, FFMPEG)


def test_a_clip_is_described_in_exact_numbers(tmp_path: Path) -> None:
    info = look(make_clip(tmp_path / "a.mp4", rate="30000/1001", bframes=2, sample_rate=44100, channels=1))
    assert (info.container, info.fragmented, info.dropped_audio) == ("mp4", False, 0)
    assert info.size == (tmp_path / "a.mp4").stat().st_size
    video, audio = info.video, info.audio
    assert video is not None
    assert audio is not None
    assert (video.codec, video.width, video.height, video.pixel_format) == ("h264", 320, 180, "yuv420p")
    assert (video.frames, video.frame_rate, video.constant_rate) == (30, Fraction(30000, 1001), True)
    assert (video.start, video.duration) == (0, Fraction(1001, 1000))
    assert (video.timescale, video.reorder, video.edits, video.starts_with_key) == (30000, 2002, 1, True)
    assert video.sample_entry[4:8] == b"avc1"
    assert (audio.codec, audio.sample_rate, audio.channels) == ("aac", 44100, 1)
    assert (audio.start, audio.duration) == (0, 1)
    assert info.duration == Fraction(1001, 1000)


def test_mp4_is_read_without_ffmpeg(tmp_path: Path) -> None:
    assert probe(make_clip(tmp_path / "a.mp4"), "/nowhere/ffmpeg").video is not None


def test_a_file_is_recognised_by_what_it_holds_not_by_its_name(tmp_path: Path) -> None:
    named_mp4 = make_clip(tmp_path / "a.webm", codec="libvpx", audio_codec="libopus").rename(tmp_path / "a.mp4")
    assert look(named_mp4).container == "other"
    named_webm = make_clip(tmp_path / "b.mp4").rename(tmp_path / "b.webm")
    assert look(named_webm).container == "mp4"


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [
        ("a.webm", "libvpx", "libopus"),
        ("a.webm", "libvpx-vp9", "libvorbis"),
        ("a.mkv", "libx264", "aac"),
        ("a.ts", "libx264", "aac"),
        ("a.avi", "mpeg4", "libmp3lame"),
    ],
)
def test_frames_and_sound_of_other_containers_are_counted(tmp_path: Path, name: str, codec: str, sound: str) -> None:
    path = make_clip(tmp_path / name, codec=codec, audio_codec=sound)
    info = look(path)
    assert info.container == "other"
    assert info.video is not None
    assert info.audio is not None
    assert (info.video.width, info.video.height, info.video.pixel_format) == (320, 180, "yuv420p")
    assert info.video.frames == len(decoded_video_hashes(path)) == 25
    assert float(info.video.duration) == pytest.approx(1.0, abs=0.05)
    assert (info.audio.sample_rate, info.audio.channels) == (48000, 2)
    assert info.audio.duration * 48000 == decoded_audio_samples(path)
    assert info.video.sample_entry == b""


def test_frames_of_packets_without_a_time_are_counted_and_timed(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.avi", codec="mpeg4", audio_codec="libmp3lame", bframes=2)  # AVI stores only an order
    video = look(path).video
    assert video is not None
    assert video.frames == len(decoded_video_hashes(path)) == 25
    assert (video.frame_rate, video.duration) == (25, 1)
    assert video.constant_rate


def test_rate_and_colour_of_other_containers_are_read(tmp_path: Path) -> None:
    color = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc", "-color_range", "tv")
    info = look(make_clip(tmp_path / "a.mkv", rate="30000/1001", extra=(*color, "-vf", "setsar=4/3")))
    assert info.video is not None
    assert float(info.video.frame_rate) == pytest.approx(29.97, abs=0.03)
    assert info.video.constant_rate
    assert info.video.color == (9, 16, 9, False)
    assert info.video.pixel_aspect == Fraction(4, 3)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_rotation_is_found_in_every_container(tmp_path: Path, name: str) -> None:
    upright = make_clip(tmp_path / f"upright-{name}", sample_rate=None, seconds=0.2)
    turned = tmp_path / name
    run_ffmpeg("-display_rotation", "-90", "-i", upright, "-c", "copy", turned)
    video = look(turned).video
    assert video is not None
    assert (video.width, video.height, video.rotation) == (320, 180, 90)


@pytest.mark.parametrize("name", ["a.mp3", "a.wav", "a.flac", "a.opus", "a.m4a", "a.aac"])
def test_the_length_of_sound_is_what_decodes(tmp_path: Path, name: str) -> None:
    path = make_tone(tmp_path / name, sample_rate=48000, seconds=0.7)
    info = look(path)
    assert info.video is None
    assert info.audio is not None
    decoded = decoded_audio_samples(path)
    # An MP4 says where its sound ends; decoding goes on to the end of its last packet.
    tolerance = 1024 if name == "a.m4a" else 0
    assert 0 <= decoded - info.audio.duration * 48000 <= tolerance
    assert info.duration == info.audio.start + info.audio.duration


@pytest.mark.parametrize("extra", [(), ("-write_xing", "0")])
def test_an_mp3_is_as_long_as_its_frames_say(tmp_path: Path, extra: tuple[str, ...]) -> None:
    path = make_tone(tmp_path / "a.mp3", extra=extra)
    told = read_mp3([path.read_bytes()])
    audio = look(path).audio
    assert audio is not None
    assert audio.duration == told.sound_duration
    assert audio.priming == told.undeclared_priming == (1105 if extra else 0)


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    tone, cover = make_tone(tmp_path / "t.mp3"), make_still(tmp_path / "c.jpg")
    run_ffmpeg(
        "-i", tone, "-i", cover, "-map", "0", "-map", "1", "-c", "copy", "-id3v2_version", "3", tmp_path / "a.mp3"
    )
    info = look(tmp_path / "a.mp3")
    assert info.video is None
    assert info.audio is not None


@pytest.mark.parametrize(
    ("name", "codec"), [("a.png", "png"), ("a.jpg", "mjpeg"), ("a.webp", "webp"), ("a.bmp", "bmp")]
)
def test_a_still_is_one_frame_that_lasts_no_time(tmp_path: Path, name: str, codec: str) -> None:
    info = look(make_still(tmp_path / name))
    assert info.video is not None
    assert info.audio is None
    assert (info.video.codec, info.video.frames, info.video.width, info.video.height) == (codec, 1, 320, 180)
    assert info.duration == info.video.duration == 0


def test_two_sounds_are_counted_and_the_enabled_one_is_chosen(tmp_path: Path) -> None:
    tones = ("-f", "lavfi", "-i", "sine=sample_rate=44100", "-f", "lavfi", "-i", "sine=sample_rate=48000")
    second = ("-map", "0", "-map", "1", "-disposition:a:0", "0", "-disposition:a:1", "default")
    for name in ("a.mp4", "a.mkv"):
        run_ffmpeg(*tones, *second, "-c:a", "aac", "-t", "0.5", tmp_path / name)
        info = look(tmp_path / name)
        assert info.dropped_audio == 1
        assert info.audio is not None
        assert (info.audio.sample_rate, info.audio.stream) == (48000, 1)


def test_varying_frame_rate_is_recognised(tmp_path: Path) -> None:
    slower = "setpts=PTS*if(gt(N\\,10)\\,1.5\\,1)"
    for name in ("a.mp4", "a.mkv"):
        extra = ("-vf", slower, "-fps_mode", "vfr", "-enc_time_base", "1/1000")
        video = look(make_clip(tmp_path / name, sample_rate=None, extra=extra)).video
        assert video is not None
        assert not video.constant_rate


def test_a_constant_rate_that_milliseconds_round_stays_constant(tmp_path: Path) -> None:
    extra = ("-video_track_timescale", "1000")
    video = look(make_clip(tmp_path / "a.mp4", rate="30000/1001", sample_rate=None, extra=extra)).video
    assert video is not None
    assert video.constant_rate


def test_a_clip_cut_inside_a_group_does_not_start_with_a_key(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", gop=20)
    run_ffmpeg("-ss", "0.4", "-i", whole, "-c", "copy", tmp_path / "cut.mp4")
    video = look(tmp_path / "cut.mp4").video
    assert video is not None
    assert not video.starts_with_key
    assert video.frames == len(decoded_video_hashes(tmp_path / "cut.mp4")) == 15


def test_sound_that_starts_late_says_when(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4")
    delayed = tmp_path / "delayed.mp4"
    run_ffmpeg("-i", clip, "-itsoffset", "0.3", "-i", clip, "-map", "0:v", "-map", "1:a", "-c", "copy", delayed)
    info = look(delayed)
    assert info.video is not None
    assert info.audio is not None
    assert info.video.start == 0
    # Copied without decoding, the encoder's priming becomes audible and starts before the sound does.
    assert float(info.audio.start) == pytest.approx(0.3 - 1024 / 48000, abs=2e-3)
    assert float(info.duration) == pytest.approx(1.3, abs=2e-3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"This is the script of my lesson.\n", "holds text, not media"),
        ("Grüße aus Köln\n".encode() * 500, "holds text, not media"),
        (b"", "is empty"),
        (bytes(range(256)) * 40, "no kind of media that is supported"),
        (b"\x1a\x45\xdf\xa3" + bytes(500), "can't be read as media"),
    ],
)
def test_a_file_that_is_no_media_gets_one_sentence_with_its_name(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=rf"^notes\.mp4 [^\n]*{words}[^\n]*\.$"):
        look(path)


def test_a_playlist_is_never_followed(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "secret.ts")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{clip}\n#EXT-X-ENDLIST\n".encode()
    for name, content in (
        ("a.m3u8", playlist),
        ("b.m3u8", playlist + b"\xff\xfe"),
        ("c.mp4", b"ffconcat version 1.0\n"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(MediaError, match=name):
            look(path)


def test_a_missing_ffmpeg_is_the_operators_business(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="FFmpeg was not found"):
        probe(make_tone(tmp_path / "a.wav"), "/nowhere/ffmpeg")

"""What a delivered sound file is, how long it lasts, whether it is whole."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from tests.unit.media.clips import run_ffmpeg
from video_production.providers.sound import finish_sound

SECONDS = 0.7
FORMATS = {
    "mp3_44100_128": ("-c:a", "libmp3lame", "-b:a", "128k", "-f", "mp3"),
    "mp3_22050_32": ("-c:a", "libmp3lame", "-b:a", "32k", "-f", "mp3"),
    "wav_44100": ("-c:a", "pcm_s16le", "-f", "wav"),
    "opus_48000_64": ("-c:a", "libopus", "-b:a", "64k", "-f", "ogg"),
    "pcm_16000": ("-c:a", "pcm_s16le", "-f", "s16le"),
    "ulaw_8000": ("-c:a", "pcm_mulaw", "-f", "mulaw"),
    "alaw_8000": ("-c:a", "pcm_alaw", "-f", "alaw"),
}


def spoken(path: Path, output_format: str) -> Path:
    rate = output_format.split("_")[1]
    tone = f"sine=frequency=440:sample_rate={rate}:duration={SECONDS}"
    run_ffmpeg("-f", "lavfi", "-i", tone, "-ac", "1", "-ar", rate, *FORMATS[output_format], path)
    return path


def decoded_seconds(path: Path) -> float:
    samples = run_ffmpeg("-i", path, "-f", "s16le", "-c:a", "pcm_s16le", "-ac", "1", "-ar", "48000", "-")
    return len(samples) / 2 / 48000


@pytest.mark.parametrize("output_format", FORMATS)
def test_the_duration_is_what_ffmpeg_decodes(tmp_path: Path, output_format: str) -> None:
    sound = finish_sound(spoken(tmp_path / "sound", output_format), output_format)
    assert sound.duration == pytest.approx(decoded_seconds(sound.path), abs=0.001)
    assert sound.duration == pytest.approx(SECONDS, abs=0.03)


@pytest.mark.parametrize(
    ("output_format", "suffix", "content_type"),
    [
        ("mp3_44100_128", ".mp3", "audio/mpeg"),
        ("opus_48000_64", ".opus", "audio/ogg"),
        ("wav_44100", ".wav", "audio/wav"),
        ("pcm_16000", ".wav", "audio/wav"),
    ],
)
def test_the_suffix_says_what_the_file_is(tmp_path: Path, output_format: str, suffix: str, content_type: str) -> None:
    sound = finish_sound(spoken(tmp_path / "sound", output_format), output_format)
    assert (sound.suffix, sound.content_type) == (suffix, content_type)


def test_raw_samples_are_given_a_header_and_stay_what_they_are(tmp_path: Path) -> None:
    raw = spoken(tmp_path / "sound", "pcm_16000").read_bytes()
    sound = finish_sound(tmp_path / "sound", "pcm_16000")
    with wave.open(str(sound.path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16000)
        assert file.readframes(1 << 20) == raw


def test_the_file_counts_more_than_the_format_that_was_asked_for(tmp_path: Path) -> None:
    sound = finish_sound(spoken(tmp_path / "sound", "wav_44100"), "pcm_44100")
    assert sound.path == tmp_path / "sound"
    assert sound.duration == pytest.approx(SECONDS, abs=0.001)


def test_a_wav_that_was_streamed_without_its_sizes_ends_with_the_file(tmp_path: Path) -> None:
    path = spoken(tmp_path / "sound", "wav_44100")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert finish_sound(path, "wav_44100").duration == pytest.approx(SECONDS, abs=0.001)


@pytest.mark.parametrize("output_format", ["mp3_44100_128", "wav_44100", "opus_48000_64"])
@pytest.mark.parametrize("lost", [1, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_not_whole(tmp_path: Path, output_format: str, lost: float) -> None:
    path = spoken(tmp_path / "sound", output_format)
    content = path.read_bytes()
    path.write_bytes(content[: -lost if isinstance(lost, int) else int(len(content) * (1 - lost))])
    with pytest.raises(ValueError, match=r"cut off|not"):
        finish_sound(path, output_format)


def test_an_opus_file_that_ends_between_two_pages_is_not_whole(tmp_path: Path) -> None:
    path = spoken(tmp_path / "sound", "opus_48000_64")
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"OggS")])
    with pytest.raises(ValueError, match="cut off"):
        finish_sound(path, "opus_48000_64")


@pytest.mark.parametrize("content", [b"", b"<html>Service unavailable</html>", b'{"detail": "x"}', b"RIFF1234WAVE"])
def test_what_is_no_sound_is_not_taken_for_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sound"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"empty|not an MP3|no sound|cut off"):
        finish_sound(path, "mp3_44100_128")


def test_half_a_sample_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "sound"
    path.write_bytes(b"\0" * 1001)
    with pytest.raises(ValueError, match="middle of a sample"):
        finish_sound(path, "pcm_16000")

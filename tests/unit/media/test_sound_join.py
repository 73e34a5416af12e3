"""Sound files put behind each other without encoding: looked at as FFmpeg decodes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.media.clips import decoded_audio_samples, make_tone, run_ffmpeg
from video_production.errors import MediaError
from video_production.media.mp3 import read_mp3
from video_production.media.sound_join import join_mp3, join_wav

HEADERLESS = ("-write_xing", "0", "-id3v2_version", "0")
KINDS = [(44100, 1, "128k"), (44100, 2, "192k"), (44100, 1, "32k"), (24000, 1, "48k"), (22050, 1, "32k")]


def samples(path: Path) -> np.ndarray:
    """The first channel as FFmpeg decodes it, from -1 to 1."""
    raw = run_ffmpeg("-i", path, "-map", "0:a:0", "-ac", "1", "-f", "f32le", "-")
    return np.frombuffer(raw, dtype=np.float32)


def parts(folder: Path, suffix: str, rate: int, channels: int, extra: tuple[str, ...]) -> list[Path]:
    return [
        make_tone(
            folder / f"{number}{suffix}", sample_rate=rate, channels=channels, seconds=seconds, frequency=pitch,
            extra=extra,
        )
        for number, (seconds, pitch) in enumerate([(0.5123, 440), (0.31, 880), (0.7, 330)])
    ]  # fmt: skip


@pytest.mark.parametrize(("rate", "channels", "bit_rate"), KINDS)
def test_each_part_of_a_joined_mp3_is_heard_where_it_is_said_to_begin(
    tmp_path: Path, rate: int, channels: int, bit_rate: str
) -> None:
    paths = parts(tmp_path, ".mp3", rate, channels, ("-b:a", bit_rate))
    joined = join_mp3(paths, tmp_path / "joined.mp3")
    heard = samples(tmp_path / "joined.mp3")
    assert joined.starts[0] == 0
    assert round(joined.duration * rate) == len(heard) == decoded_audio_samples(tmp_path / "joined.mp3")
    for path, start in zip(paths, joined.starts, strict=True):
        alone = samples(path)
        inside = heard[round(start * rate) :][: len(alone)]
        edge = 1200  # encoders and decoders fade in and out
        np.testing.assert_allclose(inside[edge:-edge], alone[edge:-edge], atol=1e-3)


@pytest.mark.parametrize("extra", [(), HEADERLESS])
def test_a_joined_mp3_holds_every_frame_once_and_no_header_of_a_part(tmp_path: Path, extra: tuple[str, ...]) -> None:
    paths = parts(tmp_path, ".mp3", 44100, 1, extra)
    join_mp3(paths, tmp_path / "joined.mp3")
    content = (tmp_path / "joined.mp3").read_bytes()
    whole, infos = read_mp3([content]), [read_mp3([path.read_bytes()]) for path in paths]
    assert whole.frames == sum(info.frames for info in infos)
    sounds = [path.read_bytes()[info.begin : info.end] for path, info in zip(paths, infos, strict=True)]
    assert content[whole.begin :] == b"".join(sounds)
    assert whole.encoder_delay == infos[0].encoder_delay
    assert whole.encoder_padding == infos[-1].encoder_padding
    assert content.count(b"ID3") == 0


def test_parts_whose_encoder_declares_nothing_follow_each_other_frame_by_frame(tmp_path: Path) -> None:
    paths = parts(tmp_path, ".mp3", 44100, 1, HEADERLESS)
    joined = join_mp3(paths, tmp_path / "joined.mp3")
    durations = [float(read_mp3([path.read_bytes()]).duration) for path in paths]
    assert joined.starts == pytest.approx([0, durations[0], durations[0] + durations[1]])
    assert joined.duration == pytest.approx(sum(durations))


def test_the_same_parts_give_the_same_bytes(tmp_path: Path) -> None:
    paths = parts(tmp_path, ".mp3", 44100, 1, ())
    for name in ("once", "twice"):
        join_mp3(paths, tmp_path / name)
    assert (tmp_path / "once").read_bytes() == (tmp_path / "twice").read_bytes()


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_mulaw", "pcm_alaw"])
def test_joined_wavs_hold_exactly_the_samples_of_their_parts(tmp_path: Path, codec: str) -> None:
    paths = parts(tmp_path, ".wav", 8000, 1, ("-c:a", codec))
    joined = join_wav(paths, tmp_path / "joined.wav")
    alone = [samples(path) for path in paths]
    np.testing.assert_array_equal(samples(tmp_path / "joined.wav"), np.concatenate(alone))
    assert joined.duration == sum(map(len, alone)) / 8000
    assert joined.starts == (0, len(alone[0]) / 8000, (len(alone[0]) + len(alone[1])) / 8000)


@pytest.mark.parametrize(("join", "suffix"), [(join_mp3, ".mp3"), (join_wav, ".wav")])
def test_parts_of_different_kinds_are_refused(tmp_path: Path, join: object, suffix: str) -> None:
    one = make_tone(tmp_path / f"a{suffix}", sample_rate=44100, seconds=0.2)
    other = make_tone(tmp_path / f"b{suffix}", sample_rate=22050, seconds=0.2)
    with pytest.raises(MediaError, match="differ in sample rate or channels"):
        join([one, other], tmp_path / "joined")  # type: ignore[operator]


def test_a_part_that_is_cut_off_is_named(tmp_path: Path) -> None:
    paths = parts(tmp_path, ".mp3", 44100, 1, ())
    paths[1].write_bytes(paths[1].read_bytes()[:-100])
    with pytest.raises(MediaError, match="Part 2 of the sound is cut off"):
        join_mp3(paths, tmp_path / "joined.mp3")


def test_a_part_that_is_no_wav_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"nothing of that kind")
    with pytest.raises(MediaError, match="no WAV file"):
        join_wav([tmp_path / "a.wav"] * 2, tmp_path / "joined.wav")

"""Mixing a sound onto a clip: what is heard, what is seen, how long it lasts."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.unit.media.clips import FFMPEG, decoded_video_hashes, make_clip, make_tone, run_ffmpeg
from tests.unit.media.listening import (
    RATE,
    heard,
    lag,
    level_at,
    likeness,
    metered,
    seen,
    speech_like,
    tone,
    write_wav,
)
from video_production.errors import MediaError, OutOfTime, RequestError
from video_production.media.mix import MixResult, Mode, mix
from video_production.media.probe import probe

Mixer = Callable[..., MixResult]


@pytest.fixture
def mixed(tmp_path: Path) -> Mixer:
    """`mixed(video, audio, …)` writes `tmp_path/mixed.mp4`."""
    work = tmp_path / "work"
    work.mkdir()

    def run(
        video: Path, audio: Path, *, mode: Mode = "replace", normalise_voice: bool = False, **more: object
    ) -> MixResult:
        output = tmp_path / "mixed.mp4"
        result = mix(video, audio, output, work, mode=mode, normalise_voice=normalise_voice, ffmpeg=FFMPEG, **more)  # type: ignore[arg-type]
        assert not list(work.iterdir()), "nothing may be left in the working folder"
        tracks = probe(output, FFMPEG)
        assert tracks.video
        assert tracks.audio
        assert tracks.audio.start == 0
        assert tracks.video.start == 0
        assert abs(tracks.video.duration - tracks.audio.duration) <= Fraction(512, RATE), "both must end together"
        assert len(seen(output)) == result.frames == tracks.video.frames
        assert float(tracks.audio.duration) == pytest.approx(result.duration, abs=1 / RATE)
        assert 0 <= len(heard(output)) - result.duration * RATE < 1024, "a decoder may only fill up the last AAC frame"
        assert result.size == output.stat().st_size
        return result

    return run


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "mixed.mp4"


# --- what is heard ---


def test_mono_goes_to_both_channels_at_unity_gain(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    mono = write_wav(tmp_path / "mono.wav", tone(1000, 1.0, level=0.4, rate=44100), rate=44100)
    mixed(make_clip(tmp_path / "clip.mp4"), mono)
    sound = heard(output)[4800:-4800]
    assert level_at(sound[:, 0], 1000) == pytest.approx(0.4, rel=0.01)
    assert level_at(sound[:, 1], 1000) == pytest.approx(0.4, rel=0.01)


def test_replace_drops_the_sound_of_the_clip(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frequency=440)
    mixed(clip, write_wav(tmp_path / "a.wav", tone(1000, 1.0, level=0.3)))
    sound = heard(output)[:, 0]
    assert level_at(sound, 440) < 0.001
    assert level_at(sound, 1000) == pytest.approx(0.3, rel=0.02)


def test_overlay_keeps_both_sounds_at_their_own_level(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frequency=440, seconds=2)
    before = level_at(heard(clip)[4800:86400, 0], 440)
    mixed(clip, write_wav(tmp_path / "a.wav", tone(1000, 2.0, level=0.3)), mode="overlay")
    sound = heard(output)[4800:86400, 0]
    assert level_at(sound, 440) == pytest.approx(before, rel=0.02)
    assert level_at(sound, 1000) == pytest.approx(0.3, rel=0.02)


def test_volume_is_the_linear_gain_of_the_added_sound_alone(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frequency=440, seconds=2)
    before = level_at(heard(clip)[4800:86400, 0], 440)
    mixed(clip, write_wav(tmp_path / "a.wav", tone(1000, 2.0, level=0.4)), mode="overlay", volume=0.25)
    sound = heard(output)[4800:86400, 0]
    assert level_at(sound, 1000) == pytest.approx(0.1, rel=0.02)
    assert level_at(sound, 440) == pytest.approx(before, rel=0.02)


def test_overlaying_two_sounds_at_full_scale_does_not_clip(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    loud = write_wav(tmp_path / "loud.wav", tone(440, 1.0, level=1.0))
    silent_picture = make_clip(tmp_path / "silent.mp4", sample_rate=None)
    clip = tmp_path / "clip.mp4"
    run_ffmpeg("-i", silent_picture, "-i", loud, "-c:v", "copy", "-c:a", "alac", "-f", "mov", clip)
    mixed(clip, write_wav(tmp_path / "a.wav", tone(447, 1.0, level=1.0)), mode="overlay")
    assert np.max(np.abs(heard(output))) <= 1.0
    assert metered(output)[1] <= 0.0


def test_raising_the_volume_does_not_clip(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    mixed(make_clip(tmp_path / "clip.mp4"), write_wav(tmp_path / "a.wav", tone(440, 1.0, level=0.9)), volume=3.0)
    assert np.max(np.abs(heard(output))) <= 1.0


@pytest.mark.parametrize("level", [0.02, 1.0])
def test_a_voice_is_heard_at_minus_16_lufs(tmp_path: Path, mixed: Mixer, output: Path, level: float) -> None:
    voice = write_wav(tmp_path / "voice.wav", speech_like(3.0, level))
    result = mixed(make_clip(tmp_path / "clip.mp4", seconds=3), voice, normalise_voice=True)
    loudness, peak = metered(output)
    assert loudness == pytest.approx(-16, abs=0.5)
    assert peak <= -1.0
    assert result.notes == (), "what is done to every voice is not worth a note"


def test_volume_is_applied_after_the_voice_was_normalised(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    voice = write_wav(tmp_path / "voice.wav", speech_like(3.0, 0.1))
    mixed(make_clip(tmp_path / "clip.mp4", seconds=3), voice, normalise_voice=True, volume=0.5)
    assert metered(output)[0] == pytest.approx(-22, abs=0.5)


def test_silence_stays_silence(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    silent = write_wav(tmp_path / "silent.wav", np.zeros(RATE))
    result = mixed(make_clip(tmp_path / "clip.mp4"), silent, normalise_voice=True)
    assert np.max(np.abs(heard(output))) < 1e-4
    assert any("silent" in note for note in result.notes)


def test_a_blip_too_short_to_have_a_loudness_is_mixed_as_it_is(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    blip = write_wav(tmp_path / "blip.wav", tone(1000, 0.05, level=0.4))
    mixed(make_clip(tmp_path / "clip.mp4"), blip, normalise_voice=True)
    assert level_at(heard(output)[480:1920, 0], 1000) == pytest.approx(0.4, rel=0.05)


def test_clicks_are_heard_where_they_belong(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    places = [0, 12000, 31234]
    clicks = np.zeros(RATE)
    clicks[places] = 0.9
    mixed(make_clip(tmp_path / "clip.mp4", rate="30000/1001"), write_wav(tmp_path / "a.wav", clicks), mode="overlay")
    sound = np.abs(heard(output)[:, 0])
    for place in places:
        window = sound[max(0, place - 2400) : place + 2400]
        assert abs(int(np.argmax(window)) + max(0, place - 2400) - place) <= 48


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("a.wav", ()),
        ("a.flac", ()),
        ("a.m4a", ("-c:a", "aac", "-b:a", "192k")),
        ("a.opus", ("-c:a", "libopus", "-b:a", "160k")),
        ("a.mp3", ("-ar", "44100", "-ac", "1", "-b:a", "128k")),
        ("a.mp3", ("-ar", "44100", "-ac", "1", "-b:a", "128k", "-write_xing", "0")),
        ("a.mp3", ("-ar", "44100", "-ac", "1", "-b:a", "128k", "-write_xing", "0", "-id3v2_version", "0")),
    ],
    ids=["wav", "flac", "aac", "opus", "mp3", "mp3 without a Xing header", "bare mp3 frames"],
)
def test_the_added_sound_begins_at_the_first_moment(
    tmp_path: Path, mixed: Mixer, output: Path, name: str, encoding: tuple[str, ...]
) -> None:
    voice = speech_like(1.5, 0.5)
    run_ffmpeg("-i", write_wav(tmp_path / "voice.wav", voice), *encoding, tmp_path / name)
    result = mixed(make_clip(tmp_path / "clip.mp4", seconds=1), tmp_path / name)
    assert abs(lag(heard(output)[:, 0], voice)) < 0.005
    assert result.audio_offset == 0


# --- how long it lasts ---


def test_a_shorter_sound_is_followed_by_silence_and_the_picture_is_copied(
    tmp_path: Path, mixed: Mixer, output: Path
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=2.8, bframes=2)
    result = mixed(clip, write_wav(tmp_path / "a.wav", tone(440, 0.6)))
    assert result.picture == "copied"
    assert decoded_video_hashes(output) == decoded_video_hashes(clip)
    assert result.duration == pytest.approx(2.8, abs=0.001)
    sound = heard(output)[:, 0]
    assert level_at(sound[:28800], 440) > 0.4
    assert np.max(np.abs(sound[30000:])) < 0.001
    assert any("2.2 s before the picture" in note for note in result.notes)


def test_a_longer_sound_holds_the_last_frame(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=0.8)
    result = mixed(clip, write_wav(tmp_path / "a.wav", tone(440, 1.5)))
    before, after = seen(clip), seen(output)
    assert result.picture == "encoded"
    assert len(after) == 38  # ⌈1.5 s × 25⌉
    assert result.duration == pytest.approx(38 / 25)
    assert likeness(before[0], before[-1]) < 0.93
    assert min(likeness(after[place], frame) for place, frame in enumerate(before)) > 0.97
    assert min(likeness(frame, before[-1]) for frame in after[len(before) :]) > 0.97
    assert level_at(heard(output)[64800:72000, 0], 440) > 0.4
    assert any("held for 0.7 s" in note for note in result.notes)


def test_the_longer_of_three_lengths_counts_in_an_overlay(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    """The clip's own sound may outlast its picture, too."""
    picture = make_clip(tmp_path / "picture.mp4", seconds=0.5, sample_rate=None)
    clip = tmp_path / "clip.mp4"
    run_ffmpeg("-i", picture, "-i", write_wav(tmp_path / "own.wav", tone(440, 1.0)), "-c:v", "copy", clip)
    result = mixed(clip, write_wav(tmp_path / "a.wav", tone(1000, 0.8)), mode="overlay")
    assert result.duration == pytest.approx(1.0, abs=0.05)
    assert level_at(heard(output)[43200:47000, 0], 440) > 0.4


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_sound_of_a_clip_that_begins_late_stays_late(tmp_path: Path, mixed: Mixer, output: Path, name: str) -> None:
    picture = make_clip(tmp_path / "picture.mp4", seconds=1.0, sample_rate=None)
    own = write_wav(tmp_path / "own.wav", tone(440, 0.5))
    clip = tmp_path / name
    run_ffmpeg("-i", picture, "-itsoffset", "0.5", "-i", own, "-c:v", "copy", clip)
    mixed(clip, write_wav(tmp_path / "a.wav", np.zeros(4800)), mode="overlay")
    sound = heard(output)[:, 0]
    assert np.max(np.abs(sound[:22000])) < 0.01
    assert level_at(sound[26400:45600], 440) > 0.4


def test_overlay_on_a_clip_without_sound_adds_the_sound_alone(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", sample_rate=None)
    result = mixed(clip, make_tone(tmp_path / "a.wav", frequency=660, volume=4), mode="overlay")
    assert level_at(heard(output)[4800:43200, 0], 660) == pytest.approx(0.5, rel=0.03)
    assert any("no sound of its own" in note for note in result.notes)


def test_of_several_sound_tracks_the_default_one_is_kept_and_the_others_are_told(
    tmp_path: Path, mixed: Mixer, output: Path
) -> None:
    picture = make_clip(tmp_path / "picture.mp4", sample_rate=None)
    first, second = (write_wav(tmp_path / f"{pitch}.wav", tone(pitch, 1.0)) for pitch in (440, 660))
    clip = tmp_path / "clip.mp4"
    streams = ("-map", "0", "-map", "1", "-map", "2", "-c:v", "copy")
    run_ffmpeg(
        *("-i", picture, "-i", first, "-i", second, *streams, "-disposition:a:0", "0", "-disposition:a:1", "default"),
        clip,
    )
    result = mixed(clip, write_wav(tmp_path / "a.wav", np.zeros(RATE)), mode="overlay")
    sound = heard(output)[4800:43200, 0]
    assert level_at(sound, 660) > 0.45
    assert level_at(sound, 440) < 0.01
    assert any("further sound tracks of the clip left out: 1" in note for note in result.notes)


@pytest.mark.parametrize("begin", [0.0, 0.5])
def test_a_damaged_clip_is_refused_by_name(tmp_path: Path, mixed: Mixer, output: Path, begin: float) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=1, gop=25)
    data = bytearray(clip.read_bytes())
    media = data.index(b"mdat")
    size = int.from_bytes(data[media - 4 : media], "big") - 8
    first, end = media + 4 + round(begin * size), media + 4 + size
    data[first:end] = bytes(number * 7 % 251 for number in range(end - first))
    clip.write_bytes(data)
    with pytest.raises(MediaError, match=r"^clip\.mp4 (is damaged|can't be decoded): "):
        mixed(clip, write_wav(tmp_path / "a.wav", tone(1000, 1.0)))
    assert not output.exists()


# --- what is seen ---


def test_a_rotated_phone_clip_is_turned_upright(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", rotation=90, rate="30000/1001", sample_rate=44100, channels=1)
    result = mixed(clip, write_wav(tmp_path / "a.wav", tone(440, 0.5)), mode="overlay")
    assert (result.picture, result.width, result.height) == ("encoded", 180, 320)
    assert seen(output).shape[1:3] == (320, 180)
    tracks = probe(output, FFMPEG)
    assert tracks.video
    assert tracks.video.rotation == 0
    assert tracks.video.frame_rate == Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("hevc.mp4", {"codec": "libx265"}),
        ("vp9.webm", {"codec": "libvpx-vp9", "audio_codec": "libopus", "seconds": 0.5}),
        ("clip.mkv", {}),
        ("deep.mp4", {"pixel_format": "yuv420p10le"}),
        ("odd.mkv", {"size": (321, 181), "pixel_format": "yuv444p"}),
        ("clip.ts", {"bframes": 2}),
    ],
)
def test_what_is_not_in_the_house_profile_is_encoded_to_it(
    tmp_path: Path, mixed: Mixer, output: Path, name: str, more: dict[str, object]
) -> None:
    clip = make_clip(tmp_path / name, **more)  # type: ignore[arg-type]
    before = seen(clip)
    result = mixed(clip, write_wav(tmp_path / "a.wav", tone(440, 0.4)))
    assert result.picture == "encoded"
    assert (result.width % 2, result.height % 2) == (0, 0)
    assert result.frames == len(before)
    after = seen(output)
    height, width = before.shape[1:3]
    for place in (0, -1):
        assert likeness(after[place, :height, :width], before[place]) > 0.97
    tracks = probe(output, FFMPEG)
    assert tracks.video
    assert (tracks.video.codec, tracks.video.pixel_format) == ("h264", "yuv420p")


# --- around it ---


def test_a_draft_is_marked_in_the_file(tmp_path: Path, mixed: Mixer, output: Path) -> None:
    clip, sound = make_clip(tmp_path / "clip.mp4"), make_tone(tmp_path / "a.wav")
    mixed(clip, sound, draft=True)
    with av.open(str(output)) as file:
        assert file.metadata["comment"].startswith("DRAFT")
    mixed(clip, sound)
    with av.open(str(output)) as file:
        assert "comment" not in file.metadata


def test_progress_goes_through_the_stages_and_ends_at_one(tmp_path: Path, mixed: Mixer) -> None:
    told: list[tuple[str, float]] = []
    mixed(
        make_clip(tmp_path / "clip.mp4"),
        make_tone(tmp_path / "a.wav"),
        on_progress=lambda stage, fraction: told.append((stage, fraction)),
    )
    stages = [stage for stage, _ in told]
    assert sorted(set(stages), key=stages.index) == ["measuring", "encoding", "checking"]
    assert told[-1] == ("checking", 1.0)
    assert all(0 <= fraction <= 1 for _, fraction in told)


def test_past_the_deadline_nothing_is_left_behind(tmp_path: Path, output: Path) -> None:
    clip, sound = make_clip(tmp_path / "clip.mp4"), make_tone(tmp_path / "a.wav")
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(OutOfTime):
        mix(clip, sound, output, work, mode="replace", normalise_voice=False, ffmpeg=FFMPEG, deadline=time.monotonic())
    assert not output.exists()
    assert not list(work.iterdir())


def test_inputs_that_cannot_be_mixed_are_refused_in_one_sentence(tmp_path: Path, mixed: Mixer) -> None:
    clip, sound = make_clip(tmp_path / "clip.mp4"), make_tone(tmp_path / "a.wav")
    text = tmp_path / "text.mp4"
    text.write_text("this is no video at all, only a text that is named like one\n" * 20)
    with pytest.raises(MediaError, match="no sound"):
        mixed(clip, make_clip(tmp_path / "silent.mp4", sample_rate=None))
    with pytest.raises(MediaError, match="no picture"):
        mixed(sound, sound)
    with pytest.raises(MediaError):
        mixed(text, sound)
    with pytest.raises(MediaError):
        mixed(clip, text)
    with pytest.raises(RequestError, match="volume"):
        mixed(clip, sound, volume=-1.0)

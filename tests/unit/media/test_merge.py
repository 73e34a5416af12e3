import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.unit.media.clips import FFMPEG, decoded_video_hashes, make_clip, make_still, make_tone, run_ffmpeg
from tests.unit.media.house import clicks, heard_clicks, house_clip
from tests.unit.media.listening import RATE, Frames, heard, seen, tone
from video_production.errors import MediaError, OutOfTime, VerificationFailed
from video_production.media import merge as merge_module
from video_production.media.merge import MergeInput, MergeResult, merge
from video_production.media.probe import probe

Merge = Callable[..., MergeResult]


@pytest.fixture
def join(tmp_path: Path) -> Merge:
    """Merge clips into `out.mp4`; nothing but inputs and output may be left behind."""
    work = tmp_path / "work"
    work.mkdir()

    def run(*clips: Path, **options: object) -> MergeResult:
        inputs = [MergeInput(clip.name, clip) for clip in clips]
        try:
            return merge(inputs, tmp_path / "out.mp4", work, ffmpeg=FFMPEG, **options)  # type: ignore[arg-type]
        finally:
            assert list(work.iterdir()) == []

    return run


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.mp4"


def treatments(result: MergeResult) -> list[str]:
    return [joined.treatment for joined in result.joins]


def frame_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def nearest(frame: Frames, candidates: Frames) -> int:
    """Which of the candidates looks most like the frame."""
    differences = [np.abs(candidate.astype(int) - frame).mean() for candidate in candidates]
    return int(np.argmin(differences))


def test_frames_of_copied_clips_decode_to_exactly_what_they_were(tmp_path: Path, join: Merge, out: Path) -> None:
    clips = [
        house_clip(tmp_path / "a.mp4", frames=25, sound=tone(440, 1.0)),
        house_clip(tmp_path / "b.mp4", frames=37, sound=tone(550, 1.48), source="mandelbrot"),
        house_clip(tmp_path / "c.mp4", frames=1, sound=tone(660, 0.04)),
        house_clip(tmp_path / "d.mp4", frames=30, source="smptebars"),
        house_clip(tmp_path / "e.mp4", frames=60, sound=tone(440, 2.4)),
    ]
    result = join(*clips)
    assert decoded_video_hashes(out) == [frame for clip in clips for frame in decoded_video_hashes(clip)]
    assert treatments(result) == ["copied"] * 5
    assert result.method == "reencode-some"
    assert result.frames == 25 + 37 + 1 + 30 + 60
    assert frame_times(out) == [Fraction(number, 25) for number in range(153)]


def test_packets_of_copied_clips_are_copied_byte_for_byte(tmp_path: Path, join: Merge, out: Path) -> None:
    clips = [house_clip(tmp_path / f"{source}.mp4", source=source) for source in ("testsrc2", "mandelbrot")]
    join(*clips)

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(video=0) if packet.size]

    assert packets(out) == [packet for clip in clips for packet in packets(clip)]


def test_only_the_odd_one_out_is_re_encoded(tmp_path: Path, join: Merge, out: Path) -> None:
    first = house_clip(tmp_path / "a.mp4", frames=40, sound=tone(440, 1.6))
    phone = make_clip(
        tmp_path / "phone.mp4", size=(320, 180), rate="30000/1001", sample_rate=44100, channels=1, rotation=90
    )
    last = house_clip(tmp_path / "c.mp4", frames=30, sound=tone(440, 1.2), source="mandelbrot")
    result = join(first, phone, last)
    hashes = decoded_video_hashes(out)
    assert treatments(result) == ["copied", "re-encoded", "copied"]
    assert result.joins[1].why == "180×320, rotated, 29.97 fps, 44.1 kHz, mono → re-encoded"
    assert hashes[:40] == decoded_video_hashes(first)
    assert hashes[65:] == decoded_video_hashes(last)
    assert [(clip.start, clip.duration) for clip in result.joins] == [(0.0, 1.6), (1.6, 1.0), (2.6, 1.2)]
    assert result.duration == pytest.approx(3.8, abs=0.001)


def test_a_merged_video_can_be_merged_again_without_re_encoding(tmp_path: Path, join: Merge, out: Path) -> None:
    first = house_clip(tmp_path / "a.mp4", sound=tone(440, 1.0))
    other = make_clip(tmp_path / "b.mp4", size=(64, 64), rate="30")
    join(first, other)
    again = out.rename(tmp_path / "merged.mp4")
    assert treatments(join(again, first, again)) == ["copied"] * 3
    assert decoded_video_hashes(out) == [
        *decoded_video_hashes(again),
        *decoded_video_hashes(first),
        *decoded_video_hashes(again),
    ]


def test_a_click_at_the_start_of_each_of_many_clips_stays_there(tmp_path: Path, join: Merge, out: Path) -> None:
    one = house_clip(tmp_path / "a.mp4", frames=13, sound=clicks(0.52, [0.0]))
    two = house_clip(tmp_path / "b.mp4", frames=17, sound=clicks(0.68, [0.0]))
    result = join(*[one, two] * 12)
    starts = [clip.start for clip in result.joins]
    assert heard_clicks(out) == pytest.approx(starts, abs=0.003)
    assert starts[-1] == pytest.approx(11 * 30 / 25 + 13 / 25)


def test_clicks_stay_in_place_for_every_kind_of_sound(tmp_path: Path, join: Merge, out: Path) -> None:
    def clip(name: str, *sound_options: str, rate: str = "25") -> Path:
        wav = tmp_path / "clicks.wav"
        house_clip(tmp_path / "unused.mp4", sound=clicks(1.0, [0.0, 0.5])).with_suffix(".wav").replace(wav)
        picture = ["-f", "lavfi", "-i", f"testsrc2=size=160x90:rate={rate}", "-i", wav, "-t", "1", "-bf", "2"]
        run_ffmpeg(*picture, "-c:v", "libx264", "-preset", "ultrafast", *sound_options, tmp_path / name)
        return tmp_path / name

    clips = [
        clip("mono.mp4", "-c:a", "aac", "-ar", "44100", "-ac", "1"),
        clip("opus.mp4", "-c:a", "libopus"),
        clip("mp3.mp4", "-c:a", "libmp3lame"),
        clip("pcm.mov", "-c:a", "pcm_s16le"),
        clip("low.mp4", "-c:a", "aac", "-ar", "22050", rate="30"),
        clip("opus.mkv", "-c:a", "libopus"),
        clip("vorbis.webm", "-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libvorbis"),
        clip("fragments.mp4", "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov+delay_moov"),
    ]
    result = join(*clips)
    wanted = [clip.start + offset for clip in result.joins for offset in (0.0, 0.5)]
    assert heard_clicks(out) == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("silent", [0, 1, 2])
def test_a_clip_without_sound_is_silent_and_moves_nothing(tmp_path: Path, join: Merge, out: Path, silent: int) -> None:
    clips = [
        house_clip(tmp_path / f"{index}.mp4", sound=None if index == silent else clicks(1.0, [0.0, 0.4]))
        for index in range(3)
    ]
    result = join(*clips)
    wanted = [index + offset for index in range(3) if index != silent for offset in (0.0, 0.4)]
    assert heard_clicks(out) == pytest.approx(wanted, abs=0.003)
    assert len(heard(out)) == pytest.approx(3 * RATE, abs=1024)
    assert result.joins[silent].why == "no sound → silence added, picture copied without re-encoding"


def test_clips_that_are_all_silent_have_no_sound_track(tmp_path: Path, join: Merge, out: Path) -> None:
    clip = house_clip(tmp_path / "a.mp4")
    result = join(clip, clip)
    assert probe(out, FFMPEG).audio is None
    assert result.verification.audio_samples == 0


def test_sound_longer_than_its_picture_holds_the_last_frame(tmp_path: Path, join: Merge, out: Path) -> None:
    long = house_clip(tmp_path / "long.mp4", frames=20, sound=clicks(1.5, [0.0, 1.4]))
    after = house_clip(tmp_path / "after.mp4", frames=40, sound=clicks(1.6, [0.0]), source="mandelbrot")
    result = join(long, after)
    assert "sound 0.7 s longer than the picture, last frame held" in result.joins[0].why
    assert result.joins[1].start == pytest.approx(1.52)  # 38 frames: nothing of the sound is cut
    assert heard_clicks(out) == pytest.approx([0.0, 1.4, 1.52], abs=0.003)
    frames = seen(out).astype(int)
    assert np.abs(frames[19] - frames[37]).mean() < 1
    assert np.abs(frames[37] - frames[38]).mean() > 20


def test_a_picture_that_starts_late_is_shown_from_the_start_and_stays_in_step(
    tmp_path: Path, join: Merge, out: Path
) -> None:
    whole = make_clip(tmp_path / "whole.mp4", size=(160, 90))
    late = tmp_path / "late.mp4"
    run_ffmpeg("-itsoffset", "0.4", "-i", whole, "-i", whole, "-map", "0:v", "-map", "1:a", "-c", "copy", late)
    clip = house_clip(tmp_path / "a.mp4", frames=50, sound=tone(440, 2.0))
    result = join(clip, late)
    frames, source = seen(out), seen(whole)
    assert result.joins[1].duration == pytest.approx(1.4)
    assert [nearest(frames[50 + number], source) for number in (0, 10, 15, 30, 34)] == [0, 0, 5, 20, 24]


def test_sound_that_starts_late_stays_late(tmp_path: Path, join: Merge, out: Path) -> None:
    whole = house_clip(tmp_path / "whole.mp4", sound=clicks(1.0, [0.0, 0.5]))
    late = tmp_path / "late.mp4"
    run_ffmpeg(
        *("-i", whole, "-itsoffset", "0.25", "-i", whole, "-map", "0:v", "-map", "1:a", "-c", "copy"),
        *("-movie_timescale", "120000", late),
    )
    result = join(whole, late, whole)
    assert result.joins[2].start == pytest.approx(2.25, abs=0.05)
    start = result.joins[2].start
    assert heard_clicks(out) == pytest.approx([0.0, 0.5, 1.25, 1.75, start, start + 0.5], abs=0.02)


def test_frames_hidden_by_an_edit_list_stay_hidden(tmp_path: Path, join: Merge, out: Path) -> None:
    whole = house_clip(tmp_path / "whole.mp4", frames=50, sound=tone(440, 2.0))
    cut = tmp_path / "cut.mp4"
    run_ffmpeg("-ss", "0.8", "-i", whole, "-c", "copy", "-video_track_timescale", "120000", cut)
    shown = seen(cut).astype(int)
    assert 28 <= len(shown) <= 32  # the frames before 0.8 s are in the file, but hidden
    result = join(whole, cut)
    frames = seen(out).astype(int)
    assert treatments(result) == ["copied", "re-encoded"]
    assert "cut inside a group of pictures" in result.joins[1].why
    assert np.abs(frames[50] - shown[0]).mean() < 4
    assert result.frames == 50 + len(shown)


def test_a_clip_that_begins_inside_an_open_group_of_pictures_is_not_copied(tmp_path: Path, join: Merge) -> None:
    options = ["-x264-params", "stitchable=1:open-gop=1:keyint=10:min-keyint=10:scenecut=0:bframes=3:b-adapt=0"]
    whole = house_clip(tmp_path / "whole.mp4", frames=50, encoder=options)
    cut = tmp_path / "cut.mp4"
    run_ffmpeg("-ss", "0.9", "-i", whole, "-c", "copy", "-avoid_negative_ts", "disabled", cut)
    assert merge_module.starts_with_idr(whole, 0)
    assert not merge_module.starts_with_idr(cut, 0)
    assert treatments(join(whole, cut))[1] == "re-encoded"


def test_a_variable_frame_rate_becomes_constant_and_keeps_its_time(tmp_path: Path, join: Merge, out: Path) -> None:
    uneven = tmp_path / "uneven.mp4"
    source = "testsrc2=size=160x90:rate=50:duration=2,select='lt(n\\,25)+not(mod(n\\,5))'"
    run_ffmpeg("-f", "lavfi", "-i", source, "-fps_mode", "vfr", "-c:v", "libx264", "-preset", "ultrafast", uneven)
    steady = house_clip(tmp_path / "steady.mp4", frames=75)
    result = join(steady, uneven)
    assert "variable frame rate" in result.joins[1].why
    assert frame_times(out) == [Fraction(number, 25) for number in range(result.frames)]
    assert result.frames == 75 + round(probe(uneven, FFMPEG).duration * 25)
    shown, original, times = seen(out)[75:], seen(uneven), frame_times(uneven)
    for number in range(0, len(shown), 6):
        due = max(moment for moment in times if moment <= Fraction(number, 25) + Fraction(19, 1000))
        assert times[nearest(shown[number], original)] == pytest.approx(float(due), abs=0.021)


def test_an_interlaced_clip_becomes_progressive(tmp_path: Path, join: Merge, out: Path) -> None:
    fields = tmp_path / "fields.mp4"
    source = "testsrc2=size=160x96:rate=50,tinterlace=interleave_top,setfield=tff"
    run_ffmpeg(
        *("-f", "lavfi", "-i", source, "-t", "1", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-flags", "+ilme+ildct", "-x264-params", "tff=1", fields),
    )
    result = join(house_clip(tmp_path / "a.mp4", frames=50), fields)
    assert "interlaced" in result.joins[1].why
    with av.open(str(out)) as container:
        assert not any(frame.interlaced_frame for frame in container.decode(video=0))


def test_every_mismatch_that_ffmpegs_concat_gets_wrong_comes_out_right(tmp_path: Path, join: Merge, out: Path) -> None:
    """Codec, size, sample rate, channels, time scale, missing sound first, in the middle and last, odd sizes."""
    ticks = ["-video_track_timescale", "90000"]
    clips = [
        make_clip(tmp_path / "silent.mp4", size=(160, 90), sample_rate=None),
        make_clip(tmp_path / "hevc.mp4", size=(160, 90), codec="libx265", extra=["-tag:v", "hvc1"]),
        make_clip(tmp_path / "big.mp4", size=(320, 180), sample_rate=44100, channels=1),
        make_clip(tmp_path / "quiet.mp4", size=(160, 90), sample_rate=None, rate="30"),
        make_clip(tmp_path / "ticks.mp4", size=(160, 90), rate="30000/1001", extra=ticks),
        make_clip(tmp_path / "odd.mp4", size=(161, 91), pixel_format="yuv444p"),
        make_clip(tmp_path / "tall.mkv", size=(90, 160), channels=6, codec="libvpx", audio_codec="libopus"),
        make_clip(tmp_path / "last.mp4", size=(160, 90), sample_rate=None),
    ]
    result = join(*clips)
    assert result.method == "reencode-all"
    assert (result.frames, len(frame_times(out))) == (8 * 25, 8 * 25)
    assert [clip.start for clip in result.joins] == pytest.approx(range(8))
    for index, clip in enumerate(clips):
        # Of each clip, the frame in the middle is in the middle of its second.
        picture = seen(out)[index * 25 + 12]
        source = seen(clip)[round(12 / 25 * len(seen(clip)))]
        middle = np.abs(picture[40:50, 75:85].astype(float).mean(axis=(0, 1)) - _middle(source)).max()
        assert middle < 40, clip.name
    loudness = [np.abs(heard(out)[second * RATE + 4800 : (second + 1) * RATE - 4800]).max() for second in range(8)]
    assert [level > 0.05 for level in loudness] == [False, True, True, False, True, True, True, False]


def _middle(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    reach = max(2, height // 18)
    part = frame[height // 2 - reach : height // 2 + reach, width // 2 - reach : width // 2 + reach]
    return part.astype(float).mean(axis=(0, 1))


def test_a_rotated_clip_is_upright(tmp_path: Path, join: Merge, out: Path) -> None:
    half = "color=white:size=160x90:rate=25,drawbox=w=80:color=black:t=fill"
    lying = tmp_path / "lying.mp4"
    run_ffmpeg("-f", "lavfi", "-i", half, "-t", "0.4", "-c:v", "libx264", "-preset", "ultrafast", lying)
    turned = tmp_path / "turned.mp4"
    run_ffmpeg("-display_rotation", "-90", "-i", lying, "-c", "copy", turned)
    join(house_clip(tmp_path / "a.mp4"), turned)
    frame = seen(out)[30]
    assert frame[:40, 70:90].max() < 30  # what was left is now on top
    assert frame[50:, 70:90].min() > 220
    assert frame[:, :40].max() < 8  # beside it lies black


def test_neighbours_of_different_loudness_earn_a_warning(tmp_path: Path, join: Merge) -> None:
    loud = house_clip(tmp_path / "loud.mp4", sound=tone(1000, 1.0, level=0.5))
    soft = house_clip(tmp_path / "soft.mp4", sound=tone(1000, 1.0, level=0.1))
    near = house_clip(tmp_path / "near.mp4", sound=tone(1000, 1.0, level=0.35))
    assert join(loud, near).warnings == ()
    (warning,) = join(near, soft, house_clip(tmp_path / "silent.mp4")).warnings
    assert warning.startswith("soft.mp4 is 11 LU quieter than near.mp4 before it")


def test_a_damaged_clip_is_told_and_never_copied(tmp_path: Path, join: Merge) -> None:
    clip = house_clip(tmp_path / "a.mp4", frames=50, source="mandelbrot")
    content = bytearray(clip.read_bytes())
    media = content.index(b"mdat")
    for position in range(media + len(content[media:]) // 2, media + len(content[media:]) // 2 + 2000):
        content[position] ^= 0x5A
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(content)
    result = join(clip, damaged)
    assert result.joins[1].treatment == "re-encoded"
    assert any("damaged.mp4 is damaged in places" in warning for warning in result.warnings)


def test_one_clip_alone_is_fine(tmp_path: Path, join: Merge, out: Path) -> None:
    clip = house_clip(tmp_path / "a.mp4", sound=clicks(1.0, [0.0]))
    assert join(clip).joins[0].start == 0
    assert decoded_video_hashes(out) == decoded_video_hashes(clip)


def test_a_draft_is_marked(tmp_path: Path, join: Merge, out: Path) -> None:
    join(house_clip(tmp_path / "a.mp4"), draft=True)
    with av.open(str(out)) as container:
        assert container.metadata["comment"].startswith("DRAFT")


def test_the_index_comes_first(tmp_path: Path, join: Merge, out: Path) -> None:
    join(house_clip(tmp_path / "a.mp4", sound=tone(440, 1.0)))
    content = out.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_the_same_clips_give_the_same_file(tmp_path: Path, join: Merge, out: Path) -> None:
    clips = [house_clip(tmp_path / "a.mp4", sound=tone(440, 1.0)), make_clip(tmp_path / "b.mp4")]
    join(*clips)
    first = out.read_bytes()
    join(*clips)
    assert out.read_bytes() == first


def test_names_that_look_like_options_or_addresses_are_just_names(tmp_path: Path, join: Merge) -> None:
    clip = house_clip(tmp_path / "a.mp4", frames=5)
    odd = [clip.with_name(name) for name in ("-y.mp4", "http:x.mp4", "it's %03d.mp4", "dé mo.mp4")]
    for path in odd:
        path.write_bytes(clip.read_bytes())
    assert treatments(join(*odd)) == ["copied"] * 4


def test_progress_runs_through_the_stages_in_order(tmp_path: Path, join: Merge) -> None:
    told: list[tuple[str, float]] = []
    clip = house_clip(tmp_path / "a.mp4", sound=tone(440, 1.0))
    join(clip, clip, on_progress=lambda stage, fraction: told.append((stage, fraction)))
    assert list(dict.fromkeys(stage for stage, _ in told)) == ["reading", "encoding", "joining", "checking"]
    for stage in ("reading", "encoding", "joining", "checking"):
        fractions = [fraction for told_stage, fraction in told if told_stage == stage]
        assert fractions == sorted(fractions)
        assert fractions[-1] == pytest.approx(1.0)


def refused(tmp_path: Path, join: Merge, other: Path) -> str:
    with pytest.raises(MediaError) as caught:
        join(house_clip(tmp_path / "a.mp4", frames=5), other)
    assert not (tmp_path / "out.mp4").exists()
    return str(caught.value)


def test_a_still_picture_is_refused(tmp_path: Path, join: Merge) -> None:
    assert "slide.png is a still picture" in refused(tmp_path, join, make_still(tmp_path / "slide.png"))


def test_a_sound_file_is_refused(tmp_path: Path, join: Merge) -> None:
    assert "song.mp3 has no picture" in refused(tmp_path, join, make_tone(tmp_path / "song.mp3"))


def test_a_text_file_is_refused(tmp_path: Path, join: Merge) -> None:
    notes = tmp_path / "notes.mp4"
    notes.write_text("These are notes.\n" * 50)
    assert "notes.mp4" in refused(tmp_path, join, notes)


def test_a_truncated_clip_is_refused(tmp_path: Path, join: Merge) -> None:
    clip = house_clip(tmp_path / "whole.mp4", source="mandelbrot")
    short = tmp_path / "short.mp4"
    short.write_bytes(clip.read_bytes()[:-5000])
    assert "short.mp4" in refused(tmp_path, join, short)


def test_nothing_to_merge_is_refused(join: Merge) -> None:
    with pytest.raises(MediaError, match="nothing to merge"):
        join()


def test_the_deadline_ends_a_merge_without_a_result(tmp_path: Path, join: Merge, out: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", size=(1280, 720))
    with pytest.raises(OutOfTime):
        join(clip, house_clip(tmp_path / "b.mp4"), deadline=time.monotonic() + 0.2)
    assert not out.exists()


def test_copies_that_fail_the_check_are_re_encoded(
    tmp_path: Path, join: Merge, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = house_clip(tmp_path / "a.mp4", frames=10)
    checked: list[Path] = []

    def doubtful(path: Path, **expected: object) -> object:
        checked.append(path)
        if len(checked) == 1:
            raise VerificationFailed("a frame is missing")
        return verify(path, **expected)  # type: ignore[arg-type]

    verify = merge_module.verify_video
    monkeypatch.setattr(merge_module, "verify_video", doubtful)
    result = join(clip, clip)
    assert result.method == "reencode-all"
    assert result.joins[0].why == "its copied picture did not pass the check → re-encoded"


def test_a_result_that_fails_its_check_is_never_handed_over(
    tmp_path: Path, join: Merge, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path, **expected: object) -> object:
        raise VerificationFailed("a frame is missing")

    monkeypatch.setattr(merge_module, "verify_video", failing)
    out.write_text("what was there before")
    with pytest.raises(VerificationFailed, match="a frame is missing"):
        join(house_clip(tmp_path / "a.mp4", frames=10))
    assert out.read_text() == "what was there before"

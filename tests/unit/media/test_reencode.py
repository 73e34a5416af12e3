from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.unit.media.clips import FFMPEG, decoded_video_hashes, make_clip, run_ffmpeg
from tests.unit.media.house import clicks, house_clip
from tests.unit.media.listening import RATE, Frames, heard, likeness, seen, tone
from video_production.media.clip_parts import why_unsafe
from video_production.media.merge_result import MergeResult
from video_production.media.probe import probe

Merge = Callable[..., MergeResult]


def treatments(result: MergeResult) -> list[str]:
    return [joined.treatment for joined in result.joins]


def frame_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def nearest(frame: Frames, candidates: Frames) -> int:
    """Which of the candidates looks most like the frame."""
    differences = [np.abs(candidate.astype(int) - frame).mean() for candidate in candidates]
    return int(np.argmin(differences))


def _middle(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    reach = max(2, height // 18)
    part = frame[height // 2 - reach : height // 2 + reach, width // 2 - reach : width // 2 + reach]
    return part.astype(float).mean(axis=(0, 1))


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


def test_clips_of_other_time_scales_are_copied_onto_one_exact_grid(tmp_path: Path, join: Merge, out: Path) -> None:
    first = house_clip(tmp_path / "a.mp4", frames=40, rate=Fraction(30000, 1001), source="mandelbrot")
    clips = [first]
    for timescale in ("30000", "1000", "90000"):
        clips.append(tmp_path / f"{timescale}.mp4")
        run_ffmpeg("-i", first, "-c", "copy", "-video_track_timescale", timescale, clips[-1])
    assert treatments(join(*clips)) == ["copied"] * 4
    assert decoded_video_hashes(out) == decoded_video_hashes(first) * 4
    assert frame_times(out) == [Fraction(number * 1001, 30000) for number in range(160)]


def test_a_picture_a_little_behind_its_sound_is_copied_onto_the_grid(tmp_path: Path, join: Merge, out: Path) -> None:
    clip = house_clip(tmp_path / "a.mp4", sound=tone(440, 1.0))
    behind = tmp_path / "behind.mp4"
    run_ffmpeg("-itsoffset", "0.015", "-i", clip, "-i", clip, "-map", "0:v", "-map", "1:a", "-c", "copy", behind)
    assert treatments(join(behind, clip, behind)) == ["copied"] * 3
    assert decoded_video_hashes(out) == decoded_video_hashes(clip) * 3
    assert frame_times(out) == [Fraction(number, 25) for number in range(75)]


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
    assert why_unsafe(whole, 0) is None
    assert why_unsafe(cut, 0) == "does not start with an independent frame"
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


def test_a_clip_whose_codec_settings_change_on_the_way_is_not_copied(tmp_path: Path, join: Merge, out: Path) -> None:
    clip = house_clip(tmp_path / "a.mp4")
    options = ("-x264-params", "stitchable=1:chromaloc=0:chroma-qp-offset=6")
    other = house_clip(tmp_path / "b.mp4", encoder=options)
    (tmp_path / "list").write_text(f"file '{clip}'\nfile '{other}'\n")
    both = tmp_path / "both.mp4"
    run_ffmpeg("-f", "concat", "-safe", "0", "-i", tmp_path / "list", "-c", "copy", both)
    result = join(clip, both, clip)
    assert treatments(result) == ["copied", "re-encoded", "copied"]
    assert "codec settings change within the file" in result.joins[1].why
    hashes = decoded_video_hashes(out)
    assert hashes[:25] == hashes[75:] == decoded_video_hashes(clip)


def test_a_clip_of_less_than_half_a_frame_of_the_result_is_shown_for_one(
    tmp_path: Path, join: Merge, out: Path
) -> None:
    flash = make_clip(tmp_path / "flash.mp4", size=(160, 90), rate="60", seconds=1 / 60, sample_rate=None)
    clip = house_clip(tmp_path / "a.mp4")
    assert join(clip, flash, clip).frames == 51
    assert likeness(seen(out)[25], seen(flash)[0]) > 0.97


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

import errno
import re
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from tests.unit.media.clips import FFMPEG, make_clip, make_still, make_tone, run_ffmpeg
from tests.unit.media.house import house_clip
from tests.unit.media.listening import tone
from video_production.errors import MediaError, OperatorError, OutOfTime, VerificationFailed
from video_production.media import reencode as merge_module
from video_production.media.merge_result import MergeResult
from video_production.media.probe import probe

Merge = Callable[..., MergeResult]


def treatments(result: MergeResult) -> list[str]:
    return [joined.treatment for joined in result.joins]


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


def with_noise(clip: Path, name: str, begin: float, end: float) -> Path:
    """The clip with noise in part of its media, from fraction `begin` to `end`."""
    content = bytearray(clip.read_bytes())
    media = content.index(b"mdat") + 4
    size = len(content) - media
    for position in range(media + round(begin * size), media + round(end * size)):
        content[position] ^= 0x5A
    clip.with_name(name).write_bytes(content)
    return clip.with_name(name)


@pytest.mark.parametrize("damage", [(0.5, 0.55), (0.5, 1.0), (0.0, 1.0)])
def test_a_damaged_clip_is_refused_by_name(tmp_path: Path, join: Merge, damage: tuple[float, float]) -> None:
    clip = house_clip(tmp_path / "a.mp4", frames=50, source="mandelbrot")
    damaged = with_noise(clip, "damaged.mp4", *damage)
    assert re.match(
        r"damaged\.mp4 (is damaged|can't be decoded): .*export it again\.", refused(tmp_path, join, damaged), re.I
    )


def test_a_damaged_sound_is_refused_by_name(tmp_path: Path, join: Merge) -> None:
    clip = house_clip(tmp_path / "a.mp4", frames=25, source="color=black", sound=tone(440, 1.0))
    assert "noisy.mp4 is damaged" in refused(tmp_path, join, with_noise(clip, "noisy.mp4", 0.5, 0.8))


@pytest.mark.parametrize(("name", "why"), [("film.mkv", "is damaged"), ("film.avi", "is cut off")])
@pytest.mark.parametrize("keep", [0.5, 0.8, 0.99])
def test_a_clip_of_another_container_that_is_cut_off_is_refused(
    tmp_path: Path, join: Merge, name: str, why: str, keep: float
) -> None:
    clip = make_clip(tmp_path / name, codec="mpeg4", audio_codec="libmp3lame")
    clip.write_bytes(clip.read_bytes()[: round(clip.stat().st_size * keep)])
    assert f"{name} {why}" in refused(tmp_path, join, clip)


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


def test_a_full_disk_is_the_operators_concern(
    tmp_path: Path, join: Merge, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*ignored: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(merge_module.shutil, "copyfileobj", full)
    with pytest.raises(OperatorError, match="disk is full"):
        join(house_clip(tmp_path / "a.mp4", frames=10, sound=tone(440, 0.4)))
    assert not out.exists()


def test_a_result_on_another_disk_appears_whole_or_not_at_all(
    tmp_path: Path, join: Merge, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def other_disk(made: Path, target: Path) -> Path:
        if made.parent != target.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(made, target)

    monkeypatch.setattr(Path, "replace", other_disk)
    join(house_clip(tmp_path / "a.mp4", frames=10))
    assert probe(out, FFMPEG).video is not None
    assert not list(tmp_path.glob(".*"))

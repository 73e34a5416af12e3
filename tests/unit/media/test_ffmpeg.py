import stat
import time
from pathlib import Path

import pytest

from tests.unit.media.clips import FFMPEG
from video_production.errors import MediaError, OperatorError, OutOfTime, VideoProductionError
from video_production.media.ffmpeg import run_ffmpeg

PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25"]
ENDLESS = [*PICTURE, "-c:v", "libx264", "-preset", "ultrafast", "-f", "null", "-"]


def program(folder: Path, script: str) -> str:
    """An executable that stands in for FFmpeg and leaves its process id in `pid`."""
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\necho $$ > {folder}/pid\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def is_running(folder: Path) -> bool:
    return Path(f"/proc/{(folder / 'pid').read_text().strip()}").exists()


def test_a_run_returns_the_messages_and_makes_the_file(tmp_path: Path) -> None:
    target = tmp_path / "clip.mp4"
    messages = run_ffmpeg([*PICTURE, "-t", "0.2", str(target)], ffmpeg=FFMPEG)
    assert "libx264" in messages
    assert target.stat().st_size > 1000


def test_progress_rises_from_the_output_time_to_one(tmp_path: Path) -> None:
    seen: list[float] = []
    slow = program(
        tmp_path,
        "for us in N/A -5 500000 1000000 3000000; do echo out_time_us=$us; done; echo progress=end",
    )
    run_ffmpeg([], duration=2.0, on_progress=seen.append, ffmpeg=slow)
    assert seen == [0.25, 0.5, 1.0, 1.0]


def test_progress_of_a_real_run_ends_at_one(tmp_path: Path) -> None:
    seen: list[float] = []
    run_ffmpeg([*PICTURE, "-t", "1", str(tmp_path / "x.mp4")], duration=1.0, on_progress=seen.append, ffmpeg=FFMPEG)
    assert seen[-1] == 1.0
    assert all(0 <= fraction <= 1 for fraction in seen)


def test_the_deadline_stops_a_run(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(OutOfTime, match="time limit"):
        run_ffmpeg(ENDLESS, deadline=began + 0.3, ffmpeg=FFMPEG)
    assert time.monotonic() - began < 3


def test_the_deadline_stops_a_run_that_says_nothing(tmp_path: Path) -> None:
    silent = program(tmp_path, "exec sleep 60")
    with pytest.raises(OutOfTime):
        run_ffmpeg([], deadline=time.monotonic() + 0.3, ffmpeg=silent)
    assert not is_running(tmp_path)


def test_the_deadline_stops_a_run_that_closed_its_pipes(tmp_path: Path) -> None:
    deaf = program(tmp_path, "exec >&- 2>&- sleep 60")
    with pytest.raises(OutOfTime):
        run_ffmpeg([], deadline=time.monotonic() + 0.3, ffmpeg=deaf)
    assert not is_running(tmp_path)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_no_process_is_left_behind_when_the_caller_is_interrupted(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    endless = program(tmp_path, "while :; do echo out_time_us=1000; sleep 0.05; done")

    def interrupt(fraction: float) -> None:
        raise interruption

    with pytest.raises(interruption):
        run_ffmpeg([], duration=1.0, on_progress=interrupt, ffmpeg=endless)
    assert not is_running(tmp_path)


def test_a_missing_program_is_the_operators_concern() -> None:
    with pytest.raises(OperatorError, match="not found as 'no-such-ffmpeg'"):
        run_ffmpeg([], ffmpeg="no-such-ffmpeg")


def test_a_full_disk_is_the_operators_concern() -> None:
    with pytest.raises(OperatorError, match="disk is full"):
        run_ffmpeg([*PICTURE, "-t", "1", "-f", "mp4", "/dev/full"], ffmpeg=FFMPEG)


def test_a_full_disk_is_noticed_when_the_exit_code_is_zero(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="disk is full"):
        run_ffmpeg([], ffmpeg=program(tmp_path, "echo 'av_interleaved: No space left on device' >&2"))


def test_an_unreadable_input_is_one_sentence_about_the_input(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a video\n" * 100)
    with pytest.raises(MediaError) as caught:
        run_ffmpeg(["-i", str(text), str(tmp_path / "x.mp4")], ffmpeg=FFMPEG)
    assert str(caught.value).startswith("FFmpeg can't read an input: ")
    assert "\n" not in str(caught.value)


def test_a_failure_names_the_last_line_that_says_something(tmp_path: Path) -> None:
    talk = "echo '[h264 @ 0x1] the real reason' >&2; echo 'Conversion failed!' >&2; echo >&2; exit 1"
    with pytest.raises(VideoProductionError, match=r"^FFmpeg failed: the real reason\.$"):
        run_ffmpeg([], ffmpeg=program(tmp_path, talk))


def test_an_unknown_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(VideoProductionError, match="nonsense"):
        run_ffmpeg([*PICTURE, "-t", "1", "-c:v", "nonsense", str(tmp_path / "x.mp4")], ffmpeg=FFMPEG)


def test_a_killed_process_is_told_from_a_failed_one(tmp_path: Path) -> None:
    with pytest.raises(VideoProductionError, match="SIGKILL"):
        run_ffmpeg([], ffmpeg=program(tmp_path, "kill -9 $$"))


def test_only_the_newest_messages_are_kept(tmp_path: Path) -> None:
    chatty = program(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo the end >&2")
    messages = run_ffmpeg([], ffmpeg=chatty)
    assert len(messages) == 256 << 10
    assert messages.endswith("the end\n")

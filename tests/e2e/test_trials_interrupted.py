"""Runs that are stopped, doubled, cancelled or left without a disk: all can be continued, nothing is paid twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lab import Lab
from tests.unit.media.clips import make_clip

DOCUMENT = "lesson/pipeline.json"
STOPPED = "Stopped. Nothing is lost: run the same command again to continue."


@pytest.mark.parametrize(("number", "options"), [(signal.SIGINT, ()), (signal.SIGTERM, ("--json",))])
def test_a_stopped_run_is_continued_by_the_same_command(
    lab: Lab, number: signal.Signals, options: tuple[str, ...]
) -> None:
    lab.write_scene("Words that are interrupted.")
    lab.faults({"on": "flows.check", "delay": 1.5})
    process = lab.start("produce", DOCUMENT, *options)
    lab.wait_for(lambda: "submitted" in lab.take_states())
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 3
    if options:
        assert json.loads(out.splitlines()[-1])["status"] == "interrupted"
        assert err == ""
    else:
        assert err == f"\n{STOPPED}\n"
    assert not (lab.home / "cloud.json").exists(), f"the local cloud lives on: {(lab.home / 'cloud.log').read_text()}"

    again = lab.run("produce", DOCUMENT)
    assert again.returncode == 0, again.stdout
    assert len(lab.charges()) == 1


def test_two_runs_at_once_share_the_work(lab: Lab) -> None:
    lab.write_scene("Words that two runs want.")
    runs = [lab.start("produce", DOCUMENT) for _ in range(2)]
    for run in runs:
        out, err = run.communicate(timeout=120)
        assert (run.returncode, err) == (0, ""), out
        assert out.splitlines()[-1] == "lesson/output/scene.draft.mp4"
    assert len(lab.charges()) == 1
    assert [path.name for path in (lab.folder / "output").iterdir()] == ["scene.draft.mp4"]


def test_a_run_uses_the_cloud_that_up_runs_and_leaves_it_running(lab: Lab) -> None:
    lab.write_scene("Words for a cloud that is up.")
    up = lab.start("up")
    try:
        lab.wait_for(lambda: (lab.home / "cloud.json").exists())
        pid = json.loads((lab.home / "cloud.json").read_text())["pid"]
        assert lab.run("produce", DOCUMENT).returncode == 0
        assert json.loads((lab.home / "cloud.json").read_text())["pid"] == pid
        assert up.poll() is None
    finally:
        up.send_signal(signal.SIGINT)
        out, _ = up.communicate(timeout=30)
    assert up.returncode == 0
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:" in out
    assert not (lab.home / "cloud.json").exists()


def test_a_cancelled_run_ends_and_can_be_continued(lab: Lab) -> None:
    lab.write_scene("Words that are cancelled.")
    lab.faults({"on": "flows.check", "delay": 2})
    process = lab.start("produce", DOCUMENT)
    lab.wait_for(lambda: "submitted" in lab.take_states())
    cancelled = lab.run("cancel", DOCUMENT)
    assert (cancelled.returncode, cancelled.stderr) == (0, "")
    assert cancelled.stdout.splitlines() == [
        f"'lab' is cancelled. ./jiki-video produce {DOCUMENT} continues it.",
        "Under way: voice. What its provider can't stop any more goes on there, is kept and reused.",
    ]
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert out.splitlines()[-2:] == [
        " Cancelled. What is finished stays and will be reused.",
        f" Next: ./jiki-video produce {DOCUMENT} continues it",
    ]
    assert lab.run("status", "lab").stdout.splitlines()[0] == "LOCAL · lab · Lab · revision 1 · cancelled"

    again = lab.run("produce", DOCUMENT)
    assert again.returncode == 0, again.stdout
    assert len(lab.charges()) == 1


def test_clips_that_differ_are_joined_and_each_is_told(lab: Lab) -> None:
    """A clip without sound between two with it, and two sizes."""
    lab.folder.mkdir()
    make_clip(lab.folder / "first.mp4", seconds=0.6)
    make_clip(lab.folder / "silent.mp4", seconds=0.6, sample_rate=None)
    make_clip(lab.folder / "small.mp4", seconds=0.6, size=(160, 120))
    lab.write_film("first.mp4", "silent.mp4", "small.mp4")
    done = lab.run("produce", DOCUMENT)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].startswith(" ✓ film  merge  3 clips → 0:02")
    told = {line.split()[0]: line for line in lines if line.strip().startswith(("silent.mp4", "small.mp4"))}
    assert told["silent.mp4"].endswith("no sound → re-encoded, silence added")
    assert "160×120" in told["small.mp4"]
    assert "re-encoded" in told["small.mp4"]
    assert lines[-1] == "lesson/output/film.mp4", "nothing of a draft is in it"


# A disk without room


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of six megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk can't be mounted here: {mounted.stderr.strip()}")
    yield folder
    for _ in range(50):  # what used it needs a moment to end
        if subprocess.run(["umount", folder], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    pytest.fail("the small disk is still in use")


def _fill(folder: Path, leave: int) -> Path:
    free = os.statvfs(folder)
    filler = folder / "filler"
    filler.write_bytes(bytes(free.f_bavail * free.f_frsize - leave))
    return filler


def test_a_full_disk_is_told_in_a_sentence_and_mended_by_making_room(tmp_path: Path, small_disk: Path) -> None:
    lab = Lab(tmp_path, small_disk / "home")
    lab.write_lesson()
    lab.home.mkdir()
    filler = _fill(small_disk, leave=150_000)
    done = lab.run("produce", DOCUMENT)
    told = done.stdout + done.stderr
    assert done.returncode in (1, 2), told
    assert "Traceback" not in told
    assert "No space left" in told or "disk is full" in told, told
    filler.unlink()
    again = lab.run("produce", DOCUMENT)
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(lab.charges()) == 1


def test_a_full_output_folder_keeps_the_finished_video(tmp_path: Path, small_disk: Path) -> None:
    lab = Lab(tmp_path)
    lab.write_scene("Words for a full folder.")
    (lab.folder / "output").symlink_to(small_disk)
    filler = _fill(small_disk, leave=8_000)
    done = lab.run("produce", DOCUMENT)
    assert done.returncode == 1
    assert done.stderr == (
        "The video is made, but can't be written to lesson/output (No space left on device); make room there and run "
        "the same command again.\n"
    )
    filler.unlink()
    again = lab.run("produce", DOCUMENT)
    assert again.returncode == 0, again.stdout + again.stderr
    assert [path.name for path in small_disk.iterdir()] == ["scene.draft.mp4"]

"""The commands around a lesson that works: what they print, where it goes, what the next one finds."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.lab import CHECKOUT, Lab
from tests.unit.media.clips import make_clip

DOCUMENT = "lesson/pipeline.json"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One desk, whose local cloud stays up and whose lesson was produced."""
    lab = Lab(tmp_path_factory.mktemp("commands"))
    lab.write_lesson()
    with lab.cloud():
        done = lab.run("produce", DOCUMENT)
        assert done.returncode == 0, done.stdout + done.stderr
        (lab.root / "first.txt").write_text(done.stdout)
        yield lab


def test_a_run_is_told_line_by_line_and_ends_with_the_path_alone(desk: Lab) -> None:
    lines = [
        re.sub(r"\d+\.\d s|\d+ (frames|ms)", "N", line) for line in (desk.root / "first.txt").read_text().split("\n")
    ]
    assert lines == [
        "LOCAL DRAFT · no account, no keys, nothing leaves this machine",
        " ✓ voice  voiceover  draft  N",
        " ✓ scene  mix        draft  N",
        "     the last frame is held for N because the sound is longer",
        " ✓ film   merge      2 clips → 0:04 · 320×180  N",
        "     clip.mp4  other colour tags → re-encoded",
        "     scene copied without re-encoding",
        "    checked: N · every join decodes · sound within N",
        " Real providers would cost about $0.0041 (51 characters; prices of 2026-10-03)",
        " Next: edit lesson/script.txt and run again · ./jiki-video new my-lesson",
        "lesson/output/film.draft.mp4",
        "",
    ]
    assert (desk.root / "lesson/output/film.draft.mp4").stat().st_size > 1000


def test_a_second_run_finds_everything_made_within_two_seconds(desk: Lab) -> None:
    begun = time.monotonic()
    done = desk.run("produce", DOCUMENT)
    took = time.monotonic() - begun
    lines = done.stdout.splitlines()
    assert lines[1] == " Everything is made already; nothing had to be done."
    assert lines[-1] == "lesson/output/film.draft.mp4"
    assert took < 2, f"{took:.1f} s"


def test_a_deleted_video_is_brought_back_without_making_anything(desk: Lab) -> None:
    video = desk.root / "lesson/output/film.draft.mp4"
    content = video.read_bytes()
    video.unlink()
    done = desk.run("produce", DOCUMENT)
    assert " reused: voice, scene, film" in done.stdout.splitlines()
    assert video.read_bytes() == content


def test_every_line_of_json_is_an_event_with_absolute_paths(desk: Lab) -> None:
    code, last = desk.produce("--fresh")
    assert code == 0
    assert last["output"]["path"] == str(desk.root / "lesson/output/film.draft.mp4")
    done = desk.run("produce", DOCUMENT, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["validated", "finished"]
    assert events[-1]["unchanged"] is True
    assert len(desk.charges()) == 1, "--fresh reuses what was paid for"


def test_status_names_the_providers_id_the_attempt_and_the_last_answer(desk: Lab) -> None:
    [charge] = desk.charges()
    for name in (DOCUMENT, "lab"):
        lines = desk.run("status", name).stdout.splitlines()
        assert re.fullmatch(r"LOCAL · lab · Lab · revision \d+ · completed", lines[0])
        request = f"     id {charge.external_id} · attempt 1 of 1 · last answer: result received"
        assert f"{request} · 51 characters, $0.0041 (draft)" in lines
        assert lines[-2:] == [" 3 assets: script, still, clip", " money: drafts worth $0.0041, which cost nothing"]
    told = json.loads(desk.run("status", "lab", "--json").stdout)
    assert [node["status"] for node in told["nodes"]] == ["completed"] * 6
    assert desk.run("status").stdout == " lab  completed  Lab\n"


def test_an_unknown_pipeline_is_named_with_the_known_ones(desk: Lab) -> None:
    done = desk.run("status", "lap")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "There is no pipeline 'lap' here (known: lab). Run `produce` first.\n"
    for command in (["cancel", "lap"], ["resolve", "lap", "voice", "--give-up"]):
        done = desk.run(*command)
        assert done.returncode == 1
        assert done.stderr.startswith("There is no "), done.stderr


def test_the_graph_is_mermaid_text_with_the_state_of_its_nodes(desk: Lab) -> None:
    lines = desk.run("graph", DOCUMENT).stdout.splitlines()
    assert lines[0] == "flowchart LR"
    assert lines[-1].endswith(" completed")
    assert sum("-->" in line for line in lines) == 5


def test_an_unknown_command_or_option_is_the_users_input(desk: Lab) -> None:
    for arguments in (["prodduce", "x"], ["produce"], ["produce", DOCUMENT, "--quick"]):
        done = desk.run(*arguments)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("Usage: jiki-video")


def test_a_reader_that_goes_away_is_no_error(desk: Lab) -> None:
    command = f"{sys.executable} -m video_production.cli status {DOCUMENT} | head -c 1"
    done = subprocess.run(
        command, shell=True, cwd=desk.root, env=desk.environment(), capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("L", "")


def test_an_edit_remakes_what_depends_on_it_and_names_both(desk: Lab) -> None:
    make_clip(desk.folder / "clip.mp4", seconds=0.8)
    done = desk.run("produce", DOCUMENT)
    lines = done.stdout.splitlines()
    assert lines[1:4] == [" changed: clip", " made again because of it: film", " reused: voice, scene"]
    assert lines[4].startswith(" ✓ film   merge      2 clips → 0:0")


def test_a_fresh_lesson_of_ones_own_can_be_edited_and_produced(desk: Lab) -> None:
    (desk.root / "pictures").mkdir()
    for name in ("1 first.png", "2 second.png"):
        Image.new("RGB", (320, 180), "navy").save(desk.root / "pictures" / name)
    done = desk.run("new", "mine", "--slides", "pictures")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "Next: edit the scripts, then ./jiki-video produce mine/pipeline.yaml"
    assert desk.run("new", "mine").returncode == 1
    assert desk.run("new", "other", "--slides", "nowhere").stderr == (
        "'nowhere' is not a folder. Name the folder that holds the slides as pictures.\n"
    )
    for script in (desk.root / "mine/scripts").iterdir():
        script.write_text(f"My own words in {script.stem}.")
    done = desk.run("produce", "mine/pipeline.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "mine/output/lesson.draft.mp4"
    assert " Captions beside it: lesson.draft.srt, lesson.draft.vtt" in done.stdout.splitlines()
    assert "My own words" in (desk.root / "mine/output/lesson.draft.srt").read_text()


# A real terminal


def _in_terminal(lab: Lab, columns: int, *arguments: str, **variables: str) -> str:
    """What a command writes to a terminal of that width."""
    ours, theirs = pty.openpty()
    environment = {**lab.environment(), "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "30", **variables}
    process = subprocess.Popen(
        [sys.executable, "-m", "video_production.cli", *arguments],
        cwd=lab.root,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    )
    os.close(theirs)
    written = b""
    with open(ours, "rb", buffering=0) as terminal:  # noqa: PTH123 - a descriptor, not a path
        while True:
            try:
                piece = terminal.read(4096)
            except OSError:  # Linux's word for the end of a terminal
                break
            if not piece:
                break
            written += piece
    assert process.wait(timeout=60) == 0, written.decode()
    return written.decode()


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_shows_a_bar_and_lines_that_fit(desk: Lab, columns: int) -> None:
    written = _in_terminal(desk, columns, "produce", DOCUMENT, "--fresh")
    assert "\x1b[32m ✓ voice  voiceover  already made, reused" in written
    assert "of 3 done" in written
    assert "━" in written
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", written)]
    assert max(len(line) for line in lines) <= columns
    assert [line for line in lines if line][-1] == "lesson/output/film.draft.mp4"


def test_no_color_means_no_colour(desk: Lab) -> None:
    written = _in_terminal(desk, 80, "produce", DOCUMENT, NO_COLOR="1")
    assert "\x1b[3" not in written
    assert "Everything is made already" in written


@pytest.mark.parametrize(
    "command", ["produce", "validate", "status", "graph", "new", "up", "invoke", "retry", "resolve", "cancel"]
)
def test_every_command_explains_itself(tmp_path: Path, command: str) -> None:
    done = Lab(tmp_path).run(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: jiki-video {command} ")


def test_the_command_works_through_a_symbolic_link_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(CHECKOUT / "jiki-video")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "video").symlink_to("../linked")
    done = subprocess.run(
        [tmp_path / "bin" / "video", "--version"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("jiki-video")

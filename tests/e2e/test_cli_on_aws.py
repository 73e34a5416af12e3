"""The same commands against an environment: found through its stack alone, followed while its own executions run.

What answers is the local cloud (`aws_environment`); the command line does not know that.
"""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from local_cloud.handle import CloudHandle
from tests.e2e.aws_environment import BUCKET, pretend, variables
from tests.e2e.lab import Lab

DOCUMENT = "lesson/pipeline.json"
ENVIRONMENT = ("--environment", "development")


@dataclass
class AwsDesk:
    """A desk from which a development environment can be reached. Its own state folder must stay empty."""

    lab: Lab
    cloud: CloudHandle

    @property
    def home(self) -> Path:
        return self.lab.root / "nothing-here"

    @property
    def banner(self) -> str:
        where = variables(self.cloud)["AWS_ENDPOINT_URL"]
        return f"development · us-east-1 · account 123456789012 · answered by {where}"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "video_production.cli", *arguments],
            cwd=self.lab.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, list[str], str]:
        """Exit code, lines of standard output, standard error."""
        process = self.start(*arguments, *ENVIRONMENT)
        out, err = process.communicate(timeout=120)
        return process.returncode, out.splitlines(), err

    def environment(self) -> dict[str, str]:
        own = {"JIKI_VIDEO_HOME": str(self.home), "AWS_EC2_METADATA_DISABLED": "true"}
        return {**self.lab.environment(), **variables(self.cloud), **own}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudHandle]:
    with Lab(tmp_path_factory.mktemp("aws")).cloud() as running:
        yield running


@pytest.fixture(scope="module")
def finished(cloud: CloudHandle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AwsDesk, list[str]]]:
    """A desk whose lesson was produced as a draft, and what that printed."""
    lab = Lab(tmp_path_factory.mktemp("draft"), name="draft")
    lab.write_lesson()
    desk = AwsDesk(lab, cloud)
    with pretend(cloud, mode="draft"):
        code, lines, err = desk.run("produce", DOCUMENT)
        assert (code, err) == (0, "")
        yield desk, lines


@pytest.fixture
def live(finished: tuple[AwsDesk, list[str]], cloud: CloudHandle, tmp_path: Path) -> Iterator[AwsDesk]:
    """A desk in an environment that says it is live, with a scene that nobody has bought yet."""
    lab = Lab(tmp_path, name=f"live-{tmp_path.name[-12:].strip('_').replace('_', '-')}")
    lab.write_scene(f"Words that only {tmp_path.name} says.")
    functions = cloud.client("lambda")

    def say(mode: str) -> None:
        functions.update_function_configuration(
            FunctionName="jiki-elevenlabs-submitter-development",
            Environment={"Variables": {"JIKI_ENVIRONMENT": "development", "ELEVENLABS_MODE": mode}},
        )

    say("live")
    yield AwsDesk(lab, cloud)
    say("draft")


def test_a_video_is_made_there_and_brought_here(finished: tuple[AwsDesk, list[str]]) -> None:
    desk, lines = finished
    told = [re.sub(r"\d+\.\d s|\d+ (frames|ms)", "N", line) for line in lines]
    assert told == [
        desk.banner,
        " DRAFT · stand-ins take the place of providers, nothing is paid for",
        " to make: voice, scene, film",
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
    ]
    assert (desk.lab.root / "lesson/output/film.draft.mp4").stat().st_size > 1000
    assert not desk.home.exists(), "nothing of it is kept on this machine"


def test_it_is_found_finished_the_second_time_here_or_there(finished: tuple[AwsDesk, list[str]]) -> None:
    desk, _ = finished
    code, lines, _ = desk.run("produce", DOCUMENT)
    assert (code, lines[1]) == (0, " Everything is made already; nothing had to be done.")
    (desk.lab.root / "lesson/output/film.draft.mp4").unlink()
    code, lines, _ = desk.run("produce", DOCUMENT, "--no-download")
    assert (code, lines[1]) == (0, " Everything is made already; nothing had to be done.")
    assert lines[-2] == " Next: ./jiki-video open draft --environment development gives an address for a browser"
    assert re.fullmatch(rf"s3://{BUCKET}/draft/nodes/film/[0-9a-f-]+/video\.draft\.mp4", lines[-1])
    assert not (desk.lab.root / "lesson/output/film.draft.mp4").exists()


def test_it_is_looked_at_from_there(finished: tuple[AwsDesk, list[str]]) -> None:
    desk, _ = finished
    code, lines, _ = desk.run("status", DOCUMENT)
    assert (code, lines[0]) == (0, f"{desk.banner} · draft · Lab · revision 1 · completed")
    assert any(line.startswith("     id ") and line.endswith("51 characters, $0.0041 (draft)") for line in lines)
    told = json.loads("\n".join(desk.run("status", "draft", "--json")[1]))
    assert (told["environment"], told["region"], told["account"]) == ("development", "us-east-1", "123456789012")
    assert desk.run("graph", DOCUMENT)[1][-1].endswith(" completed")
    code, lines, _ = desk.run("list")
    assert (code, lines[0]) == (0, desk.banner)
    assert re.fullmatch(r" draft  completed  \d{4}-\d\d-\d\d \d\d:\d\d  Lab", lines[1])


def test_a_node_is_made_again_by_the_id_of_its_pipeline(finished: tuple[AwsDesk, list[str]], tmp_path: Path) -> None:
    lab = Lab(tmp_path, name="again")
    desk = AwsDesk(lab, finished[0].cloud)
    lab.write_lesson(script="Words that are said again.")
    (lab.folder / "clip.mp4").write_bytes((lab.folder / "clip.mp4").read_bytes()[:600])  # looks like a video, is none
    code, _, _ = desk.run("produce", DOCUMENT)
    assert code == 2
    code, lines, err = desk.run("retry", "again", "film")
    assert (code, err) == (2, "")
    assert any("film" in line for line in lines)
    code, _, err = desk.run("retry", "never", "film")
    assert (code, err.startswith("There is no pipeline 'never'")) == (1, True)


def test_another_bucket_is_refused_before_anything_is_written(finished: tuple[AwsDesk, list[str]]) -> None:
    desk, _ = finished
    other = desk.lab.root / "lesson" / "other.json"
    document = {**json.loads(desk.lab.document.read_text()), "id": "other"}
    other.write_text(json.dumps({**document, "config": {"storage": {"bucket": "jiki-videos-production"}}}))
    code, _, err = desk.run("produce", "lesson/other.json")
    assert (code, err) == (
        1,
        "The document keeps its media in 'jiki-videos-production', but environment development (account 123456789012, "
        "us-east-1) works in 'jiki-videos-dev' and may not write elsewhere; remove config.storage.bucket, or produce "
        "it in the environment of that bucket.\n",
    )
    assert "other" not in "".join(desk.run("list")[1])


# Money


def test_nothing_is_bought_where_nobody_can_be_asked(live: AwsDesk) -> None:
    count = len(live.lab.folder.joinpath("script.txt").read_text())
    price = f"buys {count} characters from elevenlabs: about ${count * 0.08 / 1000:.4f} (prices of 2026-10-03)"
    code, lines, err = live.run("produce", DOCUMENT)
    assert (code, lines[1:]) == (
        1,
        [" LIVE · results of real providers are paid for", " to make: voice, scene", f" {price}"],
    )
    assert err == f"This {price}. Say --yes to agree; nothing was started.\n"
    assert live.lab.name not in "".join(live.run("list")[1])
    code, lines, _ = live.run("produce", DOCUMENT, "--json")
    assert code == 1
    events = [json.loads(line) for line in lines]
    assert [event["event"] for event in events] == ["validated", "planned", "finished"]
    assert events[1]["buys"][0]["node"] == "voice"


def test_a_yes_starts_it_and_what_is_bought_is_not_asked_about_again(live: AwsDesk) -> None:
    assert live.run("produce", DOCUMENT, "--yes")[0] == 0


@pytest.mark.parametrize(
    ("answer", "code", "ending"), [("n", 1, "Nothing was started, nothing was bought."), ("y", 0, ".mp4")]
)
def test_a_person_at_a_terminal_is_asked(live: AwsDesk, answer: str, code: int, ending: str) -> None:
    written, returned = _at_terminal(live, answer, "produce", DOCUMENT, *ENVIRONMENT)
    assert " Buy this? [y/N]: " in written
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", written)]
    assert [line for line in lines if line][-1].endswith(ending)
    assert returned == code


def _at_terminal(desk: AwsDesk, answer: str, *arguments: str) -> tuple[str, int]:
    """What a command writes to a terminal where somebody answers its question, and its exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "video_production.cli", *arguments],
        cwd=desk.lab.root,
        env={**desk.environment(), "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "30"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    with open(ours, "r+b", buffering=0) as terminal:  # noqa: PTH123 - a descriptor, not a path
        while True:
            try:
                piece = terminal.read(4096)
            except OSError:  # Linux's word for the end of a terminal
                break
            if not piece:
                break
            written += piece
            if written.endswith(b"[y/N]: "):
                terminal.write(f"{answer}\n".encode())
    return written.decode(), process.wait(timeout=60)


# Going away


def test_ctrl_c_only_stops_watching(finished: tuple[AwsDesk, list[str]], cloud: CloudHandle, tmp_path: Path) -> None:
    lab = Lab(tmp_path, name="going-on")
    lab.write_scene("Somebody stops watching this one.")
    desk = AwsDesk(lab, cloud)
    process = desk.start("produce", DOCUMENT, "--json", *ENVIRONMENT)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "started":
            break
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (3, "")
    assert json.loads(rest.splitlines()[-1])["error"] == (
        "Stopped watching; 'going-on' goes on in development. The same command watches it again, "
        "./jiki-video cancel going-on --environment development stops it."
    )
    deadline = time.monotonic() + 60
    while "completed" not in desk.run("status", "going-on")[1][0]:
        assert time.monotonic() < deadline, "it did not go on"
    code, lines, _ = desk.run("produce", DOCUMENT)
    assert (code, lines[-1]) == (0, "lesson/output/scene.draft.mp4")


def test_a_cancelled_run_ends_for_whoever_watches(
    finished: tuple[AwsDesk, list[str]], cloud: CloudHandle, tmp_path: Path
) -> None:
    lab = Lab(tmp_path, name="stopped")
    lab.write_lesson(script="This one is stopped while it is made.")
    desk = AwsDesk(lab, cloud)
    _faults(cloud, {"on": "flows.check", "delay": 6})  # so that it can't be done before it is cancelled
    process = desk.start("produce", DOCUMENT, "--json", *ENVIRONMENT)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "started":
            break
    code, lines, _ = desk.run("cancel", "stopped")
    again = "./jiki-video produce DOCUMENT --environment development"
    assert (code, lines[0]) == (0, f"'stopped' is cancelled. {again} continues it.")
    rest, _ = process.communicate(timeout=90)
    last = json.loads(rest.splitlines()[-1])
    assert (process.returncode, last["status"], last["environment"]) == (3, "cancelled", "development")
    _faults(cloud)


def _faults(cloud: CloudHandle, *rules: dict[str, Any]) -> None:
    url = f"{cloud.endpoints.stand_ins['elevenlabs']}/stand-in/faults"
    assert requests.post(url, json=list(rules), timeout=10).ok

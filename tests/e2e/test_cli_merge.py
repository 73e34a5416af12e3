"""`merge` and `probe` as people type them: what they print, what they refuse, and what lies there afterwards."""

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

import boto3
import pytest
from PIL import Image

from local_cloud.s3 import DiskS3
from tests.unit.media.clips import make_clip
from tests.unit.media.spliced import decode_frames

CHECKOUT = Path(__file__).resolve().parent.parent.parent
KEY, SECRET = "tester", "not-a-secret"


@dataclass(frozen=True)
class Desk:
    """A folder with clips, and an S3 that holds the same clips in the bucket `clips`."""

    root: Path
    endpoint: str

    @property
    def s3(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )

    def environment(self, **changes: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "PYTHONPATH": str(CHECKOUT),
            "JIKI_VIDEO_HOME": str(self.root / "home"),
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            **changes,
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "video_production.cli", *arguments]

    def run(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment(**changes),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def refused(self, *arguments: str, **changes: str) -> str:
        """The sentence with which a command is refused: alone on standard error, exit code 1."""
        done = self.run(*arguments, **changes)
        assert (done.returncode, done.stdout) == (1, ""), done.stdout + done.stderr
        assert done.stderr.endswith("\n")
        return done.stderr.rstrip("\n")

    def path(self, name: str) -> Path:
        return self.root / name


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    root = tmp_path_factory.mktemp("merging")
    make_clip(root / "a.mp4")
    make_clip(root / "b.mp4", frequency=880)
    make_clip(root / "silent.mp4", sample_rate=None)
    make_clip(root / "other.mp4", extra=("-crf", "40"))
    make_clip(root / "small.mp4", size=(160, 90))
    make_clip(root / "film.mkv")
    (root / "notes.txt").write_text("Not a video.")
    Image.new("RGB", (64, 36)).save(root / "still.png")
    with DiskS3(root / "s3", KEY, SECRET).serve() as running:
        made = Desk(root, running.url)
        made.s3.create_bucket(Bucket="clips")
        for name in ("a.mp4", "b.mp4", "film.mkv"):
            made.s3.upload_file(str(root / name), "clips", name)
        yield made


def _masked(text: str) -> list[str]:
    """Lines without times and sizes, which differ from run to run and between builds of FFmpeg."""
    text = re.sub(r"\d+(\.\d+)? (kB|MB|bytes)", "N", text)
    return re.sub(r"\d+\.\d s$", "N", re.sub(r"within \d+ ms", "within N", text), flags=re.MULTILINE).splitlines()


def _frames(*paths: Path) -> list[str]:
    return [frame for path in paths for frame in decode_frames(path)[0]]


def test_clips_that_are_alike_are_joined_without_encoding(desk: Desk) -> None:
    done = desk.run("merge", "a.mp4", "b.mp4", "-o", "alike.mp4")
    assert (done.returncode, done.stderr) == (0, "")
    assert [re.sub(r"  N$", "", line) for line in _masked(done.stdout)][1:] == [
        "     every clip copied without re-encoding",
        "    checked: 50 frames · every join decodes · sound within N",
        "    moved: N read, N written, N copied by the system itself",
        "alike.mp4",
    ]
    assert re.fullmatch(r" ✓ splice  2 clips → 0:02 · 320×180 · N  \d+\.\d s|.* N  N", _masked(done.stdout)[0])
    assert _frames(desk.path("alike.mp4")) == _frames(desk.path("a.mp4"), desk.path("b.mp4"))


def test_what_is_added_and_re_encoded_is_told_clip_by_clip(desk: Desk) -> None:
    done = desk.run("merge", "a.mp4", "silent.mp4", "-o", "quiet.mp4")
    assert done.returncode == 0, done.stderr
    assert "     silent.mp4  no sound → silence added, picture copied without re-encoding" in done.stdout.splitlines()
    assert "     a.mp4 copied without re-encoding" in done.stdout.splitlines()


def test_the_plan_is_told_and_nothing_is_done(desk: Desk) -> None:
    before = sorted(path.name for path in desk.root.iterdir())
    done = desk.run("merge", "a.mp4", "silent.mp4", "-o", "plan.mp4", "--explain")
    assert (done.returncode, done.stdout) == (
        0,
        "Plan: splice, picture and sound are copied as they are. Nothing was done.\n"
        " a.mp4       copied without re-encoding\n"
        " silent.mp4  no sound → silence added, picture copied without re-encoding\n",
    )
    assert sorted(path.name for path in desk.root.iterdir()) == before


def test_the_plan_is_there_for_programs_and_needs_no_output(desk: Desk) -> None:
    done = desk.run("merge", "a.mp4", "b.mp4", "--explain", "--json")
    assert json.loads(done.stdout) == {
        "method": "splice",
        "reason": "All 2 videos are encoded alike, so picture and sound were copied without re-encoding.",
        "inputs": [
            {"name": name, "treatment": "copied", "why": "copied without re-encoding"} for name in ("a.mp4", "b.mp4")
        ],
    }


def test_objects_are_joined_inside_s3(desk: Desk) -> None:
    done = desk.run("merge", "s3://clips/a.mp4", "s3://clips/b.mp4", "-o", "s3://clips/made/ab.mp4", "--json")
    told = json.loads(done.stdout)
    head = desk.s3.head_object(Bucket="clips", Key="made/ab.mp4")
    assert (told["output"], told["method"], told["frames"]) == ("s3://clips/made/ab.mp4", "splice", 50)
    assert (told["size"], head["ContentType"]) == (head["ContentLength"], "video/mp4")
    assert told["bytes_read"] > 0
    desk.s3.download_file("clips", "made/ab.mp4", str(desk.path("fetched.mp4")))
    assert _frames(desk.path("fetched.mp4")) == _frames(desk.path("a.mp4"), desk.path("b.mp4"))


def test_files_and_objects_can_be_mixed(desk: Desk) -> None:
    assert desk.run("merge", "a.mp4", "s3://clips/b.mp4", "-o", "mixed.mp4").returncode == 0
    assert desk.run("merge", "s3://clips/a.mp4", "b.mp4", "-o", "s3://clips/mixed.mp4").returncode == 0
    desk.s3.download_file("clips", "mixed.mp4", str(desk.path("mixed-object.mp4")))
    expected = _frames(desk.path("a.mp4"), desk.path("b.mp4"))
    assert _frames(desk.path("mixed.mp4")) == _frames(desk.path("mixed-object.mp4")) == expected


def test_other_settings_go_into_the_stream_when_asked_for(desk: Desk) -> None:
    done = desk.run("merge", "a.mp4", "other.mp4", "a.mp4", "-o", "inband.mp4", "--method", "splice-inband")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(" ✓ splice-inband  3 clips → 0:03 · 320×180")
    a, other = desk.path("a.mp4"), desk.path("other.mp4")
    assert _frames(desk.path("inband.mp4")) == _frames(a, other, a)


def test_an_output_that_exists_is_replaced_only_by_force(desk: Desk) -> None:
    desk.path("kept.mp4").write_text("precious")
    sentence = "kept.mp4 exists already; give another -o, or replace it with --force."
    assert desk.refused("merge", "a.mp4", "b.mp4", "-o", "kept.mp4") == sentence
    assert desk.path("kept.mp4").read_text() == "precious"
    assert desk.run("merge", "a.mp4", "b.mp4", "-o", "kept.mp4", "--force").returncode == 0
    assert len(_frames(desk.path("kept.mp4"))) == 50


def test_an_object_that_exists_is_replaced_only_by_force(desk: Desk) -> None:
    desk.s3.put_object(Bucket="clips", Key="kept.mp4", Body=b"precious")
    sentence = "s3://clips/kept.mp4 exists already; give another -o, or replace it with --force."
    assert desk.refused("merge", "a.mp4", "b.mp4", "-o", "s3://clips/kept.mp4") == sentence
    assert desk.s3.get_object(Bucket="clips", Key="kept.mp4")["Body"].read() == b"precious"
    assert desk.run("merge", "a.mp4", "b.mp4", "-o", "s3://clips/kept.mp4", "--force").returncode == 0
    assert desk.s3.head_object(Bucket="clips", Key="kept.mp4")["ContentLength"] > 1000


@pytest.mark.parametrize("output", ["b.mp4", "./b.mp4", "../merging/b.mp4", "link.mp4", "s3://clips/b.mp4"])
def test_an_input_is_never_changed_not_even_by_force(desk: Desk, output: str) -> None:
    link = desk.path("link.mp4")
    link.unlink(missing_ok=True)
    link.symlink_to("b.mp4")
    output = output.replace("../merging", f"../{desk.root.name}")
    inputs = ("s3://clips/a.mp4", "s3://clips/b.mp4") if output.startswith("s3:") else ("a.mp4", "b.mp4")
    sentence = f"{output} is one of the inputs, which are never changed; give another -o."
    assert desk.refused("merge", *inputs, "-o", output, "--force") == sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("a.mp4",), "Say where the video goes with -o OUT, or ask for the plan alone with --explain."),
        (("a.mp4", "-o", "s3"), "s3 is a folder; name the file to write in it with -o."),
        (("a.mp4", "-o", "no/o.mp4"), "The folder no does not exist; make it, or give another -o."),
        (("a.mp4", "nope.mp4", "-o", "o.mp4"), "nope.mp4 does not exist. Check the path."),
        (("a.mp4", "s3", "-o", "o.mp4"), "s3 is a folder. Name a file in it."),
        (
            ("a.mp4", "still.png", "--explain"),
            "still.png is a still picture, so it can't be merged with videos. "
            "Give it sound and a length with mix-audio first.",
        ),
        (("a.mp4", "-o", "s3://clips"), "'s3://clips' is not an S3 URL; write s3://bucket/key."),
        (
            ("s3://clips/nope.mp4", "-o", "o.mp4"),
            "s3://clips/nope.mp4 does not exist. Check the bucket and the key.",
        ),
        (
            ("a.mp4", "notes.txt", "-o", "o.mp4"),
            "notes.txt holds text, not media, whatever its name says. Give the real file.",
        ),
        (
            ("a.mp4", "small.mp4", "-o", "o.mp4", "--method", "splice-inband"),
            "These videos can't be joined by 'splice-inband' (small.mp4: 160×90); 'auto' takes what fits.",
        ),
        (
            ("a.mp4", "other.mp4", "-o", "o.mp4", "--method", "splice"),
            "These videos can't be joined by 'splice' (other.mp4: encoded with other settings); 'auto' takes what"
            " fits.",
        ),
    ],
)
def test_what_can_not_be_done_is_one_sentence(desk: Desk, arguments: tuple[str, ...], sentence: str) -> None:
    assert desk.refused("merge", *arguments) == sentence
    assert not desk.path("o.mp4").exists()


def test_a_wrong_key_is_said_in_one_sentence(desk: Desk) -> None:
    sentence = desk.refused("merge", "s3://clips/a.mp4", "-o", "o.mp4", AWS_SECRET_ACCESS_KEY="wrong")
    assert sentence == (
        "AWS does not know these credentials. They may be deleted or mistyped: check AWS_PROFILE, "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    )


@pytest.mark.parametrize("arguments", [("merge", "s3://clips/a.mp4", "-o", "o.mp4"), ("probe", "s3://clips/a.mp4")])
def test_without_credentials_it_is_said_where_to_put_them(desk: Desk, arguments: tuple[str, ...]) -> None:
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    assert desk.refused(*arguments, **nobody).startswith("No AWS credentials were found. Name a profile with")


def test_ctrl_c_leaves_the_output_as_it_was(desk: Desk) -> None:
    make_clip(desk.path("long.mp4"), size=(640, 360), seconds=20.0, rate="30")
    desk.path("stopped.mp4").write_text("precious")
    before = sorted(path.name for path in desk.root.iterdir())
    arguments = ("merge", "a.mp4", "long.mp4", "-o", "stopped.mp4", "--force", "--method", "reencode-all")
    process = subprocess.Popen(
        desk.command(*arguments),
        cwd=desk.root,
        env=desk.environment(TMPDIR=str(desk.root)),
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(desk.root.glob("jiki-merge-*")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (3, "Stopped; stopped.mp4 is as it was.\n")
    assert desk.path("stopped.mp4").read_text() == "precious"
    assert sorted(path.name for path in desk.root.iterdir()) == before


def test_a_terminal_sees_how_far_it_is(desk: Desk) -> None:
    leader, follower = pty.openpty()
    environment = desk.environment(TERM="xterm", COLUMNS="100")
    command = desk.command("merge", "a.mp4", "small.mp4", "-o", "seen.mp4")
    process = subprocess.Popen(command, cwd=desk.root, env=environment, stdout=subprocess.PIPE, stderr=follower)
    os.close(follower)
    seen = b""
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    os.close(leader)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"encoding" in seen
    assert b"%" in seen
    assert out.decode().splitlines()[-1] == "seen.mp4"


def test_a_still_picture_has_no_rate(desk: Desk) -> None:
    done = desk.run("probe", "still.png")
    assert done.returncode == 0, done.stderr
    assert "picture   png · 64×36" in done.stdout
    assert "fps" not in done.stdout


def test_a_file_is_described_in_exact_numbers(desk: Desk) -> None:
    done = desk.run("probe", "a.mp4")
    size = desk.path("a.mp4").stat().st_size
    lines = done.stdout.splitlines()
    assert lines[:-1] == [
        "a.mp4",
        f" file      MP4 or MOV · {size:,} bytes",
        " duration  1 s",
        " picture   H.264 · 320×180 · yuv420p",
        " rate      25 fps, constant",
        " rotation  none",
        " frames    25 shown · 25 samples, 1 of them sync",
        " starts    0 s, lasts 1 s",
        " timing    12,800 ticks a second · 1 edit",
        " sound     AAC · 48,000 Hz · stereo · 48 packets",
        " starts    0 s, lasts 1 s",
        " timing    48,000 ticks a second · 1 edit",
    ]
    read = re.fullmatch(r" read      ([\d,]+) bytes of ([\d,]+)", lines[-1])
    assert read
    assert int(read[1].replace(",", "")) < 10_000 < size


def test_an_object_is_described_for_programs_from_its_header(desk: Desk) -> None:
    told = json.loads(desk.run("probe", "s3://clips/a.mp4", "--json").stdout)
    assert (told["name"], told["container"], told["duration"]) == ("s3://clips/a.mp4", "mp4", "1")
    assert (told["video"]["frame_rate"], told["video"]["sync_samples"], told["audio"]["packets"]) == ("25", 1, 48)
    assert told["bytes_read"] <= 256 << 10


def test_turned_pictures_odd_rates_and_chapters_are_seen(desk: Desk) -> None:
    make_clip(desk.path("phone.mp4"), rate="30000/1001", rotation=90, sample_rate=None)
    lines = desk.run("probe", "phone.mp4").stdout.splitlines()
    assert " rate      29.97 fps (30000/1001), constant" in lines
    assert " rotation  90° clockwise" in lines
    assert " sound     none" in lines
    assert desk.run("merge", "a.mp4", "b.mp4", "-o", "parts.mp4", "--force").returncode == 0
    lines = desk.run("probe", "parts.mp4").stdout.splitlines()
    assert lines[lines.index(" chapters  0:00 a.mp4") + 1] == "           0:01 b.mp4"


@pytest.mark.parametrize("where", ["film.mkv", "s3://clips/film.mkv"])
def test_other_kinds_of_files_are_read_whole(desk: Desk, where: str) -> None:
    told = json.loads(desk.run("probe", where, "--json").stdout)
    assert (told["container"], told["video"]["frames"]) == ("other", 25)
    assert told["bytes_read"] >= told["size"] == desk.path("film.mkv").stat().st_size


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("nope.mp4", "nope.mp4 does not exist. Check the path."),
        ("s3://clips/nope", "s3://clips/nope does not exist. Check the bucket and the key."),
        ("notes.txt", "notes.txt holds text, not media, whatever its name says. Give the real file."),
    ],
)
def test_what_is_no_media_is_one_sentence(desk: Desk, where: str, sentence: str) -> None:
    assert desk.refused("probe", where) == sentence

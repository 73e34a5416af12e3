"""The cloud for other programs: `up` in the foreground, the AWS CLI against it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.local_cloud.tiny import processes_of, wait_for

AWS = Path(sys.executable).parent / "aws"

Aws = Callable[..., str]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], Path, list[str]]]:
    """`run_in_foreground` in a process of its own over the real checkout: (process, state folder, what it printed)."""
    home = tmp_path_factory.mktemp("up") / "home"
    script = f"""
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job, as tests may be, ignores Ctrl-C
from local_cloud.handle import run_in_foreground
run_in_foreground(Path({str(home)!r}), sys.stdout)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith("# Ready"):
                break
        yield process, home, lines
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        finally:
            process.kill()
        assert process.returncode == 0
        assert processes_of(home) == []


@pytest.fixture(scope="module")
def exported(up: tuple[subprocess.Popen[str], Path, list[str]]) -> dict[str, str]:
    """The variables that a shell has after running the printed lines."""
    shell = subprocess.run(
        ["sh", "-c", "\n".join(up[2]) + "\nenv"],
        env={"AWS_PROFILE": "payroll", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in shell.stdout.splitlines() if "=" in line)


@pytest.fixture
def aws(exported: dict[str, str], tmp_path: Path) -> Aws:
    """Run the AWS CLI with the exported variables only: aws("s3", "ls")."""

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(AWS), *arguments],
            env={**exported, "HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_it_says_that_it_is_local_and_prints_lines_for_a_shell(
    up: tuple[subprocess.Popen[str], Path, list[str]], exported: dict[str, str]
) -> None:
    lines = up[2]
    assert "LOCAL" in lines[0]
    assert all(re.fullmatch(r"#.*|unset [\w ]+|export [A-Z0-9_]+=[\w:/.-]+", line) for line in lines), lines
    assert "AWS_PROFILE" not in exported
    assert exported["NODES_TABLE"] == "jiki-video-nodes-local"
    assert exported["MERGER_FUNCTION"] == "jiki-video-merger-local"
    assert exported["PIPELINE_MACHINE_ARN"].endswith(":stateMachine:jiki-video-pipeline-local")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "ELEVENLABS_BASE_URL"):
        assert exported[name].startswith("http://127.0.0.1:")


def test_a_file_copied_to_s3_lies_in_the_state_folder_and_comes_back(
    aws: Aws, tmp_path: Path, up: tuple[subprocess.Popen[str], Path, list[str]]
) -> None:
    content = os.urandom(9 << 20)
    (tmp_path / "clip.mp4").write_bytes(content)
    aws("s3", "mb", "s3://cli-clips")
    aws("s3", "cp", "clip.mp4", "s3://cli-clips/in/clip.mp4")
    assert (up[1] / "s3" / "cli-clips" / "in" / "clip.mp4").read_bytes() == content
    aws("s3", "cp", "s3://cli-clips/in/clip.mp4", "back.mp4")
    assert (tmp_path / "back.mp4").read_bytes() == content
    assert "in/clip.mp4" in aws("s3", "ls", "s3://cli-clips", "--recursive")


def test_the_merger_is_invoked_and_its_logs_are_read(aws: Aws, exported: dict[str, str], tmp_path: Path) -> None:
    clips = ["s3://cli-nowhere/a.mp4", "s3://cli-nowhere/b.mp4"]
    event = {"input_videos": clips, "output_bucket": "cli-nowhere", "output_key": "joined.mp4"}
    (tmp_path / "event.json").write_text(json.dumps(event))
    name = exported["MERGER_FUNCTION"]
    said = aws("lambda", "invoke", "--function-name", name, "--payload", "file://event.json", "answer.json")
    assert json.loads(said)["StatusCode"] == 200
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert answer["statusCode"] == 400
    assert "s3://cli-nowhere/a.mp4" in answer["error"]
    events = json.loads(aws("logs", "filter-log-events", "--log-group-name", f"/aws/lambda/{name}"))["events"]
    messages = [event["message"] for event in events]
    assert messages[0].startswith("START RequestId: ")
    assert messages[-1].startswith("REPORT RequestId: ")
    assert "\tInit Duration: " in messages[-1]


def test_an_execution_is_started_and_followed(aws: Aws, exported: dict[str, str]) -> None:
    machine = exported["PIPELINE_MACHINE_ARN"]
    started = json.loads(
        aws("stepfunctions", "start-execution", "--state-machine-arn", machine, "--input", '{"pipeline_id": "no-such"}')
    )

    def ended() -> str:
        told = aws("stepfunctions", "describe-execution", "--execution-arn", started["executionArn"])
        status = json.loads(told)["status"]
        return "" if status == "RUNNING" else str(status)

    assert wait_for(ended, 60) == "FAILED"
    assert "There is no pipeline" in aws(
        "stepfunctions", "get-execution-history", "--execution-arn", started["executionArn"]
    )


def test_the_node_table_is_read_and_written(aws: Aws, exported: dict[str, str]) -> None:
    item = '{"pipeline_id": {"S": "cli"}, "id": {"S": "intro"}}'
    aws("dynamodb", "put-item", "--table-name", exported["NODES_TABLE"], "--item", item)
    assert {"pipeline_id": {"S": "cli"}, "id": {"S": "intro"}} in json.loads(
        aws("dynamodb", "scan", "--table-name", exported["NODES_TABLE"])
    )["Items"]

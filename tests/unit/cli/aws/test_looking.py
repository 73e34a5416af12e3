"""`list`, `open` and `cancel` against tables on AWS."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests

from tests.unit.cli.aws.conftest import ENVIRONMENT, Deployed, Shell
from tests.unit.graphs import claim, node, write
from video_production.nodes.model import Desired, Node, Outcome, Output, Pipeline
from video_production.storage import Storage


def publish(deployed: Deployed, name: str, *, outcome: str | None = None, at: float = 0.0) -> None:
    """A pipeline of one node that has ended, or has not."""
    deployed.nodes.edits.save_structure(Node(name, "film", "Film", "merge-videos"))
    deployed.nodes.edits.publish(
        Pipeline(name, f"About {name}", 0, Desired.RUN, ("film",), "film", deployed.bucket, "")
    )
    pipeline = deployed.nodes.pipeline(name)
    assert pipeline is not None
    if outcome:
        deployed.nodes.write_outcome(pipeline, pipeline.run, Outcome(outcome, 1, at))  # type: ignore[arg-type]


def film(deployed: Deployed, content: bytes = b"a film") -> str:
    """A finished lesson; the key of its video."""
    write(deployed.nodes, [node("film", "merge-videos")])
    stored = Storage(deployed.client("s3")).put_bytes(content, deployed.bucket, "lesson/film.mp4", "video/mp4")
    output = Output("video", stored.key, stored.size, stored.sha256, deployed.bucket, duration=62.0)
    deployed.nodes.complete(claim(deployed.nodes, "film"), output)
    return stored.key


def test_the_latest_pipeline_comes_first(shell: Shell, deployed: Deployed) -> None:
    publish(deployed, "old", outcome="completed", at=1_790_000_000)
    publish(deployed, "new", outcome="failed", at=1_790_086_400)
    publish(deployed, "running")
    code, out, _ = shell.run("list", *ENVIRONMENT)
    assert code == 0
    lines = out.splitlines()[1:]
    assert [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "WHEN", line) for line in lines] == [
        " new      failed     WHEN  About new",
        " old      completed  WHEN  About old",
        " running  running                      About running",
    ]


def test_a_long_list_is_read_page_by_page_and_cut_with_a_word(shell: Shell, deployed: Deployed) -> None:
    title = "x" * 390_000  # DynamoDB gives a megabyte at a time
    for number in range(4):
        publish(deployed, f"p{number}", outcome="completed", at=1_790_000_000 + number)
        deployed.nodes.edits.save_structure(Node(f"p{number}", "film", title, "merge-videos"))
    code, out, _ = shell.run("list", "--limit", "3", *ENVIRONMENT)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:4]] == ["p3", "p2", "p1"]
    assert out.splitlines()[-1] == " … and 1 older; --limit shows more"


def test_those_under_way_come_from_the_index(shell: Shell, deployed: Deployed, dynamodb: Any) -> None:
    dynamodb.update_table(
        TableName=deployed.nodes.name,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("active", "pipeline_id")],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "active",
                    "KeySchema": [
                        {"AttributeName": "active", "KeyType": "HASH"},
                        {"AttributeName": "pipeline_id", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            }
        ],
    )
    publish(deployed, "done", outcome="completed", at=1_790_000_000)
    publish(deployed, "running")
    shell.refuse("Scan", "AccessDeniedException")
    code, out, _ = shell.run("list", "--active", "--json", *ENVIRONMENT)
    assert code == 0
    assert json.loads(out) == [{"pipeline": "running", "title": "About running", "state": "running", "at": None}]


def test_the_address_of_the_video_works_without_an_account(shell: Shell, deployed: Deployed) -> None:
    film(deployed)
    code, out, err = shell.run("open", "lesson", "--expires", "2h", *ENVIRONMENT)
    assert code == 0
    assert err.endswith(" · film · 1:02 · valid for 2 hours\n")
    [url] = out.splitlines()
    assert "X-Amz-Expires=7200" in url
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    assert requests.get(url, timeout=10).content == b"a film"


def test_an_address_signed_by_a_session_ends_with_it(
    shell: Shell, deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(deployed)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of a session")
    _, _, err = shell.run("open", "lesson", *ENVIRONMENT)
    assert err.endswith(" · valid for 1 hour, at most as long as your AWS session\n")


def test_what_can_not_be_opened_says_why(shell: Shell, deployed: Deployed) -> None:
    key = film(deployed)
    assert shell.error("open", "lesson", "--node", "scene", *ENVIRONMENT) == (
        "There is no node 'scene' in pipeline 'lesson'; status lists the nodes."
    )
    deployed.client("s3").delete_object(Bucket=deployed.bucket, Key=key)
    assert shell.error("open", "lesson", *ENVIRONMENT) == (
        f"s3://{deployed.bucket}/lesson/film.mp4 is gone from the bucket; run produce to make it again."
    )
    publish(deployed, "running")
    assert shell.error("open", "running", *ENVIRONMENT) == (
        "Node 'film' of 'running' has made nothing yet, it is pending."
    )
    assert shell.error("open", "lesson", "--expires", "8d", *ENVIRONMENT) == (
        "An address is good for seven days at most; give a shorter --expires."
    )


def test_an_unknown_pipeline_is_told_with_the_way_to_the_known_ones(shell: Shell, deployed: Deployed) -> None:
    assert shell.error("status", "lap", *ENVIRONMENT) == (
        "There is no pipeline 'lap' in environment development (account 123456789012, us-east-1). "
        "./jiki-video list --environment development lists those there are."
    )


def test_commands_on_aws_import_no_emulation() -> None:
    import subprocess
    import sys

    modules = "video_production.cli.aws.workspace, video_production.cli.aws.checks, video_production.cli.aws.webhooks"
    program = (
        f"import sys, {modules}; print([n for n in sys.modules if n.partition('.')[0] in ('moto', 'local_cloud')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

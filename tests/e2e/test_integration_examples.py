"""The examples of docs/integration.md, in Python and in Ruby, against one local cloud."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from local_cloud.handle import CloudHandle, exports
from tests.e2e.aws_environment import pretend
from tests.e2e.lab import CHECKOUT, Lab
from tests.unit.media.clips import make_clip
from video_production.settings import EVENT_SOURCE, LOCAL

EXAMPLES = CHECKOUT / "examples" / "integration"
BUCKET = "clips-of-a-caller"
CLIPS = [f"s3://{BUCKET}/one.mp4", f"s3://{BUCKET}/two.mp4"]
LANGUAGES = {"python": [sys.executable], "ruby": ["ruby", "-W:no-deprecated"]}
MADE = ("voice", "scene")
"""The nodes of the lesson that are made."""


@dataclass(frozen=True)
class Desk:
    """A caller's application: the variables that `./jiki-video up` prints, clips in a bucket, a queue per language."""

    lab: Lab
    cloud: CloudHandle
    environment: dict[str, str]
    queues: dict[str, str]

    def run(self, language: str, example: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        suffix = {"python": "py", "ruby": "rb"}[language]
        return subprocess.run(
            [*LANGUAGES[language], EXAMPLES / language / f"{example}.{suffix}", *arguments],
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    lab = Lab(tmp_path_factory.mktemp("integration"), name="called")
    lab.write_scene("A few words.")
    with lab.cloud() as cloud:
        cloud.ensure_bucket(BUCKET)
        for name in ("one", "two"):
            clip = make_clip(lab.root / f"{name}.mp4", seconds=0.5)
            cloud.client("s3").upload_file(str(clip), BUCKET, f"{name}.mp4")
        # From a file, as editors and `openssl` write them: with a line break, which does not belong to the secret.
        secret = cloud.client("secretsmanager")
        secret.put_secret_value(SecretId=exports(cloud.endpoints)["CALLBACK_SECRET"], SecretString="from-a-file\n")
        queues = {language: _subscribe(cloud, f"events-for-{language}") for language in LANGUAGES}
        assert lab.run("produce", "lesson/pipeline.json").returncode == 0
        own = {"PATH": os.environ["PATH"], "HOME": str(lab.root)}
        yield Desk(lab, cloud, {**own, **exports(cloud.endpoints)}, queues)


@pytest.fixture(params=["python", "ruby"])
def language(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "ruby" and not _has_ruby():
        pytest.skip("Ruby with aws-sdk-core and aws-sigv4 is not installed (on Debian: ruby ruby-aws-sdk-core)")
    return name


def _has_ruby() -> bool:
    ask = ["ruby", "-e", "require 'aws-sdk-core'; require 'aws-sigv4'; require 'webrick'"]
    return bool(shutil.which("ruby")) and subprocess.run(ask, capture_output=True, check=False).returncode == 0


def _answer(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    assert (done.returncode, done.stderr) == (code, ""), done.stdout + done.stderr
    return json.loads(done.stdout)


def _assert_joined(desk: Desk, key: str, result: dict[str, Any]) -> None:
    stored = desk.lab.home / "s3" / BUCKET / key
    assert (result["s3_key"], result["size"]) == (key, stored.stat().st_size)
    assert result["duration"] == pytest.approx(1.0, abs=0.05)


def test_a_merge_is_waited_for(desk: Desk, language: str) -> None:
    key = f"joined/{language} synchronously.mp4"
    answer = _answer(desk.run(language, "merge_synchronously", BUCKET, key, *CLIPS))
    assert answer["statusCode"] == 200
    _assert_joined(desk, key, answer)


def test_a_wrong_request_is_told_from_one_that_may_work_later(desk: Desk, language: str) -> None:
    missing = f"s3://{BUCKET}/three.mp4"
    answer = _answer(desk.run(language, "merge_synchronously", BUCKET, "joined/never.mp4", missing), code=1)
    assert (answer["statusCode"], answer["error"]) == (400, f"{missing} does not exist. Check the bucket and the key.")


def test_a_bucket_that_does_not_exist_is_named_with_what_to_do(desk: Desk, language: str) -> None:
    answer = _answer(desk.run(language, "merge_synchronously", "other", "whole.mp4", CLIPS[0]), code=1)
    assert (answer["statusCode"], answer["error"]) == (
        400,
        "The bucket 'other' does not exist, so nothing can lie at s3://other/whole.mp4. Name the video bucket of the "
        "environment.",
    )


def test_on_aws_the_address_of_the_receiver_is_asked_for(desk: Desk, language: str) -> None:
    elsewhere = {"AWS_ENDPOINT_URL": "https://127.0.0.1:9"}  # nothing may be asked of it, and nobody listens there
    done = desk.run(language, "merge_with_callback", BUCKET, "never.mp4", CLIPS[0], **elsewhere)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "CALLBACK_URL is not set: AWS can't call this machine back, so say where it is seen from outside.\n"
    )


def test_a_merge_calls_back(desk: Desk, language: str) -> None:
    key = f"joined/{language}-callback.mp4"
    callback = _answer(desk.run(language, "merge_with_callback", BUCKET, key, *CLIPS))
    _assert_joined(desk, key, callback["result"])


def test_a_document_is_published_from_ruby_without_waiting_for_its_video(desk: Desk, tmp_path: Path) -> None:
    if not _has_ruby():
        pytest.skip("Ruby is not installed")
    lab = Lab(tmp_path, state=desk.lab.home, name="published")
    document = str(lab.write_scene("Words that are published."))
    command = tmp_path / "jiki-video"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={CHECKOUT} exec {sys.executable} -m video_production.cli "$@"\n')
    command.chmod(0o755)
    names = {"JIKI_VIDEO": str(command), "JIKI_ENVIRONMENT": "development"}
    with pretend(desk.cloud):
        told = _answer(desk.run("ruby", "publish_pipeline", document, **names))
        assert (told["event"], told["pipeline"]) == ("started", "published")
        lab.wait_for(lambda: "outcome" in lab.node("#pipeline"), every=0.2)
        assert lab.node("#pipeline")["outcome"]["status"] == "completed"
        told = _answer(desk.run("ruby", "publish_pipeline", document, **names))
        assert (told["status"], told["unchanged"]) == ("completed", True)
        Path(document).write_text("{}")
        told = _answer(desk.run("ruby", "publish_pipeline", document, **names), code=1)
        assert (told["status"], bool(told["problems"])) == ("invalid", True)


def test_a_started_pipeline_is_started_once(desk: Desk, language: str) -> None:
    before = _executions(desk)
    done = desk.run(language, "start_pipeline", "called")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() in before
    assert _executions(desk) == before
    unknown = desk.run(language, "start_pipeline", "never-published")
    assert (unknown.returncode, unknown.stderr) == (1, "There is no pipeline 'never-published'.\n")


def test_a_pipeline_is_started_over_http(desk: Desk, language: str) -> None:
    told = _answer(desk.run(language, "start_pipeline_over_http", "called"))
    assert (told["pipeline_id"], told["status"]) == ("called", "completed")
    assert told["execution_arn"] in _executions(desk)
    refused = _answer(desk.run(language, "start_pipeline_over_http", "never published"), code=1)
    assert refused["error"] == "There is no pipeline 'never published'."


def _executions(desk: Desk) -> set[str]:
    states = desk.cloud.client("stepfunctions")
    listed = states.list_executions(stateMachineArn=desk.environment["PIPELINE_MACHINE_ARN"])["executions"]
    return {execution["executionArn"] for execution in listed}


def test_a_pipeline_is_read_and_its_video_fetched(desk: Desk, language: str) -> None:
    told = _answer(desk.run(language, "read_pipeline", "called"))
    assert told["outcome"] == "completed"
    assert told["nodes"] == dict.fromkeys(["script", "still", "voice", "scene"], "completed")
    video = requests.get(told["video"], timeout=10)
    assert video.status_code == 200
    assert len(video.content) == desk.lab.node("scene")["output"]["size"]
    assert requests.get(told["video"].replace("scene", "other"), timeout=10).status_code == 403


def test_each_event_is_told_once(desk: Desk, language: str) -> None:
    run = desk.lab.node("#pipeline")["run"]
    ids = {f"called:{run}:completed", *(f"{desk.lab.node(node)['process_uuid']}:completed" for node in MADE)}
    again = {"id": f"called:{run}:completed", "environment": LOCAL, "pipeline_id": "called", "status": "completed"}
    entry = {"Source": EVENT_SOURCE, "DetailType": "Pipeline Completed", "Detail": json.dumps(again)}
    desk.cloud.client("events").put_events(Entries=[entry])
    done = desk.run(language, "receive_events", "3", EVENTS_QUEUE_URL=desk.queues[language])
    assert (done.returncode, done.stderr) == (0, "")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == 3
    assert {event["id"] for event in told} == ids
    assert {event["type"] for event in told} == {"Node Completed", "Pipeline Completed"}


def _subscribe(cloud: CloudHandle, name: str) -> str:
    """A queue that gets this system's events by a rule."""
    sqs, events = cloud.client("sqs"), cloud.client("events")
    queue: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": [EVENT_SOURCE], "detail": {"environment": [LOCAL], "pipeline_id": ["called"]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    return queue

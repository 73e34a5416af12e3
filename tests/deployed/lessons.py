"""Lessons made in a deployed environment with the product's own command line."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deployed.site import Environment
from tests.e2e.lab import Lab

__all__ = ["Lesson", "events_of", "executions", "produce", "script_of", "wait_for_end"]


@dataclass
class Lesson:
    """A finished lesson: `video` is the downloaded file, `execution` the ARN of the pipeline machine's run."""

    name: str
    video: Path
    execution: str


def produce(environment: Environment, folder: Path, name: str) -> Lesson:
    """A still with a voice and a clip, merged; made in this environment and downloaded."""
    folder.mkdir(parents=True, exist_ok=True)
    document = Lab(folder, name=name).write_lesson(script=script_of(name))
    done = environment.run("produce", str(document), "--json", "--yes")
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    last = json.loads(done.stdout.splitlines()[-1])
    [execution] = executions(environment, environment.names.pipeline_machine, name)
    return Lesson(name, Path(last["output"]["path"]), execution["executionArn"])


def script_of(name: str) -> str:
    """What the voice of a lesson says; no two lessons can share it."""
    return f"Binary search looks at the middle of a sorted list. This is {name}."


def executions(environment: Environment, machine: str, lesson: str) -> list[dict[str, Any]]:
    """The executions of a machine that worked for a lesson."""
    aws, arn = environment.client("stepfunctions"), environment.machine(machine)["stateMachineArn"]
    pages = aws.get_paginator("list_executions").paginate(stateMachineArn=arn)
    found = [each for page in pages for each in page["executions"]]
    return [each for each in found if _input(environment, each)["pipeline_id"] == lesson]


def _input(environment: Environment, execution: dict[str, Any]) -> dict[str, Any]:
    aws = environment.client("stepfunctions")
    given: dict[str, Any] = json.loads(aws.describe_execution(executionArn=execution["executionArn"])["input"])
    return given


def wait_for_end(environment: Environment, execution: str, seconds: float = 120) -> str:
    """The status in which an execution ended."""
    aws = environment.client("stepfunctions")
    deadline = time.monotonic() + seconds
    while True:
        status = str(aws.describe_execution(executionArn=execution)["status"])
        if status != "RUNNING":
            return status
        assert time.monotonic() < deadline, f"{execution} still runs after {seconds:.0f} s"
        time.sleep(0.5)


@contextmanager
def events_of(environment: Environment, pattern: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Every event on the default bus that matches, once the block has ended: by a rule and a queue of our own."""
    events, sqs = environment.client("events"), environment.client("sqs")
    heard: list[dict[str, Any]] = []
    url = sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="listener", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="listener", Targets=[{"Id": "listener", "Arn": arn}])
    try:
        yield heard
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages"):
            heard += [json.loads(message["Body"]) for message in messages]
    finally:
        events.remove_targets(Rule="listener", Ids=["listener"])
        events.delete_rule(Name="listener")
        sqs.delete_queue(QueueUrl=url)

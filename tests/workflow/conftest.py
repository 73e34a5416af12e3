"""The real state machines over functions that do as they are told."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_cloud.functions import NAMES, ROLES, machine_arn
from local_cloud.handle import CloudHandle, attach_or_start
from video_production.nodes.model import Node
from video_production.nodes.table import NodeTable

CHECKOUT = Path(__file__).resolve().parent.parent.parent

OBEDIENT = """
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROLE = Path(__file__).parent.name


def handler(event, context):
    with (ROOT / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps({"role": ROLE, "event": event}) + "\\n")
    script = ROOT / f"{ROLE}.json"
    answers = json.loads(script.read_text())
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    script.write_text(json.dumps(answers or [answer]))
    if isinstance(answer, dict) and "raise" in answer:
        raise type(answer["raise"], (Exception,), {})(answer.get("message", ""))
    return answer
"""


class Theatre:
    """A cloud whose functions follow a script. Each test has its own node."""

    def __init__(self, cloud: CloudHandle, checkout: Path) -> None:
        self.cloud = cloud
        self.checkout = checkout
        self.states = cloud.client("stepfunctions")
        self.nodes = NodeTable(cloud.client("dynamodb"), NAMES.nodes_table)

    def script(self, **answers: list[Any]) -> None:
        """What each role answers, in order; the last answer is repeated."""
        (self.checkout / "calls.jsonl").write_text("")
        for role in ROLES:
            (self.checkout / f"{role}.json").write_text(json.dumps(answers.get(role, [{"outcome": None}])))

    def run_node(self, kind: str, provider: str | None, timeout: float = 60) -> str:
        """Run the node machine for a node of this type; the execution's status."""
        node_id = f"n-{uuid.uuid4().hex[:8]}"
        self.nodes.edits.save_structure(
            Node("lesson", node_id, "Node", kind, config={"provider": provider} if provider else {})
        )
        event = {"node_id": node_id, "pipeline_id": "lesson", "process_uuid": node_id}
        return self._run(NAMES.node_machine, node_id, event, timeout)

    def run_missing(self, timeout: float = 60) -> str:
        """Run the node machine for a node that is not in the table."""
        node_id = f"n-{uuid.uuid4().hex[:8]}"
        event = {"node_id": node_id, "pipeline_id": "lesson", "process_uuid": node_id}
        return self._run(NAMES.node_machine, node_id, event, timeout)

    def run_pipeline(self, timeout: float = 60) -> str:
        return self._run(NAMES.pipeline_machine, f"p-{uuid.uuid4().hex[:8]}", {"pipeline_id": "lesson"}, timeout)

    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        lines = (self.checkout / "calls.jsonl").read_text().splitlines()
        return [(call["role"], call["event"]) for call in map(json.loads, lines)]

    def roles(self) -> list[str]:
        return [role for role, _ in self.calls()]

    def _run(self, machine: str, name: str, event: dict[str, Any], timeout: float) -> str:
        arn = self.states.start_execution(stateMachineArn=machine_arn(machine), name=name, input=json.dumps(event))
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            status = str(self.states.describe_execution(executionArn=arn["executionArn"])["status"])
            if status != "RUNNING":
                return status
            time.sleep(0.05)
        raise AssertionError(f"the execution did not end within {timeout} s")


@pytest.fixture(scope="session")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / "workflows").symlink_to(CHECKOUT / "workflows")
    for part in ("video_production", "stand_ins"):
        (checkout / part).symlink_to(CHECKOUT / part)
    for role in ROLES:
        (checkout / "functions" / role).mkdir(parents=True)
        (checkout / "functions" / role / "handler.py").write_text(OBEDIENT)
        (checkout / f"{role}.json").write_text("[null]")
    with attach_or_start(tmp_path_factory.mktemp("home"), checkout=checkout) as cloud:
        yield Theatre(cloud, checkout)

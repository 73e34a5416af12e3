"""A Step Functions client that knows which executions run and which are closed."""

from __future__ import annotations

import json
from typing import Any


class Machines:
    """Idempotent by name while an execution runs; ExecutionAlreadyExists once it is closed."""

    class exceptions:  # noqa: N801
        class ExecutionAlreadyExists(Exception):
            pass

    def __init__(self) -> None:
        self.running: dict[str, dict[str, Any]] = {}
        self.closed: set[str] = set()
        self.started: list[str] = []

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, str]:  # noqa: N803
        if name in self.closed:
            raise self.exceptions.ExecutionAlreadyExists
        if name not in self.running:
            self.started.append(name)
        self.running[name] = {"arn": stateMachineArn, **json.loads(input)}
        return {"executionArn": f"{stateMachineArn}:{name}"}

    def close(self, name: str) -> None:
        self.running.pop(name, None)
        self.closed.add(name)

    def nodes(self) -> list[str]:
        return sorted(event["node_id"] for event in self.running.values() if "node_id" in event)

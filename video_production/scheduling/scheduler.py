"""The scheduler: claims what is ready, restarts what was lost, writes the outcome (protocol: "Scheduling").

It may run any number of times at once: every step is a conditional write, and StartExecution is idempotent by name.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from video_production.errors import RequestError, TransientError
from video_production.nodes.model import Desired, Node, NodeStatus, Outcome, Pipeline
from video_production.nodes.table import Claim, NodeTable
from video_production.scheduling.failures import Failure

__all__ = ["OutcomeStatus", "Scheduler"]

OutcomeStatus = Literal["completed", "failed", "cancelled"]
_MAX_RESTARTS = 5


class Scheduler:
    """Moves one pipeline as far as it can go now.

    `stale_after` is in seconds; `start_machine` is the ARN of the node machine; `states` a Step Functions client.
    """

    def __init__(
        self,
        nodes: NodeTable,
        states: Any,
        node_machine_arn: str,
        *,
        stale_after: float = 120,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.nodes = nodes
        self.states = states
        self.node_machine_arn = node_machine_arn
        self.stale_after = stale_after
        self.clock = clock
        self.new_id = new_id

    def advance(self, pipeline_id: str) -> OutcomeStatus | None:
        """Claim and start every ready node; return the outcome once there is one.

        Raises RequestError for an unknown pipeline and TransientError when AWS hiccups.
        """
        pipeline, nodes = self.nodes.load(pipeline_id)
        if pipeline is None:
            raise RequestError(f"There is no pipeline '{pipeline_id}'.")
        if pipeline.outcome:
            return pipeline.outcome.status
        if pipeline.desired == Desired.EDITING:
            return None
        self._restart_lost(nodes)
        ready = [node for node in nodes.values() if _is_ready(node, nodes)] if pipeline.desired == Desired.RUN else []
        for node in ready:
            claim = self.nodes.claim(pipeline, node.id, self.new_id())
            if claim:
                self._start(claim)
        running = any(node.status == NodeStatus.IN_PROGRESS for node in nodes.values())
        if ready or running:
            return None
        return self._finish(pipeline, nodes)

    def fail(self, claim: Claim, failure: Failure) -> bool:
        """Row 11: end a node whose work ended badly. False when the claim is no longer current."""
        return self.nodes.fail(claim, failure.message, failure.error_type)

    def _restart_lost(self, nodes: Mapping[str, Node]) -> None:
        """Row 2: repeat the start of every node that nobody has touched for a while."""
        for node in nodes.values():
            quiet = self.clock() - node.touched_at
            if node.status == NodeStatus.IN_PROGRESS and node.process_uuid and quiet >= self.stale_after:
                claim = Claim(node.pipeline_id, node.id, node.process_uuid)
                if not self._start(claim):
                    self._replace(claim)

    def _replace(self, claim: Claim) -> None:
        """The execution is closed, yet its node is in progress: give the node to a new one, but not for ever."""
        if self.nodes.restarts(claim) >= _MAX_RESTARTS:
            message = (
                f"Its work was started {_MAX_RESTARTS + 1} times and never reported an end; read the logs, then retry."
            )
            self.nodes.fail(claim, message, "States.Runtime")
            return
        fresh = self.nodes.reclaim(claim, self.new_id())
        if fresh:
            self._start(fresh)

    def _start(self, claim: Claim) -> bool:
        """Start the node's execution, named by its claim. False when that execution is already closed."""
        event = {
            "node_id": claim.node_id,
            "pipeline_id": claim.pipeline_id,
            "process_uuid": claim.process_uuid,
        }
        try:
            self.states.start_execution(
                stateMachineArn=self.node_machine_arn,
                name=claim.process_uuid,
                input=json.dumps(event, sort_keys=True, separators=(",", ":")),
            )
        except self.states.exceptions.ExecutionAlreadyExists:
            return False
        except (ClientError, BotoCoreError) as error:
            raise TransientError(f"Node {claim.node_id}: its execution could not be started ({error}).") from error
        return True

    def _finish(self, pipeline: Pipeline, nodes: Mapping[str, Node]) -> OutcomeStatus | None:
        """Nothing runs and nothing can run: write the outcome, unless somebody asks for something new meanwhile."""
        failed = tuple(node.id for node in nodes.values() if node.status == NodeStatus.FAILED)
        blocked = tuple(node.id for node in nodes.values() if node.status == NodeStatus.PENDING)
        status: OutcomeStatus = "completed"
        if failed or blocked:
            status = "cancelled" if pipeline.desired == Desired.CANCELLED else "failed"
        outcome = Outcome(status, pipeline.revision, self.clock(), failed, blocked)
        return status if self.nodes.write_outcome(pipeline, pipeline.run, outcome) else None


def _is_ready(node: Node, nodes: Mapping[str, Node]) -> bool:
    inputs = (nodes.get(node_id) for node_id in node.input_ids)
    return node.status == NodeStatus.PENDING and all(
        source is not None and source.status == NodeStatus.COMPLETED for source in inputs
    )

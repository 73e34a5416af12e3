"""The scheduler: claims what is ready, restarts what was lost, writes the outcome (protocol: "Scheduling").

It may run any number of times at once: every step is a conditional write, and StartExecution is idempotent by name.
"""

from __future__ import annotations

import json
import logging
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from video_production.errors import NotFound, RequestError, TransientError
from video_production.metrics import Report, unreported
from video_production.nodes.endings import watch
from video_production.nodes.model import Desired, Node, NodeStatus, Outcome, Pipeline
from video_production.nodes.table import Claim, NodeTable
from video_production.scheduling.announcing import Announcer
from video_production.scheduling.dispatching import Dispatcher
from video_production.scheduling.executions import EndedExecution
from video_production.scheduling.failures import Failure
from video_production.scheduling.watching import next_watcher, start_watcher
from video_production.takes.table import TakeTable

__all__ = ["OutcomeStatus", "Scheduler"]

OutcomeStatus = Literal["completed", "failed", "cancelled"]
_log = logging.getLogger(__name__)
_MAX_RESTARTS = 5


class Scheduler:
    """Moves one pipeline as far as it can go now.

    `stale_after` is in seconds; `states` is a Step Functions client; `limits` are jobs under way at once by provider,
    all pipelines together; `announcer` tells the outside what ended.
    """

    def __init__(
        self,
        nodes: NodeTable,
        takes: TakeTable,
        states: Any,
        node_machine_arn: str,
        *,
        limits: Mapping[str, int],
        pipeline_machine_arn: str = "",
        announcer: Announcer | None = None,
        report: Report = unreported,
        stale_after: float = 120,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.nodes = nodes
        self.states = states
        self.node_machine_arn = node_machine_arn
        self.pipeline_machine_arn = pipeline_machine_arn
        self.announcer = announcer
        self.report = report
        self.stale_after = stale_after
        self.clock = clock
        self.new_id = new_id
        self.dispatcher = Dispatcher(nodes, takes, limits, self._start, clock=clock, new_id=new_id)

    def take(self, message: Mapping[str, Any]) -> OutcomeStatus | None:
        """Do what a message asks for: `{pipeline_id}`, with `{node_id}` when that node has ended, and with
        `{process_uuid, failure}` too when the node machine reports its failure; `{provider}` to look after its slots
        and its queue; pipeline and provider when a job ended that no node follows; or EventBridge's event of an
        execution that ended without success.

        Raises what `advance` raises, and RequestError for anything else.
        """
        if EndedExecution.is_event(message):
            return self.clean_up(EndedExecution.from_event(message))
        pipeline_id, provider, node_id = (message.get(name) for name in ("pipeline_id", "provider", "node_id"))
        if isinstance(provider, str):
            self.dispatcher.clean(provider)
            if pipeline_id is None:
                return None
        if not isinstance(pipeline_id, str):
            raise RequestError("The event lacks pipeline_id.")
        if "failure" in message:
            failure = Failure.from_event(message["failure"])
            _log.warning("node %s failed: %s", node_id, failure.error_type)
            self.fail(Claim.from_event(message), failure)
        return self.advance(pipeline_id, node_id)

    def advance(self, pipeline_id: str, ended_now: str | None = None) -> OutcomeStatus | None:
        """Claim and start every ready node, announce what ended; return the outcome once there is one.

        `ended_now` is the node whose end is the reason of this call, where there is one: then what is around it is
        enough, unless nothing of that is under way any more. What a lost call would have done is done by the next one
        that comes for no node.

        Raises NotFound for an unknown pipeline and TransientError when AWS hiccups.
        """
        if ended_now and self._go_on_from(pipeline_id, ended_now):
            return None
        pipeline, nodes = self.nodes.load(pipeline_id)
        if pipeline is None:
            raise NotFound(f"There is no pipeline '{pipeline_id}'.")
        self._give_back(nodes.values())
        if pipeline.outcome is None:
            self._restart_lost(nodes)  # of a half-edited one, too: what it has begun may hold job slots
            if pipeline.desired != Desired.EDITING:
                pipeline = self._drive(pipeline, nodes)
        if self.announcer:
            self.announcer.announce(pipeline, nodes)
        return pipeline.outcome.status if pipeline.outcome else None

    def _go_on_from(self, pipeline_id: str, node_id: str) -> bool:
        """Do what the end of one node asks for, by what is around it: a pipeline may have hundreds of nodes, and every
        end has a call of its own. False, with part of that done, where the whole pipeline has to be looked at.
        """
        pipeline, nodes = self.nodes.around(pipeline_id, node_id)
        node = nodes.get(node_id)
        if pipeline is None or node is None or not node.ended or pipeline.outcome or pipeline.desired != Desired.RUN:
            return False
        if self.dispatcher.limited(node) and not node.slot:
            return False  # an earlier try of this call gave its slot back, and may have died before it served anybody
        self._give_back([node])
        ready = [user for user in nodes.values() if node_id in user.input_ids and _is_ready(user, nodes)]
        self._start_ready(pipeline, ready)
        if not ready and not _running(nodes):
            return False
        if self.announcer:
            self.announcer.announce(pipeline, {node_id: node})
        return True

    def _drive(self, pipeline: Pipeline, nodes: Mapping[str, Node]) -> Pipeline:
        """Start what can be started; the pipeline, with its outcome where nothing is left to do."""
        ready = [node for node in nodes.values() if _is_ready(node, nodes)] if pipeline.desired == Desired.RUN else []
        self._start_ready(pipeline, ready)
        if pipeline.desired == Desired.CANCELLED:
            self.dispatcher.leave_queue(nodes.values())
        if ready or _running(nodes):
            return pipeline
        return self._finish(pipeline, nodes)

    def _give_back(self, nodes: Iterable[Node]) -> None:
        for provider in self.dispatcher.give_back(nodes):
            self.dispatcher.serve(provider)  # whoever waits comes before what this pipeline wants next

    def _start_ready(self, pipeline: Pipeline, ready: Sequence[Node]) -> None:
        self._claim(pipeline, [node for node in ready if not self.dispatcher.limited(node)])
        self.dispatcher.seat(pipeline, [node for node in ready if self.dispatcher.limited(node)])

    def _claim(self, pipeline: Pipeline, ready: Sequence[Node]) -> None:
        """Start nodes that need no slot. Nodes that end together have a scheduler each, and all of them want the same:
        whoever finds that another one was faster looks what is left, and goes on in an order of its own."""
        left = list(ready)
        while left:
            node = left.pop(0)
            claim = self.nodes.claim(pipeline, node.id, self.new_id())
            if claim:
                self._start(claim)
                continue
            left = self.nodes.still_pending([node, *left])
            if any(other.id == node.id for other in left):
                return  # the pipeline is edited or cancelled: whoever does that has a scheduler look again
            random.shuffle(left)

    def fail(self, claim: Claim, failure: Failure) -> bool:
        """Row 11: end a node whose work ended badly. False when the claim is no longer current."""
        return self.nodes.fail(claim, failure.message, failure.error_type)

    def clean_up(self, execution: EndedExecution) -> OutcomeStatus | None:
        """Do what an execution that ended without success could not do itself, then move its pipeline on.

        A node that is still its own fails; a pipeline that is still under way gets another watcher, unless several
        died already. Raises what `advance` raises.
        """
        _log.error("execution %s of pipeline %s did not succeed", execution.name, execution.pipeline_id)
        self.report("CouldNotSettle")
        if execution.claim:
            self.fail(execution.claim, execution.failure)
        outcome = self.advance(execution.pipeline_id)
        if outcome is None and execution.claim is None:
            self._watch_again(execution)
        return outcome

    def _watch_again(self, execution: EndedExecution) -> None:
        pipeline = self.nodes.pipeline(execution.pipeline_id)
        name = next_watcher(pipeline, execution.name) if pipeline else None
        if name and start_watcher(self.states, self.pipeline_machine_arn, execution.pipeline_id, name):
            watch(self.nodes, execution.pipeline_id, name)

    def _restart_lost(self, nodes: Mapping[str, Node]) -> None:
        """Row 2: repeat the start of every node that nobody has touched for a while."""
        for node in nodes.values():
            quiet = self.clock() - node.touched_at
            if node.status == NodeStatus.IN_PROGRESS and node.process_uuid and quiet >= self.stale_after:
                claim = Claim(node.pipeline_id, node.id, node.process_uuid)
                if not self._start(claim):
                    self._replace(claim, node.slot)

    def _replace(self, claim: Claim, slot: str) -> None:
        """The execution is closed, yet its node is in progress: give the node to a new one, but not for ever."""
        if self.nodes.restarts(claim) >= _MAX_RESTARTS:
            message = (
                f"Its work was started {_MAX_RESTARTS + 1} times and never reported an end; read the logs, then retry."
            )
            if self.nodes.fail(claim, message, "States.Runtime"):
                self.report("StuckNodes")
            return
        fresh = self.nodes.reclaim(claim, self.new_id(), slot)
        if fresh:
            self.report("StuckNodes")
            self._start(fresh)
        elif slot and self.nodes.wait_again(claim, slot):
            _log.warning("slot %s of node %s is gone; the node waits for another one", slot, claim.node_id)
            self.report("StuckNodes")

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

    def _finish(self, pipeline: Pipeline, nodes: Mapping[str, Node]) -> Pipeline:
        """Nothing runs and nothing can run: write the outcome, unless somebody asks for something new meanwhile."""
        failed = tuple(node.id for node in nodes.values() if node.status == NodeStatus.FAILED)
        blocked = tuple(node.id for node in nodes.values() if node.status == NodeStatus.PENDING)
        status: OutcomeStatus = "completed"
        if failed or blocked:
            status = "cancelled" if pipeline.desired == Desired.CANCELLED else "failed"
        outcome = Outcome(status, pipeline.revision, self.clock(), failed, blocked)
        written = self.nodes.write_outcome(pipeline, pipeline.run, outcome)
        return replace(pipeline, outcome=outcome) if written else pipeline


def _is_ready(node: Node, nodes: Mapping[str, Node]) -> bool:
    inputs = (nodes.get(node_id) for node_id in node.input_ids)
    return node.status == NodeStatus.PENDING and all(
        source is not None and source.status == NodeStatus.COMPLETED for source in inputs
    )


def _running(nodes: Mapping[str, Node]) -> bool:
    return any(node.status == NodeStatus.IN_PROGRESS for node in nodes.values())

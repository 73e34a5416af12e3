"""What a person can ask of a pipeline: run it, retry a node, decide about money, cancel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from video_production.errors import MayHaveBeenPaid, NotFound, RequestError
from video_production.nodes.endings import watch
from video_production.nodes.model import Desired, Node, NodeStatus, Pipeline
from video_production.nodes.table import NodeTable
from video_production.scheduling.watching import start_watcher, watcher_name
from video_production.takes.model import Take, TakeState
from video_production.takes.table import TakeTable

__all__ = ["Asking", "Resolution", "Run"]

Resolution = Literal["adopt", "pay-again", "give-up"]
_LONGEST_ID = 64
_UNDECIDED = (TakeState.UNKNOWN, TakeState.ABANDONED)


@dataclass(frozen=True, slots=True)
class Run:
    """What became of the wish to run a pipeline. `started`: by this very call; `completed`: there is nothing to do."""

    execution_arn: str
    status: Literal["started", "running", "completed"]


class Asking:
    """A person's requests. Each raises RequestError with one sentence when it makes no sense now."""

    def __init__(self, nodes: NodeTable, takes: TakeTable, states: Any, pipeline_machine_arn: str) -> None:
        self.nodes = nodes
        self.takes = takes
        self.states = states
        self.pipeline_machine_arn = pipeline_machine_arn

    def run(self, pipeline_id: str) -> Run:
        """Start the pipeline machine for what is asked of the pipeline now. Asking twice starts it once."""
        pipeline = self._pipeline(pipeline_id)
        name = watcher_name(pipeline)
        arn = start_watcher(self.states, self.pipeline_machine_arn, pipeline_id, name)
        if arn:
            return Run(arn, "started" if watch(self.nodes, pipeline_id, name) else "running")
        if pipeline.outcome:
            return Run(self._arn_of(name), "completed")
        # It was ended from outside before the pipeline was: start another.
        self.nodes.set_desired(pipeline_id, pipeline.desired)
        return self.run(pipeline_id)

    def start(self, pipeline_id: str) -> Run:
        """Run a published pipeline: what failed is made again, what was cancelled goes on, what is made is kept.

        Raises NotFound, RequestError (half edited), MayHaveBeenPaid (a person has to decide first).
        """
        pipeline = self._pipeline(pipeline_id)
        if pipeline.editing:
            self.nodes.set_desired(pipeline_id, Desired.RUN)  # says why not
        if pipeline.desired == Desired.CANCELLED:
            self.nodes.set_desired(pipeline_id, Desired.RUN)
        if pipeline.outcome and pipeline.outcome.status != "completed":
            undecided = self.retry_failed(pipeline_id)
            if undecided and self._pipeline(pipeline_id).outcome:
                node_id, why = next(iter(undecided.items()))
                raise MayHaveBeenPaid(f"Node '{node_id}': {why}")
        return self.run(pipeline_id)

    def retry(self, pipeline_id: str, node_id: str, asked: Literal["run", "retry"] = "retry") -> None:
        """Row 12: failed → pending. Raises MayHaveBeenPaid while it is undecided whether money was spent."""
        node = self._node(pipeline_id, node_id)
        if node.status != NodeStatus.FAILED:
            raise RequestError(f"Node '{node_id}' is {_words(node.status)}; only a failed node can be retried.")
        for part, take in self._undecided(node):
            raise MayHaveBeenPaid(f"{part.capitalize()}: {_why_not_again(take)}" if part else _why_not_again(take))
        self.nodes.retry(pipeline_id, node_id, asked)

    def retry_failed(self, pipeline_id: str) -> dict[str, str]:
        """Retry every failed node that may be retried; return the others with the reason, by node id."""
        _, nodes = self.nodes.load(pipeline_id)
        kept: dict[str, str] = {}
        for node in nodes.values():
            if node.status == NodeStatus.FAILED:
                try:
                    self.retry(pipeline_id, node.id, asked="run")
                except MayHaveBeenPaid as error:
                    kept[node.id] = str(error)
                except RequestError:
                    continue  # somebody else asked for it just now
        return kept

    def resolve(
        self, pipeline_id: str, node_id: str, resolution: Resolution, *, who: str, why: str, external_id: str = ""
    ) -> None:
        """Row 13: decide about a request that may have been paid; who and why are recorded.

        Of a node in parts it is the first undecided one: the one that its failure told of.
        """
        node = self._node(pipeline_id, node_id)
        undecided = self._undecided(node)
        if not undecided:
            raise RequestError(f"Node '{node_id}': there is nothing to resolve, no request of it is undecided.")
        _, take = undecided[0]
        if resolution == "adopt":
            self.takes.adopt(take, external_id, who, why)
        elif resolution == "pay-again":
            self.takes.release(take, who, why)
        else:
            self.takes.abandon(take, who, why)
        if resolution != "give-up" and node.status == NodeStatus.FAILED:
            # Decided is this one request; what failed otherwise is bought again only when it is asked for by name.
            self.nodes.retry(pipeline_id, node_id, "run")

    def cancel(self, pipeline_id: str) -> None:
        """No paid request starts after this; jobs under way are cancelled where possible, else kept for reuse."""
        self.nodes.set_desired(pipeline_id, Desired.CANCELLED)

    def takes_of(self, node: Node) -> list[Take]:
        """The takes that a node shows, for `status`."""
        return self._takes(node)

    def _takes(self, node: Node) -> list[Take]:
        metadata: Mapping[str, Any] = node.metadata
        found = (self.takes.get(str(take_id)) for take_id in metadata.get("takes", ()))
        return [take for take in found if take]

    def _undecided(self, node: Node) -> list[tuple[str, Take]]:
        """The undecided takes of a node, each with its name, such as `part 2 of 5`; empty where there is one take."""
        ids = [str(take_id) for take_id in node.metadata.get("takes", ())]
        found = [(number, self.takes.get(take_id)) for number, take_id in enumerate(ids, start=1)]
        return [
            (f"part {number} of {len(ids)}" if len(ids) > 1 else "", take)
            for number, take in found
            if take and take.state in _UNDECIDED
        ]

    def _node(self, pipeline_id: str, node_id: str) -> Node:
        node = self.nodes.node(pipeline_id, node_id)
        if node is None:
            raise NotFound(f"There is no node '{node_id}' in pipeline '{pipeline_id}'; `status` lists the nodes.")
        return node

    def _pipeline(self, pipeline_id: str) -> Pipeline:
        # Anything may come over HTTP; DynamoDB takes no key that is empty or longer than 2 KB.
        pipeline = self.nodes.pipeline(pipeline_id) if 0 < len(pipeline_id) <= _LONGEST_ID else None
        if pipeline is None:
            raise NotFound(f"There is no pipeline '{pipeline_id[:_LONGEST_ID]}'.")
        return pipeline

    def _arn_of(self, execution: str) -> str:
        return f"{self.pipeline_machine_arn.replace(':stateMachine:', ':execution:')}:{execution}"


def _why_not_again(take: Take) -> str:
    if take.state == TakeState.ABANDONED:
        return (
            "Its request was given up after the answer was lost, so nothing more is bought for it; to pay for another, "
            "run resolve with --pay-again."
        )
    return take.current.message or "Its last request may have been paid; run resolve to decide about it."


def _words(status: NodeStatus) -> str:
    return status.replace("_", " ")

"""Telling the outside how nodes and pipelines ended: events on EventBridge, at least once each (docs/events.md)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from video_production.metrics import Report, unreported
from video_production.nodes.endings import mark_announced, mark_over, unannounced
from video_production.nodes.model import Node, NodeStatus, Output, Pipeline
from video_production.nodes.table import NodeTable
from video_production.settings import EVENT_SOURCE

__all__ = ["Announcer", "node_event", "pipeline_event"]

_log = logging.getLogger(__name__)
_BATCH = 10
"""PutEvents takes as many entries,"""
_BATCH_BYTES = 240_000
"""and this many bytes with some room: 256 KB counts more than the detail."""
_LONGEST = 4_000
"""Characters of a title or an error."""
_MOST_NODES = 500
"""Ids in a list of nodes."""

Event = tuple[str, dict[str, Any]]
"""Detail type and detail."""


class Announcer:
    """Publishes endings on `bus`, then marks them. Without a bus they are only marked.

    `events` is a boto3 EventBridge client. Every ending is reported as a metric once, by whoever marks it.
    """

    def __init__(
        self, nodes: NodeTable, events: Any, bus: str, environment: str, *, report: Report = unreported
    ) -> None:
        self.nodes = nodes
        self.events = events
        self.bus = bus
        self.environment = environment
        self.report = report

    def announce(self, pipeline: Pipeline, nodes: Mapping[str, Node]) -> None:
        """Announce what ended and was not announced; the pipeline's outcome last, once all its nodes are told.

        What can't be published now stays in the outbox for the next time. Raises TransientError (the table).
        """
        ended = unannounced(nodes.values())
        told = self._publish([node_event(node, self.environment) for node in ended])
        for node, published in zip(ended, told, strict=True):
            if published and mark_announced(self.nodes, node):
                self._count(node)
        if not all(told) or pipeline.editing or not pipeline.outcome or pipeline.announced == pipeline.ended:
            return
        final = nodes.get(pipeline.final_node)
        [published] = self._publish([pipeline_event(pipeline, final, self.environment)])
        if published and mark_over(self.nodes, pipeline):
            self.report("PipelinesEnded", status=pipeline.outcome.status)

    def _count(self, node: Node) -> None:
        self.report("NodesEnded", node_type=node.type, status=str(node.status))
        began, ended = node.metadata.get("started_at"), node.metadata.get("finished_at")
        if began is not None and ended is not None:
            self.report("NodeSeconds", max(0.0, float(ended) - float(began)), node_type=node.type)

    def _publish(self, events: Sequence[Event]) -> list[bool]:
        """Which of the events were taken."""
        if not self.bus:
            return [True] * len(events)
        taken: list[bool] = []
        for batch in _batches([self._entry(event) for event in events]):
            try:
                answer = self.events.put_events(Entries=batch)
            except (ClientError, BotoCoreError) as error:
                _log.warning("events could not be published and are kept for later: %s", error)
                taken += [False] * len(batch)
                continue
            refused = [entry for entry in answer["Entries"] if "EventId" not in entry]
            if refused:
                _log.warning("%d events were refused and are kept for later: %s", len(refused), refused[0])
            taken += ["EventId" in entry for entry in answer["Entries"]]
        return taken

    def _entry(self, event: Event) -> dict[str, str]:
        detail_type, detail = event
        return {
            "Source": EVENT_SOURCE,
            "DetailType": detail_type,
            "Detail": json.dumps(detail, ensure_ascii=False),
            "EventBusName": self.bus,
        }


def node_event(node: Node, environment: str) -> Event:
    """`Node Completed` or `Node Failed`."""
    detail: dict[str, Any] = {
        "id": node.ended,
        "environment": environment,
        "pipeline_id": node.pipeline_id,
        "node_id": node.id,
        "node_type": node.type,
        "title": node.title[:_LONGEST],
        "status": str(node.status),
        "at": _time(float(node.metadata.get("finished_at", node.touched_at))),
    }
    if node.status == NodeStatus.COMPLETED:
        return "Node Completed", detail | {"output": _output(node.output)}
    error = str(node.metadata.get("error", ""))[:_LONGEST]
    return "Node Failed", detail | {"error": error, "error_type": str(node.metadata.get("error_type", ""))}


def pipeline_event(pipeline: Pipeline, final: Node | None, environment: str) -> Event:
    """`Pipeline Completed`, `Pipeline Failed` or `Pipeline Cancelled`. Its outcome must be written."""
    outcome = pipeline.outcome
    assert outcome is not None
    detail: dict[str, Any] = {
        "id": pipeline.ended,
        "environment": environment,
        "pipeline_id": pipeline.id,
        "title": pipeline.title[:_LONGEST],
        "status": outcome.status,
        "at": _time(outcome.at),
    }
    if outcome.status == "completed":
        return "Pipeline Completed", detail | {"output": _output(final.output if final else None)}
    detail |= {"failed": list(outcome.failed[:_MOST_NODES]), "blocked": list(outcome.blocked[:_MOST_NODES])}
    return f"Pipeline {outcome.status.title()}", detail


def _output(output: Output | None) -> dict[str, Any] | None:
    """An output as programs need it: `details` are for people, and long."""
    return {name: value for name, value in output.to_dict().items() if name != "details"} if output else None


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _batches(entries: Sequence[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    """Batches that PutEvents takes: few enough and small enough."""
    batch: list[dict[str, str]] = []
    size = 0
    for entry in entries:
        bytes_of_it = sum(len(value.encode()) for value in entry.values())
        if batch and (len(batch) == _BATCH or size + bytes_of_it > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += bytes_of_it
    if batch:
        yield batch

"""From items of the node table to nodes and pipelines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from video_production.nodes.model import Desired, Node, NodeStatus, Outcome, Output, Pipeline

__all__ = ["PIPELINE_ITEM", "pipeline_key", "read_items", "read_node", "read_pipeline"]

PIPELINE_ITEM = "#pipeline"


def pipeline_key(pipeline_id: str) -> dict[str, str]:
    """The key of the `#pipeline` item."""
    return {"pipeline_id": pipeline_id, "id": PIPELINE_ITEM}


def read_items(items: Iterable[Mapping[str, Any]]) -> tuple[Pipeline | None, dict[str, Node]]:
    """One partition of the table as a pipeline and its nodes, in document order."""
    pipeline: Pipeline | None = None
    nodes: dict[str, Node] = {}
    for item in items:
        if item["id"] == PIPELINE_ITEM:
            pipeline = read_pipeline(item)
        else:
            nodes[item["id"]] = read_node(item)
    if pipeline:
        known = {node_id: nodes.pop(node_id) for node_id in pipeline.node_ids if node_id in nodes}
        nodes = {**known, **nodes}
    return pipeline, nodes


def read_node(item: Mapping[str, Any]) -> Node:
    """A node from its item."""
    return Node(
        pipeline_id=item["pipeline_id"],
        id=item["id"],
        title=item.get("title", item["id"]),
        type=item.get("type", ""),
        inputs={slot: tuple(ids) for slot, ids in item.get("inputs", {}).items()},
        config=item.get("config", {}),
        asset=item.get("asset") or None,
        users=tuple(item.get("users", ())),
        status=NodeStatus(item.get("status", NodeStatus.PENDING)),
        metadata=item.get("metadata", {}),
        output=Output.from_dict(item["output"]) if item.get("output") else None,
        is_valid=bool(item.get("is_valid", True)),
        validation_errors=tuple(item.get("validation_errors", ())),
        process_uuid=item.get("process_uuid"),
        touched_at=float(item.get("touched_at", 0)),
        asked_at=float(item.get("asked_at", 0)),
        asked=item.get("asked", "run"),
        announced=item.get("announced", ""),
        because=tuple(item.get("because", ())),
        slot=item.get("slot", ""),
        ticket=item.get("ticket", ""),
        begun=tuple(item.get("begun", ())),
    )


def read_pipeline(item: Mapping[str, Any]) -> Pipeline:
    """The pipeline from the `#pipeline` item."""
    outcome = item.get("outcome")
    return Pipeline(
        id=item["pipeline_id"],
        title=item.get("title", item["pipeline_id"]),
        revision=int(item.get("revision", 0)),
        run=int(item.get("run", 0)),
        desired=Desired(item.get("desired", Desired.RUN)),
        node_ids=tuple(item.get("node_ids", ())),
        final_node=item.get("final_node", ""),
        bucket=item.get("bucket", ""),
        prefix=item.get("prefix", ""),
        editing="edit" in item,
        announced=item.get("announced", ""),
        watcher=item.get("watcher", ""),
        budget_usd=float(item["budget_usd"]) if item.get("budget_usd") is not None else None,
        live=tuple(item["live"]) if item.get("live") is not None else None,
        linked="linked" in item and item["linked"] == item.get("published"),
        outcome=Outcome(
            status=outcome["status"],
            revision=int(outcome["revision"]),
            at=float(outcome["at"]),
            failed=tuple(outcome.get("failed", ())),
            blocked=tuple(outcome.get("blocked", ())),
        )
        if outcome
        else None,
    )

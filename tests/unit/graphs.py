"""Small pipelines for tests, written straight into the node table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from video_production.nodes.model import Desired, Node, Output, Pipeline
from video_production.nodes.table import Claim, NodeTable
from video_production.pipelines.graph import users_of


def text_output(text: str = "Hello.", bucket: str = "bucket", key: str = "script.txt") -> Output:
    import hashlib

    return Output("text", key, len(text), hashlib.sha256(text.encode()).hexdigest(), bucket)


def node(node_id: str, kind: str = "mix-audio", inputs: Sequence[str] = (), **config: Any) -> Node:
    return Node("lesson", node_id, node_id.title(), kind, {"segments": tuple(inputs)} if inputs else {}, config)


def pipeline(nodes: Sequence[Node], bucket: str = "bucket") -> Pipeline:
    return Pipeline(
        nodes[0].pipeline_id, "Lesson", 0, Desired.RUN, tuple(entry.id for entry in nodes), nodes[-1].id, bucket, ""
    )


def write(table: NodeTable, nodes: Sequence[Node], assets: Mapping[str, Output] | None = None) -> Pipeline:
    """Write a pipeline as an edit would; return it as it is read back."""
    ids = {entry.id for entry in nodes}
    users = users_of({entry.id: [each for each in entry.input_ids if each in ids] for entry in nodes})
    for entry in nodes:
        table.edits.save_structure(replace(entry, users=tuple(users[entry.id])))
        table.edits.reset(entry.pipeline_id, entry.id)
        if assets and entry.id in assets:
            table.edits.provide_asset(entry.pipeline_id, entry.id, assets[entry.id])
    bucket = next(iter(assets.values())).bucket if assets else "bucket"
    table.edits.publish(pipeline(nodes, bucket))
    found = table.pipeline(nodes[0].pipeline_id)
    assert found is not None
    return found


def claim(table: NodeTable, node_id: str, process_uuid: str = "p1") -> Claim:
    found = table.pipeline("lesson")
    assert found is not None
    taken = table.claim(found, node_id, process_uuid)
    assert taken is not None
    return taken

"""The outbox of endings: what ended and was not announced yet, and who watches a pipeline.

Whoever announces marks afterwards, so an announcement comes at least once, and is counted once: the mark is a
conditional write that one of several announcers wins.
"""

from __future__ import annotations

from collections.abc import Iterable

from video_production.nodes.model import Node, Pipeline
from video_production.nodes.reading import pipeline_key
from video_production.nodes.table import NodeTable
from video_production.tables import ConditionFailed, Update

__all__ = ["mark_announced", "mark_over", "unannounced", "watch"]

_NOT_YET = "(attribute_not_exists({announced}) OR {announced} <> :ended)"


def unannounced(nodes: Iterable[Node]) -> list[Node]:
    """The nodes whose end was not announced, the earliest first."""
    found = [node for node in nodes if node.ended and node.announced != node.ended]
    return sorted(found, key=lambda node: float(node.metadata.get("finished_at", 0)))


def mark_announced(nodes: NodeTable, node: Node) -> bool:
    """Note that a node's end was announced. False when somebody else did, or when the node is made anew."""
    return _mark(
        nodes,
        Update(
            table=nodes.name,
            key={"pipeline_id": node.pipeline_id, "id": node.id},
            set={"announced": node.ended},
            condition=f"{{process_uuid}} = :mine AND {{status}} = :status AND {_NOT_YET}",
            values={"mine": node.process_uuid, "status": node.status, "ended": node.ended},
        ),
    )


def mark_over(nodes: NodeTable, pipeline: Pipeline) -> bool:
    """Note that a pipeline's outcome was announced: it is no longer under way.

    False when somebody else did, or when somebody asks for something new or edits it meanwhile.
    """
    return _mark(
        nodes,
        Update(
            table=nodes.name,
            key=pipeline_key(pipeline.id),
            set={"announced": pipeline.ended},
            remove=["active"],
            condition="{run} = :run AND attribute_exists({outcome}) AND attribute_not_exists({edit}) AND " + _NOT_YET,
            values={"run": pipeline.run, "ended": pipeline.ended},
        ),
    )


def watch(nodes: NodeTable, pipeline_id: str, execution: str) -> bool:
    """Note which execution watches a pipeline. False when it is noted already."""
    return _mark(
        nodes,
        Update(
            table=nodes.name,
            key=pipeline_key(pipeline_id),
            set={"watcher": execution},
            condition="attribute_exists({id}) AND (attribute_not_exists({watcher}) OR {watcher} <> :execution)",
            values={"execution": execution},
        ),
    )


def _mark(nodes: NodeTable, update: Update) -> bool:
    try:
        nodes.table.write(update)
    except ConditionFailed:
        return False
    return True

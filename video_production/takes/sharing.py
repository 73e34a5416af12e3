"""Nodes that follow a purchase that was made for another node: they want the same, and it is bought once.

Who made a purchase stands in its attempt. Whoever else follows it leaves a record beside the take, so that nobody stops
a job at its provider that another pipeline waits for.
"""

from __future__ import annotations

from video_production.nodes.model import Desired, NodeStatus
from video_production.nodes.table import Claim, NodeTable
from video_production.takes.model import Take
from video_production.takes.table import TakeTable

__all__ = ["bought_for", "share", "wanted_by_others"]


def bought_for(take: Take, claim: Claim) -> bool:
    """Whether the take's current attempt was sent for this node."""
    return (take.current.pipeline_id, take.current.node_id) == (claim.pipeline_id, claim.node_id)


def share(takes: TakeTable, take: Take, claim: Claim) -> None:
    """Write down that a node follows a purchase that was made for another one. Raises TransientError."""
    if not bought_for(take, claim):
        takes.add_follower(take, claim)


def wanted_by_others(takes: TakeTable, nodes: NodeTable, take: Take) -> bool:
    """Whether a node of a pipeline that is not cancelled waits for the take, other than the one it was bought for."""
    for pipeline_id, node_id in takes.followers(take):
        pipeline, node = nodes.pipeline(pipeline_id), nodes.node(pipeline_id, node_id)
        if pipeline is None or pipeline.desired == Desired.CANCELLED or node is None:
            continue
        # One that shows nothing yet has left its record a moment ago, or finds out what it wants now in a moment.
        if node.status == NodeStatus.IN_PROGRESS and take.id in node.metadata.get("takes", (take.id,)):
            return True
    return False

"""What the two FFmpeg functions share: their clients, their time limit, and the way from a claim to a finished node."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from aws_lambda_powertools import Logger, Metrics

from video_production.errors import Superseded
from video_production.nodes.table import Claim, NodeTable
from video_production.settings import FunctionSettings
from video_production.storage import Storage
from video_production.tables import connect

__all__ = ["deadline", "logger", "make_node", "metrics", "settings", "storage"]

logger = Logger(process="%(process)d")
metrics = Metrics()
settings = FunctionSettings.from_environment()
storage = Storage()
_nodes = NodeTable(connect(), settings.nodes_table)
_RESERVE = 20.0
"""Seconds kept back for uploading and recording."""

Result = TypeVar("Result")


def deadline(context: Any) -> float:
    """Until when FFmpeg may work in this invocation, as a `time.monotonic` value."""
    return float(time.monotonic() + context.get_remaining_time_in_millis() / 1000 - _RESERVE)


def make_node(
    event: dict[str, Any], context: Any, make: Callable[[Claim, NodeTable, Storage, float], Result]
) -> Result | None:
    """Let `make` do the work of the node that `event` claims; None when the claim is no longer current."""
    claim = Claim.from_event(event)
    logger.append_keys(pipeline_id=claim.pipeline_id, node_id=claim.node_id, process_uuid=claim.process_uuid)
    try:
        return make(claim, _nodes, storage, deadline(context))
    except Superseded as moved:
        logger.info(str(moved))
        return None

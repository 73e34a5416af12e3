"""Merges videos: for the node machine, which sends ids only, and for callers outside this project."""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from functions.merger.direct import DirectRequest, answer_direct
from video_production.errors import Superseded
from video_production.nodes.merging import make_merge
from video_production.nodes.table import Claim, NodeTable
from video_production.settings import FunctionSettings
from video_production.storage import Storage
from video_production.tables import connect

logger = Logger(process="%(process)d")
metrics = Metrics()
settings = FunctionSettings.from_environment()
storage = Storage()
nodes = NodeTable(connect(), settings.nodes_table)
_RESERVE = 20.0
"""Seconds kept back for uploading and recording."""


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - _RESERVE
    if "node_id" not in event:
        answer = answer_direct(DirectRequest.from_event(event), settings, storage, deadline)
        logger.info("merge for a direct caller", extra={"answer": answer})
        return answer
    claim = Claim.from_event(event)
    logger.append_keys(pipeline_id=claim.pipeline_id, node_id=claim.node_id, process_uuid=claim.process_uuid)
    try:
        result = make_merge(claim, nodes, storage, deadline)
    except Superseded as moved:
        logger.info(str(moved))
        return {"status": "superseded"}
    logger.info("merged", extra={"method": result.method, "reason": result.reason})
    metrics.add_dimension(name="method", value=result.method)
    metrics.add_metric(name="VideosMerged", unit=MetricUnit.Count, value=1)
    return {"status": "completed"}

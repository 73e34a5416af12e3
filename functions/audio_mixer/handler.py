"""Mixes audio into a video or a still, for the node machine."""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from video_production.errors import Superseded
from video_production.nodes.mixing import make_mix
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
    claim = Claim.from_event(event)
    logger.append_keys(pipeline_id=claim.pipeline_id, node_id=claim.node_id, process_uuid=claim.process_uuid)
    try:
        result = make_mix(claim, nodes, storage, deadline)
    except Superseded as moved:
        logger.info(str(moved))
        return {"status": "superseded"}
    logger.info("mixed", extra={"picture": result.picture, "duration": result.duration})
    metrics.add_metric(name="AudioMixed", unit=MetricUnit.Count, value=1)
    return {"status": "completed"}

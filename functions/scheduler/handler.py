"""Moves a pipeline as far as it can go now; first writes a node's failure when the node machine reports one."""

from __future__ import annotations

from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from video_production.errors import RequestError
from video_production.nodes.table import Claim, NodeTable
from video_production.scheduling.failures import Failure
from video_production.scheduling.scheduler import Scheduler
from video_production.settings import FunctionSettings
from video_production.tables import connect

logger = Logger(process="%(process)d")
metrics = Metrics()
settings = FunctionSettings.from_environment()
scheduler = Scheduler(
    NodeTable(connect(), settings.nodes_table),
    boto3.client("stepfunctions"),
    settings.node_machine_arn,
    stale_after=settings.stale_after,
)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    pipeline_id = event.get("pipeline_id")
    if not isinstance(pipeline_id, str):
        raise RequestError("The event lacks pipeline_id.")
    logger.append_keys(pipeline_id=pipeline_id)
    if "failure" in event:
        claim = Claim.from_event(event)
        failure = Failure.from_event(event["failure"])
        logger.warning("node failed", extra={"node_id": claim.node_id, "error_type": failure.error_type})
        if scheduler.fail(claim, failure):
            metrics.add_metric(name="NodesFailed", unit=MetricUnit.Count, value=1)
    outcome = scheduler.advance(pipeline_id)
    logger.info("advanced", extra={"outcome": outcome})
    return {"outcome": outcome}

"""Moves a pipeline as far as it can go now; first writes a failure where one is reported. Announces what ended."""

from __future__ import annotations

from typing import Any

import boto3
from aws_lambda_powertools import Logger

from functions.batches import each_message, is_batch
from functions.telemetry import Telemetry
from video_production.errors import NotFound, RequestError
from video_production.nodes.table import Claim, NodeTable
from video_production.scheduling.announcing import Announcer
from video_production.scheduling.executions import EndedExecution
from video_production.scheduling.failures import Failure
from video_production.scheduling.scheduler import Scheduler
from video_production.settings import FunctionSettings
from video_production.tables import connect

logger = Logger(process="%(process)d")
settings = FunctionSettings.from_environment()
telemetry = Telemetry(settings.environment, settings.role)
nodes = NodeTable(connect(), settings.nodes_table)
events = boto3.client("events") if settings.event_bus else None
scheduler = Scheduler(
    nodes,
    boto3.client("stepfunctions"),
    settings.node_machine_arn,
    pipeline_machine_arn=settings.pipeline_machine_arn,
    announcer=Announcer(nodes, events, settings.event_bus, settings.environment, report=telemetry.add),
    report=telemetry.add,
    stale_after=settings.stale_after,
)
_RESERVE = 5000
"""Milliseconds that moving one pipeline on may take."""


@logger.inject_lambda_context(clear_state=True)
@telemetry.sent
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if is_batch(event):
        return each_message(event, _take, enough_time=lambda: context.get_remaining_time_in_millis() > _RESERVE)
    pipeline_id = _pipeline_of(event)
    if "failure" in event:
        claim, failure = Claim.from_event(event), Failure.from_event(event["failure"])
        logger.warning("node failed", extra={"node_id": claim.node_id, "error_type": failure.error_type})
        scheduler.fail(claim, failure)
    outcome = scheduler.advance(pipeline_id)
    logger.info("advanced", extra={"outcome": outcome})
    return {"outcome": outcome}


def _take(message: dict[str, Any]) -> None:
    """A pipeline to look at, or an execution that ended without success."""
    try:
        if EndedExecution.is_event(message):
            execution = EndedExecution.from_event(message)
            logger.error("an execution did not succeed", extra={"execution": execution.name})
            scheduler.clean_up(execution)
        else:
            outcome = scheduler.advance(_pipeline_of(message))
            logger.info("advanced", extra={"outcome": outcome})
    except NotFound as gone:
        logger.info(str(gone))


def _pipeline_of(event: dict[str, Any]) -> str:
    pipeline_id = event.get("pipeline_id")
    if not isinstance(pipeline_id, str):
        raise RequestError("The event lacks pipeline_id.")
    logger.append_keys(pipeline_id=pipeline_id)
    return pipeline_id

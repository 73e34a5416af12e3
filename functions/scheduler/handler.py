"""Moves a pipeline as far as it can go now; first writes a failure where one is reported. Announces what ended."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from functions.batches import each_message, is_batch
from functions.telemetry import Telemetry
from video_production.clients import LazyClient
from video_production.errors import NotFound
from video_production.nodes.table import NodeTable
from video_production.scheduling.announcing import Announcer
from video_production.scheduling.scheduler import Scheduler
from video_production.settings import PROVIDERS, FunctionSettings
from video_production.tables import connect
from video_production.takes.table import TakeTable

logger = Logger(process="%(process)d")
settings = FunctionSettings.from_environment()
telemetry = Telemetry(settings.environment, settings.role)
client = connect()
nodes = NodeTable(client, settings.nodes_table)
events = LazyClient("events") if settings.event_bus else None
scheduler = Scheduler(
    nodes,
    TakeTable(client, settings.takes_table, settings.nodes_table),
    LazyClient("stepfunctions"),
    settings.node_machine_arn,
    limits={name: settings.provider(name).max_jobs for name in PROVIDERS},
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
    outcome = scheduler.take(event)
    logger.info("advanced", extra={"pipeline_id": event["pipeline_id"], "outcome": outcome})
    return {"outcome": outcome}


def _take(message: dict[str, Any]) -> None:
    try:
        logger.info("advanced", extra={"told": message, "outcome": scheduler.take(message)})
    except NotFound as gone:  # deleted meanwhile: nothing to do, now or later
        logger.info(str(gone))

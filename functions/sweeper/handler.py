"""Every five minutes: has everything looked at that is under way, so that no lost event stops a pipeline for long."""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools import Logger

from functions.telemetry import Telemetry
from video_production.clients import LazyClient
from video_production.scheduling.sweeping import Sweep
from video_production.settings import PROVIDERS, FunctionSettings
from video_production.tables import Table, connect

logger = Logger(process="%(process)d")
settings = FunctionSettings.from_environment()
telemetry = Telemetry(settings.environment, settings.role)
client = connect()
sweep = Sweep(
    Table(client, settings.nodes_table),
    Table(client, settings.takes_table),
    LazyClient("sqs"),
    scheduling_queue=settings.scheduling_queue_url,
    provider_queues={name: settings.provider(name).queue_url for name in PROVIDERS},
)
_RESERVE = 10.0
"""Seconds that remain for the last batch."""


@logger.inject_lambda_context(clear_state=True)
@telemetry.sent
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    until = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - _RESERVE
    swept = sweep.run(enough_time=lambda: time.monotonic() < until)
    telemetry.add("SweptPipelines", swept.pipelines)
    telemetry.add("SweptJobs", swept.jobs)
    report = {"pipelines": swept.pipelines, "jobs": swept.jobs, "complete": swept.complete}
    (logger.info if swept.complete else logger.warning)("swept", extra=report)
    return report

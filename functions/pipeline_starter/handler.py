"""Starts a published pipeline: `POST /pipelines/{id}/executions`. Starting it twice starts it once."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from functions.answers import answer, path_parameter, problem
from video_production.clients import LazyClient
from video_production.errors import MayHaveBeenPaid, NotFound, OperatorError, RequestError, TransientError
from video_production.nodes.table import NodeTable
from video_production.scheduling.asking import Asking
from video_production.settings import FunctionSettings
from video_production.tables import connect
from video_production.takes.table import TakeTable

logger = Logger(process="%(process)d")
settings = FunctionSettings.from_environment()
client = connect()
asking = Asking(
    NodeTable(client, settings.nodes_table),
    TakeTable(client, settings.takes_table, settings.nodes_table),
    LazyClient("stepfunctions"),
    settings.pipeline_machine_arn,
)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    pipeline_id = path_parameter(event, "id")
    logger.append_keys(pipeline_id=pipeline_id)
    try:
        run = asking.start(pipeline_id)
    except (MayHaveBeenPaid, RequestError) as error:
        return problem(404 if isinstance(error, NotFound) else 409, str(error), type(error).__name__)
    except (OperatorError, TransientError) as error:
        logger.exception("could not be started")
        return problem(503, "The pipeline could not be started just now; try again.", type(error).__name__)
    logger.info("started", extra={"status": run.status, "execution_arn": run.execution_arn})
    told = {"pipeline_id": pipeline_id, "execution_arn": run.execution_arn, "status": run.status}
    return answer(200 if run.status == "completed" else 202, told)

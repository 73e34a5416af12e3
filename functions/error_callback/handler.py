"""Tells the caller of an asynchronous merge that it ended without an answer: out of memory, out of time, crashed."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from functions.batches import each_message
from functions.telemetry import Telemetry
from video_production.secrets import Secret
from video_production.settings import FunctionSettings
from video_production.webhooks.callbacks import post_callback
from video_production.webhooks.unanswered import Unanswered

logger = Logger(process="%(process)d")
settings = FunctionSettings.from_environment()
telemetry = Telemetry(settings.environment, settings.role)
secret = Secret(settings.callback_secret)


@logger.inject_lambda_context(clear_state=True)
@telemetry.sent
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    return each_message(event, _tell)


def _tell(record: dict[str, Any]) -> None:
    unanswered = Unanswered.from_record(record)
    logger.warning("a merge ended without an answer", extra={"told": dict(unanswered.payload)})
    if not unanswered.callback_url:
        return
    try:
        post_callback(unanswered.callback_url, unanswered.payload, hosts=settings.callback_hosts, secret=secret.read())
    except Exception:
        telemetry.add("CallbacksFailed")
        raise

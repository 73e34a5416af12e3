"""Checks a provider's webhook and has its poller look at the job: `POST /webhooks/{provider}`."""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools import Logger

from functions.answers import answer, path_parameter, problem, raw_body
from functions.telemetry import Telemetry
from video_production.clients import LazyClient
from video_production.errors import SecretMissing
from video_production.queues import send
from video_production.secrets import Secret
from video_production.settings import FunctionSettings
from video_production.tables import Table, connect
from video_production.webhooks.deduplication import Deliveries
from video_production.webhooks.signatures import SENDERS

logger = Logger(process="%(process)d")
settings = FunctionSettings.from_environment()
telemetry = Telemetry(settings.environment, settings.role)
_MISSING_LIFETIME = 30.0
"""Seconds until a secret without a value is looked up again, however often strangers call."""
secrets = {name: Secret(settings.provider(name).webhook_secret, missing_lifetime=_MISSING_LIFETIME) for name in SENDERS}
deliveries = Deliveries(Table(connect(), settings.takes_table))
queues = LazyClient("sqs")


@logger.inject_lambda_context(clear_state=True)
@telemetry.sent
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    provider, body = path_parameter(event, "provider"), raw_body(event)
    if provider not in secrets:
        return problem(404, "There is no provider of this name that sends webhooks.", "RequestError")
    headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
    try:
        secret = secrets[provider].read()
    except SecretMissing as missing:  # nobody has subscribed yet, and anybody may call: no reason to page someone
        logger.warning(str(missing))
        return problem(503, "Webhooks of this provider are not set up.", "SecretMissing")
    sender = SENDERS[provider]
    if not sender.is_genuine(headers, body, secret, time.time()):
        telemetry.add("WebhooksRejected", provider=provider)
        logger.warning("a webhook without a good signature", extra={"provider": provider})
        return problem(401, "The signature does not fit the body, or it is too old.", "RequestError")
    telemetry.add("WebhooksReceived", provider=provider)
    job = sender.finished_job(body)
    known = deliveries.known(provider, body)
    logger.info("webhook", extra={"provider": provider, "external_id": job, "known": known})
    if job and not known:
        send(queues, settings.provider(provider).queue_url, [{"provider": provider, "external_id": job}])
        deliveries.remember(provider, body)
    return answer(200, {"status": "received"})

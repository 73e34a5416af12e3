"""Follows voiceovers at ElevenLabs: for the node that waits, and for whoever says that a job should be looked at."""

from __future__ import annotations

from functools import partial
from typing import Any

from functions.batches import each_message, is_batch
from functions.elevenlabs_buying import buyer_for, logger, settings, take_step, telemetry
from video_production.clients import LazyClient
from video_production.queues import send
from video_production.takes.buying import Buyer

queues = LazyClient("sqs") if settings.scheduling_queue_url else None
_RESERVE = 60_000
"""Milliseconds that looking at one job and fetching its result usually stay below."""


@logger.inject_lambda_context(clear_state=True)
@telemetry.sent
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if is_batch(event):
        follow = partial(_follow, buyer_for(context))
        return each_message(event, follow, enough_time=lambda: context.get_remaining_time_in_millis() > _RESERVE)
    return take_step(event, context, Buyer.check)


def _follow(buyer: Buyer, message: dict[str, Any]) -> None:
    """Look at one paid job; when its result is there, have its pipeline go on."""
    take_id = message.get("take_id") or buyer.take_of(str(message["external_id"]))
    if take_id is None:
        logger.info("a job that is not ours", extra={"external_id": message["external_id"]})
        return
    followed = buyer.follow(take_id)
    logger.info("followed", extra={"take": take_id, "state": followed.state, "pipeline_id": followed.pipeline_id})
    if followed.made and followed.pipeline_id and queues:
        send(queues, settings.scheduling_queue_url, [{"pipeline_id": followed.pipeline_id}])

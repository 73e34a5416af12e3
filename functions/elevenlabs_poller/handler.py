"""Follows a voiceover at ElevenLabs one step: asks, fetches what is ready, completes the node."""

from __future__ import annotations

from typing import Any

from functions.elevenlabs_buying import logger, metrics, take_step
from video_production.takes.buying import Buyer


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return take_step(event, context, Buyer.check)

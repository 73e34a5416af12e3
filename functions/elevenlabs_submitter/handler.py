"""Sends a voiceover to ElevenLabs, or follows the request that exists already."""

from __future__ import annotations

from typing import Any

from functions.elevenlabs_buying import logger, take_step, telemetry
from video_production.takes.buying import Buyer


@logger.inject_lambda_context(clear_state=True)
@telemetry.sent
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return take_step(event, context, Buyer.submit)

"""Mixes audio into a video or a still, for the node machine."""

from __future__ import annotations

from typing import Any

from functions.making import logger, make_node, telemetry
from video_production.nodes.mixing import make_mix


@logger.inject_lambda_context(clear_state=True)
@telemetry.sent
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    result = make_node(event, context, make_mix)
    if result is None:
        return {"status": "superseded"}
    logger.info("mixed", extra={"picture": result.picture, "duration": result.duration})
    return {"status": "completed"}

"""Merges videos: for the node machine, which sends ids only, and for callers outside this project."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from functions.making import deadline, logger, make_node, metrics, settings, storage
from functions.merger.direct import DirectRequest, answer_direct
from video_production.nodes.merging import make_merge


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if "node_id" not in event:
        answer = answer_direct(DirectRequest.from_event(event), settings, storage, deadline(context))
        logger.info("merge for a direct caller", extra={"answer": answer})
        return answer
    result = make_node(event, context, make_merge)
    if result is None:
        return {"status": "superseded"}
    logger.info("merged", extra={"method": result.method, "reason": result.reason})
    metrics.add_dimension(name="method", value=result.method)
    metrics.add_metric(name="VideosMerged", unit=MetricUnit.Count, value=1)
    return {"status": "completed"}

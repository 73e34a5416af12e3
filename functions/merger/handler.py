"""Merges videos: for the node machine, which sends ids only, and for callers outside this project."""

from __future__ import annotations

from functools import partial
from typing import Any

from functions.making import deadline, logger, make_node, settings, storage, telemetry, work_measured
from functions.merger.direct import DirectCaller, DirectRequest, answer_direct
from video_production.nodes.merging import make_merge
from video_production.secrets import Secret

caller = DirectCaller(settings.callback_hosts, Secret(settings.callback_secret), telemetry.add, settings.allow_inband)
_make = partial(make_merge, allow_inband=settings.allow_inband)


@logger.inject_lambda_context(clear_state=True)
@telemetry.sent
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if "node_id" not in event:
        with work_measured():
            answer = answer_direct(DirectRequest.from_event(event), caller, storage, deadline(context))
        logger.info("merge for a direct caller", extra={"answer": answer})
        return answer
    merged = make_node(event, context, _make)
    if merged is None:
        return {"status": "superseded"}
    result = merged.result
    logger.info("merged", extra={"method": result.method, "reason": result.reason})
    telemetry.add("VideosMerged", method=result.method)
    return {"status": "completed"}

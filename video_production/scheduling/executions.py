"""Executions that ended without success, as EventBridge reports them.

Source: "Step Functions Execution Status Change", AWS Step Functions developer guide. `input` is a JSON string; `error`
and `cause` are there for FAILED ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from video_production.errors import RequestError
from video_production.nodes.table import Claim
from video_production.scheduling.failures import Failure

__all__ = ["EndedExecution"]

_DETAIL_TYPE = "Step Functions Execution Status Change"
_STOPPED = "Its execution was stopped from outside; retry to go on."
_UNTOLD = "Its work ended and nobody could write down how ({why}); read the logs, then retry."


@dataclass(frozen=True, slots=True)
class EndedExecution:
    """An execution of the node machine (`claim` is set) or of the pipeline machine."""

    name: str
    pipeline_id: str
    claim: Claim | None
    failure: Failure

    @classmethod
    def is_event(cls, message: Mapping[str, Any]) -> bool:
        return message.get("detail-type") == _DETAIL_TYPE

    @classmethod
    def from_event(cls, message: Mapping[str, Any]) -> EndedExecution:
        """Read the event. Raises RequestError when it does not name a pipeline."""
        detail: Mapping[str, Any] = message["detail"]
        given = json.loads(detail.get("input") or "{}")
        if not isinstance(given, dict) or "pipeline_id" not in given:
            raise RequestError(f"Execution {detail.get('executionArn')}: its input names no pipeline.")
        claim = Claim.from_event(given) if "process_uuid" in given else None
        return cls(str(detail["name"]), str(given["pipeline_id"]), claim, _failure(detail))


def _failure(detail: Mapping[str, Any]) -> Failure:
    status = str(detail.get("status"))
    if status == "ABORTED":
        return Failure("States.Aborted", _STOPPED)
    if status == "TIMED_OUT":
        return Failure.from_event({"Error": "States.Timeout", "Cause": ""})
    name = str(detail.get("error") or "States.Runtime")
    return Failure(name, _UNTOLD.format(why=name))

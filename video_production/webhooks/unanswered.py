"""Asynchronous invocations that ended without an answer of ours, as AWS Lambda reports them to a destination.

After an out-of-memory or a timeout no code of the function runs any more; the record of the destination is all there
is. Source: "Capturing records of Lambda asynchronous invocations", AWS Lambda developer guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Unanswered", "identity_of"]

_SENTENCES = {
    "Runtime.OutOfMemory": "The merge ran out of memory and was ended; merge fewer or smaller videos, or give the "
    "function more memory.",
    "Sandbox.Timedout": "The merge ran longer than its function's time limit; merge fewer or shorter videos.",
    "Runtime.ExitError": "The merge's process ended unexpectedly; try again, and read the function's log if it "
    "happens again.",
    "EventAgeExceeded": "The merge could not be started in time, because too many others were running; try again.",
}


def identity_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """How a direct caller names its merge: it is given back in every callback."""
    return {name: event.get(name) for name in ("node_uuid", "executor_type", "process_uuid")}


@dataclass(frozen=True, slots=True)
class Unanswered:
    """One invocation that ended without an answer: who wanted to hear of it, and what there is to tell."""

    callback_url: str | None
    payload: Mapping[str, Any]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Unanswered:
        """Read a destination's record: `{requestContext, requestPayload, responseContext?, responsePayload?}`."""
        request = record.get("requestPayload")
        event: Mapping[str, Any] = request if isinstance(request, Mapping) else {}
        name = _error_type(record)
        sentence = _SENTENCES.get(name) or f"The merge ended unexpectedly ({name}); read the function's log."
        payload = {**identity_of(event), "error": sentence, "error_type": name}
        return cls(event.get("callback_url"), payload)


def _error_type(record: Mapping[str, Any]) -> str:
    """AWS's own name for what happened, where its several spellings are one."""
    if record.get("requestContext", {}).get("condition") == "EventAgeExceeded":
        return "EventAgeExceeded"
    response = record.get("responsePayload")
    told: Mapping[str, Any] = response if isinstance(response, Mapping) else {}
    name, message = str(told.get("errorType") or ""), str(told.get("errorMessage") or "")
    if "Task timed out after" in message or name == "Sandbox.Timedout":
        return "Sandbox.Timedout"
    if "OutOfMemory" in name or "signal: killed" in message:  # the kernel kills with SIGKILL what takes too much
        return "Runtime.OutOfMemory"
    return name or "Runtime.ExitError"

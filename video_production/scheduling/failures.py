"""What Step Functions tells of a failed task, as one sentence for a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from video_production import errors

__all__ = ["Failure"]

_SENTENCES = {
    "States.Timeout": "It ran longer than its time limit; make the inputs shorter, then retry.",
    "Sandbox.Timedout": "It ran longer than its function's time limit; make the inputs shorter, then retry.",
    "Runtime.ExitError": "Its function was ended from outside, most likely for want of memory; retry, or give it more.",
    "Polling.LimitReached": "The provider was still at work when the time for waiting was over; its result will be "
    "kept when it comes, and a retry goes on waiting for it without paying again.",
    "Lambda.TooManyRequestsException": "AWS Lambda was too busy for ten minutes; retry later.",
}
_NEVER_ACCEPTED = (
    "The provider did not accept the request for as long as it is tried; nothing was made and nothing paid, so retry "
    "later."
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a node's work ended badly: `error_type` is the error's class or Step Functions' name for it."""

    error_type: str
    message: str

    @classmethod
    def from_event(cls, failure: Mapping[str, Any]) -> Failure:
        """Read `{Error, Cause}`; a Lambda's Cause is JSON with `errorMessage`.

        Our own errors are sentences already; anything unexpected is named with its type, without a traceback.
        """
        name = str(failure.get("Error", "")) or "States.TaskFailed"
        cause = str(failure.get("Cause", ""))
        message = cause
        try:
            parsed = json.loads(cause)
            if isinstance(parsed, dict):
                message = str(parsed.get("errorMessage", cause))
                name = str(parsed.get("errorType") or name)
        except ValueError:
            pass
        if name in errors.__all__:
            return cls(name, message)
        if (name, cause) == ("Polling.LimitReached", "resubmit"):
            return cls(name, _NEVER_ACCEPTED)
        if name in _SENTENCES:
            return cls(name, _SENTENCES[name])
        if "Task timed out after" in message:
            return cls("Sandbox.Timedout", _SENTENCES["Sandbox.Timedout"])
        first = message.strip().splitlines()[0] if message.strip() else "no reason was given"
        return cls(name, f"An unexpected error ended its work: {name}: {first}")

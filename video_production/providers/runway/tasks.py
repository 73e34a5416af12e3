"""A task as Runway shows it, in the words of the interface.

The union of states: PENDING, THROTTLED (accepted, waits for the account's own tasks), RUNNING (with its progress),
SUCCEEDED, FAILED, CANCELLED. A state that is new counts as running. Source: the official SDK 5.24.0, `tasks.retrieve`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from video_production.providers.interface import Progress
from video_production.providers.runway.refusals import CANCELLED, Subject, failure_sentence

__all__ = ["progress_of", "refundable"]

_WAITING = ("PENDING", "THROTTLED")


def refundable(task: Mapping[str, Any]) -> bool:
    """Whether a task can still be cancelled for its whole price."""
    return task.get("status") in _WAITING


def progress_of(task: Mapping[str, Any], subject: Subject) -> Progress:
    """Where a task stands. `result` has the `url` of the clip and the `credits` that it cost (None where not told).

    Raises ValueError for one that is called finished and has no clip.
    """
    word = str(task.get("status", ""))
    credits = _credits_of(task)
    if word == "SUCCEEDED":
        output = task.get("output")
        if not isinstance(output, list) or not output:
            raise ValueError("no output")
        return Progress("completed", word, 100.0, result={"url": str(output[0]), "credits": credits})
    if word in ("FAILED", CANCELLED):
        code = CANCELLED if word == CANCELLED else str(task.get("failureCode") or "")
        sentence = failure_sentence(code, str(task.get("failure") or ""), credits, subject)
        charged = None if credits is None else credits > 0
        return Progress("failed", word, failure=sentence, failure_code=code or "INTERNAL", charged=charged)
    part = task.get("progress") if word == "RUNNING" else None
    return Progress("running", word, 100.0 * min(max(part, 0.0), 1.0) if isinstance(part, int | float) else None)


def _credits_of(task: Mapping[str, Any]) -> float | None:
    """What a task that ended cost; None where Runway does not say."""
    cost = task.get("cost")
    credits = cost.get("credits") if isinstance(cost, dict) else None
    return float(credits) if isinstance(credits, int | float) and not isinstance(credits, bool) else None

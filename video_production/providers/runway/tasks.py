"""A task as Runway shows it, in the words of the interface.

The union of states: PENDING, THROTTLED (accepted, waits for the account's own tasks), RUNNING (with its progress),
SUCCEEDED, FAILED, CANCELLED. A state that is new counts as running. Source: the official SDK 5.24.0, `tasks.retrieve`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from video_production.providers.interface import Price, Progress
from video_production.providers.runway.refusals import CANCELLED, Subject, failure_sentence

__all__ = ["progress_of", "refundable"]

_WAITING = ("PENDING", "THROTTLED")


def refundable(task: Mapping[str, Any]) -> bool:
    """Whether a task can still be cancelled for its whole price."""
    return task.get("status") in _WAITING


def progress_of(task: Mapping[str, Any], subject: Subject, price_of: Callable[[float], Price]) -> Progress:
    """Where a task stands. `result` has the `url` of the clip and the `credits` that it cost (None where not told);
    `price_of` says what credits cost.

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
        cost = price_of(credits) if credits else None
        return Progress("failed", word, failure=sentence, failure_code=code or "INTERNAL", charged=charged, cost=cost)
    part = task.get("progress") if word == "RUNNING" else None
    return Progress("running", word, 100.0 * min(max(part, 0.0), 1.0) if isinstance(part, int | float) else None)


def _credits_of(task: Mapping[str, Any]) -> float | None:
    """What a task that ended cost; None where Runway does not say."""
    cost = task.get("cost")
    credits = cost.get("credits") if isinstance(cost, dict) else None
    if not isinstance(credits, int | float) or isinstance(credits, bool) or not 0 <= credits < math.inf:
        return None
    return float(credits)

"""Operations of Vertex AI: their names, and where they stand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from video_production.providers.interface import Progress
from video_production.providers.veo3.refusals import Subject, failure_of, filtered_sentence

__all__ = ["FILM", "model_of", "progress_of"]

FILM = "film"
"""In a completed progress: the film's address, `gs://bucket/object`, or empty where the bucket must be looked into."""

_NAME = re.compile(
    r"(?P<model>projects/[\w.:-]+/locations/(?P<location>[\w-]+)/publishers/google/models/[\w.@-]+)/operations/[\w-]+"
)


def model_of(operation: str) -> tuple[str, str] | None:
    """The model's path in an operation's name, and its location; None for what is no operation's name."""
    found = _NAME.fullmatch(operation)
    return (found["model"], found["location"]) if found else None


def progress_of(operation: Mapping[str, Any], subject: Subject) -> Progress:
    """Where an operation stands, from the answer of `fetchPredictOperation`. It tells no percentage.

    An operation that is done without a film was filtered, and counts as failed. One that is done without a film and
    without a reason counts as completed: its film is looked for in the bucket.
    """
    error = operation.get("error")
    if isinstance(error, Mapping):
        sentence, code = failure_of(error, subject)
        return Progress("failed", "failed", failure=sentence, failure_code=code, charged=False)
    if operation.get("done") is not True:
        return Progress("running", "running")
    response = operation.get("response")
    if not isinstance(response, Mapping):
        response = {}
    videos = response.get("videos")
    shown = [video for video in videos if isinstance(video, Mapping)] if isinstance(videos, list) else []
    films = [video["gcsUri"] for video in shown if video.get("gcsUri")]
    if films:
        return Progress("completed", "done", result={FILM: str(films[0])})
    reasons = response.get("raiMediaFilteredReasons")
    if response.get("raiMediaFilteredCount") or reasons:
        sentence = filtered_sentence(reasons)
        return Progress("failed", "filtered", failure=sentence, failure_code="filtered", charged=None)
    return Progress("completed", "done", result={FILM: ""})

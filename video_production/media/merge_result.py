"""What a merge answers, however it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from video_production.media.join_plan import Method, Treatment
from video_production.media.profile import Picture
from video_production.media.verify import Verification

__all__ = ["Join", "MergeResult", "OnProgress"]

OnProgress = Callable[[str, float], None]
"""Gets the stage ("reading", "fetching", "encoding", "joining", "checking") and how far it is, 0–1."""


@dataclass(frozen=True, slots=True)
class Join:
    """Where one clip lies in the result (seconds), and how it came there in plain words."""

    name: str
    start: float
    duration: float
    treatment: Treatment
    why: str


@dataclass(frozen=True, slots=True)
class MergeResult:
    """A merged and verified video. `duration` (seconds) is measured on the finished file."""

    picture: Picture
    method: Method
    reason: str
    duration: float
    frames: int
    joins: tuple[Join, ...]
    verification: Verification
    warnings: tuple[str, ...]

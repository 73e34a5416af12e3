"""Words and waits that several tests share."""

from __future__ import annotations

import time
import uuid
from typing import Any

from runwayml import RunwayML

from video_production.providers.interface import Progress
from video_production.providers.runway import Runway

KEY = "draft-key"


def unique(text: str) -> str:
    return f"{text} {uuid.uuid4().hex[:6]}"


def ended(runway: Runway, external_id: str, seconds: float = 30) -> Progress:
    """Look until a task is over."""
    end = time.monotonic() + seconds
    while (progress := runway.check(external_id)).state == "running":
        assert time.monotonic() < end, f"The task {external_id} did not end within {seconds} s."
        time.sleep(0.05)
    return progress


def seen_until_ended(sdk: RunwayML, task: str, seconds: float = 30) -> list[Any]:
    """What the official SDK sees of a task, until it is over."""
    end = time.monotonic() + seconds
    seen: list[Any] = []
    while not seen or seen[-1].status not in ("SUCCEEDED", "FAILED", "CANCELLED"):
        assert time.monotonic() < end, f"The task {task} did not end within {seconds} s."
        seen.append(sdk.tasks.retrieve(task))
        time.sleep(0.03)
    return seen

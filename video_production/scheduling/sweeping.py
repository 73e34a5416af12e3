"""The sweep: one message for every pipeline and every paid job under way, and for every provider's slots and queue
(protocol: "Scheduling").

It reads two sparse indexes, which are eventually consistent; whoever gets a message decides by consistent reads. What
it misses, the next sweep finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from video_production.nodes.table import ACTIVE_PIPELINE
from video_production.queues import send
from video_production.settings import ACTIVE_INDEX, OPEN_INDEX
from video_production.tables import Table

__all__ = ["Sweep", "Swept"]

SETTLE_SECONDS = 300.0
"""A job is looked at when it was sent this long ago: younger ones are followed by their node."""


@dataclass(frozen=True, slots=True)
class Swept:
    """How much was under way; `complete` is false when the time was over before the end."""

    pipelines: int
    jobs: int
    complete: bool


class Sweep:
    """Sends the messages. `provider_queues` maps a provider to the URL of its queue; `clock` gives Unix seconds."""

    def __init__(
        self,
        nodes: Table,
        takes: Table,
        queues: Any,
        *,
        scheduling_queue: str,
        provider_queues: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.nodes = nodes
        self.takes = takes
        self.queues = queues
        self.scheduling_queue = scheduling_queue
        self.provider_queues = provider_queues
        self.clock = clock

    def run(self, *, enough_time: Callable[[], bool] = lambda: True) -> Swept:
        """Sweep until the end, or until there is not `enough_time`. Raises TransientError, OperatorError."""
        pipelines, complete = self._send(
            self.scheduling_queue,
            self.nodes.index_pages(ACTIVE_INDEX, "active", ACTIVE_PIPELINE),
            "pipeline_id",
            enough_time,
        )
        send(self.queues, self.scheduling_queue, ({"provider": provider} for provider in self.provider_queues))
        jobs = 0
        for provider, queue in self.provider_queues.items():
            before = self.clock() - SETTLE_SECONDS
            pages = self.takes.index_pages(OPEN_INDEX, "open", provider, up_to=("open_since", before))
            count, all_sent = self._send(queue, pages, "take_id", enough_time)
            jobs, complete = jobs + count, complete and all_sent
        return Swept(pipelines, jobs, complete)

    def _send(
        self, queue: str, pages: Iterator[list[dict[str, Any]]], name: str, enough_time: Callable[[], bool]
    ) -> tuple[int, bool]:
        """One message per item, page by page; how many, and whether that was all."""
        count = 0
        for page in pages:
            sent = send(self.queues, queue, ({name: item[name]} for item in page if enough_time()))
            count += sent
            if sent < len(page):
                return count, False
        return count, True

"""The places of nodes in the queues for their providers, as `status` and `produce` show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from video_production.nodes.model import Node, NodeStatus

__all__ = ["Places", "Queue", "ordinal", "places_of", "waits"]

Queue = Callable[[str], Mapping[tuple[str, str], int]]
"""Reads the queue for a provider: (pipeline, node) → place, from 1."""
_EVERY = 2.0
"""Seconds for which places that were read are shown."""


def waits(node: Node) -> bool:
    """Whether a node has all its inputs and waits for its provider alone."""
    return bool(node.ticket) and node.status == NodeStatus.PENDING


def places_of(queue: Queue, nodes: Mapping[str, Node]) -> dict[str, int]:
    """The place of every node that waits for its provider, by node id."""
    waiting = [node for node in nodes.values() if waits(node)]
    queues = {provider: queue(provider) for provider in {str(node.provider) for node in waiting}}
    found = {node.id: queues[str(node.provider)].get((node.pipeline_id, node.id)) for node in waiting}
    return {node_id: place for node_id, place in found.items() if place}


class Places:
    """Places for somebody who looks several times a second: they are read anew every two seconds at most."""

    def __init__(self, queue: Queue, clock: Callable[[], float]) -> None:
        self._queue = queue
        self._clock = clock
        self._read_at = float("-inf")
        self._places: dict[str, int] = {}

    def of(self, nodes: Mapping[str, Node]) -> Mapping[str, int]:
        if self._clock() - self._read_at >= _EVERY:
            self._places = places_of(self._queue, nodes)
            self._read_at = self._clock()
        return {node_id: place for node_id, place in self._places.items() if node_id in nodes and waits(nodes[node_id])}


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"

"""The queue for a provider: one ticket for every node that is ready and waits for a job slot, across all pipelines.

A ticket is an item of the partition `#queue#{provider}` of the node table; its sort key begins with the moment at which
it was drawn, so a query reads them in turn. It is written in one transaction with `ticket` on its node, and counts only
while it stands there: whoever takes the node back (an edit, a retry) only forgets it there, and whoever finds a ticket
that no node knows removes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from video_production.nodes.model import Desired, Node, NodeStatus, Pipeline
from video_production.nodes.reading import PIPELINE_ITEM, pipeline_key, read_node, read_pipeline
from video_production.tables import Check, ConditionFailed, Delete, Put, Table, Update, transact

__all__ = [
    "Ticket",
    "draw_tickets",
    "first_tickets",
    "put_back",
    "queue_key",
    "queue_partition",
    "read_holders",
    "read_queue",
]

_PARTITION = "#queue#"
_AT_ONCE = 40
"""Nodes of one transaction: each is two of its at most 100 actions."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A node's place in the queue for a provider. `id` is the sort key."""

    provider: str
    id: str
    pipeline_id: str
    node_id: str

    @property
    def key(self) -> dict[str, str]:
        return queue_key(self.provider, self.id)

    @property
    def node_key(self) -> tuple[str, str]:
        return self.pipeline_id, self.node_id


def queue_key(provider: str, ticket: str) -> dict[str, str]:
    """Where a ticket lies in the node table."""
    return {"pipeline_id": _PARTITION + provider, "id": ticket}


def first_tickets(table: Table, provider: str, count: int) -> list[Ticket]:
    """The head of the queue, at most `count` tickets, read consistently."""
    return [_read(item) for item in table.first("pipeline_id", _PARTITION + provider, count)]


def queue_partition(provider: str) -> dict[str, str]:
    """The partition of the queue, as `Table.query` wants it."""
    return {"key_name": "pipeline_id", "value": _PARTITION + provider}


def read_queue(items: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    """(pipeline, node) → its place in the queue, from 1. `items` is the queue's partition."""
    tickets = map(_read, sorted(items, key=lambda item: str(item["id"])))
    return {ticket.node_key: place for place, ticket in enumerate(tickets, 1)}


def draw_tickets(table: Table, provider: str, pipeline: Pipeline, nodes: Sequence[str], now: float) -> None:
    """Put ready nodes at the end of the queue, in their order, if the pipeline is as it was read.

    A node that has a ticket or is no longer pending is left alone. Raises TransientError.
    """
    waiting = iter(nodes)
    while batch := list(islice(waiting, _AT_ONCE)):
        while batch:
            batch = _draw(table, provider, pipeline, batch, now)


def _draw(table: Table, provider: str, pipeline: Pipeline, nodes: Sequence[str], now: float) -> list[str]:
    """One transaction; the nodes with which to repeat it, because others stood in their way."""
    still = Check(
        table=table.name,
        key=pipeline_key(pipeline.id),
        condition="{revision} = :revision AND {desired} = :run",
        values={"revision": pipeline.revision, "run": Desired.RUN},
    )
    order = {node_id: number for number, node_id in enumerate(pipeline.node_ids)}
    actions: list[Check | Delete | Put | Update] = [still]
    for node_id in nodes:
        ticket = f"{round(now * 1000):015}#{pipeline.id}#{order.get(node_id, 0):05}#{node_id}"
        actions += [
            Update(
                table=table.name,
                key={"pipeline_id": pipeline.id, "id": node_id},
                set={"ticket": ticket},
                condition="{status} = :pending AND attribute_not_exists({ticket})",
                values={"pending": NodeStatus.PENDING},
            ),
            Put(table=table.name, item={**queue_key(provider, ticket), "pipeline": pipeline.id, "node": node_id}),
        ]
    try:
        transact(table.client, actions, table.sleep)
    except ConditionFailed as failure:
        if failure.failed[0]:
            return []  # it is edited or cancelled: whoever did that has the scheduler look again
        return [node_id for node_id, failed in zip(nodes, failure.failed[1::2], strict=True) if not failed]
    return []


def put_back(table: Table, ticket: Ticket) -> None:
    """Take a node out of the queue, if it still waits there with this ticket; remove the ticket in any case."""
    forget = Update(
        table=table.name,
        key={"pipeline_id": ticket.pipeline_id, "id": ticket.node_id},
        remove=["ticket"],
        condition="{ticket} = :ticket",
        values={"ticket": ticket.id},
    )
    remove = Delete(table=table.name, key=ticket.key)
    try:
        transact(table.client, [forget, remove], table.sleep)
    except ConditionFailed:
        table.write(remove)  # no node knows it, and none ever will again


def read_holders(table: Table, tickets: Collection[Ticket]) -> Iterator[tuple[Ticket, Pipeline | None, Node | None]]:
    """Each ticket with its pipeline and its node, read consistently after it; None for what is gone."""
    keys = [key for ticket in tickets for key in ((ticket.pipeline_id, PIPELINE_ITEM), ticket.node_key)]
    items = {
        (item["pipeline_id"], item["id"]): item
        for item in table.get_many({"pipeline_id": pipeline_id, "id": item_id} for pipeline_id, item_id in keys)
    }
    for ticket in tickets:
        pipeline, node = items.get((ticket.pipeline_id, PIPELINE_ITEM)), items.get(ticket.node_key)
        yield ticket, read_pipeline(pipeline) if pipeline else None, read_node(node) if node else None


def _read(item: Mapping[str, Any]) -> Ticket:
    return Ticket(item["pipeline_id"].removeprefix(_PARTITION), item["id"], item["pipeline"], item["node"])

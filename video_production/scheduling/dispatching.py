"""Who may have a job under way at a provider, and who waits: slots and tickets across all pipelines.

Whoever finds a free slot gives it to the head of the queue, whichever pipeline that belongs to, and starts it: no
message has to arrive for that, and a ticket whose pipeline died is found where it would stand in the way. Everything
is decided by consistent reads and conditional writes, so any number of schedulers may do it at once.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from video_production.errors import TransientError
from video_production.nodes.claims import Claim
from video_production.nodes.model import Desired, Node, NodeStatus, Pipeline
from video_production.nodes.slots import JobSlot, free_slots, give_back_slot, held_slots, read_slot, release_slot
from video_production.nodes.table import NodeTable
from video_production.nodes.tickets import Ticket, draw_tickets, first_tickets, put_back, read_holders
from video_production.takes.model import TakeState
from video_production.takes.table import TakeTable

__all__ = ["LONGEST_JOB", "Dispatcher"]

_log = logging.getLogger(__name__)
LONGEST_JOB = 86_400.0
"""Seconds after which a job has ended whatever its provider says, or nobody can ask it any more (another account)."""
_MOST_STARTS = 25
"""Nodes that one look starts; whoever looks next goes on."""
_ROUNDS = 8
"""How often one look meets others at the same slots before it leaves the rest to them."""
_SPARE = 10
"""Tickets read beyond those whose turn it is: some may count no more."""
_SWEPT = 100
_OPEN = (TakeState.SUBMITTING, TakeState.SUBMITTED)

Waiting = tuple[Ticket, Pipeline, Node]


class Dispatcher:
    """Shares `limits` (provider → jobs under way at once) among all pipelines. `start` starts a claimed node.

    Nodes of a provider without a limit are none of its business. `pick` chooses among free slots: at random, so that
    several schedulers don't want the same one. Everything raises TransientError when AWS hiccups.
    """

    def __init__(
        self,
        nodes: NodeTable,
        takes: TakeTable,
        limits: Mapping[str, int],
        start: Callable[[Claim], object],
        *,
        clock: Callable[[], float],
        new_id: Callable[[], str],
        sleep: Callable[[float], None] = time.sleep,
        pick: Callable[[Sequence[str]], str] = random.choice,
    ) -> None:
        self.nodes = nodes
        self.takes = takes
        self.limits = limits
        self.start = start
        self.clock = clock
        self.new_id = new_id
        self.sleep = sleep
        self.pick = pick

    def limited(self, node: Node) -> bool:
        """Whether a node needs a slot."""
        return node.provider in self.limits

    def seat(self, pipeline: Pipeline, ready: Iterable[Node]) -> None:
        """Start a pipeline's ready nodes that need a slot, as far as it is their turn; the others wait in the queue."""
        by_provider: dict[str, list[Node]] = {}
        for node in ready:
            by_provider.setdefault(str(node.provider), []).append(node)
        for provider, nodes in by_provider.items():
            nodes = self._go_on(provider, pipeline, nodes)
            new = [node for node in nodes if not node.ticket]
            left = self._claim_at_once(provider, pipeline, new) if new else []
            if left:
                draw_tickets(self.nodes.table, provider, pipeline, [node.id for node in left], self.clock())
            if left or len(new) < len(nodes):
                self.serve(provider)  # only now: a slot may have become free before the tickets stood there

    def serve(self, provider: str) -> None:
        """Give free slots to the head of the queue, whosever that is; take out of it what waits no more."""
        started = beaten = 0
        while started < _MOST_STARTS and beaten < _ROUNDS:
            free = self._free(provider)
            tickets = first_tickets(self.nodes.table, provider, len(free) + _SPARE) if free else []
            if not tickets:
                return
            waiting = self._waiting(tickets)
            turns = waiting[: len(free)]
            if beaten:
                random.shuffle(turns)
            won = sum(self._claim(pipeline, node, free, ticket) for ticket, pipeline, node in turns)
            started += won
            if not won and len(waiting) == len(tickets):
                beaten += 1
                self.sleep(random.uniform(0, 0.02 * 2**beaten))

    def leave_queue(self, nodes: Iterable[Node]) -> None:
        """Take nodes that are not wanted any more out of the queue."""
        for node in nodes:
            if node.ticket:
                put_back(self.nodes.table, Ticket(str(node.provider), node.ticket, node.pipeline_id, node.id))

    def give_back(self, nodes: Iterable[Node]) -> set[str]:
        """Free the slots of nodes that have ended, where their job has ended too; the providers of those slots."""
        freed = set()
        for node in nodes:
            if node.slot and node.process_uuid and node.status in (NodeStatus.COMPLETED, NodeStatus.FAILED):
                claim = Claim(node.pipeline_id, node.id, node.process_uuid)
                # What is completed has its result, so its job is over. What failed may have given up waiting for it.
                slot = read_slot(self.nodes.table, node.slot) if node.status == NodeStatus.FAILED else None
                if slot and slot.holder == claim and not self._job_ended(slot):
                    continue
                if give_back_slot(self.nodes.table, node.slot, claim):
                    freed.add(node.slot.rpartition("#")[0])
        return freed & self.limits.keys()

    def clean(self, provider: str) -> None:
        """Free every slot that nobody needs, take out of the queue's head what waits no more, and go on.

        For the sweep, and for whoever saw a job end that no node follows.
        """
        held = held_slots(self.nodes.table, provider)
        items = self.nodes.table.get_many(slot.holder.key for slot in held)
        holders = {(item["pipeline_id"], item["id"]): item for item in items}
        for slot in held:
            node = holders.get((slot.holder.pipeline_id, slot.holder.node_id), {})
            if not _holds(slot, node.get("status"), node.get("process_uuid")):
                self._release(slot)
        self._waiting(first_tickets(self.nodes.table, provider, _SWEPT))
        if provider in self.limits:
            self.serve(provider)

    def _go_on(self, provider: str, pipeline: Pipeline, nodes: list[Node]) -> list[Node]:
        """Start nodes that follow a job which they have left behind in a slot; the others.

        Such a node sends nothing while that job runs, so it waits for nobody: least of all for its own slot.
        """
        following = {node.id: node for node in nodes if node.begun}
        for slot in held_slots(self.nodes.table, provider) if following else ():
            node = following.get(slot.holder.node_id) if slot.holder.pipeline_id == pipeline.id else None
            if node is None or slot.take_id not in node.begun or self._job_ended(slot):
                continue
            ticket = Ticket(provider, node.ticket, pipeline.id, node.id) if node.ticket else None
            claim = self.nodes.claim(pipeline, node.id, self.new_id(), left=slot, ticket=ticket)
            if claim:
                self.start(claim)
                del following[node.id]
                nodes = [other for other in nodes if other is not node]
        return nodes

    def _claim_at_once(self, provider: str, pipeline: Pipeline, nodes: list[Node]) -> list[Node]:
        """While nobody waits, nodes need no ticket; those that are left when there are no more free slots."""
        free = self._free(provider, pipeline)
        if not free or first_tickets(self.nodes.table, provider, 1):
            return nodes
        for number, node in enumerate(nodes[:_MOST_STARTS]):
            if not self._claim(pipeline, node, free):
                return nodes[number:]
        return nodes[_MOST_STARTS:]

    def _claim(self, pipeline: Pipeline, node: Node, free: list[str], ticket: Ticket | None = None) -> bool:
        """Claim and start a node in one of the `free` slots, which is then no longer among them."""
        if not free:
            return False
        slot = self.pick(free)
        free.remove(slot)
        try:
            claim = self.nodes.claim(pipeline, node.id, self.new_id(), slot=slot, ticket=ticket)
        except TransientError as error:  # others stayed in the way; if it is more than that, the next read raises it
            _log.info("node %s of %s could not be claimed: %s", node.id, pipeline.id, error)
            return False
        if claim is None:
            return False
        self.start(claim)
        return True

    def _waiting(self, tickets: Sequence[Ticket]) -> list[Waiting]:
        """Who waits with these tickets; the other tickets are removed."""
        found = []
        for ticket, pipeline, node in read_holders(self.nodes.table, tickets):
            if pipeline and node and _counts(ticket, pipeline, node):
                found.append((ticket, pipeline, node))
            else:
                put_back(self.nodes.table, ticket)
        return found

    def _free(self, provider: str, pipeline: Pipeline | None = None) -> list[str]:
        """The free slots. Those that nodes of `pipeline` left behind, edited or asked for again, are freed before."""
        held = held_slots(self.nodes.table, provider)
        for slot in [slot for slot in held if pipeline and slot.holder.pipeline_id == pipeline.id]:
            node = self.nodes.node(slot.holder.pipeline_id, slot.holder.node_id)
            if not (node and _holds(slot, node.status, node.process_uuid)) and self._release(slot):
                held.remove(slot)
        return free_slots(provider, held, self.limits[provider])

    def _release(self, slot: JobSlot) -> bool:
        """Free a slot whose holder has moved on, if its job has ended."""
        if not self._job_ended(slot) or not release_slot(self.nodes.table, slot):
            return False
        _log.info("slot %s came back from node %s", slot.name, slot.holder.node_id)
        return True

    def _job_ended(self, slot: JobSlot) -> bool:
        """Whether what was last sent in a slot is no longer under way."""
        take = self.takes.get(slot.take_id) if slot.attempt else None
        attempt = take.attempts.get(slot.attempt) if take else None
        if attempt is None:  # nothing was sent, or an old refusal, which its take forgets
            return True
        if attempt.state in _OPEN:
            return self.clock() >= slot.sent_at + LONGEST_JOB
        if attempt.state == TakeState.UNKNOWN:  # unless a person has looked and had another one bought
            decided = take is not None and (take.state == TakeState.RELEASED or take.attempt != slot.attempt)
            return decided or self.clock() >= slot.ends_by
        return True


def _holds(slot: JobSlot, status: object, process_uuid: object) -> bool:
    """Whether a slot's holder still works on its node."""
    return status == NodeStatus.IN_PROGRESS and process_uuid == slot.holder.process_uuid


def _counts(ticket: Ticket, pipeline: Pipeline, node: Node) -> bool:
    """Whether a node waits with this ticket for its turn. A pipeline that is edited draws new ones afterwards."""
    waits = node.status == NodeStatus.PENDING and node.ticket == ticket.id
    return waits and pipeline.desired == Desired.RUN and not pipeline.editing

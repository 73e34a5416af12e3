"""Many pipelines that want the same provider, on tables in memory: what the tests of slots and queues play with."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.unit.memory import MemoryDynamo
from tests.unit.scheduling.machines import Machines
from video_production.nodes.model import Desired, Node, NodeStatus, Output, Pipeline
from video_production.nodes.slots import held_slots
from video_production.nodes.table import Claim, NodeTable
from video_production.nodes.tickets import first_tickets
from video_production.pipelines.graph import users_of
from video_production.providers.interface import Made, Price
from video_production.scheduling.asking import Asking
from video_production.scheduling.scheduler import Scheduler
from video_production.takes.model import Take, TakeAttempt, TakeState
from video_production.takes.table import TakeTable

PROVIDER = "heygen"
SPEECH = Output("audio", "a.mp3", 1, "00" * 32, "bucket", duration=1.0)


def head(pipeline_id: str, node_id: str = "head", inputs: Sequence[str] = ()) -> Node:
    slots = {"segments": tuple(inputs)} if inputs else {}
    return Node(pipeline_id, node_id, node_id.title(), "generate-talking-head", slots, {"provider": PROVIDER})


class Crowd:
    """Pipelines, one scheduler, and jobs that end when a test says so."""

    def __init__(self, limit: int = 2, dynamodb: Any = None) -> None:
        self.now = 1_000_000.0
        self.dynamodb = dynamodb or MemoryDynamo()
        self.machines = Machines()
        self.nodes = NodeTable(self.dynamodb, "nodes", clock=lambda: self.now)
        self.takes = TakeTable(self.dynamodb, "takes", "nodes", clock=lambda: self.now)
        self.limits = {PROVIDER: limit}
        self._ids = (f"p{number}" for number in itertools.count(1))
        self.scheduler = self.another_scheduler()

    def another_scheduler(self, client: Any = None, limits: Mapping[str, int] | None = None) -> Scheduler:
        nodes = NodeTable(client or self.dynamodb, "nodes", clock=lambda: self.now)
        takes = TakeTable(client or self.dynamodb, "takes", "nodes", clock=lambda: self.now)
        nodes.table.sleep = takes.table.sleep = lambda seconds: None
        made = Scheduler(
            nodes,
            takes,
            self.machines,
            "arn:node",
            limits=self.limits if limits is None else limits,
            clock=lambda: self.now,
            new_id=lambda: next(self._ids),
        )
        made.dispatcher.sleep = lambda seconds: None
        return made

    def asking(self) -> Asking:
        return Asking(self.nodes, self.takes, self.machines, "arn:pipeline")

    def publish(self, name: str, nodes: Sequence[Node] = ()) -> None:
        given = list(nodes) or [head(name)]
        edit = self.nodes.edits.begin(name)
        users = users_of({node.id: node.input_ids for node in given})
        for node in given:
            self.nodes.edits.reset(name, node.id, edit)
            self.nodes.edits.save_structure(replace(node, users=tuple(users[node.id])), edit)
        ids = tuple(node.id for node in given)
        self.nodes.edits.publish(Pipeline(name, name, 0, Desired.RUN, ids, ids[-1], "bucket", ""), edit)

    def ask(self, *names: str) -> None:
        """Publish pipelines of one talking head each, one second after the other, and have them looked at."""
        for name in names:
            self.publish(name)
            self.advance(name)
            self.now += 1

    def advance(self, *names: str) -> None:
        for name in names:
            self.scheduler.advance(name)

    def node(self, name: str, node_id: str = "head") -> Node:
        found = self.nodes.node(name, node_id)
        assert found is not None
        return found

    def claim(self, name: str, node_id: str = "head") -> Claim:
        return Claim(name, node_id, self.node(name, node_id).process_uuid or "")

    def send(self, name: str, node_id: str = "head", *, deadline: float = 7200.0) -> Take:
        """Send the node's paid request, as its submitter does, and have the provider accept it."""
        claim = self.claim(name, node_id)
        attempt = TakeAttempt(
            f"a-{claim.process_uuid}", 1, TakeState.SUBMITTING, "job", self.now, self.now, pipeline_id=name
        )
        take = self.takes.reserve(
            claim,
            f"t-{name}-{node_id}",
            None,
            attempt,
            provider=PROVIDER,
            mode="draft",
            account="main",
            price=Price(1, "seconds", 0.1),
            request_hash="h",
            position={"stage": "sending"},
            slot=self.node(name, node_id).slot,
            ends_by=self.now + deadline,
        )
        assert take is not None
        assert self.takes.record_submitted(take, take.attempt, f"job-{take.id}")
        return take

    def end_job(self, take: Take) -> None:
        made = Made("video", "bucket", "v.mp4", 1, "ab" * 32, 1.0, f"job-{take.id}")
        assert self.takes.mark_made(take, take.attempt, made)

    def finish(self, name: str, node_id: str = "head") -> None:
        """The node's work ends well, and its execution calls the scheduler."""
        claim = self.claim(name, node_id)
        self.nodes.complete(claim, SPEECH)
        self.machines.close(claim.process_uuid)
        self.scheduler.advance(name, node_id)

    def running(self) -> list[str]:
        return sorted(event["pipeline_id"] for event in self.machines.running.values() if "node_id" in event)

    def waiting(self) -> list[str]:
        """Who waits, in turn."""
        return [ticket.pipeline_id for ticket in first_tickets(self.nodes.table, PROVIDER, 1000)]

    def held(self) -> list[str]:
        """Whose slots are taken."""
        return sorted(slot.holder.pipeline_id for slot in held_slots(self.nodes.table, PROVIDER))

    def in_progress(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if self.node(name).status == NodeStatus.IN_PROGRESS]

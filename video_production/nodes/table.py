"""The node table: claim, update, settle. Every method is one conditional write or one transaction
(protocol: rows 1, 2 and 10 to 12).

A claimed node is fenced by its `process_uuid`. A writer without the current one changes nothing and gets Superseded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from video_production.errors import NotFound, RequestError, Superseded
from video_production.nodes.claims import Claim
from video_production.nodes.edits import ACTIVE_PIPELINE, Edits
from video_production.nodes.model import Desired, Node, NodeStatus, Outcome, Output, Pipeline
from video_production.nodes.reading import PIPELINE_ITEM, pipeline_key, read_items, read_node, read_pipeline
from video_production.nodes.slots import JobSlot, hand_over_slot, lost_slot, take_slot
from video_production.nodes.tickets import Ticket, queue_partition, read_queue
from video_production.tables import Check, ConditionFailed, Delete, Put, Table, Update, transact

__all__ = ["ACTIVE_PIPELINE", "PIPELINE_ITEM", "Claim", "NodeTable", "read_items"]

_WORTH_CHOOSING = 4
"""Items that are asked for one by one cost a read unit each; in a query some four of them share one."""
_OWNED = "{process_uuid} = :mine AND {status} = :in_progress"


class NodeTable:
    """Reads and writes nodes and the `#pipeline` item; `edits` changes what they are. `clock` gives Unix seconds."""

    def __init__(self, client: Any, name: str, clock: Callable[[], float] = time.time) -> None:
        self.client = client
        self.name = name
        self.clock = clock
        self.table = Table(client, name)
        self.edits = Edits(self.table, clock)

    # Reading

    def load(self, pipeline_id: str) -> tuple[Pipeline | None, dict[str, Node]]:
        """The pipeline and its nodes, read consistently, nodes in document order."""
        return read_items(self.table.query("pipeline_id", pipeline_id))

    def around(self, pipeline_id: str, node_id: str) -> tuple[Pipeline | None, dict[str, Node]]:
        """The pipeline, a node, those that take it as an input, and all inputs of those, read consistently; no node is
        older than the pipeline. The whole where that is not much more, no nodes where it is not known who takes it.
        """
        pipeline, nodes = self._some(pipeline_id, [PIPELINE_ITEM, node_id])
        if pipeline is None or node_id not in nodes or not pipeline.linked:
            return pipeline, {}
        few = len(pipeline.node_ids) // _WORTH_CHOOSING
        users = nodes[node_id].users
        if 1 + len(users) > few:
            return self.load(pipeline_id)
        nodes = self._some(pipeline_id, [node_id, *users])[1]
        inputs = {each for user in nodes.values() if user.id != node_id for each in user.input_ids} - nodes.keys()
        if len(nodes) + len(inputs) > few:
            return self.load(pipeline_id)
        return pipeline, nodes | self._some(pipeline_id, inputs)[1]

    def _some(self, pipeline_id: str, ids: Iterable[str]) -> tuple[Pipeline | None, dict[str, Node]]:
        return read_items(self.table.get_many({"pipeline_id": pipeline_id, "id": each} for each in ids))

    def pipeline(self, pipeline_id: str) -> Pipeline | None:
        item = self.table.get(pipeline_key(pipeline_id))
        return read_pipeline(item) if item else None

    def node(self, pipeline_id: str, node_id: str) -> Node | None:
        item = self.table.get({"pipeline_id": pipeline_id, "id": node_id})
        return read_node(item) if item else None

    def still_pending(self, nodes: Iterable[Node]) -> list[Node]:
        """Those of these nodes that nobody has claimed meanwhile, in no order. Raises TransientError."""
        keys = ({"pipeline_id": node.pipeline_id, "id": node.id} for node in nodes)
        found = map(read_node, self.table.get_many(keys))
        return [node for node in found if node.status == NodeStatus.PENDING]

    def queue(self, provider: str) -> dict[tuple[str, str], int]:
        """Who waits for a provider: (pipeline, node) → its place, from 1."""
        return read_queue(self.table.query(**queue_partition(provider)))

    def claimed(self, claim: Claim) -> Node:
        """The node of a claim. Raises Superseded when the claim is no longer current."""
        node = self.node(claim.pipeline_id, claim.node_id)
        if node is None or node.process_uuid != claim.process_uuid or node.status != NodeStatus.IN_PROGRESS:
            raise Superseded(f"Node {claim.node_id} has moved on.")
        return node

    # Scheduling

    def claim(
        self,
        pipeline: Pipeline,
        node_id: str,
        process_uuid: str,
        *,
        slot: str = "",
        left: JobSlot | None = None,
        ticket: Ticket | None = None,
    ) -> Claim | None:
        """Row 1: pending → in progress, if the pipeline is as it was read. None when somebody else was first.

        With `slot` only if that job slot is free, which is taken with it; with `left` only if that slot is still held
        by an earlier claim of this node, from which it is taken over; with `ticket` only if the node waits with it,
        which is used up.
        """
        claim = Claim(pipeline.id, node_id, process_uuid)
        now = self.clock()
        slot = left.name if left else slot
        in_turn = " AND {ticket} = :ticket" if ticket else " AND attribute_not_exists({ticket})" if slot else ""
        actions: list[Check | Delete | Put | Update] = [
            Check(
                table=self.name,
                key=pipeline_key(pipeline.id),
                condition="{revision} = :revision AND {desired} = :run",
                values={"revision": pipeline.revision, "run": Desired.RUN},
            ),
            Update(
                table=self.name,
                key=claim.key,
                set={
                    "status": NodeStatus.IN_PROGRESS,
                    "process_uuid": process_uuid,
                    "claimed_at": now,
                    "touched_at": now,
                    "metadata": {"started_at": now},
                    **({"slot": slot} if slot else {}),
                },
                remove=["ticket"],
                condition="{status} = :pending" + in_turn,
                values={"pending": NodeStatus.PENDING} | ({"ticket": ticket.id} if ticket else {}),
            ),
        ]
        if left:
            actions.append(hand_over_slot(self.name, slot, left.holder, process_uuid))
        elif slot:
            actions.append(take_slot(self.name, slot, claim, now))
        if ticket:
            actions.append(Delete(table=self.name, key=ticket.key))
        try:
            transact(self.client, actions, self.table.sleep)
        except ConditionFailed as failure:
            old = failure.olds[1] or self.table.get(claim.key) or {}
            return claim if old.get("process_uuid") == process_uuid else None
        return claim

    def reclaim(self, claim: Claim, process_uuid: str, slot: str = "") -> Claim | None:
        """Row 2: hand a node whose execution is closed to a new one, with its job slot. None when it has moved on."""
        fresh = Claim(claim.pipeline_id, claim.node_id, process_uuid)
        update = Update(
            table=self.name,
            key=claim.key,
            set={"process_uuid": process_uuid, "touched_at": self.clock()},
            add={"restarts": 1},
            condition=_OWNED,
            values={"mine": claim.process_uuid, "in_progress": NodeStatus.IN_PROGRESS},
        )
        actions = [update, hand_over_slot(self.name, slot, claim, process_uuid)] if slot else [update]
        try:
            transact(self.client, actions, self.table.sleep)
        except ConditionFailed as failure:
            old = failure.olds[0] or self.table.get(claim.key) or {}
            return fresh if old.get("process_uuid") == process_uuid else None
        return fresh

    def wait_again(self, claim: Claim, slot: str) -> bool:
        """Return a node whose execution is closed to pending, if the job slot that it shows is not its own any more.

        It waits for another one, so that no limit is exceeded; what it has begun is kept, and nobody has asked for it
        anew. False when it has moved on, and while it has its slot.
        """
        before = self.table.get(claim.key) or {}
        begun = _begun(before)
        update = Update(
            table=self.name,
            key=claim.key,
            set={"status": NodeStatus.PENDING, "metadata": {}, **({"begun": begun} if begun else {})},
            remove=["process_uuid", "slot"],
            add={"restarts": 1},
            condition=f"{_OWNED} AND {{slot}} = :slot",
            values={**_owner_values(claim), "slot": slot},
        )
        try:
            transact(self.client, [update, lost_slot(self.name, slot, claim)], self.table.sleep)
        except ConditionFailed:
            return False
        return True

    def restarts(self, claim: Claim) -> int:
        item = self.table.get(claim.key)
        return int(item.get("restarts", 0)) if item else 0

    def write_outcome(self, pipeline: Pipeline, run: int, outcome: Outcome) -> bool:
        """Write how the pipeline ended, unless somebody has asked for something new since `run`."""
        update = Update(
            table=self.name,
            key=pipeline_key(pipeline.id),
            set={
                "outcome": {
                    "status": outcome.status,
                    "revision": outcome.revision,
                    "at": outcome.at,
                    "failed": list(outcome.failed),
                    "blocked": list(outcome.blocked),
                }
            },
            condition="{run} = :run AND {desired} = :desired",
            values={"run": run, "desired": pipeline.desired},
        )
        try:
            self.table.write(update)
        except ConditionFailed:
            return False
        return True

    # Working on a claimed node

    def touch(self, claim: Claim, **metadata: Any) -> None:
        """Say what is going on. Raises Superseded when the claim is no longer current."""
        changes = {f"metadata.{key}": value for key, value in metadata.items() if value is not None}
        gone = [f"metadata.{key}" for key, value in metadata.items() if value is None]
        self._owned_write(claim, {"touched_at": self.clock(), **changes}, remove=gone)

    def complete(self, claim: Claim, output: Output, takes: Sequence[str] = (), **metadata: Any) -> None:
        """Row 10: in progress → completed, if the claim is current and the node still consists of these `takes`."""
        condition, values = _OWNED, dict(_owner_values(claim))
        if takes:
            condition += " AND {metadata.takes} = :takes"
            values["takes"] = list(takes)
        changes = {f"metadata.{key}": value for key, value in metadata.items() if value is not None}
        now = self.clock()
        update = Update(
            table=self.name,
            key=claim.key,
            set={
                "status": NodeStatus.COMPLETED,
                "output": output.to_dict(),
                "touched_at": now,
                "metadata.finished_at": now,
                **changes,
            },
            condition=condition,
            values=values,
        )
        try:
            self.table.write(update)
        except ConditionFailed as failure:
            old = failure.old or {}
            if old.get("process_uuid") == claim.process_uuid and old.get("status") == NodeStatus.COMPLETED:
                return  # the answer to an earlier try of this very write was lost
            raise Superseded(f"Node {claim.node_id} has moved on.") from failure

    def fail(self, claim: Claim, message: str, error_type: str) -> bool:
        """Row 11: in progress → failed, with one sentence for a person. False when the claim is no longer current."""
        now = self.clock()
        try:
            self._owned_write(
                claim,
                {
                    "status": NodeStatus.FAILED,
                    "touched_at": now,
                    "metadata.finished_at": now,
                    "metadata.error": message,
                    "metadata.error_type": error_type,
                },
            )
        except Superseded:
            return False
        return True

    # What a person asks for

    def retry(self, pipeline_id: str, node_id: str, asked: str) -> None:
        """Row 12: failed → pending. `asked` is "retry" (this node, by name) or "run" (the whole pipeline again).

        Raises RequestError when the node is not failed.
        """
        key = {"pipeline_id": pipeline_id, "id": node_id}
        before = self.table.get(key) or {}
        # A wish is younger than the failure and than earlier wishes, even where the person's clock is behind.
        asked_at = max(self.clock(), before.get("touched_at", 0), before.get("asked_at", 0) + 0.001)
        begun = _begun(before)
        actions: list[Check | Put | Update] = [
            Update(
                table=self.name,
                key=key,
                set={
                    "status": NodeStatus.PENDING,
                    "metadata": {},
                    "asked_at": asked_at,
                    "asked": asked,
                    **({"begun": begun} if begun else {}),
                },
                remove=["process_uuid", "restarts", "slot"],
                condition="{status} = :failed",
                values={"failed": NodeStatus.FAILED},
            ),
            self._ask_again(pipeline_id, Desired.RUN),
        ]
        try:
            transact(self.client, actions, self.table.sleep)
        except ConditionFailed as failure:
            if failure.failed[1]:
                raise _unpublished(pipeline_id) from failure
            status = (failure.olds[0] or {}).get("status", "unknown")
            raise RequestError(f"Node '{node_id}' is {status}; only a failed node can be retried.") from failure

    def set_desired(self, pipeline_id: str, desired: Desired) -> None:
        """Run or cancel the pipeline. Raises RequestError when there is none, or when it is half edited."""
        try:
            self.table.write(self._ask_again(pipeline_id, desired))
        except ConditionFailed as failure:
            if failure.old:
                raise _unpublished(pipeline_id) from failure
            raise NotFound(f"There is no pipeline '{pipeline_id}'.") from failure

    def _ask_again(self, pipeline_id: str, desired: Desired) -> Update:
        condition = "attribute_exists({id})"
        if desired == Desired.RUN:  # a half-edited pipeline may be cancelled, but not run
            condition += " AND attribute_not_exists({edit})"
        return Update(
            table=self.name,
            key=pipeline_key(pipeline_id),
            set={"desired": desired, "active": ACTIVE_PIPELINE},
            remove=["outcome"],
            add={"run": 1},
            condition=condition,
        )

    def _owned_write(self, claim: Claim, changes: Mapping[str, Any], remove: Sequence[str] = ()) -> None:
        update = Update(
            table=self.name,
            key=claim.key,
            set=changes,
            remove=remove,
            condition=_OWNED,
            values=_owner_values(claim),
        )
        try:
            self.table.write(update)
        except ConditionFailed as failure:
            old = failure.old or {}
            if old.get("process_uuid") == claim.process_uuid and old.get("status") == changes.get("status"):
                return
            raise Superseded(f"Node {claim.node_id} has moved on.") from failure


def _begun(item: Mapping[str, Any]) -> list[str]:
    """The takes that a node shows, or has shown before it was asked for again."""
    return list(item.get("metadata", {}).get("takes") or item.get("begun", ()))


def _owner_values(claim: Claim) -> dict[str, Any]:
    return {"mine": claim.process_uuid, "in_progress": NodeStatus.IN_PROGRESS}


def _unpublished(pipeline_id: str) -> RequestError:
    return RequestError(
        f"Pipeline '{pipeline_id}' is being changed, or a change of it was interrupted; run produce to finish that."
    )

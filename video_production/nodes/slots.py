"""Job slots: how many jobs may be under way at one provider at once, as items of the node table.

An item of the partition `#slots#{provider}` is a slot that is taken; a free one is no item. It is put in the
transaction that claims a node, so two can't have it. Whoever sends a paid request writes into the slot which attempt
that was, in the transaction of the intent: there is no request without a slot, and every slot knows its job. It comes
back when its holder has moved on and that job has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from video_production.nodes.claims import Claim
from video_production.nodes.model import NodeStatus
from video_production.tables import Check, ConditionFailed, Delete, Put, Table, Update, transact

__all__ = [
    "JobSlot",
    "free_slots",
    "give_back_slot",
    "hand_over_slot",
    "held_slots",
    "lost_slot",
    "read_slot",
    "release_slot",
    "slot_key",
    "take_slot",
    "use_slot",
]

_PARTITION = "#slots#"
_MINE = "{process_uuid} = :mine"
_ENDED = "{status} <> :in_progress"  # of the holder's node: nothing more is sent in the slot


@dataclass(frozen=True, slots=True)
class JobSlot:
    """A slot that is taken. `name` is `{provider}#{number}`; `attempt` of `take_id` is what was last sent in it.

    `ends_by` is when a job of which nobody knows anything has surely ended. Times are Unix seconds.
    """

    name: str
    holder: Claim
    taken_at: float
    take_id: str = ""
    attempt: str = ""
    sent_at: float = 0.0
    ends_by: float = 0.0

    @property
    def number(self) -> int:
        return int(self.name.rpartition("#")[2])


def slot_key(name: str) -> dict[str, str]:
    """Where a slot lies in the node table."""
    provider, _, number = name.rpartition("#")
    return {"pipeline_id": _PARTITION + provider, "id": number}


def held_slots(table: Table, provider: str) -> list[JobSlot]:
    """The slots of a provider that are taken, read consistently."""
    return [_read(item) for item in table.query("pipeline_id", _PARTITION + provider)]


def read_slot(table: Table, name: str) -> JobSlot | None:
    """A slot; None when it is free."""
    item = table.get(slot_key(name))
    return _read(item) if item else None


def free_slots(provider: str, held: Iterable[JobSlot], limit: int) -> list[str]:
    """The names of the slots that may be taken now: the first free ones, as many as the limit leaves.

    After a limit was lowered, slots beyond it are still held, and each of them closes one within it. Only a slot that
    comes back opens one, so whoever read `held` a while ago takes none that is closed now.
    """
    taken = {slot.number for slot in held}
    free = [number for number in range(limit) if number not in taken]
    return [f"{provider}#{number:04}" for number in free[: max(0, limit - len(taken))]]


def take_slot(table: str, name: str, claim: Claim, now: float) -> Put:
    """The action that takes a slot; its condition fails when somebody has it."""
    item = {
        **slot_key(name),
        "holder_pipeline": claim.pipeline_id,
        "holder_node": claim.node_id,
        "process_uuid": claim.process_uuid,
        "taken_at": now,
    }
    return Put(table=table, item=item, condition="attribute_not_exists({pipeline_id})")


def hand_over_slot(table: str, name: str, claim: Claim, process_uuid: str) -> Update:
    """The action that gives a slot to the next claim of the same node."""
    return Update(
        table=table,
        key=slot_key(name),
        set={"process_uuid": process_uuid},
        condition=_MINE,
        values={"mine": claim.process_uuid},
    )


def lost_slot(table: str, name: str, claim: Claim) -> Check:
    """The condition that a claim does not have the slot that its node shows: somebody has removed the item."""
    return Check(
        table=table,
        key=slot_key(name),
        condition="attribute_not_exists({process_uuid}) OR {process_uuid} <> :mine",
        values={"mine": claim.process_uuid},
    )


def use_slot(table: str, name: str, claim: Claim, sent: Mapping[str, Any]) -> Update:
    """The action that writes into a slot what is sent in it: `take_id`, `attempt`, `sent_at`, `ends_by`."""
    return Update(table=table, key=slot_key(name), set=dict(sent), condition=_MINE, values={"mine": claim.process_uuid})


def give_back_slot(table: Table, name: str, claim: Claim) -> bool:
    """Free the slot of a node that has ended, and whose job has. False when it moved on and left the slot."""
    forget = Update(
        table=table.name,
        key=claim.key,
        remove=["slot"],
        condition=f"{_MINE} AND {{slot}} = :slot AND {_ENDED}",
        values={"mine": claim.process_uuid, "slot": name, "in_progress": NodeStatus.IN_PROGRESS},
    )
    remove = Delete(table=table.name, key=slot_key(name), condition=_MINE, values={"mine": claim.process_uuid})
    try:
        transact(table.client, [forget, remove], table.sleep)
    except ConditionFailed as failure:
        # Where it is not the node's any more it has come back: by somebody else, or by a try whose answer was lost.
        if failure.failed[1]:
            with suppress(ConditionFailed):
                table.write(forget)  # else it would be looked for at every look
        return failure.failed[1]
    return True


def release_slot(table: Table, slot: JobSlot) -> bool:
    """Free a slot whose holder has moved on. False while it has not, and when something was sent in it meanwhile."""
    unsent = "attribute_not_exists({attempt})"
    condition = f"{_MINE} AND " + ("{attempt} = :attempt" if slot.attempt else unsent)
    values = {"mine": slot.holder.process_uuid} | ({"attempt": slot.attempt} if slot.attempt else {})
    moved_on = Check(
        table=table.name,
        key=slot.holder.key,
        condition=f"attribute_not_exists({{process_uuid}}) OR {{process_uuid}} <> :mine OR {_ENDED}",
        values={"mine": slot.holder.process_uuid, "in_progress": NodeStatus.IN_PROGRESS},
    )
    delete = Delete(table=table.name, key=slot_key(slot.name), condition=condition, values=values)
    try:
        transact(table.client, [delete, moved_on], table.sleep)
    except ConditionFailed as failure:
        # Where nothing stands it is free already, or the answer to an earlier try of this was lost.
        return failure.failed[0] and failure.olds[0] is None
    return True


def _read(item: Mapping[str, Any]) -> JobSlot:
    return JobSlot(
        name=f"{item['pipeline_id'].removeprefix(_PARTITION)}#{item['id']}",
        holder=Claim(item["holder_pipeline"], item["holder_node"], item["process_uuid"]),
        taken_at=float(item["taken_at"]),
        take_id=item.get("take_id", ""),
        attempt=item.get("attempt", ""),
        sent_at=float(item.get("sent_at", 0)),
        ends_by=float(item.get("ends_by", 0)),
    )

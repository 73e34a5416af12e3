"""Editing a pipeline: what its nodes are, written apart from how far they are; the revision comes last.

Between `begin` and `publish` nothing is claimed and no paid request is sent: an interrupted edit is simply done again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from video_production.errors import RequestError
from video_production.nodes.model import Desired, Node, NodeStatus, Output, Pipeline
from video_production.nodes.reading import pipeline_key
from video_production.tables import Check, ConditionFailed, Delete, Table, Update, transact

__all__ = ["ACTIVE_PIPELINE", "Edits"]

ACTIVE_PIPELINE = "pipeline"
"""The value of `active` on the item of a pipeline that is under way: somebody asked for something, and its outcome is
not written or not announced yet."""


class Edits:
    """Writes structure. `clock` gives Unix seconds."""

    def __init__(self, table: Table, clock: Callable[[], float]) -> None:
        self.table = table
        self.clock = clock

    def begin(self, pipeline_id: str) -> str:
        """Hold the pipeline: until `publish`, nothing is claimed and no paid request is sent.

        Returns the edit's token. Whoever begins an edit takes over from an earlier one: with `edit`, the methods below
        write only while their token is the current one, else they raise RequestError.
        """
        edit = uuid.uuid4().hex
        self.table.write(
            Update(
                table=self.table.name,
                key=pipeline_key(pipeline_id),
                set={"desired": Desired.EDITING, "edit": edit, "active": ACTIVE_PIPELINE},
            )
        )
        return edit

    def save_structure(self, node: Node, edit: str = "") -> None:
        """Write what a node is. A new node starts as pending, with empty metadata."""
        self._edit(
            node.pipeline_id,
            edit,
            Update(
                table=self.table.name,
                key={"pipeline_id": node.pipeline_id, "id": node.id},
                set={
                    "title": node.title,
                    "type": node.type,
                    "inputs": {slot: list(ids) for slot, ids in node.inputs.items()},
                    "config": node.config,
                    "asset": dict(node.asset) if node.asset else {},
                    "users": list(node.users),
                },
                set_if_absent={"metadata": {}, "status": NodeStatus.PENDING, "is_valid": True, "validation_errors": []},
            ),
        )

    def reset(
        self,
        pipeline_id: str,
        node_id: str,
        edit: str = "",
        because: Sequence[str] = (),
        *,
        before: Node | None = None,
    ) -> None:
        """Return a node to pending without an owner: whoever works on it loses its claim. `because` is for people.

        The wish is younger than what stands in `before`, the node as it was read, whatever this clock says.
        """
        asked_at = max(self.clock(), before.touched_at, before.asked_at + 0.001) if before else self.clock()
        self._edit(
            pipeline_id,
            edit,
            Update(
                table=self.table.name,
                key={"pipeline_id": pipeline_id, "id": node_id},
                set={
                    "status": NodeStatus.PENDING,
                    "metadata": {},
                    "asked_at": asked_at,
                    "asked": "run",
                    "because": list(because),
                },
                remove=["process_uuid", "output", "restarts", "slot", "ticket", "begun"],
            ),
        )

    def provide_asset(self, pipeline_id: str, node_id: str, output: Output, edit: str = "") -> None:
        """Mark an asset node as completed with its uploaded file."""
        self._edit(
            pipeline_id,
            edit,
            Update(
                table=self.table.name,
                key={"pipeline_id": pipeline_id, "id": node_id},
                set={"status": NodeStatus.COMPLETED, "metadata": {}, "output": output.to_dict()},
                remove=["process_uuid"],
            ),
        )

    def remove(self, pipeline_id: str, node_id: str, edit: str = "") -> None:
        self._edit(pipeline_id, edit, Delete(table=self.table.name, key={"pipeline_id": pipeline_id, "id": node_id}))

    def publish(self, pipeline: Pipeline, edit: str = "") -> int:
        """Write the `#pipeline` item last, with the next revision; return that revision."""
        key = pipeline_key(pipeline.id)
        update = Update(
            table=self.table.name,
            key=key,
            set={
                "title": pipeline.title,
                "desired": Desired.RUN,
                "node_ids": list(pipeline.node_ids),
                "final_node": pipeline.final_node,
                "bucket": pipeline.bucket,
                "prefix": pipeline.prefix,
                "published": edit,
                "linked": edit,
                "active": ACTIVE_PIPELINE,
                **({} if pipeline.budget_usd is None else {"budget_usd": pipeline.budget_usd}),
                **({} if pipeline.live is None else {"live": list(pipeline.live)}),
            },
            remove=[
                "outcome",
                "edit",
                *(["budget_usd"] if pipeline.budget_usd is None else []),
                *(["live"] if pipeline.live is None else []),
            ],
            add={"revision": 1, "run": 1},
            condition="{edit} = :edit AND {desired} = :editing" if edit else "",
            values={"edit": edit, "editing": Desired.EDITING} if edit else {},
        )
        try:
            self.table.write(update)
        except ConditionFailed as failure:
            old = failure.old or {}
            if old.get("edit") == edit:
                raise RequestError(
                    f"Pipeline '{pipeline.id}' was cancelled while it was being published, so nothing was started. To "
                    "make it after all, produce it again."
                ) from failure
            if old.get("published") != edit:  # else the answer to an earlier try of this was lost
                raise _overtaken(pipeline.id) from failure
        item = self.table.get(key)
        return int(item["revision"]) if item else 0

    def _edit(self, pipeline_id: str, edit: str, action: Update | Delete) -> None:
        if not edit:
            self.table.write(action)
            return
        current = Check(
            table=self.table.name, key=pipeline_key(pipeline_id), condition="{edit} = :edit", values={"edit": edit}
        )
        try:
            transact(self.table.client, [current, action], self.table.sleep)
        except ConditionFailed as failure:
            raise _overtaken(pipeline_id) from failure


def _overtaken(pipeline_id: str) -> RequestError:
    return RequestError(
        f"Somebody else is changing pipeline '{pipeline_id}' at the same time and came later, so this change was "
        "stopped; when theirs is done, run produce again."
    )

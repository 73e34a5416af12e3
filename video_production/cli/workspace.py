"""Where the commands find their tables, buckets and machines: the local cloud of this checkout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_cloud.functions import NAMES, machine_arn
from local_cloud.handle import CloudHandle, attach_or_start
from local_cloud.journal import read_tables
from video_production.errors import OperatorError, RequestError
from video_production.nodes.model import Node, Pipeline
from video_production.nodes.table import NodeTable, read_items
from video_production.scheduling.asking import Asking
from video_production.scheduling.publishing import Publisher
from video_production.settings import local_home
from video_production.storage import Storage
from video_production.tables import decode
from video_production.takes.model import Take
from video_production.takes.table import TAKE, TakeTable, read_take

__all__ = ["CHECKOUT", "HOME", "Snapshot", "Workspace", "open_workspace", "snapshot"]

CHECKOUT = Path(__file__).resolve().parent.parent.parent
HOME = local_home(CHECKOUT)


@dataclass(frozen=True)
class Workspace:
    """A running local cloud, through the same data layer that the functions use."""

    cloud: CloudHandle
    nodes: NodeTable
    takes: TakeTable
    storage: Storage
    asking: Asking

    @property
    def publisher(self) -> Publisher:
        return Publisher(self.nodes, self.storage)


@contextmanager
def open_workspace(*, prewarm: tuple[str, ...] = ()) -> Iterator[Workspace]:
    """Use the local cloud, starting it when it does not run; it ends with its last user."""
    from botocore.exceptions import BotoCoreError, ClientError  # takes a moment, and half of the commands do without

    with attach_or_start(HOME, prewarm=prewarm) as cloud:
        dynamodb = cloud.client("dynamodb")
        nodes = NodeTable(dynamodb, NAMES.nodes_table)
        takes = TakeTable(dynamodb, NAMES.takes_table, NAMES.nodes_table)
        asking = Asking(nodes, takes, cloud.client("stepfunctions"), machine_arn(NAMES.pipeline_machine))
        try:
            yield Workspace(cloud, nodes, takes, Storage(cloud.client("s3")), asking)
        except (BotoCoreError, ClientError) as error:
            raise OperatorError(_broken(cloud, error)) from error


def _broken(cloud: CloudHandle, error: Exception) -> str:
    log = cloud.home / "cloud.log"
    if not cloud.alive:
        return f"The local cloud has ended (its log: {log}); run the same command again to continue."
    return f"The local cloud could not carry this out ({error}; its log: {log}); run the same command again."


@dataclass(frozen=True)
class Snapshot:
    """The tables as they were written to disk last, read without starting anything."""

    tables: dict[str, list[dict[str, Any]]]

    def pipelines(self) -> list[str]:
        return sorted({item["pipeline_id"] for item in self.tables.get(NAMES.nodes_table, ())})

    def load(self, pipeline_id: str) -> tuple[Pipeline | None, dict[str, Node]]:
        items = (item for item in self.tables.get(NAMES.nodes_table, ()) if item["pipeline_id"] == pipeline_id)
        return read_items(items)

    def takes_of(self, nodes: dict[str, Node]) -> dict[str, list[Take]]:
        """The takes of each node, by node id."""
        found = {
            item["take_id"]: read_take(item)
            for item in self.tables.get(NAMES.takes_table, ())
            if item["record"] == TAKE
        }
        return {
            node.id: [found[take_id] for take_id in node.metadata.get("takes", ()) if take_id in found]
            for node in nodes.values()
        }

    def load_known(self, pipeline_id: str) -> tuple[Pipeline, dict[str, Node]]:
        """Like `load`. Raises RequestError where there is no such pipeline."""
        pipeline, nodes = self.load(pipeline_id)
        if pipeline is None:
            known = ", ".join(self.pipelines()) or "none yet"
            raise RequestError(f"There is no pipeline '{pipeline_id}' here (known: {known}). Run `produce` first.")
        return pipeline, nodes


def snapshot() -> Snapshot:
    """Read the journal. Raises OperatorError when it is damaged."""
    tables = read_tables(HOME / "journal.jsonl")
    return Snapshot({name: [decode(item) for item in items.values()] for name, items in tables.items()})

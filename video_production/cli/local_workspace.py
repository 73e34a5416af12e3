"""This machine: the local cloud of this checkout, and the journal that it leaves on disk."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_cloud.functions import NAMES, Endpoints, functions, machine_arn
from local_cloud.handle import CloudHandle, attach_or_start
from local_cloud.journal import read_tables
from local_cloud.s3.errors import S3Error
from local_cloud.s3.store import DiskStore
from local_cloud.state import StateFolder
from video_production.cli.live import NO_LIVE, Live, read_prices
from video_production.cli.place import ON_THIS_MACHINE, Place
from video_production.cli.workspace import Entry, Workspace
from video_production.errors import MediaError, OperatorError, RequestError
from video_production.nodes.model import Node, Pipeline
from video_production.nodes.table import NodeTable, read_items
from video_production.nodes.tickets import queue_partition, read_queue
from video_production.scheduling.asking import Asking
from video_production.settings import LOCAL_BUCKET, FunctionSettings, local_home, submitter_of
from video_production.storage import Storage, StoredObject
from video_production.tables import decode
from video_production.takes.entries import Entry as LedgerEntry
from video_production.takes.entries import read_entry
from video_production.takes.ledger import TOTAL, Ledger, Totals, month_of, read_totals
from video_production.takes.model import Take
from video_production.takes.table import TAKE, TakeTable, read_take

__all__ = ["CHECKOUT", "HOME", "LocalSite", "LocalSnapshot", "read_snapshot"]

CHECKOUT = Path(__file__).resolve().parent.parent.parent
HOME = local_home(CHECKOUT)
_LOOK_EVERY = 0.2


class LocalSite:
    """The local cloud; it starts with the first who works with it and ends with the last.

    With `live` it has to be one that uses just these providers for real; None takes whatever runs.
    """

    place = ON_THIS_MACHINE
    bucket = LOCAL_BUCKET

    def __init__(self, live: Live | None = None) -> None:
        self._live = live

    @property
    def live(self) -> tuple[str, ...] | None:
        return (self._live or NO_LIVE).names

    def snapshot(self) -> LocalSnapshot:
        return read_snapshot(HOME)

    @contextmanager
    def open(self, *, prewarm: tuple[str, ...] = ()) -> Iterator[Workspace]:
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
        )  # takes a moment, and half of the commands do without

        live = None if self._live is None else self._live.keys
        with attach_or_start(HOME, live=live, prewarm=prewarm, variables=self._variables) as cloud:
            try:
                yield _workspace(cloud)
            except (BotoCoreError, ClientError) as error:
                raise OperatorError(_broken(cloud, error)) from error

    def make_ready(self, workspace: Workspace, bucket: str) -> None:
        from botocore.exceptions import ClientError

        s3 = workspace.storage.client
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError:
            s3.create_bucket(Bucket=bucket)

    def reader(self) -> DiskReader:
        return DiskReader(StateFolder(HOME).s3)

    def settings(self, name: str) -> FunctionSettings:
        live = frozenset((self._live or NO_LIVE).names)
        table = functions(Endpoints("", ""), live, variables=self._variables)
        return FunctionSettings.from_environment(table[submitter_of(name)].environment)

    @property
    def _variables(self) -> dict[str, str]:
        """What the functions are told besides: settings of real providers, prices of one's own."""
        own = read_prices()
        return {**(self._live or NO_LIVE).variables, **({"PRICES": own} if own else {})}

    @contextmanager
    def log_client(self) -> Iterator[Any]:
        """Raises RequestError where no local cloud runs: its logs end with it."""
        if StateFolder(HOME).running() is None:
            raise RequestError(
                "No local cloud runs now, and its logs are gone with it. Keep one with ./jiki-video up in another "
                "terminal, produce again, and ask for the logs while it runs."
            )
        with attach_or_start(HOME) as cloud:
            yield cloud.client("logs")

    def function(self, role: str) -> str:
        return NAMES.function(role)

    def link(self, bucket: str, key: str, seconds: int) -> tuple[str, str]:  # noqa: ARG002 - a file does not expire
        path = StateFolder(HOME).s3 / bucket / key
        if not path.is_file():
            raise OperatorError(f"The file {path} is gone; run produce to make it again.")
        return str(path), ""


class DiskReader:
    """The local cloud's media, read from where they lie; nothing has to run for it."""

    def __init__(self, root: Path) -> None:
        self._store = DiskStore(root)

    def read(self, bucket: str, key: str, limit: int = 1 << 20) -> bytes:
        """The content of a small object. Raises MediaError."""
        try:
            with self._store.reading(bucket, key) as opened:
                content = opened.file.read(limit + 1)
        except S3Error as error:
            raise MediaError(f"s3://{bucket}/{key} does not exist here. Run produce to make it again.") from error
        if len(content) > limit:
            raise MediaError(f"s3://{bucket}/{key} has more than {limit} bytes, which is too much here.")
        return content

    def head(self, bucket: str, key: str) -> StoredObject | None:
        try:
            info = self._store.head(bucket, key)
        except S3Error:
            return None
        if info is None:
            return None
        return StoredObject(bucket, key, info.size, info.record.metadata.get("sha256", ""), info.etag)


def _workspace(cloud: CloudHandle) -> Workspace:
    def check_alive() -> None:
        if not cloud.alive:
            raise OperatorError("The local cloud has ended; run the same command again to continue.")

    dynamodb = cloud.client("dynamodb")
    nodes = NodeTable(dynamodb, NAMES.nodes_table)
    takes = TakeTable(dynamodb, NAMES.takes_table, NAMES.nodes_table)
    return Workspace(
        place=ON_THIS_MACHINE,
        nodes=nodes,
        takes=takes,
        storage=Storage(cloud.client("s3")),
        asking=Asking(nodes, takes, cloud.client("stepfunctions"), machine_arn(NAMES.pipeline_machine)),
        client=cloud.client,
        who=getpass.getuser(),
        look_every=_LOOK_EVERY,
        patience=lambda _: 0.0,  # the cloud is here: what fails, fails
        check_alive=check_alive,
    )


def _broken(cloud: CloudHandle, error: Exception) -> str:
    log = cloud.home / "cloud.log"
    if not cloud.alive:
        return f"The local cloud has ended (its log: {log}); run the same command again to continue."
    return f"The local cloud could not carry this out ({error}; its log: {log}); run the same command again."


@dataclass(frozen=True)
class LocalSnapshot:
    """The tables as they were written to disk last, read without starting anything."""

    tables: dict[str, list[dict[str, Any]]]
    place: Place = ON_THIS_MACHINE

    def pipelines(self, *, active: bool = False) -> list[Entry]:
        found = []
        for pipeline_id in sorted({item["pipeline_id"] for item in self._nodes}):
            pipeline, nodes = self.load(pipeline_id)
            if pipeline and not (active and pipeline.outcome):
                found.append(Entry(pipeline, _last_moved(pipeline, nodes)))
        return sorted(found, key=lambda entry: -entry.at)

    def load(self, pipeline_id: str) -> tuple[Pipeline | None, dict[str, Node]]:
        return read_items(item for item in self._nodes if item["pipeline_id"] == pipeline_id)

    def take(self, take_id: str) -> Take | None:
        for item in self.tables.get(NAMES.takes_table, ()):
            if item["take_id"] == take_id and item["record"] == TAKE:
                return read_take(item)
        return None

    def totals(self, pipeline_id: str, mode: str) -> Totals:
        key = Ledger.pipeline_key(pipeline_id, mode)
        totals = [item for item in self.tables.get(NAMES.takes_table, ()) if item["take_id"] == key]
        return read_totals(next((item for item in totals if item["record"] == TOTAL), None))

    def purchases(self, pipeline_id: str) -> list[LedgerEntry]:
        return [entry for entry in self._purchases() if entry.pipeline_id == pipeline_id]

    def purchases_of_month(self, month: str) -> list[LedgerEntry]:
        return [entry for entry in self._purchases() if month_of(entry.at) == month]

    def _purchases(self) -> list[LedgerEntry]:
        found = (read_entry(item) for item in self.tables.get(NAMES.takes_table, ()))
        return sorted((entry for entry in found if entry), key=lambda entry: entry.at)

    def queue(self, provider: str) -> Mapping[tuple[str, str], int]:
        partition = queue_partition(provider)["value"]
        return read_queue(item for item in self._nodes if item["pipeline_id"] == partition)

    def no_such_pipeline(self, pipeline_id: str) -> RequestError:
        known = ", ".join(entry.pipeline.id for entry in self.pipelines()) or "none yet"
        return RequestError(f"There is no pipeline '{pipeline_id}' here (known: {known}). Run `produce` first.")

    @property
    def _nodes(self) -> list[dict[str, Any]]:
        return self.tables.get(NAMES.nodes_table, [])


def _last_moved(pipeline: Pipeline, nodes: dict[str, Node]) -> float:
    moved = [node.touched_at for node in nodes.values()]
    return max([*moved, pipeline.outcome.at if pipeline.outcome else 0.0])


def read_snapshot(home: Path) -> LocalSnapshot:
    """Read the journal. Raises OperatorError when it is damaged."""
    tables = read_tables(home / "journal.jsonl")
    return LocalSnapshot({name: [decode(item) for item in items.values()] for name, items in tables.items()})

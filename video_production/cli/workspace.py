"""What the commands need of the place where pipelines live, whether that is this machine or AWS.

A `Site` is looked at without changing anything (`snapshot`) and worked with (`open`). The implementations are
`local_workspace` and `aws.workspace`; each is imported only when it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from video_production.cli.place import Place
from video_production.errors import RequestError, TransientError
from video_production.nodes.model import Node, Pipeline
from video_production.nodes.table import NodeTable
from video_production.pipelines.documents import PipelineDocument
from video_production.scheduling.asking import Asking
from video_production.scheduling.publishing import Publisher
from video_production.settings import LOCAL_BUCKET, FunctionSettings
from video_production.storage import Storage, StoredObject
from video_production.takes.entries import Entry as LedgerEntry
from video_production.takes.ledger import Totals
from video_production.takes.model import Take
from video_production.takes.table import TakeTable

__all__ = ["Entry", "Reader", "Site", "Snapshot", "Workspace", "bucket_for", "load_known", "site", "takes_of"]


@dataclass(frozen=True)
class Workspace:
    """The tables, the bucket and the machines, through the same data layer that the functions use.

    `look_every` is how often to look while following a run, `patience` for how long to go on after a look that failed
    like this, both in seconds. `who` signs decisions. `check_alive` raises OperatorError once nothing here can make
    progress any more. `client` gives a boto3 client of a service.
    """

    place: Place
    nodes: NodeTable
    takes: TakeTable
    storage: Storage
    asking: Asking
    client: Callable[[str], Any]
    who: str
    look_every: float
    patience: Callable[[TransientError], float]
    check_alive: Callable[[], None]

    @property
    def publisher(self) -> Publisher:
        return Publisher(self.nodes, self.storage)


@dataclass(frozen=True)
class Entry:
    """A pipeline in a list. `at` is when something last happened to it, in Unix seconds (0: not known)."""

    pipeline: Pipeline
    at: float


class Reader(Protocol):
    """The media, to read: what `Storage` does, also where nothing runs."""

    def read(self, bucket: str, key: str, limit: int = 1 << 20) -> bytes: ...

    def head(self, bucket: str, key: str) -> StoredObject | None: ...


class Snapshot(Protocol):
    """The tables, to read."""

    @property
    def place(self) -> Place: ...

    def pipelines(self, *, active: bool = False) -> list[Entry]:
        """Every pipeline, or those under way, the latest first."""
        ...

    def load(self, pipeline_id: str) -> tuple[Pipeline | None, dict[str, Node]]: ...

    def take(self, take_id: str) -> Take | None: ...

    def totals(self, pipeline_id: str, mode: str) -> Totals:
        """What a pipeline has spent and promised, for drafts or for real."""
        ...

    def purchases(self, pipeline_id: str) -> list[LedgerEntry]:
        """Every paid request of a pipeline, drafts too, oldest first."""
        ...

    def purchases_of_month(self, month: str) -> list[LedgerEntry]:
        """Every paid request of all pipelines that was sent in a month (`2026-11`, UTC), drafts too, oldest first."""
        ...

    def queue(self, provider: str) -> Mapping[tuple[str, str], int]:
        """Who waits for a provider: (pipeline, node) → its place, from 1."""
        ...

    def no_such_pipeline(self, pipeline_id: str) -> RequestError:
        """What to say where there is no such pipeline."""
        ...


class Site(Protocol):
    """Where pipelines live. `bucket` is where media go when a document names none."""

    @property
    def place(self) -> Place: ...

    @property
    def bucket(self) -> str: ...

    @property
    def live(self) -> tuple[str, ...] | None:
        """The providers that a pipeline may use for real; None where the environment's settings alone say it."""
        ...

    def snapshot(self) -> Snapshot: ...

    def open(self, *, prewarm: tuple[str, ...] = ()) -> AbstractContextManager[Workspace]: ...

    def make_ready(self, workspace: Workspace, bucket: str) -> None:
        """Make sure, before anything is written, that things can be made here and media can go to `bucket`."""
        ...

    def reader(self) -> Reader:
        """The media, to read; nothing is started for it."""
        ...

    def settings(self, name: str) -> FunctionSettings:
        """The settings of the function that sends a provider's requests: live or draft, its account, its prices."""
        ...

    def log_client(self) -> AbstractContextManager[Any]:
        """A CloudWatch Logs client."""
        ...

    def function(self, role: str) -> str:
        """The name of a function here."""
        ...

    def link(self, bucket: str, key: str, seconds: int) -> tuple[str, str]:
        """Where a browser or a player finds an object, and a remark on how long (empty: as long as it exists)."""
        ...


def site(environment: str | None, live: Sequence[str] | None = None, *, need_keys: bool = True) -> Site:
    """The place that `--environment` names; this machine without one. AWS is asked at once whether it is there.

    `live` names the providers that are to be the real ones on this machine; None where that does not matter. Raises
    RequestError where their keys are missing, unless nobody is going to be asked (`need_keys`), and for `live` on AWS.
    """
    if environment is None:
        from video_production.cli.live import read_live
        from video_production.cli.local_workspace import LocalSite

        return LocalSite(None if live is None else read_live(live, need_keys=need_keys))
    if live:
        raise RequestError(
            "--live is for this machine; on AWS the environment's settings say which providers are real."
        )
    from video_production.cli.aws.workspace import AwsSite

    return AwsSite.connect(environment)


def load_known(found: Snapshot, pipeline_id: str) -> tuple[Pipeline, dict[str, Node]]:
    """A pipeline and its nodes. Raises RequestError where there is no such pipeline."""
    pipeline, nodes = found.load(pipeline_id)
    if pipeline is None:
        raise found.no_such_pipeline(pipeline_id)
    return pipeline, nodes


def takes_of(found: Snapshot, nodes: Mapping[str, Node]) -> dict[str, list[Take]]:
    """The results that each node bought or shares, by node id."""
    known: dict[str, Take | None] = {}
    for node in nodes.values():
        for take_id in node.metadata.get("takes", ()):
            if take_id not in known:
                known[take_id] = found.take(take_id)
    return {
        node.id: [take for take_id in node.metadata.get("takes", ()) if (take := known[take_id])]
        for node in nodes.values()
    }


def bucket_for(document: PipelineDocument, here: Site) -> str:
    """The bucket that a document's media go to. Raises RequestError for one that an environment can't write to."""
    named = document.config.storage.bucket
    if here.place.local:
        return named or here.bucket
    if named not in ("", LOCAL_BUCKET, here.bucket):
        raise RequestError(
            f"The document keeps its media in '{named}', but {here.place.words} works in '{here.bucket}' and may not "
            "write elsewhere; remove config.storage.bucket, or produce it in the environment of that bucket."
        )
    return here.bucket

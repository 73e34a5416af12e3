"""An environment on AWS as a place where pipelines live. Every read is consistent, nothing is kept between reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from video_production.cli.aws.connection import Connection, connect
from video_production.cli.aws.refusals import sentence, told, unreachable
from video_production.cli.place import Place
from video_production.cli.workspace import Entry, Workspace
from video_production.errors import MediaError, OperatorError, RequestError, TransientError
from video_production.nodes.model import Node, Pipeline
from video_production.nodes.reading import PIPELINE_ITEM, read_pipeline
from video_production.nodes.table import ACTIVE_PIPELINE, NodeTable
from video_production.scheduling.asking import Asking
from video_production.settings import ACTIVE_INDEX, FunctionSettings
from video_production.storage import Storage
from video_production.tables import decode
from video_production.takes.entries import Entry as LedgerEntry
from video_production.takes.ledger import Totals
from video_production.takes.model import Take
from video_production.takes.table import TakeTable

__all__ = ["AwsSite", "AwsSnapshot"]

_LOOK_EVERY = 2.5
_PATIENCE = 300.0
"""Seconds for which a run is followed while AWS does not answer: a laptop changes networks."""
_LISTED = ("pipeline_id", "id", "title", "revision", "desired", "outcome", "touched_at", "run")


@dataclass(frozen=True)
class AwsSite:
    """A deployed environment."""

    connection: Connection

    @classmethod
    def connect(cls, environment: str) -> AwsSite:
        return cls(connect(environment))

    @property
    def place(self) -> Place:
        return self.connection.place

    @property
    def bucket(self) -> str:
        return self.connection.output("BucketName")

    @property
    def live(self) -> tuple[str, ...] | None:
        return None

    def snapshot(self) -> AwsSnapshot:
        return AwsSnapshot(self.connection)

    @contextmanager
    def open(self, *, prewarm: tuple[str, ...] = ()) -> Iterator[Workspace]:  # noqa: ARG002 - AWS warms itself
        nodes, takes = _tables(self.connection)
        states = self.connection.client("stepfunctions")
        with told():
            yield Workspace(
                place=self.place,
                nodes=nodes,
                takes=takes,
                storage=Storage(self.connection.client("s3")),
                asking=Asking(nodes, takes, states, self.connection.output("PipelineMachineArn")),
                client=self.connection.client,
                who=self.connection.identity.arn.rpartition(":")[2],
                look_every=_LOOK_EVERY,
                patience=_patience,
                check_alive=lambda: None,
            )

    def make_ready(self, workspace: Workspace, bucket: str) -> None:
        """Raises OperatorError where a failed deployment may have left parts missing, or without the bucket."""
        if self.connection.status.endswith("_FAILED"):
            raise OperatorError(
                f"A deployment of {self.place.words} failed (stack {self.connection.names.stack}: "
                f"{self.connection.status}), so parts may be missing and nothing was started; "
                f"./jiki-video doctor{self.place.option} says more."
            )
        try:
            workspace.storage.client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] != "404":
                raise
            raise OperatorError(
                f"The bucket '{bucket}' of {self.place.words} does not exist; create it, then run the same command "
                "again."
            ) from error

    def reader(self) -> Storage:
        return Storage(self.connection.client("s3"))

    def settings(self, name: str) -> FunctionSettings:
        """As the provider's submitter is configured: what is paid for is decided there."""
        function = self.connection.names.function(f"{name}_submitter")
        with told():
            answer = self.connection.client("lambda").get_function_configuration(FunctionName=function)
        variables: Mapping[str, str] = answer.get("Environment", {}).get("Variables", {})
        return FunctionSettings.from_environment(variables)

    @contextmanager
    def log_client(self) -> Iterator[Any]:
        with told():
            yield self.connection.client("logs")

    def function(self, role: str) -> str:
        return self.connection.names.function(role)

    def link(self, bucket: str, key: str, seconds: int) -> tuple[str, str]:
        """A presigned URL. It ends with the session that signed it, if that is sooner."""
        s3 = self.connection.client("s3")
        with told():
            if Storage(s3).head(bucket, key) is None:
                raise MediaError(f"s3://{bucket}/{key} is gone from the bucket; run produce to make it again.")
            url = str(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=seconds))
        sooner = ", at most as long as your AWS session" if self.connection.identity.temporary else ""
        return url, f"valid for {_duration(seconds)}{sooner}"


def _patience(error: TransientError) -> float:
    """None with credentials that have ended: those don't come back by waiting."""
    cause = error.__cause__
    return 0.0 if cause and sentence(cause) and not unreachable(cause) else _PATIENCE


def _duration(seconds: int) -> str:
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % size == 0:
            number = seconds // size
            return f"{number} {unit}{'s' * (number != 1)}"
    return f"{seconds} seconds"


def _tables(connection: Connection) -> tuple[NodeTable, TakeTable]:
    dynamodb = connection.client("dynamodb")
    names = connection.output("NodesTable"), connection.output("TakesTable")
    return NodeTable(dynamodb, names[0]), TakeTable(dynamodb, names[1], names[0])


class AwsSnapshot:
    """The tables, read item by item whenever they are asked for."""

    def __init__(self, connection: Connection) -> None:
        self.place = connection.place
        self._nodes, self._takes = _tables(connection)

    def pipelines(self, *, active: bool = False) -> list[Entry]:
        """All of them by reading the whole table; those under way by its index of them, which lags a moment behind."""
        with told():
            entries = self._active() if active else self._all()
        return sorted(entries, key=lambda entry: -entry.at)

    def load(self, pipeline_id: str) -> tuple[Pipeline | None, dict[str, Node]]:
        with told():
            return self._nodes.load(pipeline_id)

    def take(self, take_id: str) -> Take | None:
        with told():
            return self._takes.get(take_id)

    def totals(self, pipeline_id: str, mode: str) -> Totals:
        with told():
            return self._takes.totals(pipeline_id, mode)

    def purchases(self, pipeline_id: str) -> list[LedgerEntry]:
        with told():
            return self._takes.entries(pipeline_id)

    def purchases_of_month(self, month: str) -> list[LedgerEntry]:
        with told():
            entries = [entry for mode in ("live", "draft") for entry in self._takes.entries_of_month(month, mode)]
        return sorted(entries, key=lambda entry: entry.at)

    def queue(self, provider: str) -> Mapping[tuple[str, str], int]:
        with told():
            return self._nodes.queue(provider)

    def no_such_pipeline(self, pipeline_id: str) -> RequestError:
        return RequestError(
            f"There is no pipeline '{pipeline_id}' in {self.place.words}. ./jiki-video list{self.place.option} lists "
            "those there are."
        )

    def _all(self) -> list[Entry]:
        pipelines: dict[str, Pipeline] = {}
        moved: dict[str, float] = {}
        names = {f"#{number}": name for number, name in enumerate(_LISTED)}
        pages = self._nodes.client.get_paginator("scan").paginate(
            TableName=self._nodes.name,
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames=names,
            ConsistentRead=True,
        )
        for page in pages:
            for item in map(decode, page["Items"]):
                pipeline_id = item["pipeline_id"]
                if item["id"] == PIPELINE_ITEM:
                    pipelines[pipeline_id] = read_pipeline(item)
                moved[pipeline_id] = max(moved.get(pipeline_id, 0.0), float(item.get("touched_at", 0)))
        return [_entry(pipeline, moved[pipeline_id]) for pipeline_id, pipeline in pipelines.items()]

    def _active(self) -> list[Entry]:
        pages = self._nodes.client.get_paginator("query").paginate(
            TableName=self._nodes.name,
            IndexName=ACTIVE_INDEX,
            KeyConditionExpression="#a = :a",
            ExpressionAttributeNames={"#a": "active"},
            ExpressionAttributeValues={":a": {"S": ACTIVE_PIPELINE}},
        )
        found = []
        for pipeline_id in [item["pipeline_id"]["S"] for page in pages for item in page["Items"]]:
            pipeline, nodes = self._nodes.load(pipeline_id)
            if pipeline and pipeline.outcome is None:
                found.append(_entry(pipeline, max((node.touched_at for node in nodes.values()), default=0.0)))
        return found


def _entry(pipeline: Pipeline, moved: float) -> Entry:
    return Entry(pipeline, max(moved, pipeline.outcome.at if pipeline.outcome else 0.0))

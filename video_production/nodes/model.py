"""Nodes, pipelines and outputs as plain data: what the node table holds, in Python's own types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

__all__ = ["Captions", "Desired", "MediaType", "Node", "NodeStatus", "Outcome", "Output", "Pipeline"]

MediaType = Literal["text", "json", "image", "video", "audio"]


class NodeStatus(StrEnum):
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


class Desired(StrEnum):
    """What the pipeline's owner wants. While EDITING nothing is claimed and no paid request is sent."""

    RUN = "run"
    EDITING = "editing"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Captions:
    """S3 keys of a caption pair that belongs to an output, timed from the output's start."""

    srt: str
    vtt: str


@dataclass(frozen=True, slots=True)
class Output:
    """What a completed node made.

    `duration` is in seconds, measured on the finished file (None for text, json and images); `size` in bytes; `sha256`
    is the hex digest of the content, the identity that fingerprints use. `voice` marks speech, which mixing normalises.
    `draft` marks anything that contains a stand-in's work. `details` is for people: how joins were made, what was
    checked; a JSON object of at most a few kilobytes.
    """

    type: MediaType
    s3_key: str
    size: int
    sha256: str
    bucket: str
    duration: float | None = None
    draft: bool = False
    voice: bool = False
    captions: Captions | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "type": self.type,
            "s3_key": self.s3_key,
            "size": self.size,
            "sha256": self.sha256,
            "bucket": self.bucket,
        }
        if self.duration is not None:
            data["duration"] = self.duration
        if self.draft:
            data["draft"] = True
        if self.voice:
            data["voice"] = True
        if self.captions:
            data["captions"] = {"srt": self.captions.srt, "vtt": self.captions.vtt}
        if self.details:
            data["details"] = dict(self.details)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Output:
        captions = data.get("captions")
        return cls(
            type=data["type"],
            s3_key=data["s3_key"],
            size=int(data["size"]),
            sha256=data["sha256"],
            bucket=data["bucket"],
            duration=float(data["duration"]) if data.get("duration") is not None else None,
            draft=bool(data.get("draft", False)),
            voice=bool(data.get("voice", False)),
            captions=Captions(captions["srt"], captions["vtt"]) if captions else None,
            details=dict(data.get("details", {})),
        )


@dataclass(frozen=True, slots=True)
class Node:
    """One step. The first block is structure, the second is state; no update ever writes both.

    `inputs` maps a slot to the ordered ids of the nodes plugged into it. `config` has the document's camelCase keys.
    `asset` is `{type, source | content, sha256}` for asset nodes. `users` are the ids of the nodes that take it as an
    input (see `Pipeline.linked`). `process_uuid` is the fence: minted when the node is
    claimed; a writer without the current one changes nothing. `asked_at` is when a person last asked for this node,
    `asked` how: "run" (the pipeline) or "retry" (this node, by name). `because` says, for people, what the last edit
    changed that concerns it. `announced` is the `ended` that was published last. `begun` are the takes that it showed
    when it was asked for again. Times are Unix seconds.
    """

    pipeline_id: str
    id: str
    title: str
    type: str
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    asset: Mapping[str, Any] | None = None
    users: tuple[str, ...] = ()

    status: NodeStatus = NodeStatus.PENDING
    metadata: Mapping[str, Any] = field(default_factory=dict)
    output: Output | None = None
    is_valid: bool = True
    validation_errors: tuple[str, ...] = ()
    process_uuid: str | None = None
    touched_at: float = 0.0
    asked_at: float = 0.0
    asked: str = "run"
    announced: str = ""
    because: tuple[str, ...] = ()
    slot: str = ""
    ticket: str = ""
    begun: tuple[str, ...] = ()

    @property
    def input_ids(self) -> tuple[str, ...]:
        return tuple(node_id for slot in self.inputs.values() for node_id in slot)

    @property
    def provider(self) -> str | None:
        return self.config.get("provider")

    @property
    def ended(self) -> str | None:
        """What identifies this end of its work, `{process_uuid}:{status}`; None while there is none, and for assets."""
        over = self.status in (NodeStatus.COMPLETED, NodeStatus.FAILED)
        return f"{self.process_uuid}:{self.status}" if over and self.process_uuid else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pipeline ended, written once per revision. `failed` and `blocked` hold node ids."""

    status: Literal["completed", "failed", "cancelled"]
    revision: int
    at: float
    failed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The `#pipeline` item: written last, so that a revision stands for the whole graph.

    `run` counts what people asked for (edits, retries, cancellations): an outcome belongs to one run.
    `editing` is true from the begin of an edit until it is published: what is read is neither old nor new.
    `announced` is the `ended` that was published last; `watcher` the name of the execution that watches it.
    `budget_usd` is the most that all its purchases together may cost, in US dollars (None: no limit). `live` names the
    providers that are to be the real ones; None where the environment alone decides. `linked`: its nodes know their
    `users`; false where a version that does not write them has published last.
    """

    id: str
    title: str
    revision: int
    desired: Desired
    node_ids: tuple[str, ...]
    final_node: str
    bucket: str
    prefix: str
    run: int = 0
    editing: bool = False
    outcome: Outcome | None = None
    announced: str = ""
    watcher: str = ""
    budget_usd: float | None = None
    live: tuple[str, ...] | None = None
    linked: bool = False

    @property
    def ended(self) -> str | None:
        """What identifies its outcome, `{id}:{run}:{status}`; None while there is none."""
        return f"{self.id}:{self.run}:{self.outcome.status}" if self.outcome else None

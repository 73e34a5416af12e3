"""`produce`: from a document to a finished video, told as the events of `events.py`."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from video_production.cli.delivery import deliver, delivered, prepare
from video_production.cli.events import Event, finished, node_moved, published, started, still, validated
from video_production.cli.workspace import Snapshot, Workspace, open_workspace, snapshot
from video_production.errors import OperatorError, RequestError
from video_production.nodes.model import Desired, Node, NodeStatus, Pipeline
from video_production.pipelines.documents import LOCAL_BUCKET, PipelineDocument
from video_production.pipelines.validation import load_valid_document, resolve
from video_production.scheduling.publishing import Publication, compare

__all__ = ["follow", "produce", "retry", "wanted_pipeline"]

_LOOK_EVERY = 0.2
_STILL_EVERY = 10.0
_PREWARM = ("scheduler", "elevenlabs_submitter", "elevenlabs_poller", "audio_mixer", "merger")


def produce(path: Path, *, fresh: bool, clock: Callable[[], float] = time.time) -> Generator[Event]:
    """Make the video of a document. Raises DocumentError, RequestError, OperatorError before anything is made."""
    document = load_valid_document(path)
    nodes = resolve(document, path.parent)
    wanted = wanted_pipeline(document)
    yield validated(wanted, len(nodes))
    if not fresh:
        unchanged = _finished_before(snapshot(), wanted, nodes, path)
        if unchanged:
            yield unchanged
            return
    prepare(path.parent)
    with open_workspace(prewarm=_PREWARM) as workspace:
        workspace.cloud.ensure_bucket(wanted.bucket)
        publication = workspace.publisher.publish(nodes, wanted, fresh=fresh)
        yield published(publication)
        reasons = _ask_again(workspace, wanted.id, publication)
        yield from follow(workspace, wanted.id, path, reasons, clock=clock)


def retry(path: Path, pipeline_id: str, node: str) -> Generator[Event]:
    """Make one failed node again, and what waits for it."""
    prepare(path.parent)
    with open_workspace() as workspace:
        workspace.asking.retry(pipeline_id, node)
        yield from follow(workspace, pipeline_id, path)


def wanted_pipeline(document: PipelineDocument) -> Pipeline:
    """The `#pipeline` item that a document asks for, without its state."""
    storage = document.config.storage
    return Pipeline(
        id=document.id,
        title=document.title,
        revision=0,
        desired=Desired.RUN,
        node_ids=(),
        final_node="",
        bucket=storage.bucket or LOCAL_BUCKET,
        prefix=storage.prefix or "",
    )


def follow(
    workspace: Workspace,
    pipeline_id: str,
    document: Path,
    reasons: Mapping[str, str] | None = None,
    *,
    clock: Callable[[], float] = time.time,
) -> Generator[Event]:
    """Tell what happens to a pipeline until it ends, then bring its video to `output` beside the document.

    `reasons` says of failed nodes why they are not made again.
    """
    reasons = reasons or {}
    pipeline, nodes = _load(workspace, pipeline_id)
    yield started(pipeline, nodes)
    kept = {node.id for node in nodes.values() if node.status == NodeStatus.COMPLETED}
    workspace.asking.run(pipeline_id)
    seen: dict[str, tuple[Any, ...]] = {}
    began = quiet_since = clock()
    while True:
        pipeline, nodes = _load(workspace, pipeline_id)
        for node in _moved(nodes, seen):
            quiet_since = clock()
            kept_so = node.id in kept
            yield node_moved(node, clock(), since=began, kept=kept_so, reason=reasons.get(node.id, ""))
        if pipeline.outcome:
            takes = {node.id: workspace.asking.takes_of(node) for node in nodes.values()}
            delivery = None
            if pipeline.outcome.status == "completed":
                delivery = deliver(nodes[pipeline.final_node], document, workspace.storage)
            outcome = pipeline.outcome
            yield finished(pipeline, outcome, nodes, takes, delivery, document=str(document), reasons=reasons)
            return
        if not workspace.cloud.alive:
            raise OperatorError("The local cloud has ended; run the same command again to continue.")
        if clock() - quiet_since > _STILL_EVERY:
            quiet_since = clock()
            yield still(nodes)
        time.sleep(_LOOK_EVERY)


def _load(workspace: Workspace, pipeline_id: str) -> tuple[Pipeline, dict[str, Node]]:
    pipeline, nodes = workspace.nodes.load(pipeline_id)
    if pipeline is None:
        raise RequestError(f"There is no pipeline '{pipeline_id}' here; run produce first.")
    return pipeline, nodes


def _moved(nodes: dict[str, Node], seen: dict[str, tuple[Any, ...]]) -> list[Node]:
    """The nodes, assets apart, that are not as they were `seen` last."""
    moved = []
    for node in nodes.values():
        metadata = node.metadata
        state = (
            node.status,
            metadata.get("stage"),
            metadata.get("progress"),
            metadata.get("last_answer"),
            node.process_uuid,
        )
        if node.type != "asset" and seen.get(node.id) != state:
            seen[node.id] = state
            moved.append(node)
    return moved


def _ask_again(workspace: Workspace, pipeline_id: str, publication: Publication) -> dict[str, str]:
    """An unchanged document whose last run failed or was cancelled runs again; what needs a decision stays failed."""
    pipeline = workspace.nodes.pipeline(pipeline_id)
    if pipeline and pipeline.desired == Desired.CANCELLED:
        workspace.nodes.set_desired(pipeline_id, Desired.RUN)
    reasons = workspace.asking.retry_failed(pipeline_id)
    pipeline = workspace.nodes.pipeline(pipeline_id)
    stopped = pipeline is not None and pipeline.outcome is not None and pipeline.outcome.status == "cancelled"
    if stopped and publication.nothing_to_do:
        workspace.nodes.set_desired(pipeline_id, Desired.RUN)
    return reasons


def _finished_before(before: Snapshot, wanted: Pipeline, nodes: list[Node], document: Path) -> Event | None:
    """The last event of an earlier run, when the document is as it was and its video still lies there."""
    pipeline, known = before.load(wanted.id)
    publication = compare(nodes, wanted, pipeline, known)
    if pipeline is None or not publication.nothing_to_do or pipeline.outcome is None:
        return None
    if pipeline.outcome.status != "completed":
        return None
    delivery = delivered(known[pipeline.final_node], document)
    if delivery is None:
        return None
    takes = before.takes_of(known)
    return finished(pipeline, pipeline.outcome, known, takes, delivery, document=str(document), unchanged=True)

"""`produce`: from a document to a finished video, told as events.

Every event is a JSON object with the key `event`; the last one is `finished`. What a person sees is drawn from the same
events.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video_production.cli.delivery import Delivery, deliver, delivered
from video_production.cli.workspace import Snapshot, Workspace, open_workspace, snapshot
from video_production.errors import OperatorError
from video_production.nodes.model import Desired, Node, NodeStatus, Outcome, Pipeline
from video_production.pipelines.documents import LOCAL_BUCKET, PipelineDocument
from video_production.pipelines.validation import load_valid_document, resolve
from video_production.scheduling.publishing import Publication, compare
from video_production.takes.model import Take

__all__ = ["Event", "follow", "produce", "wanted_pipeline"]

Event = dict[str, Any]
_LOOK_EVERY = 0.2
_PREWARM = ("scheduler", "elevenlabs_submitter", "elevenlabs_poller", "audio_mixer", "merger")


def produce(path: Path, *, fresh: bool, clock: Callable[[], float] = time.time) -> Generator[Event]:
    """Make the video of a document. Raises DocumentError, RequestError, OperatorError before anything is made."""
    document = load_valid_document(path)
    folder = path.parent
    nodes = resolve(document, folder)
    wanted = wanted_pipeline(document)
    yield {"event": "validated", "pipeline": document.id, "title": document.title, "nodes": len(nodes)}
    if not fresh:
        finished = _finished_before(snapshot(), wanted, nodes, folder)
        if finished:
            yield finished
            return
    with open_workspace(prewarm=_PREWARM) as workspace:
        workspace.cloud.ensure_bucket(wanted.bucket)
        publication = workspace.publisher.publish(nodes, wanted, fresh=fresh)
        yield _published(publication)
        kept = _ask_again(workspace, wanted.id, publication)
        yield from follow(workspace, wanted.id, folder, kept=kept, clock=clock)


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
    folder: Path,
    *,
    kept: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
) -> Generator[Event]:
    """Tell what happens to a pipeline until it ends, then bring its video to `folder`/output."""
    workspace.asking.run(pipeline_id)
    seen: dict[str, tuple[Any, ...]] = {}
    while True:
        pipeline, nodes = workspace.nodes.load(pipeline_id)
        for node in nodes.values():
            state = (node.status, node.metadata.get("stage"), node.metadata.get("progress"), node.process_uuid)
            if node.type != "asset" and seen.get(node.id) != state:
                seen[node.id] = state
                yield _node_event(node, clock())
        if pipeline is None:
            raise OperatorError(f"Pipeline '{pipeline_id}' has disappeared from the table.")
        if pipeline.outcome:
            takes = {node.id: workspace.asking.takes_of(node) for node in nodes.values()}
            delivery = None
            if pipeline.outcome.status == "completed":
                delivery = deliver(nodes[pipeline.final_node], folder, workspace.storage)
            yield _finished(pipeline, pipeline.outcome, nodes, takes, delivery, kept or {})
            return
        if not workspace.cloud.alive:
            raise OperatorError("The local cloud has ended; run the same command again to continue.")
        time.sleep(_LOOK_EVERY)


def _ask_again(workspace: Workspace, pipeline_id: str, publication: Publication) -> dict[str, str]:
    """An unchanged document whose last run failed or was cancelled runs again; what can't is told."""
    pipeline = workspace.nodes.pipeline(pipeline_id)
    if pipeline and pipeline.desired == Desired.CANCELLED:
        workspace.nodes.set_desired(pipeline_id, Desired.RUN)
    kept = workspace.asking.retry_failed(pipeline_id)
    pipeline = workspace.nodes.pipeline(pipeline_id)
    stopped = pipeline is not None and pipeline.outcome is not None and pipeline.outcome.status == "cancelled"
    if stopped and publication.nothing_to_do:
        workspace.nodes.set_desired(pipeline_id, Desired.RUN)
    return kept


def _finished_before(before: Snapshot, wanted: Pipeline, nodes: list[Node], folder: Path) -> Event | None:
    """The last event of an earlier run, when the document is as it was and its video still lies there."""
    pipeline, known = before.load(wanted.id)
    publication = compare(nodes, wanted, pipeline, known)
    if pipeline is None or not publication.nothing_to_do or pipeline.outcome is None:
        return None
    if pipeline.outcome.status != "completed":
        return None
    delivery = delivered(known[pipeline.final_node], folder)
    if delivery is None:
        return None
    event = _finished(pipeline, pipeline.outcome, known, before.takes_of(known), delivery, {})
    return {**event, "unchanged": True}


def _published(publication: Publication) -> Event:
    return {
        "event": "published",
        "revision": publication.revision,
        "new": list(publication.new),
        "changed": list(publication.changed),
        "remade": list(publication.affected),
        "reused": list(publication.reused),
        "removed": list(publication.removed),
    }


def _node_event(node: Node, now: float) -> Event:
    metadata = node.metadata
    started = metadata.get("started_at")
    ended = metadata.get("finished_at") or now
    output = node.output
    event = {
        "event": "node",
        "id": node.id,
        "title": node.title,
        "type": node.type,
        "status": str(node.status),
        "stage": metadata.get("stage"),
        "progress": metadata.get("progress"),
        "elapsed": round(ended - started, 2) if started else None,
        "reused": bool(metadata.get("reused")),
        "draft": bool(output and output.draft),
        "duration": output.duration if output else None,
        "note": metadata.get("fallback"),
        "inputs": len(node.input_ids),
    }
    if node.status == NodeStatus.FAILED:
        event |= {"error": metadata.get("error", ""), "error_type": metadata.get("error_type", "")}
    return event


@dataclass(frozen=True)
class _Bill:
    usd: float
    characters: int
    live_usd: float


def _bill(takes: Mapping[str, list[Take]]) -> _Bill:
    made = {take.id: take for entries in takes.values() for take in entries if take.made}
    return _Bill(
        usd=sum(take.price.usd for take in made.values()),
        characters=round(sum(take.price.quantity for take in made.values() if take.price.unit == "characters")),
        live_usd=sum(take.price.usd for take in made.values() if take.mode == "live"),
    )


def _finished(
    pipeline: Pipeline,
    outcome: Outcome,
    nodes: Mapping[str, Node],
    takes: Mapping[str, list[Take]],
    delivery: Delivery | None,
    kept: Mapping[str, str],
) -> Event:
    bill = _bill(takes)
    final = nodes.get(pipeline.final_node)
    failures = {
        node_id: kept.get(node_id) or str(nodes[node_id].metadata.get("error", "")) for node_id in outcome.failed
    }
    return {
        "event": "finished",
        "status": outcome.status,
        "pipeline": pipeline.id,
        "unchanged": False,
        "output": delivery.to_dict() if delivery else None,
        "draft": bool(final and final.output and final.output.draft),
        "duration": final.output.duration if final and final.output else None,
        "videos": [_video(node) for node in nodes.values() if node.type == "merge-videos" and node.output],
        "failed": failures,
        "blocked": list(outcome.blocked),
        "made": sum(1 for node in nodes.values() if node.type != "asset" and node.status == NodeStatus.COMPLETED),
        "cost": {"usd": round(bill.usd, 6), "live_usd": round(bill.live_usd, 6), "characters": bill.characters},
    }


def _video(node: Node) -> dict[str, Any]:
    output = node.output
    details = dict(output.details) if output else {}
    return {"id": node.id, "title": node.title, "duration": output.duration if output else None, **details}

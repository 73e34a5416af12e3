"""`produce`: from a document to a finished video, told as the events of `events.py`."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from video_production.cli.delivery import deliver, delivered, prepare
from video_production.cli.events import Event, finished, node_moved, planned, published, started, still, validated
from video_production.cli.spending import Estimate, buying_nodes, estimate
from video_production.cli.waiting import Places
from video_production.cli.workspace import Site, Snapshot, Workspace, bucket_for, load_known, site, takes_of
from video_production.errors import OperatorError, RequestError, TransientError
from video_production.nodes.model import Desired, Node, NodeStatus, Pipeline
from video_production.pipelines.documents import PipelineDocument
from video_production.pipelines.validation import load_valid_document, resolve
from video_production.scheduling.publishing import Publication, compare
from video_production.settings import ProviderSettings

__all__ = ["follow", "produce", "retry", "wanted_pipeline"]

_STILL_EVERY = 10.0
_PREWARM = ("scheduler", "elevenlabs_submitter", "elevenlabs_poller", "audio_mixer", "merger")

Agree = Callable[[Event], None]
"""Is shown a `planned` event that buys something. Raises RequestError unless a person agrees."""


def produce(
    path: Path,
    *,
    fresh: bool,
    environment: str | None = None,
    agree: Agree | None = None,
    download: bool = True,
    clock: Callable[[], float] = time.time,
) -> Generator[Event]:
    """Make the video of a document. Raises DocumentError, RequestError, OperatorError before anything is made."""
    document = load_valid_document(path)
    nodes = resolve(document, path.parent)
    here = site(environment)
    wanted = wanted_pipeline(document, bucket_for(document, here))
    yield validated(wanted, len(nodes), here.place)
    before = here.snapshot()
    if not fresh:
        unchanged = _finished_before(before, wanted, nodes, path, download)
        if unchanged:
            yield unchanged
            return
    if download:
        prepare(path.parent)
    with here.open(prewarm=_PREWARM) as workspace:
        here.make_ready(workspace, wanted.bucket)
        if not here.place.local:
            plan = _plan(here, workspace, before, wanted, nodes, fresh=fresh)
            yield plan
            _ask(plan, agree)
            yield {"event": "publishing"}
        publication = workspace.publisher.publish(nodes, wanted, fresh=fresh)
        yield published(publication)
        reasons = _ask_again(workspace, wanted.id, publication)
        yield from follow(workspace, wanted.id, path, reasons, download=download, clock=clock)


def retry(
    path: Path,
    pipeline_id: str,
    node: str,
    *,
    environment: str | None = None,
    agree: Agree | None = None,
    download: bool = True,
) -> Generator[Event]:
    """Make one failed node again, and what waits for it."""
    here = site(environment)
    if download:
        prepare(path.parent)
    with here.open() as workspace:
        if not here.place.local:
            pipeline, nodes = load_known(here.snapshot(), pipeline_id)
            yield validated(pipeline, len(nodes), here.place)
            here.make_ready(workspace, pipeline.bucket)
            plan = _plan_of_retry(here, workspace, nodes, node)
            yield plan
            _ask(plan, agree)
            yield {"event": "publishing"}
        workspace.asking.retry(pipeline_id, node)
        yield from follow(workspace, pipeline_id, path, download=download)


def wanted_pipeline(document: PipelineDocument, bucket: str) -> Pipeline:
    """The `#pipeline` item that a document asks for, without its state."""
    return Pipeline(
        id=document.id,
        title=document.title,
        revision=0,
        desired=Desired.RUN,
        node_ids=(),
        final_node="",
        bucket=bucket,
        prefix=document.config.storage.prefix or "",
    )


def follow(
    workspace: Workspace,
    pipeline_id: str,
    document: Path,
    reasons: Mapping[str, str] | None = None,
    *,
    download: bool = True,
    clock: Callable[[], float] = time.time,
) -> Generator[Event]:
    """Tell what happens to a pipeline until it ends, then bring its video to `output` beside the document.

    `reasons` says of failed nodes why they are not made again.
    """
    reasons = reasons or {}
    pipeline, nodes = _load(workspace, pipeline_id)
    kept = {node.id for node in nodes.values() if node.status == NodeStatus.COMPLETED}
    workspace.asking.run(pipeline_id)
    yield started(pipeline, nodes)  # only now: whoever stops watching from here on is told that it goes on
    seen: dict[str, tuple[Any, ...]] = {}
    queues = Places(workspace.nodes.queue, clock)
    began = quiet_since = clock()
    while True:
        pipeline, nodes = yield from _load_patiently(workspace, pipeline_id, clock)
        places = queues.of(nodes)
        for node in _moved(nodes, seen, places):
            quiet_since = clock()
            kept_so, why, place = node.id in kept, reasons.get(node.id, ""), places.get(node.id)
            yield node_moved(node, clock(), since=began, kept=kept_so, reason=why, place=place)
        if pipeline.outcome:
            yield _end(workspace, pipeline, nodes, document, reasons, download)
            return
        workspace.check_alive()
        if clock() - quiet_since > _STILL_EVERY:
            quiet_since = clock()
            yield still(nodes)
        time.sleep(workspace.look_every)


def _end(
    workspace: Workspace,
    pipeline: Pipeline,
    nodes: dict[str, Node],
    document: Path,
    reasons: Mapping[str, str],
    download: bool,
) -> Event:
    if pipeline.outcome is None:
        raise RequestError(f"Pipeline '{pipeline.id}' has not ended.")
    takes = {node.id: workspace.asking.takes_of(node) for node in nodes.values()}
    delivery = None
    if pipeline.outcome.status == "completed" and download:
        delivery = deliver(nodes[pipeline.final_node], document, workspace.storage)
    outcome, place = pipeline.outcome, workspace.place
    return finished(pipeline, outcome, nodes, takes, delivery, document=str(document), place=place, reasons=reasons)


def _load(workspace: Workspace, pipeline_id: str) -> tuple[Pipeline, dict[str, Node]]:
    pipeline, nodes = workspace.nodes.load(pipeline_id)
    if pipeline is None:
        raise RequestError(f"There is no pipeline '{pipeline_id}' here; run produce first.")
    return pipeline, nodes


def _load_patiently(
    workspace: Workspace, pipeline_id: str, clock: Callable[[], float]
) -> Generator[Event, None, tuple[Pipeline, dict[str, Node]]]:
    """A run on AWS goes on while this machine has lost its network: that is said once, and tried again for a while."""
    since: float | None = None
    while True:
        try:
            return _load(workspace, pipeline_id)
        except TransientError as error:
            if since is None:
                since = clock()
                if workspace.patience(error):
                    yield {"event": "unreachable", "why": str(error)}
            if clock() - since >= workspace.patience(error):
                raise
        time.sleep(workspace.look_every)


def _moved(nodes: dict[str, Node], seen: dict[str, tuple[Any, ...]], places: Mapping[str, int]) -> list[Node]:
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
            places.get(node.id),
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


def _finished_before(
    before: Snapshot, wanted: Pipeline, nodes: list[Node], document: Path, download: bool
) -> Event | None:
    """The last event of an earlier run, when the document is as it was and its video still lies there."""
    pipeline, known = before.load(wanted.id)
    publication = compare(nodes, wanted, pipeline, known)
    if pipeline is None or not publication.nothing_to_do or pipeline.outcome is None:
        return None
    if pipeline.outcome.status != "completed":
        return None
    delivery = delivered(known[pipeline.final_node], document) if download else None
    if delivery is None and download:
        return None
    takes, outcome = takes_of(before, known), pipeline.outcome
    about: dict[str, Any] = {"document": str(document), "place": before.place, "unchanged": True}
    return finished(pipeline, outcome, known, takes, delivery, **about)


# Money: what will be bought is said before anything is written


def _plan(
    here: Site, workspace: Workspace, before: Snapshot, wanted: Pipeline, nodes: list[Node], *, fresh: bool
) -> Event:
    pipeline, known = before.load(wanted.id)
    publication = compare(nodes, wanted, pipeline, known, fresh=fresh)
    done = {id for id in publication.reused if known[id].status == NodeStatus.COMPLETED}
    make = [node for node in nodes if node.type != "asset" and node.id not in done]
    settings = cache(here.provider)
    mode = _mode(make, settings)
    bought = Estimate()
    if mode == "live":
        inputs = {node.id: node for node in nodes}
        bought = estimate(make, inputs, before, workspace.storage, settings)
    return planned(mode, [node.id for node in make], bought)


def _plan_of_retry(here: Site, workspace: Workspace, nodes: dict[str, Node], node_id: str) -> Event:
    asked = [node for node in nodes.values() if node.id == node_id]
    waiting = [node for node in nodes.values() if node.type != "asset" and node.status == NodeStatus.PENDING]
    make = [*asked, *waiting]
    settings = cache(here.provider)
    mode = _mode(make, settings)
    bought = Estimate()
    if mode == "live":
        found = here.snapshot()
        again = estimate(asked, nodes, found, workspace.storage, settings, asked="retry")
        more = estimate(waiting, nodes, found, workspace.storage, settings)
        bought = Estimate(again.purchases + more.purchases, again.unknown + more.unknown)
    return planned(mode, [node.id for node in make], bought)


def _mode(make: list[Node], settings: Callable[[str], ProviderSettings]) -> str:
    """`live` as soon as one provider of these nodes is real; empty where no provider makes any of them."""
    modes = {settings(str(node.provider)).mode for node in buying_nodes(make)}
    return "live" if "live" in modes else "draft" if modes else ""


def _ask(plan: Event, agree: Agree | None) -> None:
    if plan["buys"] or plan["unknown"]:
        if agree is None:
            raise OperatorError("This run would buy something, and nobody was asked.")
        agree(plan)

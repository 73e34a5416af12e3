"""`produce`: from a document to a finished video, told as the events of `events.py`."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from video_production.cli.delivery import deliver, delivered, prepare
from video_production.cli.events import Event, finished, node_moved, published, started, still, validated
from video_production.cli.live import refuse_placeholders
from video_production.cli.plan_words import plan_event, plan_of_retry
from video_production.cli.planning import make_plan, moved_since, upgrades
from video_production.cli.spending import Appraiser, buying_nodes
from video_production.cli.waiting import Places
from video_production.cli.workspace import Site, Snapshot, Workspace, bucket_for, load_known, site, takes_of
from video_production.errors import OperatorError, RequestError, TransientError
from video_production.nodes.model import Desired, Node, NodeStatus, Pipeline
from video_production.pipelines.documents import PipelineDocument
from video_production.pipelines.validation import load_valid_document, resolve
from video_production.scheduling.publishing import Publication, compare
from video_production.settings import poller_of, submitter_of

__all__ = ["Terms", "follow", "produce", "real_providers", "retry", "wanted_pipeline"]

_STILL_EVERY = 10.0

Agree = Callable[[Event], None]
"""Is shown a `planned` event that buys something. Raises RequestError unless a person agrees."""


@dataclass(frozen=True)
class Terms:
    """On what terms a run is asked for.

    `live` names the providers that are to be the real ones on this machine, `plan` the plan that has been looked at,
    `budget` what the pipeline may cost in US dollars instead of what its document says. `agree` asks before something
    is bought.
    """

    live: tuple[str, ...] = ()
    plan: str = ""
    budget: float | None = None
    agree: Agree | None = None


def produce(
    path: Path,
    *,
    fresh: bool,
    environment: str | None = None,
    terms: Terms | None = None,
    download: bool = True,
    clock: Callable[[], float] = time.time,
) -> Generator[Event]:
    """Make the video of a document. Raises DocumentError, RequestError, OperatorError before anything is made."""
    terms = terms or Terms()
    document = load_valid_document(path)
    nodes = resolve(document, path.parent)
    here = site(environment, terms.live)
    wanted = wanted_pipeline(document, here, terms.budget)
    yield validated(wanted, len(nodes), here.place)
    before = here.snapshot()
    _, known = before.load(wanted.id)
    also = upgrades(nodes, known, before, cache(here.settings))
    if not fresh and not also and not terms.plan:
        unchanged = _finished_before(before, wanted, nodes, path, download)
        if unchanged:
            yield unchanged
            return
    refuse_placeholders(nodes, real_providers(here, nodes), str(path))
    planned = None
    if terms.plan or terms.live or not here.place.local:
        planned = make_plan(here, before, wanted, nodes, fresh=fresh, document=str(path))
        if terms.plan:
            moved_since(terms.plan, planned)
    else:
        Appraiser({}, before, here.reader(), cache(here.settings)).refuse_unclear(nodes, str(path))
    if download:
        prepare(path.parent)
    if planned and here.place.local:  # a local cloud with real keys is not even started before a person has agreed
        yield plan_event(planned)
        _ask(plan_event(planned), terms)
    with here.open(prewarm=_prewarm(nodes)) as workspace:
        here.make_ready(workspace, wanted.bucket)
        if planned and not here.place.local:
            yield plan_event(planned)
            _ask(plan_event(planned), terms)
            yield {"event": "publishing"}
        publication = workspace.publisher.publish(nodes, wanted, fresh=fresh, also=also)
        yield published(publication)
        reasons = _ask_again(workspace, wanted.id, publication)
        yield from follow(workspace, wanted.id, path, reasons, download=download, clock=clock)


def retry(
    path: Path,
    pipeline_id: str,
    node: str,
    *,
    environment: str | None = None,
    terms: Terms | None = None,
    download: bool = True,
) -> Generator[Event]:
    """Make one failed node again, and what waits for it."""
    terms = terms or Terms()
    here = site(environment, terms.live)
    if download:
        prepare(path.parent)
    found = here.snapshot()
    event = None
    if terms.live or not here.place.local:
        pipeline, nodes = load_known(found, pipeline_id)
        refuse_placeholders(nodes.values(), real_providers(here, nodes.values()), str(path))
        yield validated(pipeline, len(nodes), here.place)
        event = plan_of_retry(here, found, nodes, node, str(path))
    _same_kind(found.load(pipeline_id)[0], here)
    if event and here.place.local:
        yield event
        _ask(event, terms)
    with here.open() as workspace:
        if event and not here.place.local:
            here.make_ready(workspace, load_known(found, pipeline_id)[0].bucket)
            yield event
            _ask(event, terms)
            yield {"event": "publishing"}
        workspace.asking.retry(pipeline_id, node)
        yield from follow(workspace, pipeline_id, path, download=download)


def _same_kind(pipeline: Pipeline | None, here: Site) -> None:
    """A retry goes on as the run before it began: a real voice does not turn into a draft, nor the other way round."""
    before = tuple((pipeline.live if pipeline else None) or ())
    if pipeline is None or not here.place.local or sorted(before) == sorted(here.live or ()):
        return
    option = "".join(f" --live {name}" for name in before) or " no --live"
    raise RequestError(f"The last run of '{pipeline.id}' was made with{option}; retry goes on like that.")


def wanted_pipeline(document: PipelineDocument, here: Site, budget: float | None = None) -> Pipeline:
    """The `#pipeline` item that a document asks for, without its state. `budget` counts instead of the document's."""
    return Pipeline(
        id=document.id,
        title=document.title,
        revision=0,
        desired=Desired.RUN,
        node_ids=(),
        final_node="",
        bucket=bucket_for(document, here),
        prefix=document.config.storage.prefix or "",
        budget_usd=document.budget if budget is None else budget,
        live=here.live,
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
    failed = {(node.id, node.process_uuid) for node in nodes.values() if node.status == NodeStatus.FAILED}
    since = clock()
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
            before = {"kept": node.id in kept, "earlier": (node.id, node.process_uuid) in failed}
            why, place = reasons.get(node.id, ""), places.get(node.id)
            yield node_moved(node, clock(), since=began, **before, reason=why, place=place)
        if pipeline.outcome:
            yield _end(workspace, pipeline, nodes, document, reasons, download, since)
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
    since: float,
) -> Event:
    if pipeline.outcome is None:
        raise RequestError(f"Pipeline '{pipeline.id}' has not ended.")
    takes = {node.id: workspace.asking.takes_of(node) for node in nodes.values()}
    delivery = None
    if pipeline.outcome.status == "completed" and download:
        delivery = deliver(nodes[pipeline.final_node], document, workspace.storage)
    outcome, place = pipeline.outcome, workspace.place
    about: dict[str, Any] = {"document": str(document), "place": place, "reasons": reasons, "since": since}
    return finished(pipeline, outcome, nodes, takes, delivery, **about)


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
    if pipeline and pipeline.desired == Desired.CANCELLED and publication.nothing_to_do:  # else cancelled just now
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
    if pipeline is None or not publication.nothing_to_make or pipeline.outcome is None:
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


def real_providers(here: Site, nodes: Iterable[Node]) -> list[str]:
    """The providers of these nodes that are the real ones here."""
    names = {str(node.provider) for node in buying_nodes(nodes)}
    return sorted(name for name in names if here.settings(name).provider(name).mode == "live")


def _ask(event: Event, terms: Terms) -> None:
    """A plan that was named has been looked at."""
    if terms.plan or not (event["buys"] or event["unknown"]):
        return
    if terms.agree is None:
        raise OperatorError("This run would buy something, and nobody was asked.")
    terms.agree(event)


def _prewarm(nodes: Iterable[Node]) -> tuple[str, ...]:
    """The functions that a run will need first."""
    providers = dict.fromkeys(str(node.provider) for node in buying_nodes(nodes))
    buying = [role for name in providers for role in (submitter_of(name), poller_of(name))]
    return ("scheduler", *buying, "audio_mixer", "merger")

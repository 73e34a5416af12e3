"""`status`, `list` and `graph`: how far pipelines are, read without starting anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from video_production.cli.events import node_moved
from video_production.cli.place import Place
from video_production.cli.rows import Columns, doing, mark, node_details
from video_production.cli.words import KINDS, amount, count, listing, money
from video_production.cli.workspace import Entry, Snapshot, site
from video_production.nodes.model import Node, NodeStatus, Pipeline
from video_production.pipelines.documents import load_document
from video_production.pipelines.graph import mermaid
from video_production.pipelines.validation import resolve
from video_production.takes.model import Take, TakeState

__all__ = ["graph_text", "list_lines", "list_objects", "overview", "overview_lines", "status_lines", "status_object"]

_STATES = {"run": "unfinished", "editing": "unfinished", "cancelled": "cancelled"}
_STATES_ON_AWS = {"run": "running", "editing": "being changed", "cancelled": "being cancelled"}
_MONEY = {
    TakeState.SUBMITTING: "no answer yet",
    TakeState.UNKNOWN: "may have been paid, to be decided with resolve",
    TakeState.ABANDONED: "may have been paid, given up",
    TakeState.RELEASED: "to be sent again",
}


def overview(found: Snapshot) -> list[dict[str, Any]]:
    """Every pipeline with its title and state, by name."""
    entries = sorted(found.pipelines(), key=lambda entry: entry.pipeline.id)
    return [_listed(found.place, entry) for entry in entries]


def overview_lines(place: Place, pipelines: list[dict[str, Any]]) -> list[str]:
    """The same for a person."""
    banner = [] if place.local else [place.banner]
    if not pipelines:
        return [*banner, "No pipeline has been produced here yet."]
    width = max(len(entry["pipeline"]) for entry in pipelines)
    return banner + [f" {entry['pipeline']:<{width}}  {entry['state']:<9}  {entry['title']}" for entry in pipelines]


def list_objects(place: Place, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Pipelines with the moment at which something last happened to them, for programs."""
    return [{**_listed(place, entry), "at": _moment(entry.at, "seconds")} for entry in entries]


def list_lines(place: Place, entries: Sequence[Entry], limit: int) -> Iterator[str]:
    """One line per pipeline, at most `limit`; the rest is counted."""
    yield place.banner
    if not entries:
        yield " No pipelines."
    shown = entries[:limit]
    widest = max((len(entry.pipeline.id) for entry in shown), default=0)
    states = max((len(_state(entry.pipeline, place)) for entry in shown), default=0)
    for entry in shown:
        when = (_moment(entry.at, "minutes") or "").replace("T", " ")[:16]
        state = _state(entry.pipeline, place)
        yield f" {entry.pipeline.id:<{widest}}  {state:<{states}}  {when:<16}  {entry.pipeline.title}".rstrip()
    if len(entries) > limit:
        yield f" … and {len(entries) - limit:,} older; --limit shows more"


def _listed(place: Place, entry: Entry) -> dict[str, Any]:
    pipeline = entry.pipeline
    return {"pipeline": pipeline.id, "title": pipeline.title, "state": _state(pipeline, place)}


def _moment(at: float, precision: str) -> str | None:
    """Unix seconds as local time in ISO 8601."""
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec=precision) if at else None


def status_lines(
    place: Place,
    pipeline: Pipeline,
    nodes: Mapping[str, Node],
    takes: Mapping[str, list[Take]],
    places: Mapping[str, int],
) -> Iterator[str]:
    """What a person reads: one line per node, more where something is to be known. `places` are those in queues."""
    state = _state(pipeline, place)
    yield f"{place.banner} · {pipeline.id} · {pipeline.title} · revision {pipeline.revision} · {state}"
    columns = Columns.of([{"id": node.id, "type": node.type} for node in nodes.values()], longest_id=200)
    for node in nodes.values():
        if node.type == "asset":
            continue
        event = node_moved(node, node.touched_at, since=0, place=places.get(node.id))
        row = f" {mark(event)} {node.id:<{columns.ids}}  {KINDS[node.type]:<{columns.kinds}}"
        doing_now = _waiting_for(node, nodes) if _idle(node, places) else doing(event)
        yield f"{row}  {node.provider or '':<10}  {doing_now}".rstrip()
        if node.status == NodeStatus.FAILED:
            yield from node_details(event)
        for take in takes.get(node.id, ()):
            yield f"     {_take_line(node, take)}"
    assets = [node.id for node in nodes.values() if node.type == "asset"]
    if assets:
        yield f" {count(len(assets), 'asset')}: {listing(assets)}"


def _idle(node: Node, places: Mapping[str, int]) -> bool:
    return node.status == NodeStatus.PENDING and node.id not in places


def _waiting_for(node: Node, nodes: Mapping[str, Node]) -> str:
    """What keeps a node that has not begun: the inputs that it lacks, or nothing but its turn."""
    ids = dict.fromkeys(id for id in node.input_ids if id in nodes)
    missing = [id for id in ids if nodes[id].status != NodeStatus.COMPLETED]
    return f"waiting for {listing(missing)}" if missing else "not started"


def _take_line(node: Node, take: Take) -> str:
    last = take.current
    parts = [f"id {last.external_id}" if last.external_id else "no id"]
    if part := _part(node, take):
        parts.insert(0, f"part {part} of {len(node.metadata['takes'])}")
    parts.append(f"attempt {last.number} of {len(take.attempts)}")
    answer = _last_answer(node, take)
    if answer and answer != node.metadata.get("error"):
        parts.append(f"last answer: {answer}")
    if take.state in _MONEY:
        parts.append(_MONEY[take.state])
    parts.append(f"{amount(take.cost.quantity, take.cost.unit)}, {money(take.cost.usd)} ({take.mode})")
    return " · ".join(parts)


def _part(node: Node, take: Take) -> int | None:
    """Which part of the node a request is for; None where there is one for the whole."""
    ids = list(node.metadata.get("takes", ()))
    return ids.index(take.id) + 1 if len(ids) > 1 and take.id in ids else None


def _last_answer(node: Node, take: Take) -> str | None:
    known = take.current.message or node.metadata.get("last_answer")
    return str(known) if known else "result received" if take.made else None


def _state(pipeline: Pipeline, place: Place) -> str:
    states = _STATES if place.local else _STATES_ON_AWS
    return pipeline.outcome.status if pipeline.outcome else states[pipeline.desired]


def status_object(
    place: Place,
    pipeline: Pipeline,
    nodes: Mapping[str, Node],
    takes: Mapping[str, list[Take]],
    places: Mapping[str, int],
) -> dict[str, Any]:
    """The same for programs."""
    return {
        **place.to_dict(),
        "pipeline": pipeline.id,
        "title": pipeline.title,
        "revision": pipeline.revision,
        "desired": str(pipeline.desired),
        "outcome": pipeline.outcome.status if pipeline.outcome else None,
        "nodes": [_node_object(node, takes.get(node.id, []), places.get(node.id)) for node in nodes.values()],
    }


def _node_object(node: Node, takes: list[Take], queued: int | None) -> dict[str, Any]:
    return {
        "id": node.id,
        "type": node.type,
        "status": str(node.status),
        "queue": {"provider": node.provider, "place": queued} if queued else None,
        "metadata": dict(node.metadata),
        "output": node.output.to_dict() if node.output else None,
        "requests": [
            {
                "provider": take.provider,
                "external_id": take.current.external_id,
                "part": _part(node, take),
                "attempt": take.current.number,
                "attempts": len(take.attempts),
                "state": str(take.state),
                "last_answer": _last_answer(node, take),
                "mode": take.mode,
                "usd": take.price.usd,
            }
            for take in takes
        ],
    }


def graph_text(path: Path, environment: str | None = None) -> str:
    """A document's graph as Mermaid text; nodes have the colour of their state where the pipeline ran before."""
    document = load_document(path)
    _, known = site(environment).snapshot().load(document.id)
    nodes = [
        replace(node, status=known[node.id].status if node.id in known else node.status)
        for node in resolve(document, path.parent)
    ]
    return mermaid(nodes)

"""What `produce` and `retry` tell, as plain JSON objects: everything that a person sees is drawn from these.

validated   the document is sound: pipeline, title, nodes (how many), where (environment; on AWS region and account)
planned     where something may be bought, and with --plan (`plan_words.plan_event`): mode (draft, live), make (ids),
            buys (node, provider, quantity, unit, usd, …), unknown (ids), plan (its hash), seconds, warnings
publishing  on AWS alone: from here on something is written
published   what an edit changed: new, changed, remade, reused, removed (ids)
started     the run begins: every node with id, title, type, status
node        a node moved: status, stage, progress, elapsed, last_answer, …
still       nothing moved for a while: running (ids)
unreachable on AWS alone: it does not answer just now; why
finished    the last one: status, output, videos, failed, blocked, cost, …
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from video_production.cli.delivery import Delivery
from video_production.cli.place import Place
from video_production.nodes.model import Node, NodeStatus, Outcome, Pipeline
from video_production.scheduling.publishing import Publication
from video_production.takes.model import Take, TakeState

__all__ = ["Event", "finished", "node_moved", "published", "started", "still", "validated"]

Event = dict[str, Any]
_UNDECIDED = (TakeState.UNKNOWN, TakeState.ABANDONED)


def validated(pipeline: Pipeline, nodes: int, place: Place) -> Event:
    about = {"pipeline": pipeline.id, "title": pipeline.title, "nodes": nodes}
    return {
        "event": "validated",
        **about,
        "where": place.to_dict(),
        "banner": place.banner,
        "live": list(pipeline.live or ()),
    }


def published(publication: Publication) -> Event:
    return {
        "event": "published",
        "revision": publication.revision,
        "new": list(publication.new),
        "changed": list(publication.changed),
        "remade": list(publication.affected),
        "reused": list(publication.reused),
        "removed": list(publication.removed),
    }


def started(pipeline: Pipeline, nodes: Mapping[str, Node]) -> Event:
    listed = [
        {"id": node.id, "title": node.title, "type": node.type, "status": str(node.status)} for node in nodes.values()
    ]
    return {"event": "started", "pipeline": pipeline.id, "title": pipeline.title, "nodes": listed}


def still(nodes: Mapping[str, Node]) -> Event:
    running = [node.id for node in nodes.values() if node.status == NodeStatus.IN_PROGRESS]
    return {"event": "still", "running": running}


def node_moved(
    node: Node,
    now: float,
    *,
    since: float,
    kept: bool = False,
    earlier: bool = False,
    reason: str = "",
    place: int | None = None,
) -> Event:
    """How a node stands. `kept`: it was finished before this run began; `reason`: why a failed one stays so; `place`:
    where it stands in the queue for its provider. `earlier`: it failed before this run, which did not try it again.

    `elapsed` is in seconds, of the run that began at `since`: what an interrupted one spent does not count.
    """
    metadata, output = node.metadata, node.output
    begun, ended = metadata.get("started_at"), metadata.get("finished_at") or now
    event: Event = {
        "event": "node",
        "id": node.id,
        "title": node.title,
        "type": node.type,
        "status": str(node.status),
        "stage": metadata.get("stage"),
        "progress": metadata.get("progress"),
        "elapsed": round(max(0.0, ended - max(begun, since)), 2) if begun and not kept and not earlier else None,
        "reused": kept or bool(metadata.get("reused")),
        "kept": kept,
        "earlier": earlier,
        "draft": bool(output and output.draft),
        "duration": output.duration if output else None,
        "external_id": metadata.get("external_id"),
        "attempt": metadata.get("attempt"),
        "part": metadata.get("part"),
        "parts": metadata.get("parts"),
        "last_answer": metadata.get("last_answer"),
        "note": metadata.get("fallback"),
        "queue": {"provider": str(node.provider), "place": place} if place else None,
    }
    if output and output.details:
        event["details"] = dict(output.details)
    if node.status == NodeStatus.FAILED:
        event |= {"error": reason or metadata.get("error", ""), "error_type": metadata.get("error_type", "")}
    return event


def finished(
    pipeline: Pipeline,
    outcome: Outcome,
    nodes: Mapping[str, Node],
    takes: Mapping[str, list[Take]],
    delivery: Delivery | None,
    *,
    document: str,
    place: Place,
    reasons: Mapping[str, str] | None = None,
    unchanged: bool = False,
    since: float = float("inf"),
) -> Event:
    """How the run ended; it began at `since`, so what was sent from then on is new.

    `decide` maps failed nodes to what they need: `resolve` or `retry`, or a higher `budget`. `output` has paths when
    the video was brought here (`delivery`), else the `url` of where it lies.
    """
    bill, reasons = _bill(takes, since), reasons or {}
    final = nodes.get(pipeline.final_node)
    return {
        "event": "finished",
        "status": outcome.status,
        "pipeline": pipeline.id,
        "document": document,
        "unchanged": unchanged,
        "environment": place.environment,
        "output": delivery.to_dict() if delivery else _left_there(outcome, final, place),
        "draft": bool(final and final.output and final.output.draft),
        "duration": final.output.duration if final and final.output else None,
        "videos": [_video(node) for node in nodes.values() if node.type == "merge-videos" and node.output],
        "failed": {
            node_id: reasons.get(node_id) or str(nodes[node_id].metadata.get("error", "")) for node_id in outcome.failed
        },
        "blocked": list(outcome.blocked),
        "decide": _decisions(outcome, takes, nodes),
        "made": sum(node.type != "asset" and node.status == NodeStatus.COMPLETED for node in nodes.values()),
        "cost": {
            "usd": round(bill.usd, 6),
            "live_usd": round(bill.live_usd, 6),
            "new_usd": round(bill.new_usd, 6),
            "quantities": bill.quantities,
        },
        "script": _script(nodes),
    }


def _left_there(outcome: Outcome, final: Node | None, place: Place) -> Event | None:
    if place.local or outcome.status != "completed" or final is None or final.output is None:
        return None
    output = final.output
    captions = [output.captions.srt, output.captions.vtt] if output.captions else []
    return {
        "url": f"s3://{output.bucket}/{output.s3_key}",
        "captions": [f"s3://{output.bucket}/{key}" for key in captions],
    }


def _video(node: Node) -> dict[str, Any]:
    output = node.output
    about = {"id": node.id, "title": node.title, "type": node.type, "duration": output.duration if output else None}
    return {**about, **(output.details if output else {})}


def _decisions(outcome: Outcome, takes: Mapping[str, list[Take]], nodes: Mapping[str, Node]) -> dict[str, str]:
    """What a person has to say before a failed node may cost money again."""
    decisions: dict[str, str] = {}
    for node_id in outcome.failed:
        if nodes[node_id].metadata.get("error_type") == "BudgetExceeded":
            decisions[node_id] = "budget"
        for take in takes.get(node_id, ()):
            if take.state in _UNDECIDED:
                decisions[node_id] = "resolve"
            elif take.state == TakeState.FAILED and take.current.charged is not False:
                decisions.setdefault(node_id, "retry")
    return decisions


def _script(nodes: Mapping[str, Node]) -> str | None:
    """The document's first script that is a file, as the document names it."""
    for node in nodes.values():
        asset = node.asset or {}
        if asset.get("type") == "text" and "://" not in str(asset.get("source", "://")):
            return str(asset["source"])
    return None


@dataclass(frozen=True)
class _Bill:
    usd: float
    quantities: dict[str, float]
    live_usd: float
    new_usd: float


def _bill(takes: Mapping[str, list[Take]], since: float) -> _Bill:
    """What a pipeline consists of, and what of that was sent since: of real providers where there are any."""
    made = {take.id: take for entries in takes.values() for take in entries if take.made}
    quantities: dict[str, float] = {}
    for take in made.values():
        quantities[take.cost.unit] = round(quantities.get(take.cost.unit, 0) + take.cost.quantity, 3)
    live = [take for take in made.values() if take.mode == "live"]
    return _Bill(
        usd=sum(take.cost.usd for take in made.values()),
        quantities=quantities,
        live_usd=sum(take.cost.usd for take in live),
        new_usd=sum(take.cost.usd for take in live or made.values() if take.current.sent_at >= since),
    )

"""`status` and `graph`: how far a pipeline is, read from disk without starting anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from video_production.cli.words import KINDS, listing, money, stage
from video_production.cli.workspace import snapshot
from video_production.nodes.model import Node, Pipeline
from video_production.pipelines.documents import load_document
from video_production.pipelines.graph import mermaid
from video_production.pipelines.validation import resolve
from video_production.takes.model import Take

__all__ = ["graph_text", "status_lines", "status_object"]


def status_lines(pipeline: Pipeline, nodes: Mapping[str, Node], takes: Mapping[str, list[Take]]) -> Iterator[str]:
    """What a person reads: one line per node, more where something is to be known."""
    ended = pipeline.outcome.status if pipeline.outcome else str(pipeline.desired)
    yield f"LOCAL · {pipeline.id} · {pipeline.title} · revision {pipeline.revision} · {ended}"
    made = [node for node in nodes.values() if node.type != "asset"]
    width = max((len(node.id) for node in made), default=0)
    for node in made:
        provider = node.provider or ""
        yield f" {node.id:<{width}}  {KINDS[node.type]:<10}  {provider:<10}  {stage(node)}".rstrip()
        if node.metadata.get("error"):
            yield f"     {node.metadata['error']}"
        for take in takes.get(node.id, ()):
            yield "     " + _take_line(node, take)
    assets = [node.id for node in nodes.values() if node.type == "asset"]
    yield f" assets: {listing(assets)}"


def _take_line(node: Node, take: Take) -> str:
    last = take.current
    parts = [f"{take.provider} id {last.external_id or 'not known'}"]
    parts.append(f"attempt {last.number} of {len(take.attempts)}")
    if node.metadata.get("last_answer"):
        parts.append(f"last answer: {node.metadata['last_answer']}")
    parts.append(f"{take.price.quantity:.0f} {take.price.unit}, {money(take.price.usd)} ({take.mode})")
    return " · ".join(parts)


def status_object(pipeline: Pipeline, nodes: Mapping[str, Node], takes: Mapping[str, list[Take]]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "environment": "local",
        "pipeline": pipeline.id,
        "title": pipeline.title,
        "revision": pipeline.revision,
        "desired": str(pipeline.desired),
        "outcome": pipeline.outcome.status if pipeline.outcome else None,
        "nodes": [
            {
                "id": node.id,
                "type": node.type,
                "status": str(node.status),
                "stage": stage(node),
                "metadata": dict(node.metadata),
                "output": node.output.to_dict() if node.output else None,
                "requests": [
                    {
                        "provider": take.provider,
                        "external_id": take.current.external_id,
                        "attempt": take.current.number,
                        "attempts": len(take.attempts),
                        "state": str(take.state),
                        "mode": take.mode,
                        "usd": take.price.usd,
                    }
                    for take in takes.get(node.id, ())
                ],
            }
            for node in nodes.values()
        ],
    }


def graph_text(path: Path) -> str:
    """A document's graph as Mermaid text; nodes have the colour of their state where the pipeline ran before."""
    document = load_document(path)
    _, known = snapshot().load(document.id)
    nodes = [
        replace(node, status=known[node.id].status if node.id in known else node.status)
        for node in resolve(document, path.parent)
    ]
    return mermaid(nodes)

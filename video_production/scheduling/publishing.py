"""Bring a validated document into the tables: upload assets, find what changed, write nodes, then the revision.

Changed nodes and their descendants return to pending; everything else keeps what it has. Until the revision is written
nothing is claimed and nothing is paid, so an interrupted edit is simply done again.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from video_production.errors import DocumentError, Problem
from video_production.nodes.model import MediaType, Node, NodeStatus, Output, Pipeline
from video_production.nodes.table import NodeTable
from video_production.pipelines.graph import descendants, final_nodes, users_of
from video_production.scheduling.causes import differences, through
from video_production.storage import CHUNK, Storage, parse_s3_url

__all__ = ["Publication", "Publisher", "compare"]

_FETCH_TIMEOUT = 30
_NOWHERE = ("", "")
"""The place of a pipeline whose first edit is not published yet."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What an edit did: ids of nodes that are `new`, `changed`, `affected` (descendants of those), `reused`, `removed`.

    `revision` is None when the document says what the tables say already. `causes` says of each new, changed or
    affected node why, in words for people. `nothing_to_make`: at most the budget or the like is another.
    """

    revision: int | None
    new: tuple[str, ...]
    changed: tuple[str, ...]
    affected: tuple[str, ...]
    reused: tuple[str, ...]
    removed: tuple[str, ...]
    nothing_to_do: bool = False
    nothing_to_make: bool = False
    causes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def compare(
    wanted: Sequence[Node],
    pipeline: Pipeline,
    before_pipeline: Pipeline | None,
    before: Mapping[str, Node],
    *,
    fresh: bool = False,
    also: Mapping[str, str] | None = None,
) -> Publication:
    """What publishing `wanted` (structure, in topological order) over `before` would do.

    `also` names nodes that are to be made again although nothing about them changed, with the reason.
    """
    also = also or {}
    moved = before_pipeline is not None and _place(before_pipeline) not in (_place(pipeline), _NOWHERE)
    structures = {node.id: _structure(node, pipeline) for node in wanted}
    new = {node_id for node_id in structures if node_id not in before}
    changed = {
        node_id
        for node_id, node in structures.items()
        if node_id in before and (fresh or moved or node_id in also or not _same_structure(before[node_id], node))
    }
    removed = [node_id for node_id in before if node_id not in structures]
    redo = new | changed
    affected = descendants({node.id: node.input_ids for node in structures.values()}, redo) - redo
    retitled = any(node.id in before and before[node.id].title != node.title for node in structures.values())
    unfinished = before_pipeline is None or before_pipeline.editing
    to_make = redo or removed or retitled or unfinished
    elsewhere = "the media go elsewhere now" if moved else "made afresh, as asked" if fresh else ""

    def cause(node: Node) -> tuple[str, ...]:
        if node.id in new:
            return ("it is new",)
        if node.id in changed:
            why = differences(before[node.id], node)
            return (*why, *([also[node.id]] if node.id in also else [])) or (elsewhere,)
        words = dict.fromkeys(affected | changed, "is made again") | dict.fromkeys(new, "is new")
        words |= {id: "changed" for id in changed if differences(before[id], structures[id])}
        return through(node, words)

    def in_order(ids: Collection[str]) -> tuple[str, ...]:
        return tuple(node_id for node_id in structures if node_id in ids)

    return Publication(
        revision=None,
        new=in_order(new),
        changed=in_order(changed),
        affected=in_order(affected),
        reused=in_order(structures.keys() - redo - affected),
        removed=tuple(removed),
        nothing_to_do=not to_make and before_pipeline is not None and _terms(before_pipeline) == _terms(pipeline),
        nothing_to_make=not to_make,
        causes={id: cause(node) for id, node in structures.items() if id in redo or id in affected},
    )


class Publisher:
    """Writes documents into the node table and their assets into the bucket."""

    def __init__(self, nodes: NodeTable, storage: Storage) -> None:
        self.nodes = nodes
        self.storage = storage

    def publish(
        self,
        wanted: Sequence[Node],
        pipeline: Pipeline,
        *,
        fresh: bool = False,
        also: Mapping[str, str] | None = None,
    ) -> Publication:
        """Write `wanted` (structure, in topological order) as `pipeline`. `fresh` forgets every finished node, `also`
        those that it names, for the reasons that it gives.

        Of two people who publish at the same time the later one wins; the other one gets a RequestError.
        """
        before_pipeline, before = self.nodes.load(pipeline.id)
        publication = compare(wanted, pipeline, before_pipeline, before, fresh=fresh, also=also)
        if publication.nothing_to_do:
            return publication
        edits = self.nodes.edits
        edit = edits.begin(pipeline.id)
        before_pipeline, before = self.nodes.load(pipeline.id)  # as it is now that nobody else can change it
        publication = compare(wanted, pipeline, before_pipeline, before, fresh=fresh, also=also)
        users = users_of({node.id: node.input_ids for node in wanted})
        structures = {node.id: replace(_structure(node, pipeline), users=tuple(users[node.id])) for node in wanted}
        redo = {*publication.new, *publication.changed}
        renamed_or_relinked = {
            node_id
            for node_id, node in structures.items()
            if node_id in before and (before[node_id].title, before[node_id].users) != (node.title, node.users)
        }
        for node_id in structures:  # state first: after an interruption a node that is still to be reset still differs
            if node_id in redo or node_id in publication.affected:
                edits.reset(pipeline.id, node_id, edit, publication.causes[node_id], before=before.get(node_id))
        for node in wanted:
            if node.id in redo or node.id in renamed_or_relinked:
                edits.save_structure(structures[node.id], edit)
            if node.type == "asset" and (node.id in redo or before[node.id].status != NodeStatus.COMPLETED):
                edits.provide_asset(pipeline.id, node.id, self._upload(node, pipeline), edit)
        for node_id in publication.removed:
            edits.remove(pipeline.id, node_id, edit)
        final = pipeline.final_node or final_nodes({node.id: node.input_ids for node in wanted})[0]
        revision = edits.publish(replace(pipeline, node_ids=tuple(structures), final_node=final), edit)
        return replace(publication, revision=revision)

    def _upload(self, node: Node, pipeline: Pipeline) -> Output:
        """Put an asset where the functions can read it: `{prefix}{pipeline}/assets/{node}/{hash}{suffix}`."""
        asset: Mapping[str, Any] = node.asset or {}
        media_type: MediaType = asset["type"]
        if "content" in asset:
            content = str(asset["content"]).encode()
            suffix = ".json" if media_type == "json" else ".txt"
            key = self._key(pipeline, node.id, hashlib.sha256(content).hexdigest(), suffix)
            kind = "application/json" if media_type == "json" else "text/plain; charset=utf-8"
            stored = self.storage.put_bytes(content, pipeline.bucket, key, kind)
            return Output(media_type, key, stored.size, stored.sha256, pipeline.bucket)
        source = str(asset["source"])
        if source.startswith("s3://"):
            location = parse_s3_url(source)
            found = self.storage.head(location.bucket, location.key)
            if found is None:
                raise DocumentError(
                    pipeline.id,
                    [Problem(f"nodes.{node.id}.asset.source", f"{source} does not exist or can't be read.")],
                )
            return Output(media_type, location.key, found.size, found.sha256 or found.etag.strip('"'), location.bucket)
        if source.startswith("https://"):
            return self._fetch(node, source, pipeline)
        path = Path(str(asset["path"]))
        key = self._key(pipeline, node.id, str(asset["sha256"]), path.suffix.lower())
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        stored = self.storage.upload(path, pipeline.bucket, key, kind)
        return Output(media_type, key, stored.size, stored.sha256, pipeline.bucket)

    def _fetch(self, node: Node, source: str, pipeline: Pipeline) -> Output:
        """Copy what lies behind an address into the bucket, streamed; its name there comes from the address.

        Redirects are followed, but never out of TLS: the insides of networks, such as a machine's own credentials,
        speak plain HTTP.
        """
        url_path = urlsplit(source).path
        key = self._key(pipeline, node.id, hashlib.sha256(source.encode()).hexdigest(), Path(url_path).suffix.lower())
        try:
            with requests.Session() as session:
                del session.adapters["http://"]
                with session.get(source, stream=True, timeout=_FETCH_TIMEOUT) as answer:
                    answer.raise_for_status()
                    kind = answer.headers.get("Content-Type", "application/octet-stream")
                    stored = self.storage.put(answer.iter_content(CHUNK), pipeline.bucket, key, kind)
        except requests.RequestException as error:
            because = f"status {error.response.status_code}" if error.response is not None else type(error).__name__
            problem = Problem(f"nodes.{node.id}.asset.source", f"{source} can't be fetched ({because}).")
            raise DocumentError(pipeline.id, [problem]) from error
        media_type: MediaType = (node.asset or {})["type"]
        return Output(media_type, key, stored.size, stored.sha256, pipeline.bucket)

    def _key(self, pipeline: Pipeline, node_id: str, sha256: str, suffix: str) -> str:
        return f"{pipeline.prefix}{pipeline.id}/assets/{node_id}/{sha256[:16]}{suffix}"


def _place(pipeline: Pipeline) -> tuple[str, str]:
    return pipeline.bucket, pipeline.prefix


def _terms(pipeline: Pipeline) -> tuple[Any, ...]:
    """What a run may cost and from whom it may buy."""
    return pipeline.budget_usd, None if pipeline.live is None else sorted(pipeline.live)


def _structure(node: Node, pipeline: Pipeline) -> Node:
    return replace(node, pipeline_id=pipeline.id, asset=_stored_asset(node))


def _stored_asset(node: Node) -> dict[str, Any] | None:
    """What the table keeps of an asset: everything but where it lay on somebody's disk."""
    return {key: value for key, value in node.asset.items() if key != "path"} if node.asset else None


def _same_structure(left: Node, right: Node) -> bool:
    """Titles are for people: a new one remakes nothing."""
    return (left.type, dict(left.inputs), dict(left.config), _identity(left)) == (
        right.type,
        dict(right.inputs),
        dict(right.config),
        _identity(right),
    )


def _identity(node: Node) -> tuple[Any, ...] | None:
    """An asset is its type and content; a renamed file with the same content is the same asset."""
    if not node.asset:
        return None
    content = node.asset.get("sha256") or node.asset.get("content") or node.asset.get("source")
    return (node.asset.get("type"), content)

"""Is a document fit to be produced? And if it is: its nodes in the order in which they are made."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from video_production.errors import DocumentError, Problem
from video_production.nodes.model import Node
from video_production.pipelines import graph
from video_production.pipelines.asset_files import content_text, file_digest, local_path
from video_production.pipelines.checks import find_problems, in_document_order
from video_production.pipelines.documents import AnyNode, PipelineDocument, load_document
from video_production.pipelines.node_base import Asset
from video_production.pipelines.node_types import AssetNode
from video_production.pipelines.steps import inputs_of, steps_of

__all__ = ["load_valid_document", "resolve", "validate_document"]


def validate_document(document: PipelineDocument, folder: Path) -> list[Problem]:
    """Everything that is wrong with a document of the right form, in its own order; empty when it can be produced.

    `folder` is where relative asset paths start. Reads local asset files, writes nothing, asks nobody.
    """
    return in_document_order(find_problems(steps_of(document.nodes), folder))


def load_valid_document(path: Path) -> PipelineDocument:
    """Read a document that can be produced. Raises DocumentError with every problem of form, graph and assets."""
    document = load_document(path)
    problems = validate_document(document, path.parent)
    if problems:
        raise DocumentError(str(path), problems)
    return document


def resolve(document: PipelineDocument, folder: Path) -> list[Node]:
    """The structure of a valid document as the product's own nodes, each after all of its inputs.

    `config` has every default filled in. An asset is `{type, source | content, sha256, path}`: `path` is the absolute
    path of a local file; sources behind a URL have neither `sha256` nor `path`. Raises DocumentError when an asset file
    can't be read any more.
    """
    nodes = {node.id: _structure(node, document.id, folder) for node in document.nodes}
    order = graph.topological_order({id: node.input_ids for id, node in nodes.items()})
    return [nodes[id] for id in order]


def _structure(node: AnyNode, pipeline_id: str, folder: Path) -> Node:
    return Node(
        pipeline_id=pipeline_id,
        id=node.id,
        title=node.title,
        type=node.type,
        inputs=inputs_of(node),
        config=node.config.effective(),
        asset=_asset(node.asset, node.id, folder) if isinstance(node, AssetNode) else None,
    )


def _asset(asset: Asset, node_id: str, folder: Path) -> dict[str, Any]:
    if asset.source is None:
        text = content_text(asset)
        return {"type": asset.type, "content": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    path = local_path(asset, folder)
    if path is None:
        return {"type": asset.type, "source": asset.source}
    try:
        digest = file_digest(path)
    except OSError as error:
        message = f"'{asset.source}' can't be read ({error.strerror}). Check the file and its permissions."
        raise DocumentError(str(folder), [Problem(f"nodes.{node_id}.asset.source", message)]) from error
    return {"type": asset.type, "source": asset.source, "sha256": digest, "path": str(path.resolve())}

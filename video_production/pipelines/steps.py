"""The nodes of a document as far as they can be understood, so that one mistake does not hide the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from video_production.nodes.model import MediaType
from video_production.pipelines.messages import node_path
from video_production.pipelines.node_base import Asset, Config, NodeModel
from video_production.pipelines.node_types import NODE_TYPES, NodeType

__all__ = ["Step", "inputs_of", "sketch", "steps_of"]

Part = TypeVar("Part", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Step:
    """What is known of one node.

    `inputs` holds what is plugged into inputs that the type has; `uses` every id named anywhere under inputs. `id` is
    None for a node without a usable one. `makes` is None where the media type can't be told.
    """

    index: int
    path: str
    id: str | None
    kind: NodeType | None
    inputs: Mapping[str, tuple[str, ...]]
    uses: frozenset[str]
    makes: MediaType | None
    config: Config | None
    asset: Asset | None


def steps_of(nodes: Sequence[NodeModel]) -> list[Step]:
    """The steps of a document whose form is right."""
    return [_whole(node, index) for index, node in enumerate(nodes)]


def sketch(nodes: Sequence[Any]) -> list[Step]:
    """The steps of plain data that may be wrong anywhere."""
    return [_sketched(node, index) for index, node in enumerate(nodes)]


def inputs_of(node: NodeModel) -> dict[str, tuple[str, ...]]:
    """What is plugged into each input, in document spelling; inputs that are left out are not there."""
    inputs: BaseModel = getattr(node, "inputs")  # noqa: B009  every subclass has its own model
    given = inputs.model_dump(by_alias=True, exclude_none=True)
    return {slot: (ids,) if isinstance(ids, str) else tuple(ids) for slot, ids in given.items()}


def _whole(node: NodeModel, index: int) -> Step:
    kind = NODE_TYPES[getattr(node, "type")]  # noqa: B009  every subclass has its own literal
    inputs = inputs_of(node)
    uses = frozenset(id for ids in inputs.values() for id in ids)
    asset: Asset | None = getattr(node, "asset", None)
    makes = asset.type if asset else kind.makes
    return Step(index, f"nodes.{node.id}", node.id, kind, inputs, uses, makes, getattr(node, "config", None), asset)


def _sketched(node: Any, index: int) -> Step:
    path = node_path(node, index)
    if not isinstance(node, dict):
        return Step(index, path, None, None, {}, frozenset(), None, None, None)
    name = node.get("type")
    kind = NODE_TYPES.get(name) if isinstance(name, str) else None
    if kind:
        try:
            return _whole(kind.model.model_validate(node), index)
        except ValidationError:
            pass
    id = node.get("id", node.get("uuid"))
    given = node.get("inputs")
    plugged = {str(key): _references(value) for key, value in given.items()} if isinstance(given, dict) else {}
    uses = frozenset(reference for references in plugged.values() for reference in references)
    inputs = {slot: plugged[slot] for slot in (kind.slots if kind else ()) if slot in plugged}
    asset = _part(Asset, node.get("asset")) if kind and kind.name == "asset" else None
    makes = kind.makes if kind else None
    if kind and kind.name == "asset":
        makes = asset.type if asset else _declared_type(node.get("asset"))
    config = _config(kind, node.get("config")) if kind else None
    return Step(index, path, id if isinstance(id, str) and id else None, kind, inputs, uses, makes, config, asset)


def _references(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(item for item in values if isinstance(item, str) and item)


def _config(kind: NodeType, data: Any) -> Config | None:
    return next((config for model in kind.configs.values() if (config := _part(model, data or {}))), None)


def _part(model: type[Part], data: Any) -> Part | None:
    try:
        return model.model_validate(data)
    except ValidationError:
        return None


def _declared_type(asset: Any) -> MediaType | None:
    declared = asset.get("type") if isinstance(asset, dict) else None
    known: dict[str, MediaType] = {name: name for name in get_args(MediaType)}
    return "text" if declared == "script" else known.get(declared) if isinstance(declared, str) else None

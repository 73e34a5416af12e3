"""What all node types share, and assets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field, model_validator

from video_production.nodes.model import MediaType
from video_production.pipelines.fields import Id, Strict, Title, sentence, without_empty

__all__ = ["Asset", "Config", "Inputs", "NoConfig", "NoInputs", "NodeModel"]

STATE_KEYS = frozenset({"status", "metadata", "output", "is_valid", "validation_errors"})
"""A node's state, which documents written by the Rails app carry. It is read past: state lives in the node table."""


class Inputs(Strict):
    """The inputs of a node; subclasses declare them with `accepts`."""

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        return without_empty(data)


class Config(Strict):
    """The settings of a node."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """What is wrong between settings that are each fine: pairs of the key and the sentence about it."""
        yield from ()

    def effective(self) -> dict[str, Any]:
        """The settings with every default filled in, in document spelling; what is left to the provider is left out."""
        return self.model_dump(by_alias=True, exclude_none=True)


class NodeModel(Strict):
    """One step of a pipeline."""

    makes: ClassVar[MediaType | None] = "video"
    makeable: ClassVar[tuple[str, ...]] = ()
    """The providers with which this version can make such a node."""

    id: Id = Field(description="The node's name in this document; other nodes refer to it. `uuid` is read as `id`.")
    title: Title = Field(default="", description="What people see. The id when left out.")

    @model_validator(mode="before")
    @classmethod
    def _read_older_spellings(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        node = {key: value for key, value in data.items() if key not in STATE_KEYS}
        if "uuid" in node:
            uuid = node.pop("uuid")
            if node.setdefault("id", uuid) != uuid:
                raise sentence("has both an 'id' and another 'uuid', which mean the same. Keep one of them.")
        if node.get("asset", ...) is None:
            del node["asset"]
        for key in ("inputs", "config"):
            if node.get(key) is None:
                node[key] = {}
        if not node.get("title") and isinstance(node.get("id"), str):
            node["title"] = node["id"]
        return node


# --- asset ----------------------------------------------------------------------------------------------------------


class NoInputs(Inputs):
    """An asset takes no inputs."""


class NoConfig(Config):
    """An asset has no settings."""


class Asset(Strict):
    """Something that exists already. Exactly one of `source` and `content`."""

    type: MediaType = Field(description="What it is. `script` is read as `text`.")
    source: str | None = Field(
        default=None,
        min_length=1,
        description="A path next to the document, or an `s3://` or `https://` URL. `url` is read as `source`.",
    )
    content: Any = Field(default=None, description="The text itself, for `text`; a JSON value or its text, for `json`.")

    @model_validator(mode="before")
    @classmethod
    def _read_older_spellings(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        asset = dict(without_empty(data))
        if "url" in asset:
            url = asset.pop("url")
            if asset.setdefault("source", url) != url:
                raise sentence("has both a 'source' and another 'url', which mean the same. Keep one of them.")
        if asset.get("type") == "script":
            asset["type"] = "text"
        return asset

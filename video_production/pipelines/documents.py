"""A pipeline document: one file, JSON or YAML, that describes a whole pipeline."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, WithJsonSchema, model_validator

from video_production.errors import DocumentError
from video_production.pipelines import checks
from video_production.pipelines.fields import Id, Strict, Title, sentence, without_empty
from video_production.pipelines.messages import explain
from video_production.pipelines.node_types import (
    AnimationNode,
    AssetNode,
    ComposeVideoNode,
    MergeVideosNode,
    MixAudioNode,
    RenderCodeNode,
    TalkingHeadNode,
    VoiceoverNode,
)
from video_production.pipelines.steps import sketch
from video_production.pipelines.syntax import read_data
from video_production.settings import LOCAL_BUCKET

__all__ = [
    "AnyNode",
    "PipelineConfig",
    "PipelineDocument",
    "StorageConfig",
    "load_document",
    "parse_document",
]

TAKES_FOLDER = "takes"
"""Where a bucket keeps what was bought: `takes/{take}/{attempt}/`; no pipeline may put its own files there."""

STATE_KEYS = frozenset({"metadata"})
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

AnyNode = Annotated[
    AssetNode
    | VoiceoverNode
    | TalkingHeadNode
    | AnimationNode
    | RenderCodeNode
    | MixAudioNode
    | MergeVideosNode
    | ComposeVideoNode,
    Field(discriminator="type"),
]


def _bucket(value: Any) -> Any:
    if isinstance(value, str) and not _BUCKET.fullmatch(value):
        raise sentence(
            f"'{value}' can't be a bucket: 3 to 63 lower-case letters, digits, '.' or '-'. Write the name alone."
        )
    return value


def _prefix(value: Any) -> Any:
    """A prefix is empty or ends in a slash; S3 keys neither start with one nor climb."""
    if not isinstance(value, str) or value == "":
        return value
    if value.startswith("/") or any(part in ("", ".", "..") for part in value.removesuffix("/").split("/")):
        raise sentence(
            f"'{value}' can't be a prefix. Write folders with single slashes between them, such as 'lessons/'."
        )
    if value.split("/")[0] == TAKES_FOLDER:
        raise sentence(f"'{value}' can't be a prefix: '{TAKES_FOLDER}/' holds what was bought. Choose another folder.")
    return value if value.endswith("/") else f"{value}/"


def _free(id: str) -> str:
    if id == TAKES_FOLDER:
        raise sentence(f"'{id}' can't be a pipeline's id: that folder holds what was bought. Choose another one.")
    return id


def _version(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class StorageConfig(Strict):
    """Where media are kept."""

    bucket: Annotated[str, BeforeValidator(_bucket)] = Field(
        default=LOCAL_BUCKET, description="The S3 bucket; on a laptop, a folder of that name."
    )
    prefix: Annotated[str, BeforeValidator(_prefix)] = Field(
        default="", description="What every key starts with, such as `lessons/`."
    )


class PipelineConfig(Strict):
    """Settings of the whole pipeline."""

    storage: StorageConfig = Field(default=StorageConfig(), description="Where media are kept.")
    working_directory: str | None = Field(default=None, description="Read past; written by the Rails app.")

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        return without_empty(data)


class PipelineDocument(Strict):
    """A graph of nodes with one finished video at its end."""

    schema_: str | None = Field(default=None, alias="$schema", description="Where editors find this schema.")
    id: Annotated[Id, AfterValidator(_free)] = Field(
        description="The pipeline's name in the tables. `uuid` is read as `id`."
    )
    title: Title = Field(min_length=1, description="What people see.")
    version: Annotated[str, BeforeValidator(_version), WithJsonSchema({"type": ["string", "number"]})] = Field(
        default="1", description="The document's own version, for people."
    )
    budget: float | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="US dollars that everything bought for this pipeline may cost together. No limit when left out.",
    )
    config: PipelineConfig = Field(default=PipelineConfig(), description="Settings of the whole pipeline.")
    nodes: list[AnyNode] = Field(min_length=1, description="The steps, in any order.")

    @model_validator(mode="before")
    @classmethod
    def _read_older_spellings(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        document = {key: value for key, value in data.items() if key not in STATE_KEYS}
        if "uuid" in document:
            uuid = document.pop("uuid")
            if document.setdefault("id", uuid) != uuid:
                raise sentence(
                    "The document has both an 'id' and another 'uuid', which mean the same. Keep one of them."
                )
        if document.get("config", ...) is None:
            del document["config"]
        return document


def load_document(path: Path) -> PipelineDocument:
    """Read a document file. Raises DocumentError naming the file and everything that is wrong with it.

    What is said of a readable document is complete: when its form is wrong, its graph and its assets are looked at too.
    A document that is returned has the right form; `validate_document` looks at the rest.
    """
    return parse_document(read_data(path), path.parent, name=str(path))


def parse_document(data: dict[str, Any], folder: Path, name: str = "document") -> PipelineDocument:
    """A document from plain data; `folder` is where its asset files lie. Raises DocumentError."""
    try:
        return PipelineDocument.model_validate(data)
    except ValidationError as error:
        problems = explain(data, PipelineDocument, error.errors(include_url=False))
    nodes = data.get("nodes")
    problems += checks.find_problems(sketch(nodes if isinstance(nodes, list) else []), folder)
    raise DocumentError(name, checks.in_document_order(problems))

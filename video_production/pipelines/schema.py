"""The JSON Schema of pipeline documents, derived from the models, for editors and for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from video_production.pipelines.documents import STATE_KEYS as DOCUMENT_STATE_KEYS
from video_production.pipelines.documents import PipelineDocument
from video_production.pipelines.examples import EXAMPLES
from video_production.pipelines.node_base import STATE_KEYS
from video_production.pipelines.node_types import NODE_TYPES

__all__ = ["SCHEMA_PATH", "json_schema", "schema_text"]

SCHEMA_PATH = Path(__file__).with_name("pipeline.schema.json")
"""The schema as kept in the repository; a test compares it with the models."""

_Schema = dict[str, Any]
_PAST: _Schema = {"deprecated": True, "doNotSuggest": True}
"""Accepted, but not what an editor should offer."""


def json_schema() -> _Schema:
    """The schema (draft 2020-12). It knows a document's form; `validate_document` knows its graph and its files."""
    schema = PipelineDocument.model_json_schema(by_alias=True)
    definitions: dict[str, _Schema] = schema["$defs"]
    for definition in definitions.values():
        _tidy(definition)
    _tidy(schema)
    _accept_uuid(schema, DOCUMENT_STATE_KEYS)
    for kind in NODE_TYPES.values():
        node = definitions[kind.model.__name__]
        node["examples"] = [EXAMPLES[kind.name]]
        if kind.name != "asset":
            node["properties"]["asset"] = {"type": "null", "description": "Only assets have one."} | _PAST
        _accept_uuid(node, STATE_KEYS)
    _describe_asset(definitions["Asset"])
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Pipeline document",
        "description": "A graph of nodes with one finished video at its end.",
    }
    return head | {key: value for key, value in schema.items() if key not in head}


def schema_text() -> str:
    """The schema as it is kept in the repository."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _tidy(schema: _Schema) -> None:
    """Drop what only pydantic needs, and titles that repeat the key."""
    schema.pop("title", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
        field.pop("accepts", None)
        if field.get("type") == "array":
            field.pop("minimum", None)
        if "$ref" in field:
            field.pop("default", None)
        field.get("items", {}).pop("discriminator", None)
        field.pop("discriminator", None)
        options = [option for option in field.get("anyOf", []) if option != {"type": "null"}]
        if len(options) == 1 and field.get("default", ...) is None:
            del field["anyOf"], field["default"]
            description = field.pop("description", None)
            field.update(options[0])
            field.update({"description": description} if description else {})


def _accept_uuid(schema: _Schema, state: frozenset[str]) -> None:
    """`uuid` for `id`, and the state that the Rails app writes, which is read past."""
    properties = schema["properties"]
    properties["uuid"] = properties["id"] | {"description": "Read as `id`."} | _PAST
    for key in sorted(state):
        properties[key] = {"description": "Read past: state is not part of a document."} | _PAST
    schema["required"] = [key for key in schema["required"] if key != "id"]
    schema["anyOf"] = [{"required": ["id"]}, {"required": ["uuid"]}]


def _describe_asset(asset: _Schema) -> None:
    properties = asset["properties"]
    properties["type"]["enum"].append("script")
    properties["url"] = properties["source"] | {"description": "Read as `source`."} | _PAST
    asset["oneOf"] = [{"required": [key]} for key in ("source", "url", "content")]

"""The kinds of fields that documents are made of: strict models, ids, references to nodes."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from video_production.nodes.model import MediaType

__all__ = ["Id", "OneNode", "Roll", "Several", "Strict", "Title", "accepts", "sentence", "without_empty"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Strict(BaseModel):
    """Accepts exactly the declared keys, in camelCase, and converts nothing into another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel, allow_inf_nan=False)


def sentence(message: str) -> PydanticCustomError:
    """A validation error whose text is already the sentence for the user."""
    return PydanticCustomError("sentence", "{message}", {"message": message})


def without_empty(data: Any) -> Any:
    """A mapping without the keys that have no value; anything else as it is."""
    return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


def accepts(*types: MediaType, description: str, optional: bool = False, minimum: int | None = None) -> Any:
    """The field of an input: the media types that fit, what it is for; `minimum` nodes where it takes several."""
    extra: dict[str, Any] = {"accepts": list(types)}
    if minimum is not None:
        return Field(description=description, json_schema_extra=extra | {"minimum": minimum}, min_length=minimum)
    if optional:
        return Field(default=None, description=description, json_schema_extra=extra)
    return Field(description=description, json_schema_extra=extra)


def _usable(id: str) -> str:
    if _ID.fullmatch(id):
        return id
    if id.startswith("#"):
        raise sentence(f"'{id}' can't be an id: ids that start with '#' are reserved. Choose another one.")
    shown = id if len(id) <= 64 else f"{id[:40]}…"
    raise sentence(
        f"'{shown}' can't be an id. Use 1 to 64 letters, digits, '-', '_' or '.', starting with a letter or digit."
    )


def _single(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if len(value) != 1:
        raise sentence(
            f"takes exactly one node, but {len(value)} are given." if value else "names no node. Give it one."
        )
    return value[0]


Id = Annotated[str, AfterValidator(_usable), WithJsonSchema({"type": "string", "pattern": f"^{_ID.pattern}$"})]
Title = Annotated[str, Field(max_length=200)]
Reference = Annotated[str, Field(min_length=1)]
OneNode = Annotated[
    Reference,
    BeforeValidator(_single),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1}]}
    ),
]
"""The id of one node, also as a list of one."""
Roll = Annotated[
    int | None,
    Field(
        ge=1,
        le=1000,
        description="Which result of this very request to use: `2` has another one made and paid, `1` is the first.",
    ),
]
"""Of what is paid for, another one can be asked for."""
Several = list[Reference]

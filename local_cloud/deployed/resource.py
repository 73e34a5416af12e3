"""What a CloudFormation resource type is: how to make, change and remove one through AWS's own API.

The API is the emulator's. Every property is passed on, so one that the emulator's API does not know is refused by
botocore instead of being dropped.
"""

from __future__ import annotations

import json
import random
import string
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

__all__ = ["Emulated", "Made", "Properties", "ResourceType", "document", "lower_keys", "tag_map", "tags_of"]

Properties = Mapping[str, Any]
"""A resource's properties with every Ref, GetAtt and Sub replaced by its value."""


class Emulated(Protocol):
    """The AWS in which resources are made."""

    def __call__(self, service: str) -> Any:
        """A boto3 client. `s3` holds the CDK's assets, `media` is the S3 on disk, which the functions use."""
        ...

    def api_url(self, api_id: str) -> str:
        """Where an HTTP API can be reached."""
        ...


@dataclass(frozen=True, slots=True)
class Made:
    """A resource that exists. `id` is what Ref gives, `attributes` what Fn::GetAtt gives."""

    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


class ResourceType(ABC):
    """One type of resource."""

    type: ClassVar[str]
    """As templates spell it: `AWS::SQS::Queue`."""
    name_property: ClassVar[str] = ""
    """The property with its name; a resource without it gets a made-up one."""
    name_limit: ClassVar[int] = 64
    attributes: ClassVar[tuple[str, ...]] = ()
    """What Fn::GetAtt knows."""
    replaced_by: ClassVar[frozenset[str]] = frozenset()
    """Properties whose change makes a new resource, besides the name (AWS: "Update requires: Replacement")."""
    always_replaced: ClassVar[bool] = False
    tags: ClassVar[Literal["", "list", "map"]] = ""
    """How its `Tags` are written, where it has any: CloudFormation adds the stack's."""

    def __init__(self, aws: Emulated) -> None:
        self.aws = aws

    @abstractmethod
    def create(self, name: str, properties: Properties) -> Made:
        """Make one. `name` is the given or a made-up one."""

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        """Change one in place. Only called when none of the properties that replace it changed."""
        raise NotImplementedError(f"{self.type} can't be changed in place")

    @abstractmethod
    def delete(self, made: Made, properties: Properties) -> None:
        """Remove one."""

    def replaces(self, old: Properties, new: Properties) -> bool:
        """Whether this change makes a new resource."""
        names = self.replaced_by | ({self.name_property} if self.name_property else set())
        return self.always_replaced or any(old.get(name) != new.get(name) for name in names)

    def name_for(self, stack: str, logical_id: str, properties: Properties) -> str:
        """The given name, or a made-up one: `STACK-LOGICALID-RANDOM`, shortened to fit."""
        if given := properties.get(self.name_property):
            return str(given)
        tail = "".join(random.choices(string.ascii_uppercase + string.digits, k=12))
        return f"{f'{stack}-{logical_id}'[: self.name_limit - 13]}-{tail}"


def document(value: Any) -> str:
    """A policy or pattern as JSON text; templates may hold either."""
    return value if isinstance(value, str) else json.dumps(value)


def tags_of(properties: Properties) -> list[dict[str, str]]:
    """Tags as `[{"Key": …, "Value": …}]`."""
    return [{"Key": tag["Key"], "Value": str(tag["Value"])} for tag in properties.get("Tags", ())]


def tag_map(properties: Properties) -> dict[str, str]:
    """Tags as `{key: value}`; some types have them like that in templates."""
    tags = properties.get("Tags", {})
    return dict(tags) if isinstance(tags, Mapping) else {tag["Key"]: str(tag["Value"]) for tag in tags}


def lower_keys(value: Any) -> Any:
    """Templates write `LogGroupArn` where some APIs have `logGroupArn`; all levels."""
    if isinstance(value, Mapping):
        return {f"{key[0].lower()}{key[1:]}": lower_keys(inner) for key, inner in value.items()}
    return [lower_keys(inner) for inner in value] if isinstance(value, list) else value

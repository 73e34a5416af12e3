"""The resource types, grouped as an operator would."""

from __future__ import annotations

from local_cloud.deployed.resource import Emulated, ResourceType
from local_cloud.deployed.types import compute, doors, identity, network, observability, storage

__all__ = ["all_types"]


def all_types(aws: Emulated) -> list[ResourceType]:
    """Every type that the emulated AWS makes itself, through `aws`."""
    modules = (compute, doors, identity, network, observability, storage)
    return [kind(aws) for module in modules for kind in module.TYPES]

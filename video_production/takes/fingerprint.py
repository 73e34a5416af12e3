"""What identifies a take: everything that shapes the result, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from video_production.providers.interface import GenerationRequest

__all__ = ["joined_id", "request_hash", "take_id"]


def take_id(
    request: GenerationRequest, *, provider: str, account: str, mode: str, adapter_version: int, number: int = 1
) -> str:
    """The fingerprint of a request: 64 hex digits.

    Two requests with the same fingerprint are one purchase. `mode` keeps drafts apart from paid results; `number` asks
    for another roll of the same request; `adapter_version` changes when the provider module sends something else.
    """
    return _digest(
        {
            "type": request.node_type,
            "provider": provider,
            "account": account,
            "mode": mode,
            "config": dict(request.config),
            "inputs": {slot: [content.sha256 for content in contents] for slot, contents in request.inputs.items()},
            "take": number,
            "adapter": adapter_version,
        }
    )


def joined_id(take_ids: Sequence[str]) -> str:
    """The fingerprint of what is joined from takes, in order: 64 hex digits."""
    return _digest({"joined": list(take_ids)})


def request_hash(request: GenerationRequest, way: str) -> str:
    """What was sent, without URLs and tokens: evidence for a person who compares it with the provider's list."""
    return _digest(
        {
            "way": way,
            "config": dict(request.config),
            "inputs": {slot: [content.sha256 for content in contents] for slot, contents in request.inputs.items()},
        }
    )


def _digest(value: Any) -> str:
    canonical = json.dumps(_numbers(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _numbers(value: Any) -> Any:
    """1 and 1.0 are one number: the table gives back whole floats as integers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _numbers(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_numbers(entry) for entry in value]
    return value

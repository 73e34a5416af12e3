"""Why an edit makes nodes again, in words for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from video_production.nodes.model import Node

__all__ = ["differences", "through"]

_LONGEST = 40


def differences(before: Node, wanted: Node) -> tuple[str, ...]:
    """What an edit changed about a node, each as `speed 1 → 1.2`, `script voice-a → voice-b`, `its text`."""
    return tuple(_differences(before, wanted))


def _differences(before: Node, wanted: Node) -> Iterator[str]:
    if before.type != wanted.type:
        yield f"type {before.type} → {wanted.type}"
    yield from _settings(before.config, wanted.config)
    for slot in _in_order(before.inputs, wanted.inputs):
        old, new = before.inputs.get(slot, ()), wanted.inputs.get(slot, ())
        if tuple(old) != tuple(new):
            yield f"{slot} {_names(old)} → {_names(new)}"
    old_asset, new_asset = before.asset or {}, wanted.asset or {}
    if _content(old_asset) != _content(new_asset):
        yield f"its {new_asset.get('type', 'asset')}"


def through(node: Node, remade: Mapping[str, str]) -> tuple[str, ...]:
    """Which inputs of a node cause it to be made again; `remade` maps ids to what happens."""
    inputs = list(dict.fromkeys(node.input_ids))
    return tuple(f"{id} {remade[id]}" for id in inputs if id in remade)


def _settings(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for key in _in_order(before, wanted):
        old, new = before.get(key), wanted.get(key)
        if old != new:
            yield f"{key} {_shown(old)} → {_shown(new)}"


def _in_order(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([*wanted, *before]))


def _content(asset: Mapping[str, Any]) -> tuple[Any, Any]:
    return asset.get("type"), asset.get("sha256") or asset.get("content") or asset.get("source")


def _names(ids: tuple[str, ...]) -> str:
    return ", ".join(ids) or "nothing"


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

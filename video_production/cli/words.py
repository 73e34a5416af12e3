"""The words that people read: node types, stages, times, sizes, money."""

from __future__ import annotations

from collections.abc import Sequence

from video_production.nodes.model import Node

__all__ = ["KINDS", "clock_time", "count", "elapsed", "listing", "money", "stage"]

KINDS = {
    "asset": "asset",
    "generate-voiceover": "voiceover",
    "generate-talking-head": "talking head",
    "generate-animation": "animation",
    "render-code": "render",
    "mix-audio": "mix",
    "merge-videos": "merge",
    "compose-video": "compose",
}


def elapsed(seconds: float) -> str:
    """`2.1 s`, `1 min 5 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def clock_time(seconds: float) -> str:
    """`0:07`, `1:02`."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def money(usd: float) -> str:
    return f"${usd:.2f}" if usd >= 0.005 or usd == 0 else f"${usd:.4f}"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """`1 clip`, `5 clips`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def listing(names: Sequence[str], limit: int = 8) -> str:
    """`a, b, c` with the rest counted."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def stage(node: Node) -> str:
    """What a node is doing, or how it ended."""
    if node.status == "in_progress":
        word = str(node.metadata.get("stage", "starting"))
        progress = node.metadata.get("progress")
        return f"{word} {float(progress):.0%}" if progress else word
    if node.status == "completed":
        return "already made, reused" if node.metadata.get("reused") else "done"
    return "failed" if node.status == "failed" else "waiting for its inputs"

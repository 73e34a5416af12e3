"""One node as lines of text: what it is, how far it is, and what is worth knowing once it has ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from video_production.cli.waiting import ordinal
from video_production.cli.words import KINDS, clock_time, count, elapsed, listing

__all__ = ["Columns", "checked", "doing", "joined", "mark", "node_details", "node_row"]

Event = Mapping[str, Any]
_MARKS = {"completed": "✓", "failed": "✗", "in_progress": "•", "pending": "·", "stopped": "–"}
INDENT = "     "
_UNTOUCHED = "copied without re-encoding"


@dataclass(frozen=True)
class Columns:
    """How wide ids and kinds are, so that rows stand below each other. `doing` is the least width of the stage."""

    ids: int = 0
    kinds: int = 0
    doing: int = 5

    @classmethod
    def of(cls, nodes: Iterable[Event], *, longest_id: int = 40, doing: int = 5) -> Columns:
        """Fit for these nodes, which have an id and a type; `longest_id` bounds what one id may take from the rest."""
        made = [node for node in nodes if node["type"] != "asset"]
        widest = max((len(node["id"]) for node in made), default=0)
        return cls(min(widest, longest_id), max((len(KINDS[node["type"]]) for node in made), default=0), doing)


def node_row(event: Event, columns: Columns, seconds: float | None = None) -> str:
    """`✓ intro-voice  voiceover  draft  2.1 s`; `seconds` replaces the event's own elapsed time."""
    name = event["id"]
    name = name if len(name) <= columns.ids else name[: columns.ids - 1] + "…"
    time = event["elapsed"] if seconds is None else seconds
    took = "" if time is None else elapsed(time)
    row = f" {mark(event)} {name:<{columns.ids}}  {KINDS[event['type']]:<{columns.kinds}}"
    return f"{row}  {doing(event):<{columns.doing}}  {took}".rstrip()


def mark(event: Event) -> str:
    """The sign in front of a node."""
    return _MARKS["stopped" if _stopped(event) else event["status"]]


def doing(event: Event) -> str:
    """What a node is doing, or how it ended."""
    status = event["status"]
    if status == "pending" and event.get("queue"):
        return f"waiting for {event['queue']['provider']}: {ordinal(event['queue']['place'])} in the queue"
    if status == "pending":
        return "waiting for its inputs"
    if status == "failed":
        word = "stopped" if _stopped(event) else "failed"
        return f"{word} earlier" if event.get("earlier") else word
    if status == "completed":
        if event["reused"]:
            return "already made, reused"
        details = _details(event)
        if clips := len(details.get("joins", ())):
            size = f"{details['picture']['width']}×{details['picture']['height']}"
            return f"{count(clips, 'clip')} → {clock_time(event['duration'] or 0)} · {size}"
        return "draft" if event["draft"] else "done"
    word = event["stage"] or "starting"
    if event.get("parts"):
        word = f"{word} · part {event['part']} of {event['parts']}"
    return f"{word} {event['progress']:.0%}" if event["progress"] else str(word)


def node_details(event: Event) -> Iterator[str]:
    """What is worth knowing of a node that has ended: why it failed, how its clips were joined, what was noticed."""
    if event["status"] == "failed" and not _stopped(event):
        stage = f", {event['stage']}" if event["stage"] else ""
        yield f"{INDENT}{event['title']}{stage}: {event['error']}"
    elif event["status"] == "completed" and not event["kept"]:
        if event["note"]:
            yield f"{INDENT}{event['note']}"
        yield from joined(event)


def joined(event: Event) -> Iterator[str]:
    """How a node's clips were joined, where anything had to be done to them, and what was checked."""
    details = _details(event)
    joins = details.get("joins", [])
    touched = [join for join in joins if join["why"] != _UNTOUCHED]
    width = max((len(join["name"]) for join in touched), default=0)
    for join in touched:
        yield f"{INDENT}{join['name']:<{width}}  {join['why']}"
    untouched = [join["name"] for join in joins if join["why"] == _UNTOUCHED]
    if joins and not touched:
        yield f"{INDENT}every clip {_UNTOUCHED}"
    elif untouched:
        yield f"{INDENT}{listing(untouched)} {_UNTOUCHED}"
    for note in (*details.get("notes", ()), *details.get("warnings", ())):
        yield f"{INDENT}{note}"
    if joins:
        yield f"{INDENT[:4]}{checked(details)}"


def checked(details: Event) -> str:
    """`checked: 1,550 frames · every join decodes · sound within 9 ms`."""
    milliseconds = max(1, round(1000 * details["audio_error"]))
    return f"checked: {count(details['frames'], 'frame')} · every join decodes · sound within {milliseconds} ms"


def _stopped(event: Event) -> bool:
    """Cancelled by a person: nothing is wrong with it."""
    return bool(event["status"] == "failed" and event.get("error_type") == "Cancelled")


def _details(event: Event) -> Event:
    details: Event = event.get("details") or {}
    return details

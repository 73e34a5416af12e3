"""The end of `produce`: how each join was made and why, what was checked, what it costs, what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from video_production.cli.words import clock_time, count, listing, money
from video_production.providers.prices import price_date

__all__ = ["summary"]

Event = Mapping[str, Any]


def summary(event: Event) -> Iterator[str]:
    """The lines for a person; for a completed pipeline the last one is the path of the video alone."""
    if event["status"] == "completed":
        yield from _completed(event)
    elif event["status"] == "cancelled":
        yield " Cancelled. What is finished stays; run produce again to continue."
    else:
        yield from _failed(event)


def _completed(event: Event) -> Iterator[str]:
    if event["unchanged"]:
        yield " Everything is done already; nothing had to be made."
    for video in event["videos"]:
        yield from _video(video)
    yield from _cost(event)
    output = event["output"]
    if output and output["captions"]:
        yield f" Captions: {listing([path.rsplit('/', 1)[-1] for path in output['captions']])}"
    yield " Next: edit a script or the document and run again · ./jiki-video new my-lesson"
    if output:
        yield str(output["path"])


def _video(video: Mapping[str, Any]) -> Iterator[str]:
    joins = video.get("joins", [])
    yield f" {video['id']}: {count(len(joins), 'clip')} → {clock_time(video['duration'] or 0)}"
    width = max((len(join["name"]) for join in joins), default=0)
    for join in joins:
        yield f"     {join['name']:<{width}}  {join['why']}"
    checked = [
        f"{count(video.get('frames', 0), 'frame')}",
        "every join decodes",
        f"sound within {max(1, round(1000 * video.get('audio_error', 0)))} ms",
    ]
    yield f"   checked: {' · '.join(checked)}"
    for warning in video.get("warnings", []):
        yield f"   note: {warning}"


def _cost(event: Event) -> Iterator[str]:
    cost = event["cost"]
    if not cost["characters"]:
        return
    basis = f"({cost['characters']:,} characters; prices of {price_date()})"
    if cost["live_usd"]:
        yield f" Real providers: about {money(cost['live_usd'])} paid {basis}"
    else:
        yield f" Real providers would cost about {money(cost['usd'])} {basis}"


def _failed(event: Event) -> Iterator[str]:
    for node_id, message in event["failed"].items():
        yield f" ✗ {node_id}: {message}"
    if event["blocked"]:
        yield f" Not made because of that: {listing(event['blocked'])}"
    yield f" {count(event['made'], 'node')} finished and will be reused. Mend the cause and run the same command again."

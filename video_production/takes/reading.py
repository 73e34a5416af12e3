"""From items of the take table to takes, and the results in them back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from video_production.nodes.model import Captions
from video_production.providers.made import Made, Price
from video_production.takes.model import Take, TakeAttempt, TakeState

__all__ = ["made_item", "read_take"]


def made_item(made: Made) -> dict[str, Any]:
    """A result as its take keeps it."""
    return {
        "type": made.type,
        "bucket": made.bucket,
        "s3_key": made.s3_key,
        "size": made.size,
        "sha256": made.sha256,
        "duration": made.duration,
        "external_id": made.external_id,
        "captions": {"srt": made.captions.srt, "vtt": made.captions.vtt} if made.captions else None,
        "cost": {"quantity": made.cost.quantity, "unit": made.cost.unit, "usd": made.cost.usd} if made.cost else None,
    }


def read_take(item: Mapping[str, Any]) -> Take:
    """A take from its item."""
    made = item.get("made")
    price = Price(float(item["quantity"]), item["unit"], float(item["usd"]))
    return Take(
        id=item["take_id"],
        state=TakeState(item["state"]),
        attempt=item["attempt"],
        attempts={attempt_id: _attempt(attempt_id, entry) for attempt_id, entry in item["attempts"].items()},
        provider=item["provider"],
        mode=item["mode"],
        price=price,
        made=Made(
            type=made["type"],
            bucket=made["bucket"],
            s3_key=made["s3_key"],
            size=int(made["size"]),
            sha256=made["sha256"],
            duration=float(made["duration"]) if "duration" in made else None,
            external_id=made.get("external_id"),
            captions=Captions(**made["captions"]) if made.get("captions") else None,
            cost=_cost(made.get("cost")) or price,
        )
        if made
        else None,
        account=item.get("account", ""),
    )


def _cost(item: Mapping[str, Any] | None) -> Price | None:
    return Price(float(item["quantity"]), item["unit"], float(item["usd"])) if item else None


def _attempt(attempt_id: str, entry: Mapping[str, Any]) -> TakeAttempt:
    return TakeAttempt(
        id=attempt_id,
        number=int(entry["number"]),
        state=TakeState(entry["state"]),
        way=entry["way"],
        sent_at=float(entry["sent_at"]),
        quiet_at=float(entry["quiet_at"]),
        asked_at=float(entry.get("asked_at", 0)),
        bucket=entry.get("bucket", ""),
        pipeline_id=entry.get("pipeline_id", ""),
        node_id=entry.get("node_id", ""),
        ended_at=float(entry["ended_at"]) if "ended_at" in entry else None,
        external_id=entry.get("external_id"),
        code=entry.get("code", ""),
        message=entry.get("message", ""),
        retry_at=float(entry["retry_at"]) if "retry_at" in entry else None,
        charged=entry.get("charged"),
        fallback=entry.get("fallback"),
        orphan=entry.get("orphan"),
    )

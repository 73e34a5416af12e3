"""What a provider made, and what that costs: all that most of the house needs to know of providers."""

from __future__ import annotations

from dataclasses import dataclass

from video_production.nodes.model import Captions, MediaType

__all__ = ["Made", "Price"]


@dataclass(frozen=True, slots=True)
class Price:
    """A quantity and what it costs: `quantity` in `unit` (characters, seconds, credits), `usd` in US dollars."""

    quantity: float
    unit: str
    usd: float


@dataclass(frozen=True, slots=True)
class Made:
    """A finished take, stored at its destination. `duration` in seconds, `size` in bytes."""

    type: MediaType
    bucket: str
    s3_key: str
    size: int
    sha256: str
    duration: float | None
    external_id: str | None = None
    captions: Captions | None = None
    cost: Price | None = None

"""What a measured merge would take in a Lambda function: bytes and calls as they were, time and money computed.

What S3 needs for copying a part itself is not in it, nor what a disk needs for the files of the baseline.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.measured import Measured

__all__ = ["MODEL", "model"]

_PRICES = Path(__file__).resolve().parent.parent / "tools" / "cost" / "prices.json"
MODEL = {"bytes_per_s": 75_000_000, "call_s": 0.03, "calls_at_once": 8, "memory_gb": 3008 / 1024, "cpus": 1.7}
"""A function of 3,008 MB, arm64; so many requests are under way at a time in both ways."""


def model(measured: Measured, times: int) -> tuple[float, float]:
    """Seconds and US dollars of one of `times` merges."""
    traffic = measured.traffic
    moving = traffic.bytes / times / MODEL["bytes_per_s"]
    calling = traffic.calls / times / MODEL["calls_at_once"] * MODEL["call_s"]
    seconds = moving + calling + measured.cpu / MODEL["cpus"]
    prices = json.loads(_PRICES.read_text())["prices"]

    def price(name: str) -> float:
        return float(prices[name]["usd"]) / float(prices[name]["per"])

    requests = traffic.reads / times * price("s3_get") + traffic.writes / times * price("s3_put")
    return seconds, seconds * MODEL["memory_gb"] * price("lambda_gb_second") + requests + price("lambda_request")

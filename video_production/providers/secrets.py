"""A provider's API key, from AWS Secrets Manager."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from video_production.secrets import LIFETIME, Secret

__all__ = ["LIFETIME", "ApiKey"]


class ApiKey(Secret):
    """The API key in the secret `name`, as plain text or as JSON `{"api_key": "…"}`."""

    def __init__(self, name: str, *, client: Any = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name, field="api_key", what="API key", client=client, clock=clock)

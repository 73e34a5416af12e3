"""Clients of AWS, made when they are first used: most invocations need few of those that a function may need."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["LazyClient"]

_making = threading.Lock()
"""boto3's default session, which makes the clients, is not for several threads at once; the clients are."""


class LazyClient:
    """Stands for the boto3 client that `make` returns."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._client: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._client is None:
            with _making:
                if self._client is None:
                    self._client = self._make()
        return getattr(self._client, name)

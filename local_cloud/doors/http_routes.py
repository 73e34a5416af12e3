"""Which route of an HTTP API takes a request, and how many requests it takes."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

__all__ = ["Throttle", "find_route"]

_PARAMETER = re.compile(r"\{(\w+)(\+?)\}")


def find_route(routes: Iterable[Any], method: str, path: str) -> tuple[Any, Mapping[str, str]] | None:
    """moto's route for a request, and the path's parameters, decoded; None where no route fits.

    A route without a greedy parameter comes before one with, that before `$default`; a method before `ANY`; fixed
    words before parameters.
    """
    found = []
    for route in routes:
        parameters = _match(route.route_key, method, path)
        if parameters is not None:
            key = route.route_key
            found.append(((key == "$default", "+}" in key, key.count("{"), key.startswith("ANY ")), route, parameters))
    if not found:
        return None
    _, route, parameters = min(found, key=lambda each: each[0])
    return route, parameters


def _match(route_key: str, method: str, path: str) -> dict[str, str] | None:
    if route_key == "$default":
        return {}
    wanted, _, template = route_key.partition(" ")
    if wanted not in ("ANY", method):
        return None
    pattern, position = "", 0
    for parameter in _PARAMETER.finditer(template):
        pattern += re.escape(template[position : parameter.start()])
        pattern += f"(?P<{parameter[1]}>{'.+' if parameter[2] else '[^/]+'})"
        position = parameter.end()
    found = re.fullmatch(pattern + re.escape(template[position:]), path)
    return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


class Throttle:
    """A token bucket per key: `burst` requests at once, `rate` per second afterwards."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def admits(self, key: str, rate: float, burst: float) -> bool:
        """Take a token; False when there is none."""
        with self._lock:
            now = self._clock()
            tokens, since = self._buckets.get(key, (burst, now))
            tokens = min(burst, tokens + (now - since) * rate)
            admitted = tokens >= 1
            self._buckets[key] = (tokens - 1 if admitted else tokens, now)
            return admitted

"""One API call on its way through the stand-in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stand_ins.faults import Faults
from stand_ins.heygen.workspace import Workspace
from stand_ins.server import Reply, Request

__all__ = ["Call", "Handler", "Route", "page_of"]


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was understood: path parameters, checked query and body, and the rules that apply to it."""

    workspace: Workspace
    request: Request
    request_id: str
    parameters: Mapping[str, str]
    query: Any
    body: Any
    faults: Faults = field(default_factory=Faults)
    now: float = field(default_factory=time.time)


Handler = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """`path` holds parameters in braces; `text` finds the text that rules are matched against."""

    method: str
    path: str
    operation: str
    handler: Handler
    query: Any = None
    body: Any = None
    text: Callable[[Call], str] | None = None
    keyed: bool = True
    """Whether an API key is needed; presigned links need none."""


def page_of(rows: list[dict[str, Any]], limit: int, token: str | None) -> Reply:
    """One page of a listing; the token is the place where the next one begins."""
    start = int(token) if token and token.isdecimal() else 0
    page = rows[start : start + limit]
    more = start + limit < len(rows)
    return Reply.json({"data": page, "has_more": more, "next_token": str(start + limit) if more else None})

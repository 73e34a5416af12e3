"""An API call on its way through the stand-in."""

from __future__ import annotations

from typing import Any

from stand_ins import call
from stand_ins.heygen.workspace import Workspace
from stand_ins.server import Reply

__all__ = ["Call", "Route", "page_of"]

Call = call.Call[Workspace]
Route = call.Route[Workspace]


def page_of(rows: list[dict[str, Any]], limit: int, token: str | None) -> Reply:
    """One page of a listing; the token is the place where the next one begins."""
    start = int(token) if token and token.isdecimal() else 0
    page = rows[start : start + limit]
    more = start + limit < len(rows)
    return Reply.json({"data": page, "has_more": more, "next_token": str(start + limit) if more else None})

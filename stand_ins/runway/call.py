"""An API call on its way through the stand-in."""

from __future__ import annotations

from stand_ins import call
from stand_ins.runway.workspace import Workspace

__all__ = ["Call", "Route"]

Call = call.Call[Workspace]
Route = call.Route[Workspace]

"""One API call on its way through the stand-in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stand_ins.elevenlabs.workspace import Workspace
from stand_ins.faults import Faults
from stand_ins.server import Reply, Request

__all__ = ["Call", "Handler", "Route"]


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
    permission: str
    handler: Handler
    query: Any
    body: Any = None
    text: Callable[[Call], str] | None = None

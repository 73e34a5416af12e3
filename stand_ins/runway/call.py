"""One API call on its way through the stand-in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from stand_ins.faults import Faults
from stand_ins.runway.workspace import Workspace
from stand_ins.server import Reply, Request

__all__ = ["Call", "Handler", "Route"]


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was understood: path parameters, checked body, and the rules that apply to it."""

    workspace: Workspace
    request: Request
    request_id: str
    parameters: Mapping[str, str]
    body: Any
    faults: Faults = field(default_factory=Faults)
    now: float = field(default_factory=time.time)


Handler = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """`path` holds parameters in braces; `open` routes ask for no key; `text` finds what rules are matched against."""

    method: str
    path: str
    operation: str
    handler: Handler
    body: TypeAdapter[Any] | None = None
    text: Callable[[Call], str] | None = None
    open: bool = False

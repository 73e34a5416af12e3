"""One API call on its way through the stand-in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stand_ins.faults import Faults
from stand_ins.server import Reply, Request
from stand_ins.veo3.workspace import Workspace

__all__ = ["Call", "Handler", "Route"]


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose route was found, with the parameters of its path and the rules that apply to it."""

    workspace: Workspace
    request: Request
    parameters: Mapping[str, str]
    faults: Faults = field(default_factory=Faults)
    now: float = field(default_factory=time.time)


Handler = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """`path` is a regular expression; `text` finds the text that rules are matched against; `open` needs no token."""

    method: str
    path: str
    operation: str
    handler: Handler
    text: Callable[[Call], str] = lambda call: call.request.path
    open: bool = False

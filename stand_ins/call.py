"""One API call on its way through a stand-in. Each stand-in names its own `Call` and `Route`, by its workspace."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from stand_ins.faults import Faults
from stand_ins.server import Reply, Request

__all__ = ["Call", "Route"]

WorkspaceT = TypeVar("WorkspaceT")


@dataclass(frozen=True)
class Call(Generic[WorkspaceT]):
    """A request that was understood: path parameters, checked query and body, and the rules that apply to it."""

    workspace: WorkspaceT
    request: Request
    parameters: Mapping[str, str]
    request_id: str = ""
    query: Any = None
    body: Any = None
    faults: Faults = field(default_factory=Faults)
    now: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Route(Generic[WorkspaceT]):
    """How a request is recognised, checked and answered.

    `path` holds parameters in braces, or is a regular expression: what reads it knows. `query` and `body` say what is
    checked; `text` finds the text that rules are matched against; `open` routes ask for no key; `permission` is what
    the key must allow, where keys differ in that.
    """

    method: str
    path: str
    operation: str
    handler: Callable[[Call[WorkspaceT]], Reply]
    query: Any = None
    body: Any = None
    text: Callable[[Call[WorkspaceT]], str] | None = None
    open: bool = False
    permission: str = ""

    def text_of(self, call: Call[WorkspaceT]) -> str:
        """What rules are matched against; empty where the route has no text."""
        return self.text(call) if self.text else ""

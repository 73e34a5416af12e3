"""A provider's end of the line, scripted: what it received, and what it answers, down to the bytes on the socket."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class Provider:
    """A local server that takes its answers from `script`, one per request, and repeats the last one."""

    url: str
    script: list[Behaviour] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def answers(self, *behaviours: Behaviour) -> None:
        self.script[:] = behaviours

    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.received]


def reply(
    status: int = 200,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
    length: int | None = None,
) -> Behaviour:
    """Answer with `body` (bytes as they are, anything else as JSON); `length` lies about how long it is."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body if body is not None else {}).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return behave


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Drop the connection without an answer."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def drip(over: threading.Event) -> Behaviour:
    """Send a byte now and then, each one in time, for much longer than anybody should wait."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(200):
            if over.wait(0.05):
                break
            handler.wfile.write(b" ")

    return behave

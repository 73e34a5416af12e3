"""The HTTP side that all stand-ins share: requests in, replies out, dropped connections where a rule asks for them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

__all__ = ["INHERITED_SOCKET", "Application", "Reply", "Request", "RequestLog", "StandInServer", "run", "serve"]

INHERITED_SOCKET = "STAND_IN_SOCKET"
"""The environment variable with the number of a listening socket, where the parent has opened one for us."""
LOG_LIMIT = 2000
"""Requests kept when a stand-in starts; polling would let the log grow for ever."""
BODY_LIMIT = 4096
"""Bytes kept of a body that is no JSON: uploads are media."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `query` holds the last value of each name; header names are lower-case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base_url: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer. `cut_at` drops the connection after that many bytes of the body; -1 before the headers."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_at: int | None = None

    @classmethod
    def json(cls, content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        return cls(status, json.dumps(content).encode(), headers=headers or {})

    def lost(self) -> Reply:
        """This answer, but the connection drops before a byte of it is sent."""
        return replace(self, cut_at=-1)

    def halved(self) -> Reply:
        """This answer, but the connection drops after half of its body."""
        return replace(self, cut_at=len(self.body) // 2)


Application = Callable[[Request], Reply]


class RequestLog:
    """The requests received, oldest first, on disk at `path` as lines of JSON. API keys are not written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        if len(lines) > LOG_LIMIT:
            path.write_bytes(b"".join(lines[-LOG_LIMIT:]))

    def add(self, request: Request) -> None:
        try:
            body = json.loads(request.body) if request.body else None
        except ValueError:
            body = request.body[:BODY_LIMIT].decode(errors="replace")
        row = {
            "at": time.time(),
            "method": request.method,
            "path": request.path,
            "query": dict(request.query),
            "body": body,
        }
        with self._lock, self._path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")

    def rows(self) -> list[dict[str, Any]]:
        with self._lock:
            lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        return [json.loads(line) for line in lines]


class StandInServer(ThreadingHTTPServer):
    """Serves `application` on 127.0.0.1: at `port` (0 picks a free one), or at the socket that the parent opened."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, application: Application, port: int = 0) -> None:
        self.application = application
        inherited = os.environ.get(INHERITED_SOCKET)
        super().__init__(("127.0.0.1", port), _Handler, bind_and_activate=inherited is None)
        if inherited is not None:
            self.socket.close()
            self.socket = socket.socket(fileno=int(inherited))
            self.server_address = self.socket.getsockname()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the game; everything else deserves its traceback."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "uvicorn"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120
    server: StandInServer

    def _serve(self) -> None:
        try:
            reply = self.server.application(self._request())
        except Exception:  # noqa: BLE001 (the outermost boundary: the client gets an answer, the log the traceback)
            traceback.print_exc()
            reply = Reply(500, b"Internal Server Error", "text/plain; charset=utf-8")
        if reply.cut_at == -1:
            self._drop()
            return
        self.send_response(reply.status)
        self.send_header("content-type", reply.content_type)
        self.send_header("content-length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[: reply.cut_at])
        self.wfile.flush()
        if reply.cut_at is not None:
            self._drop()

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = _serve  # noqa: N815 (the base class's names)

    def _request(self) -> Request:
        address = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        return Request(
            method="GET" if self.command == "HEAD" else self.command,
            path=address.path,
            query=dict(parse_qsl(address.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length) if length else b"",
            base_url=f"http://{self.headers.get('host') or urlsplit(self.server.url).netloc}",
        )

    def _drop(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: the request log is elsewhere."""


@contextlib.contextmanager
def serve(server: StandInServer) -> Iterator[StandInServer]:
    """Serve in the background while the block runs."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def run(server: StandInServer, parent: int | None = None) -> None:
    """Print the URL and serve until SIGTERM or SIGINT, or until this process is no longer a child of `parent`."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with serve(server):
        print(server.url, flush=True)
        while not stop.wait(0.2):
            if parent is not None and os.getppid() != parent:
                return

"""The Lambda Runtime API: where sandboxes fetch invocations and leave their answers.

One HTTP server for all sandboxes; each knows it as `127.0.0.1:PORT/SANDBOX`. The paths behind that are AWS's:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import re
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

__all__ = ["Delivery", "Peer", "RuntimeApi"]

_ROUTE = re.compile(
    r"/(?P<sandbox>[0-9a-f]+)/2018-06-01/runtime/"
    r"(?:(?P<next>invocation/next)|(?P<init>init/error)|invocation/(?P<request>[0-9a-f-]+)/(?P<kind>response|error))"
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One invocation on its way into a sandbox. `deadline` is in Unix seconds."""

    request_id: str
    function_arn: str
    payload: bytes
    deadline: float


class Peer(Protocol):
    """A sandbox as the Runtime API sees it."""

    def next_delivery(self) -> Delivery | None:
        """Block until there is work; None when the sandbox has ended."""
        ...

    def answered(self, request_id: str, payload: bytes, *, failed: bool) -> None: ...

    def failed_to_start(self, payload: bytes) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    peers: dict[str, Peer]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sandbox that was killed leaves a broken connection: that is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class RuntimeApi:
    """The server, on a free port of the loopback interface, in threads of its own."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.peers = {}
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="runtime-api"
        )
        self._thread.start()

    def address(self, sandbox: str) -> str:
        """What AWS_LAMBDA_RUNTIME_API says inside `sandbox`."""
        return f"127.0.0.1:{self._server.server_port}/{sandbox}"

    def register(self, sandbox: str, peer: Peer) -> None:
        self._server.peers[sandbox] = peer

    def forget(self, sandbox: str) -> None:
        self._server.peers.pop(sandbox, None)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # Otherwise every answer waits 40 ms for the sandbox's acknowledgement of its first packet.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        route = _ROUTE.fullmatch(self.path)
        peer = self.server.peers.get(route["sandbox"]) if route else None
        if peer is None or route is None or not route["next"]:
            self._send(404)
            return
        delivery = peer.next_delivery()
        if delivery is None:
            self.close_connection = True
            self._send(410)
            return
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": delivery.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(delivery.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": delivery.function_arn,
        }
        self._send(200, delivery.payload, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        route = _ROUTE.fullmatch(self.path)
        peer = self.server.peers.get(route["sandbox"]) if route else None
        if peer is None or route is None or route["next"]:
            self._send(404)
        elif route["init"]:
            peer.failed_to_start(body)
            self._send(202)
        else:
            # Answer first: the caller may end this sandbox as soon as it has the result.
            self._send(202)
            peer.answered(route["request"], body, failed=route["kind"] == "error")

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        try:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: functions have logs of their own."""

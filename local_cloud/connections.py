"""A TCP server whose connections end with it."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from typing import Any

__all__ = ["ConnectionServer"]


class ConnectionServer(socketserver.TCPServer):
    """Accepts connections and gives each a thread; closing it ends and joins them all."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: Any, name: str) -> None:
        self._name = name
        self._guard = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        super().__init__(address, handler)
        self._accepting = threading.Thread(
            target=self.serve_forever, args=(0.05,), name=f"{name}-listener", daemon=True
        )

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Accept connections in a thread."""
        self._accepting.start()

    def end(self) -> None:
        """Accept nothing more, cut every connection and wait for its thread."""
        self.shutdown()
        self._accepting.join()
        self.server_close()
        with self._guard:
            connections = dict(self._connections)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections.values():
            thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self._converse, args=(request, client_address), name=f"{self._name}-connection", daemon=True
        )
        with self._guard:
            self._connections[request] = thread
        thread.start()

    def _converse(self, request: socket.socket, client_address: Any) -> None:
        try:
            with suppress(OSError):
                self.finish_request(request, client_address)
        finally:
            self.shutdown_request(request)
            with self._guard:
                self._connections.pop(request, None)

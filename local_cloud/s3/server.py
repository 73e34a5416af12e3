"""The disk-backed S3: `DiskS3(root, access_key, secret_key).serve()`."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from local_cloud.s3.access_log import AccessLog
from local_cloud.s3.connection import Connection
from local_cloud.s3.signatures import Verifier
from local_cloud.s3.store import DiskStore

__all__ = ["DiskS3", "Listener", "RunningS3"]


class Listener(socketserver.TCPServer):
    """Accepts connections and gives each a thread; closing it ends and joins them all."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], store: DiskStore, verifier: Verifier, access_log: AccessLog) -> None:
        self.store = store
        self.verifier = verifier
        self.access_log = access_log
        self._guard = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        super().__init__(address, Connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self._converse, args=(request, client_address), name="s3-connection", daemon=True
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

    def end_connections(self) -> None:
        """Cut every connection and wait for its thread."""
        with self._guard:
            connections = dict(self._connections)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections.values():
            thread.join()


class RunningS3:
    """A serving S3. `url` is its endpoint; `close` ends it. Usable as a context manager."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        host, port = listener.server_address[:2]
        self.url = f"http://{host!s}:{port}"
        self._thread = threading.Thread(target=listener.serve_forever, args=(0.05,), name="s3-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving: requests under way are cut, threads joined, sockets closed, the folder released."""
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()
        self._listener.end_connections()
        self._listener.store.close()
        self._listener.access_log.close()

    def __enter__(self) -> RunningS3:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class DiskS3:
    """An S3 whose objects are the plain files `<root>/<bucket>/<key>`.

    It carries out the operations that this product uses (see `router`), with the rules that S3 enforces, for one pair
    of credentials. Encryption, storage class and ACL headers are accepted and mean nothing here. `access_log` gets one
    JSON line per request (see `access_log.Entry`).
    """

    def __init__(self, root: Path, access_key: str, secret_key: str, access_log: Path | None = None) -> None:
        self._root = root
        self._verifier = Verifier(access_key, secret_key)
        self._access_log = access_log

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> RunningS3:
        """Serve in background threads; port 0 picks a free one.

        Raises OSError when the port is taken, RuntimeError when another process serves the same folder.
        """
        store = DiskStore(self._root)
        store.open()
        access_log = AccessLog(None)
        try:
            access_log = AccessLog(self._access_log)
            return RunningS3(Listener((host, port), store, self._verifier, access_log))
        except BaseException:
            access_log.close()
            store.close()
            raise

"""The disk-backed S3: `DiskS3(root, access_key, secret_key).serve()`."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from local_cloud.connections import ConnectionServer
from local_cloud.s3.access_log import AccessLog
from local_cloud.s3.connection import Connection
from local_cloud.s3.signatures import Verifier
from local_cloud.s3.store import DiskStore

__all__ = ["DiskS3", "Listener", "RunningS3"]


class Listener(ConnectionServer):
    """Serves one store."""

    def __init__(self, address: tuple[str, int], store: DiskStore, verifier: Verifier, access_log: AccessLog) -> None:
        self.store = store
        self.verifier = verifier
        self.access_log = access_log
        super().__init__(address, Connection, "s3")


class RunningS3:
    """A serving S3. `url` is its endpoint; `close` ends it. Usable as a context manager."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.url = listener.url
        listener.start()

    def close(self) -> None:
        """Stop serving: requests under way are cut, threads joined, sockets closed, the folder released."""
        self._listener.end()
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

"""One HTTP exchange on a fresh connection with a total time, and the knowledge of whether its request ever left.

`requests` limits each read, not the whole exchange: a server that drips a byte now and then would hold a paid request
for ever. And its exceptions don't tell whether a request was sent: a TLS error may come from the handshake or from
the middle of an answer. Both questions are answered at the socket, here.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import threading
from types import TracebackType
from typing import Any, ClassVar, Self

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool

__all__ = ["GuardedAdapter", "PrivateAddressError", "TimeGuard", "is_public"]

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PrivateAddressError(OSError):
    """A host that should be on the public internet is not."""


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, and not to this machine or a network around it."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in _NAT64 else ip.ipv4_mapped
        if inner is not None:
            ip = inner
    return ip.is_global and not ip.is_multicast


class TimeGuard:
    """Ends an exchange when its total time is over, by shutting its connection down from a watchdog thread.

    `sent` turns true the moment the connection is ready (TLS included) and the request may leave: before it, nothing
    can have reached the provider. `expired` turns true when the time is over; a guard that expired never turns `sent`.
    Resolving the host name can't be interrupted; an exchange that hangs there ends late, but with nothing sent.
    A `public` exchange goes to the public internet alone, wherever its address or a redirect leads.
    """

    def __init__(self, seconds: float, *, public: bool = False) -> None:
        self.sent = False
        self._public = public
        self.expired = False
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._watchdog = threading.Timer(max(seconds, 0.0), self._expire)
        self._watchdog.daemon = True

    def __enter__(self) -> Self:
        self._watchdog.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watchdog.cancel()
        self._watchdog.join()
        for connection in self._connections:
            connection.close()

    def opened(self, connection: socket.socket) -> None:
        """Watch over a TCP connection that has just been opened. PrivateAddressError for one that must not be used."""
        if self._public and not is_public(connection.getpeername()[0]):
            raise PrivateAddressError("not on the public internet")
        # TLS detaches the socket object it wraps; a duplicate of the descriptor keeps hold of the connection itself.
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            self._connections.append(duplicate)
            if self.expired:
                raise TimeoutError("the time was over before the request could be sent")

    def about_to_send(self) -> None:
        """Note that the request leaves now; raise TimeoutError, once and for all, if its time is already over."""
        with self._lock:
            if self.expired:
                raise TimeoutError("the time was over before the request could be sent")
            self.sent = True

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _GuardedConnection:
    """Mixed into urllib3's connection classes: reports to the guard when it opens and when it is ready to send."""

    guard: ClassVar[TimeGuard]

    def _new_conn(self) -> socket.socket:
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]
        try:
            self.guard.opened(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.guard.about_to_send()


class GuardedAdapter(HTTPAdapter):
    """A `requests` transport for one exchange: guarded connections, and no retry of any library."""

    def __init__(self, guard: TimeGuard) -> None:
        self._guard = guard
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> HTTPConnectionPool:
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        if not issubclass(pool.ConnectionCls, _GuardedConnection):
            guarded = type("GuardedConnection", (_GuardedConnection, pool.ConnectionCls), {"guard": self._guard})
            pool.ConnectionCls = guarded
        guarded_pool: HTTPConnectionPool = pool
        return guarded_pool

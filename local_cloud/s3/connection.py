"""One HTTP connection: requests in, answers out, the connection kept open in between."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from local_cloud.s3.access_log import Entry
from local_cloud.s3.bodies import Body
from local_cloud.s3.errors import S3Error
from local_cloud.s3.messages import FilePart, Request, Response, xml
from local_cloud.s3.router import route
from local_cloud.s3.signatures import SignedRequest

if TYPE_CHECKING:
    from local_cloud.s3.server import Listener

__all__ = ["Connection"]

_LOG = logging.getLogger(__name__)
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DISCARD = 1 << 30
"""How much of an unwanted body is read and dropped, so that the client gets to read why it was refused, in bytes."""
_VIRTUAL_HOST = ".localhost"


class Connection(BaseHTTPRequestHandler):
    """Answers the requests of one client connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120
    server: Listener

    def do_GET(self) -> None:
        """Answer one request, whatever its method."""
        started, self._sent, self._operation = time.time(), 0, ""
        self._awaits_continue = self.headers.get("expect", "").lower() == "100-continue"
        headers = _lower_names(self.headers.items())
        path, _, query = self.path.partition("?")
        bucket, key = _address(headers.get("host", ""), path)
        body: Body | None = None
        try:
            body = Body(cast(BinaryIO, self.rfile), headers, self._continue)
            pairs = parse_qsl(query, keep_blank_values=True)
            self.server.verifier.verify(SignedRequest(self.command, path, pairs, headers))
            response = self._carry_out(Request(self.command, bucket, key, dict(pairs), headers, body))
        except Exception as error:  # noqa: BLE001 (the client gets to know, whatever it was)
            response = _refusal(error, self.path)
        self._finish_body(body)
        self._send(response)
        self.server.access_log.write(
            Entry(
                time=started,
                operation=self._operation,
                method=self.command,
                bucket=bucket,
                key=key,
                status=response.status,
                bytes_in=body.bytes_read if body else 0,
                bytes_out=self._sent,
                bytes_copied=response.copied,
                range=headers.get("x-amz-copy-source-range", headers.get("range", "")),
                seconds=time.time() - started,
            )
        )

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

    def handle_expect_100(self) -> bool:
        """Leave `100 Continue` to the moment in which the body is wanted."""
        return True

    def version_string(self) -> str:
        return "DiskS3"

    def log_message(self, format: str, *args: object) -> None:
        """Requests go to the access log, not to stderr."""

    def _carry_out(self, request: Request) -> Response:
        chosen = route(request)
        self._operation = chosen.name
        return chosen.operation(self.server.store, request)

    def _continue(self) -> None:
        if self._awaits_continue:
            self._awaits_continue = False
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _finish_body(self, body: Body | None) -> None:
        """Bring the connection to the start of the next request, or mark it for closing."""
        if body is None or (not body.ended and self._awaits_continue):
            self.close_connection = True
            return
        try:
            body.discard(_DISCARD)
        except (S3Error, OSError, ValueError):
            self.close_connection = True
        if not body.ended:
            self.close_connection = True

    def _send(self, response: Response) -> None:
        try:
            if isinstance(response.body, FilePart):
                with response.body.file:
                    self._send_file(response, response.body)
            elif self._send_head(response, len(response.body)):
                self.wfile.write(response.body)
                self._sent = len(response.body)
        except OSError:
            self.close_connection = True

    def _send_file(self, response: Response, part: FilePart) -> None:
        if not self._send_head(response, part.length) or not part.length:
            return
        self._sent = self.connection.sendfile(part.file, part.offset, part.length)
        if self._sent != part.length:
            self.close_connection = True

    def _send_head(self, response: Response, length: int) -> bool:
        """Send status and headers; say whether a body follows."""
        self.send_response(response.status)
        self.send_header("x-amz-request-id", uuid4().hex[:16].upper())
        for name, value in response.headers.items():
            self.send_header(name, value)
        bodiless = response.status in (204, 304)
        if not bodiless:
            self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        return not bodiless and self.command != "HEAD"


def _lower_names(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name, repeated ones joined by a comma."""
    joined: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        joined[lower] = f"{joined[lower]},{value}" if lower in joined else value
    return joined


def _address(host: str, path: str) -> tuple[str, str]:
    """Bucket and key of a request, for `http://host/bucket/key` and for `http://bucket.localhost/key`."""
    name = host.partition(":")[0].lower()
    if name.endswith(_VIRTUAL_HOST):
        return name.removesuffix(_VIRTUAL_HOST), unquote(path[1:])
    bucket, _, key = path[1:].partition("/")
    return unquote(bucket), unquote(key)


def _refusal(error: Exception, resource: str) -> Response:
    """The error document for whatever went wrong."""
    if isinstance(error, TimeoutError):
        error = S3Error("RequestTimeout")
    elif isinstance(error, ConnectionError):
        error = S3Error("IncompleteBody")
    elif isinstance(error, OSError) and error.errno in _NO_SPACE:
        error = S3Error("InsufficientStorage", f"{error.strerror}: the object was not stored. Free some disk space.")
    elif not isinstance(error, S3Error):
        _LOG.error("request for %s failed", resource, exc_info=error)
        error = S3Error("InternalError", f"{type(error).__name__}: {error}")
    details: Mapping[str, str] = error.details
    document = [("Code", error.code), ("Message", error.message), *details.items(), ("Resource", resource)]
    return xml("Error", list(document), error.status)

"""The body of one request: taken off the wire, decoded, hashed and written to a file as it arrives.

Three envelopes occur: `Content-Length`, HTTP's own chunks, and inside either of them S3's `aws-chunked` encoding, whose
trailer carries a checksum (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from local_cloud.s3 import checksums
from local_cloud.s3.errors import S3Error

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["CHUNK", "UNSIGNED", "UNSIGNED_TRAILER", "Body", "Received"]

CHUNK = 1 << 20
_BUFFER = 1 << 16
_LINE = 8192
UNSIGNED = "UNSIGNED-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@dataclass(frozen=True, slots=True)
class Received:
    """What arrived: `size` in bytes, `md5` in hex, `checksums` as {algorithm: base64}."""

    size: int
    md5: str
    checksums: dict[str, str]


class _Wire(io.RawIOBase):
    """The octets of one HTTP message body, free of HTTP's own chunking. `count` is how many were read."""

    def __init__(self, stream: BinaryIO, length: int | None, before_reading: Callable[[], None]) -> None:
        super().__init__()
        self._stream = stream
        self._chunked = length is None
        self._left = length or 0
        self._ended = length == 0
        self._before_reading: Callable[[], None] | None = before_reading
        self.count = 0

    @property
    def ended(self) -> bool:
        """Whether the whole body has been taken off the connection."""
        return self._ended

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self._ended:
            return 0
        if self._before_reading:
            self._before_reading()
            self._before_reading = None
        if self._chunked and self._left == 0 and not self._next_chunk():
            return 0
        view = memoryview(buffer)[: self._left]
        got = self._stream.readinto1(view)  # type: ignore[attr-defined]
        if not got:
            raise S3Error("IncompleteBody")
        self._left -= got
        self.count += got
        if self._left == 0:
            if self._chunked:
                self._line()
            else:
                self._ended = True
        return int(got)

    def _next_chunk(self) -> bool:
        self._left = _hexadecimal(self._line())
        if self._left:
            return True
        while self._line():
            pass
        self._ended = True
        return False

    def _line(self) -> bytes:
        line = self._stream.readline(_LINE)
        if not line.endswith(b"\n"):
            raise S3Error("IncompleteBody")
        return line.strip()


class Body:
    """A request body, read at most once.

    `before_reading` is called before the first byte is asked for; it lets the server answer `Expect: 100-continue` only
    when the request will be carried out.
    """

    def __init__(self, stream: BinaryIO, headers: Mapping[str, str], before_reading: Callable[[], None]) -> None:
        self._headers = headers
        self._wire = _Wire(stream, _length(headers), before_reading)
        self._reader = io.BufferedReader(self._wire, _BUFFER)
        self._trailers: dict[str, str] = {}

    @property
    def bytes_read(self) -> int:
        """How many octets came over the wire, envelopes of `aws-chunked` included."""
        return self._wire.count

    @property
    def ended(self) -> bool:
        return self._wire.ended

    @property
    def size(self) -> int | None:
        """The decoded length in bytes where the request states it."""
        stated = self._headers.get("x-amz-decoded-content-length") or (
            None if self._is_aws_chunked else self._headers.get("content-length")
        )
        return int(stated) if stated and stated.isdecimal() else None

    @property
    def _is_aws_chunked(self) -> bool:
        return self._headers.get("x-amz-content-sha256", "").startswith("STREAMING-")

    def require_length(self) -> None:
        """MissingContentLength for a request that must have a body and does not say where it ends."""
        if "content-length" not in self._headers and "transfer-encoding" not in self._headers:
            raise S3Error("MissingContentLength")

    def discard(self, limit: int) -> None:
        """Read and drop up to `limit` bytes of what is left."""
        while limit > 0 and not self.ended and (dropped := len(self._reader.read(min(CHUNK, limit)))):
            limit -= dropped

    def read(self, limit: int) -> bytes:
        """A small body, whole and verified; MalformedXML when it is longer than `limit` bytes."""
        buffer = io.BytesIO()
        if (self.size or 0) > limit:
            raise S3Error("MalformedXML", f"The request body is longer than {limit} bytes.")
        self.receive(buffer, limit)
        return buffer.getvalue()

    def receive(self, file: BinaryIO, limit: int) -> Received:
        """Stream the body into `file` and verify everything that the request states about it.

        Raises EntityTooLarge, IncompleteBody, BadDigest, InvalidDigest or XAmzContentSHA256Mismatch; the file's
        content is then worthless.
        """
        if (self.size or 0) > limit:
            raise S3Error("EntityTooLarge", MaxSizeAllowed=limit, ProposedSize=self.size or 0)
        content, payload_hash = checksums.md5(), self._payload_hash()
        sha256 = hashlib.sha256() if payload_hash else None
        computed = {name: digest for name in self._algorithms() if (digest := checksums.new_digest(name))}
        digests = [content, *computed.values(), *([sha256] if sha256 else [])]
        size = 0
        for chunk in self._chunks():
            size += len(chunk)
            if size > limit:
                raise S3Error("EntityTooLarge", MaxSizeAllowed=limit, ProposedSize=size)
            for digest in digests:
                digest.update(chunk)
            file.write(chunk)
        if self.size is not None and size != self.size:
            raise S3Error("IncompleteBody")
        if sha256 and sha256.hexdigest() != payload_hash:
            raise S3Error("XAmzContentSHA256Mismatch", ClientComputedContentSHA256=payload_hash)
        self._compare_md5(content.digest())
        if missing := self._announced() - self._trailers.keys():
            raise S3Error("MalformedTrailerError", f"The trailer {', '.join(sorted(missing))} was not sent.")
        stated = {**checksums.declared(self._headers), **checksums.declared(self._trailers)}
        checksums.compare(stated, computed)
        return Received(size, content.hexdigest(), stated)

    def _algorithms(self) -> set[str]:
        return {
            *checksums.declared(self._headers),
            *(name.removeprefix(checksums.PREFIX) for name in self._announced()),
        }

    def _announced(self) -> set[str]:
        """The names of the trailers that shall follow the body."""
        return {name.strip() for name in self._headers.get("x-amz-trailer", "").lower().split(",") if name.strip()}

    def _payload_hash(self) -> str:
        """The SHA-256 that was signed, or "" where the payload is not signed."""
        stated = self._headers.get("x-amz-content-sha256", UNSIGNED)
        return "" if stated in (UNSIGNED, UNSIGNED_TRAILER) else stated

    def _compare_md5(self, computed: bytes) -> None:
        stated = self._headers.get("content-md5")
        if stated is None:
            return
        try:
            expected = base64.b64decode(stated, validate=True)
        except binascii.Error:
            raise S3Error("InvalidDigest") from None
        if len(expected) != 16:
            raise S3Error("InvalidDigest")
        if expected != computed:
            raise S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.")

    def _chunks(self) -> Iterator[bytes]:
        if self._is_aws_chunked:
            yield from self._aws_chunks()
            return
        while chunk := self._reader.read(CHUNK):
            yield chunk

    def _aws_chunks(self) -> Iterator[bytes]:
        while left := _hexadecimal(self._line()):
            while left:
                chunk = self._reader.read(min(CHUNK, left))
                if not chunk:
                    raise S3Error("IncompleteBody")
                left -= len(chunk)
                yield chunk
            self._line()
        while line := self._reader.readline(_LINE).strip():
            name, _, value = line.decode("latin-1").partition(":")
            self._trailers[name.strip().lower()] = value.strip()

    def _line(self) -> bytes:
        line = self._reader.readline(_LINE)
        if not line.endswith(b"\n"):
            raise S3Error("IncompleteBody")
        return line.strip()


def _length(headers: Mapping[str, str]) -> int | None:
    """The length of the message body in bytes; None when it comes in HTTP chunks."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return None
    stated = headers.get("content-length", "0")
    if not stated.isdecimal():
        raise S3Error("InvalidArgument", f"Content-Length is '{stated}'; it must be a number.")
    return int(stated)


def _hexadecimal(line: bytes) -> int:
    """The size in a chunk's head, which may be followed by extensions."""
    digits = line.split(b";", 1)[0].strip()
    if not digits or digits.translate(None, b"0123456789abcdefABCDEF"):
        raise S3Error("IncompleteBody", "A chunk of the request body has no size.")
    return int(digits, 16)

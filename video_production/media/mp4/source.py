"""Where the bytes of a media file come from: ranged reads of a local file or of an object in S3."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from botocore.exceptions import ClientError

from video_production.errors import MediaError, TransientError
from video_production.storage import translated

__all__ = ["LocalFile", "S3Object", "Source"]

HEAD = 256 << 10
"""Bytes of an S3 object fetched at once at its start; the header of most files lies there whole."""

SMALL = 2 << 20
"""An object up to this size is fetched whole with the second read: another call costs more than its bytes."""

AHEAD = 16 << 10
"""The least number of bytes fetched from S3: the next box header usually lies close by."""


class Source(Protocol):
    """A file of known size that can be read in ranges. `name` is for messages."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`. The caller keeps inside the file."""
        ...


class LocalFile:
    """A file on disk, opened at once; close it or use it as a context manager. MediaError when it can't be read."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        if not path.is_file():
            if not path.exists():
                raise MediaError(f"{path} does not exist. Check the path.")
            raise MediaError(f"{path} is a folder. Name a file in it." if path.is_dir() else f"{path} is no file.")
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise MediaError(f"{path} can't be opened: {error.strerror}. Check its permissions.") from error
        self.size, self._changed = self._state()

    def read(self, offset: int, length: int) -> bytes:
        data = os.pread(self._file.fileno(), length, offset)
        if len(data) != length:
            raise MediaError(f"{self.name} changed while it was being read. Run again when nothing writes to it.")
        return data

    def _state(self) -> tuple[int, int]:
        """Size in bytes, and when the file was changed last."""
        state = os.fstat(self._file.fileno())
        return state.st_size, state.st_mtime_ns

    def refuse_change(self) -> None:
        """Raise MediaError when the file was written to since it was opened."""
        if self._state() != (self.size, self._changed):
            raise MediaError(f"{self.name} changed while it was being read. Run again when nothing writes to it.")

    def fileno(self) -> int:
        """The descriptor, for the operating system to copy from."""
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> LocalFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class S3Object:
    """An object in S3, pinned to the version whose ETag the first read saw.

    `client` is a boto3 S3 client. One GET is sent at once; it tells `size` (bytes) and `etag`. Every later read carries
    If-Match. Raises MediaError when the object is missing or empty, OperatorError when access is denied, TransientError
    when S3 hiccups or the object was replaced meanwhile.
    """

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client = client
        self.bucket = bucket
        self.key = key
        self.name = f"s3://{bucket}/{key}"
        self.etag = ""
        self.size = 0
        self._counting = threading.Lock()
        self.fetched = 0
        """Bytes fetched so far."""
        self._seen = (0, self._get(0, HEAD))
        """Where the bytes fetched last begin, and the bytes: one value, so that threads may read side by side."""

    def read(self, offset: int, length: int) -> bytes:
        start, block = self._seen
        if not start <= offset or offset + length > start + len(block):
            if start == 0 and HEAD <= len(block) < self.size <= SMALL:
                self._seen = (0, block + self._get(len(block), self.size - len(block)))
                return self.read(offset, length)
            start, block = offset, self._get(offset, min(max(length, AHEAD), self.size - offset))
            if length <= HEAD:
                self._seen = (start, block)
        if offset + length > start + len(block):
            raise TransientError(f"{self.name}: S3 sent fewer bytes than asked for.")
        return block[offset - start : offset - start + length]

    def _get(self, offset: int, length: int) -> bytes:
        span = {"Range": f"bytes={offset}-{offset + length - 1}"}
        pinned = {"IfMatch": self.etag} if self.etag else {}
        with translated(self.bucket, self.key):
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=self.key, **span, **pinned)
            except ClientError as error:
                self._explain(error)
                raise
            body: bytes = answer["Body"].read()
        with self._counting:
            self.fetched += len(body)
        self.etag = answer["ETag"]
        self.size = int(answer["ContentRange"].rpartition("/")[2])
        return body

    def _explain(self, error: ClientError) -> None:
        code = error.response.get("Error", {}).get("Code", "")
        if code in ("InvalidRange", "416"):
            raise MediaError(f"{self.name} is empty. Upload it again.") from error
        if code in ("PreconditionFailed", "412"):
            raise TransientError(f"{self.name} was replaced while it was being read.") from error

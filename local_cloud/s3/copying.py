"""Bytes from file to file, inside the kernel where it can, and their MD5."""

from __future__ import annotations

import errno
import os
from typing import BinaryIO

from local_cloud.s3 import checksums
from local_cloud.s3.bodies import CHUNK

__all__ = ["copy_range", "md5_of_range"]

_KERNEL_PIECE = 64 << 20
_NOT_HERE = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP}


def copy_range(source: BinaryIO, target: BinaryIO, offset: int, length: int) -> None:
    """Append `length` bytes of `source` from `offset` to `target`. Raises EOFError when the source ends before."""
    target.flush()
    position, end = offset, offset + length
    while position < end:
        copied = _copy_some(source.fileno(), target.fileno(), position, min(_KERNEL_PIECE, end - position))
        if copied == 0:
            raise EOFError(f"the source ended at {position}, before {end}")
        position += copied


def _copy_some(source: int, target: int, offset: int, length: int) -> int:
    """Copy some bytes; 0 at the end of the source. Not every system or pair of filesystems has `copy_file_range`."""
    if hasattr(os, "copy_file_range"):
        try:
            return os.copy_file_range(source, target, length, offset_src=offset)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
    content = os.pread(source, min(CHUNK, length), offset)
    view = memoryview(content)
    while view:
        view = view[os.write(target, view) :]
    return len(content)


def md5_of_range(source: BinaryIO, offset: int, length: int) -> str:
    """The MD5, in hex, of `length` bytes of a file. Does not move its position."""
    digest, position, end = checksums.md5(), offset, offset + length
    while position < end:
        chunk = os.pread(source.fileno(), min(CHUNK, end - position), position)
        if not chunk:
            raise EOFError(f"the file ended at {position}, before {end}")
        digest.update(chunk)
        position += len(chunk)
    return digest.hexdigest()

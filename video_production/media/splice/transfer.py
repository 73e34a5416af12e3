"""Puts a planned file together: on S3 by part copies, locally by copying ranges; nothing is seen until it is whole.

Every read and every copy is pinned to the version of the input that was planned with (ETag): an input that is replaced
meanwhile fails the merge instead of corrupting it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import ClientError

from video_production.errors import OperatorError, OutOfTime, TransientError
from video_production.media.mp4.source import LocalFile, S3Object, Source
from video_production.media.splice.parts import LEAST_PART, Bytes, Copied, Part, Piece, Range, Sent, plan_parts
from video_production.storage import S3Location, Tags, translated

__all__ = ["Transferred", "VirtualFile", "write_file", "write_object"]

_AT_ONCE = 32
_SENT_AT_ONCE = 6
"""Where most parts go through us: each of them is in memory, twice for a moment."""

_CHUNK = 8 << 20
_LONGEST_NAME = 60
_MIME = "video/mp4"


@dataclass(frozen=True, slots=True)
class Transferred:
    """What moved, in bytes: `read` from the inputs through us, `written` through us, `copied` by S3 itself."""

    size: int
    read: int
    written: int
    copied: int
    sha256: str = ""
    """Of the whole content, where all of it passed through us."""


class VirtualFile:
    """The planned file as something to read from, before it exists."""

    def __init__(self, name: str, pieces: Sequence[Piece], sources: Sequence[Source]) -> None:
        self.name = name
        self._ends = list(accumulate(piece.size for piece in pieces))
        self.size = self._ends[-1] if self._ends else 0
        self._pieces = pieces
        self._sources = sources

    def read(self, offset: int, length: int) -> bytes:
        return b"".join(self._ranges(offset, offset + length))

    def _ranges(self, begin: int, end: int) -> Iterator[bytes]:
        for index in range(bisect_right(self._ends, begin), len(self._pieces)):
            piece = self._pieces[index]
            at = self._ends[index] - piece.size
            if at >= end:
                return
            low, high = max(begin, at) - at, min(end, at + piece.size) - at
            if isinstance(piece, Bytes):
                yield piece.content[low:high]
            elif low < high:
                yield self._sources[piece.source].read(piece.start + low, high - low)


def write_object(
    client: Any,
    pieces: Sequence[Piece],
    sources: Sequence[Source],
    destination: S3Location,
    *,
    tags: Tags = (),
    on_progress: Callable[[float], None] | None = None,
    deadline: float | None = None,
    proven: Callable[[], object] = lambda: None,
    before_upload: Callable[[], object] = lambda: None,
) -> Transferred:
    """Make the object `destination` from `pieces` of `sources` (S3 objects are copied by S3, other files are sent).

    It appears whole or not at all: on any failure the upload is aborted. `deadline` is a `time.monotonic` value;
    `proven` is called right before the object appears, and prevents that by raising; `before_upload` before a multipart
    upload is opened, where one is needed. Raises MediaError, OperatorError, OutOfTime, TransientError.
    """
    size = sum(piece.size for piece in pieces)
    described = {"ContentType": _MIME, **({"Tagging": urlencode(tags)} if tags else {})}
    if size < 2 * LEAST_PART:
        return _put_whole(client, pieces, sources, destination, described, proven)
    copyable = [isinstance(source, S3Object) for source in sources]
    parts = plan_parts(pieces, copyable=copyable)
    before_upload()
    with translated(destination.bucket, destination.key):
        target = {"Bucket": destination.bucket, "Key": destination.key}
        upload = client.create_multipart_upload(**target, **described)["UploadId"]
        try:
            etags = _send_parts(client, {**target, "UploadId": upload}, parts, sources, on_progress, deadline)
            proven()
            done = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, start=1)]
            client.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": done})
        except BaseException:
            with contextlib.suppress(Exception):  # what went wrong before matters more
                client.abort_multipart_upload(**target, UploadId=upload)
            raise
    sent = [part for part in parts if isinstance(part, Sent)]
    fetched = sum(piece.size for part in sent for piece in part.pieces if not isinstance(piece, Bytes))
    written = sum(part.size for part in sent)
    return Transferred(size, fetched, written, size - written)


def _put_whole(
    client: Any,
    pieces: Sequence[Piece],
    sources: Sequence[Source],
    destination: S3Location,
    described: dict[str, str],
    proven: Callable[[], object],
) -> Transferred:
    body = _gathered(pieces, sources)
    proven()
    with translated(destination.bucket, destination.key):
        client.put_object(Bucket=destination.bucket, Key=destination.key, Body=body, **described)
    fetched = sum(piece.size for piece in pieces if not isinstance(piece, Bytes))
    return Transferred(len(body), fetched, len(body), 0, hashlib.sha256(body).hexdigest())


def _gathered(pieces: Sequence[Piece], sources: Sequence[Source]) -> bytes:
    """The bytes of some pieces. Neighbouring ranges of a source are fetched at once, whatever lies between."""
    fetched: dict[int, bytes] = {}
    run: list[int] = []

    def fetch() -> None:
        ranges = [piece for piece in (pieces[index] for index in run) if isinstance(piece, Range)]
        block = sources[ranges[0].source].read(ranges[0].start, sum(each.size for each in ranges))
        at = 0
        for index, each in zip(run, ranges, strict=True):
            fetched[index] = block[at : at + each.size]
            at += each.size

    for index, piece in enumerate(pieces):
        if isinstance(piece, Bytes):
            fetched[index] = piece.content
            continue
        before = pieces[run[-1]] if run else None
        if isinstance(before, Range) and (before.source, before.start + before.size) != (piece.source, piece.start):
            fetch()
            run = []
        run.append(index)
    if run:
        fetch()
    return b"".join(fetched[index] for index in range(len(pieces)))


def _send_parts(
    client: Any,
    upload: dict[str, str],
    parts: Sequence[Part],
    sources: Sequence[Source],
    on_progress: Callable[[float], None] | None,
    deadline: float | None,
) -> list[str]:
    total, done = sum(part.size for part in parts), 0
    through_us = sum(isinstance(part, Sent) for part in parts)
    at_once = _AT_ONCE if 2 * through_us < len(parts) else _SENT_AT_ONCE
    with ThreadPoolExecutor(max_workers=min(at_once, len(parts))) as pool:
        running = {
            pool.submit(_send_part, client, upload, number, part, sources): part
            for number, part in enumerate(parts, start=1)
        }
        waiting = set(running)
        try:
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_EXCEPTION, timeout=0.5)
                for each in finished:
                    each.result()
                    done += running[each].size
                if on_progress:
                    on_progress(done / total)
                if waiting and deadline is not None and time.monotonic() > deadline:
                    raise OutOfTime("The time limit came before S3 had put the video together; merge fewer at once.")
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        return [each.result() for each in running]


def _send_part(client: Any, upload: dict[str, str], number: int, part: Part, sources: Sequence[Source]) -> str:
    if not isinstance(part, Copied):
        body = _gathered(part.pieces, sources)
        return str(client.upload_part(**upload, PartNumber=number, Body=body)["ETag"])
    source = sources[part.range.source]
    assert isinstance(source, S3Object)
    try:
        answer = client.upload_part_copy(
            **upload,
            PartNumber=number,
            CopySource={"Bucket": source.bucket, "Key": source.key},
            CopySourceIfMatch=source.etag,
            CopySourceRange=f"bytes={part.range.start}-{part.range.start + part.range.size - 1}",
        )
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        if code in ("PreconditionFailed", "412", "NoSuchKey", "404"):
            done = "removed" if code in ("NoSuchKey", "404") else "replaced"
            raise TransientError(f"{source.name} was {done} while it was being merged.") from error
        if code in ("AccessDenied", "403"):
            raise OperatorError(
                f"{source.name} can't be copied to s3://{upload['Bucket']}/{upload['Key']}: access denied. Give the "
                "role permission to read the one and to write the other."
            ) from error
        raise
    return str(answer["CopyPartResult"]["ETag"])


def write_file(
    pieces: Sequence[Piece],
    sources: Sequence[Source],
    output: Path,
    *,
    on_progress: Callable[[float], None] | None = None,
) -> Transferred:
    """Make the local file `output` from `pieces`; it appears whole or not at all.

    Raises OperatorError when it can't be written, MediaError when an input changed meanwhile.
    """
    try:
        return _write_file(pieces, sources, output, on_progress)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OperatorError(f"The disk is full, so {output} can't be written. Make room, then retry.") from error
        raise OperatorError(f"{output} can't be written: {error.strerror}.") from error


def _write_file(
    pieces: Sequence[Piece], sources: Sequence[Source], output: Path, on_progress: Callable[[float], None] | None
) -> Transferred:
    size, done, copied = sum(piece.size for piece in pieces), 0, 0
    handle, name = tempfile.mkstemp(prefix=f".{output.name[:_LONGEST_NAME]}.", suffix=".partial", dir=output.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            for piece in pieces:
                if isinstance(piece, Bytes):
                    _write(file.fileno(), piece.content)
                else:
                    copied += _copy_range(sources[piece.source], piece.start, piece.size, file.fileno())
                done += piece.size
                if on_progress:
                    on_progress(done / size)
        for source in sources:
            if isinstance(source, LocalFile):
                source.refuse_change()
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    return Transferred(size, size - copied, size - copied, copied)


def _copy_range(source: Source, start: int, size: int, target: int) -> int:
    """Append a range of `source` to `target`; bytes that the kernel copied by itself are counted and returned."""
    copied = 0
    if isinstance(source, LocalFile):
        while copied < size:
            try:
                count = os.copy_file_range(source.fileno(), target, size - copied, offset_src=start + copied)
            except (AttributeError, OSError):  # another file system, another operating system
                break
            if not count:
                break
            copied += count
    for offset in range(start + copied, start + size, _CHUNK):
        _write(target, source.read(offset, min(_CHUNK, start + size - offset)))
    return copied


def _write(target: int, content: bytes) -> None:
    """All of it: the operating system may take less at once."""
    left = memoryview(content)
    while left:
        left = left[os.write(target, left) :]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

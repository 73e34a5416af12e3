"""Media in S3: streamed, hashed, never held whole in memory.

Every failure becomes one of three: the object is not there (MediaError), we are not allowed (OperatorError), or it may
work next time (TransientError).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from video_production.clients import LazyClient
from video_production.errors import MediaError, OperatorError, RequestError, TransientError

__all__ = [
    "CHUNK",
    "PUT_TOGETHER",
    "S3Location",
    "Storage",
    "StoredObject",
    "Tags",
    "file_name",
    "parse_s3_url",
    "s3_location",
    "translated",
]

CHUNK = 1 << 20
PART = 8 << 20
"""Multipart part size in bytes; S3 wants at least 5 MiB for every part but the last."""

PUT_TOGETHER = "parts:"
"""Before the digest of what an object was put together from, where nobody has read its bytes."""

Tags = Sequence[tuple[str, str]]
"""Object tags, name and value: by them a bucket's lifecycle rules know what may expire."""

_CONNECTIONS = 40
"""As many requests as are ever under way at once: S3 copies the parts of a merge side by side."""

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_LONGEST_KEY = 1024
_LONGEST_NAME = 200
"""In bytes; Linux takes 255."""
_DENIED = {"AccessDenied", "403", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled"}
_FULL = "InsufficientStorage"
"""What the local cloud's S3 answers when the disk is full."""
_MISSING = {"NoSuchKey", "404", "NotFound"}


@dataclass(frozen=True, slots=True)
class S3Location:
    """Where an object lies, or will lie."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in S3: `size` in bytes, `sha256` hex digest of its content (empty where it was not read, or that of
    what it was put together from, after `PUT_TOGETHER`)."""

    bucket: str
    key: str
    size: int
    sha256: str
    etag: str = ""


def parse_s3_url(url: str) -> S3Location:
    """`s3://bucket/key` → its parts. Raises RequestError for anything else."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket or not key:
        raise RequestError(f"'{url}' is not an S3 URL; write s3://bucket/key.")
    return s3_location(bucket, key)


def s3_location(bucket: str, key: str) -> S3Location:
    """The object that a caller names. Raises RequestError where S3 knows no such name."""
    if not _BUCKET.fullmatch(bucket):  # in a bucket's place boto3 takes ARNs of other resources, too
        raise RequestError(f"{bucket[:64]!a} can't be a bucket; write its name alone.")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= _LONGEST_KEY or "\0" in key:
        raise RequestError(f"{key[:64]!a} can't be a key in S3; it has 1 to {_LONGEST_KEY} bytes of UTF-8.")
    return S3Location(bucket, key)


def file_name(key: str) -> str:
    """A name for a copy of the object on this disk: the last part of its key, shortened at the front to 200 bytes."""
    name = Path(key).name
    return "file" if name in ("", "..") else name.encode()[-_LONGEST_NAME:].decode(errors="ignore")


class Storage:
    """Reads and writes objects through one boto3 S3 client. `bytes_read` and `bytes_written` count what was moved."""

    def __init__(self, client: Any = None) -> None:
        retries: Any = {"mode": "standard", "max_attempts": 4}
        config = Config(signature_version="s3v4", retries=retries, max_pool_connections=_CONNECTIONS)
        self.client = client or LazyClient("s3", config)
        self.bytes_read = 0
        self.bytes_written = 0

    def read(self, bucket: str, key: str, limit: int = 1 << 20) -> bytes:
        """The content of a small object; MediaError when it is larger than `limit` bytes."""
        with translated(bucket, key):
            answer = self.client.get_object(Bucket=bucket, Key=key)
            if answer["ContentLength"] > limit:
                raise MediaError(f"s3://{bucket}/{key} has {answer['ContentLength']} bytes; at most {limit} fit here.")
            body: bytes = answer["Body"].read()
            return body

    def head(self, bucket: str, key: str) -> StoredObject | None:
        """Size and ETag of an object, or None where there is none."""
        try:
            with translated(bucket, key):
                answer = self.client.head_object(Bucket=bucket, Key=key)
        except MediaError:
            return None
        sha256 = answer.get("Metadata", {}).get("sha256", "")
        return StoredObject(bucket, key, answer["ContentLength"], sha256, answer["ETag"])

    def list(self, bucket: str, prefix: str) -> list[str]:
        """The keys under a prefix, in order."""
        keys: list[str] = []
        with translated(bucket, prefix):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                keys += [entry["Key"] for entry in page.get("Contents", [])]
        return keys

    def download(self, bucket: str, key: str, path: Path) -> StoredObject:
        """Stream an object into a local file."""
        digest, size = hashlib.sha256(), 0
        with translated(bucket, key):
            answer = self.client.get_object(Bucket=bucket, Key=key)
            with path.open("wb") as file:
                for chunk in answer["Body"].iter_chunks(CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
        self.bytes_read += size
        return StoredObject(bucket, key, size, digest.hexdigest(), answer["ETag"])

    def upload(self, path: Path, bucket: str, key: str, content_type: str, tags: Tags = ()) -> StoredObject:
        """Stream a local file into an object; the object appears whole or not at all."""

        def chunks() -> Iterator[bytes]:
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk

        return self.put(chunks(), bucket, key, content_type, tags)

    def put(self, chunks: Iterable[bytes], bucket: str, key: str, content_type: str, tags: Tags = ()) -> StoredObject:
        """Stream chunks into an object: one PUT when they fit a part, else a multipart upload (aborted on error)."""
        digest, size, buffer, etag = hashlib.sha256(), 0, bytearray(), ""
        upload_id: str | None = None
        parts: list[dict[str, Any]] = []
        target = {"Bucket": bucket, "Key": key}
        described = {"ContentType": content_type, **({"Tagging": urlencode(tags)} if tags else {})}

        def send_part() -> None:
            number = len(parts) + 1
            answer = self.client.upload_part(**target, UploadId=upload_id, PartNumber=number, Body=bytes(buffer))
            parts.append({"ETag": answer["ETag"], "PartNumber": number})
            buffer.clear()

        with translated(bucket, key):
            try:
                for chunk in chunks:
                    digest.update(chunk)
                    size += len(chunk)
                    buffer += chunk
                    if len(buffer) >= PART:
                        if upload_id is None:
                            upload = self.client.create_multipart_upload(**target, **described)
                            upload_id = upload["UploadId"]
                        send_part()
                if upload_id is None:
                    etag = self.client.put_object(
                        **target, **described, Body=bytes(buffer), Metadata={"sha256": digest.hexdigest()}
                    )["ETag"]
                else:
                    if buffer:
                        send_part()
                    etag = self.client.complete_multipart_upload(
                        **target, UploadId=upload_id, MultipartUpload={"Parts": parts}
                    )["ETag"]
            except BaseException:
                if upload_id is not None:
                    with suppress(Exception):  # what went wrong before matters more
                        self.client.abort_multipart_upload(**target, UploadId=upload_id)
                raise
        self.bytes_written += size
        return StoredObject(bucket, key, size, digest.hexdigest(), etag)

    def put_bytes(self, content: bytes, bucket: str, key: str, content_type: str, tags: Tags = ()) -> StoredObject:
        return self.put([content], bucket, key, content_type, tags)

    def put_first(self, content: bytes, bucket: str, key: str, content_type: str) -> bool:
        """Store an object where none is yet: of several writers exactly one succeeds. False: there is one already.

        It may be this call's own, if the answer to an earlier try was lost: read it.
        """
        with translated(bucket, key):
            try:
                self.client.put_object(Bucket=bucket, Key=key, Body=content, ContentType=content_type, IfNoneMatch="*")
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "PreconditionFailed":
                    raise
                return False
        self.bytes_written += len(content)
        return True


@contextmanager
def translated(bucket: str, key: str) -> Iterator[None]:
    """Turn botocore's errors into ours."""
    where = f"s3://{bucket}/{key}"
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code == "NoSuchBucket":
            raise MediaError(
                f"The bucket '{bucket}' does not exist, so nothing can lie at {where}. Name the video bucket of the "
                "environment."
            ) from error
        if code in _MISSING:
            raise MediaError(f"{where} does not exist. Check the bucket and the key.") from error
        if code in _DENIED:
            raise OperatorError(
                f"{where}: access denied. Name the video bucket of the environment, or give the role permission to "
                "this one."
            ) from error
        if code == _FULL:
            raise OperatorError(f"{where} can't be written: the disk is full. Make room, then retry.") from error
        raise TransientError(f"{where}: S3 answered {code or error}.") from error
    except BotoCoreError as error:
        raise TransientError(f"{where}: S3 could not be reached ({error}).") from error

"""Where things lie on disk, and which names may lie there.

    <root>/<bucket>/<key>                         an object: a plain file
    <root>/.meta/records/<bucket>/<name>.json     what S3 knows of it (see `records`)
    <root>/.meta/uploads/<upload id>/             an open multipart upload
    <root>/.meta/incoming/                        files that are being received; emptied at every start
    <root>/.meta/lock                             held by the one server that serves this folder

Everything is on one filesystem, so a file moves from `incoming` to its place in one atomic rename.
"""

from __future__ import annotations

import re
from pathlib import Path

from local_cloud.s3.errors import S3Error

__all__ = ["Layout"]

_BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_UPLOAD = re.compile(r"[0-9a-f]{32}")
_KEY_BYTES = 1024
"""S3's own limit of a key, in UTF-8 bytes."""
_SEGMENT_BYTES = 255
"""The longest file name of every usual filesystem, in bytes."""


class Layout:
    """The paths under one root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        meta = root / ".meta"
        self.records = meta / "records"
        self.uploads = meta / "uploads"
        self.incoming = meta / "incoming"
        self.lock = meta / "lock"

    def bucket(self, bucket: str) -> Path:
        """The folder of a bucket; InvalidBucketName unless it follows S3's naming rules."""
        if not _BUCKET.fullmatch(bucket):
            raise S3Error("InvalidBucketName", BucketName=bucket)
        return self.root / bucket

    def object(self, bucket: str, key: str) -> Path:
        """The file of an object. KeyTooLongError or KeyNotStorable for a key that can't be a path."""
        size = len(key.encode())
        if size > _KEY_BYTES:
            raise S3Error("KeyTooLongError", Size=size, MaxSizeAllowed=_KEY_BYTES)
        segments = key.split("/")
        if "\0" in key:
            raise S3Error("KeyNotStorable", f"The key '{key!r}' holds a NUL character, which no file name can.")
        if any(segment in ("", ".", "..") for segment in segments):
            raise S3Error(
                "KeyNotStorable",
                f"The key '{key}' has an empty, '.' or '..' part between slashes; objects are plain files here, so it "
                "can't be stored. Choose another key.",
            )
        if any(len(segment.encode()) > _SEGMENT_BYTES for segment in segments):
            raise S3Error(
                "KeyNotStorable",
                f"A part of the key '{key[:40]}…' is longer than {_SEGMENT_BYTES} bytes, which no file name can be.",
            )
        return self.bucket(bucket).joinpath(*segments)

    def upload(self, upload_id: str) -> Path:
        """The folder of a multipart upload; NoSuchUpload for what was never an id of ours."""
        if not _UPLOAD.fullmatch(upload_id):
            raise S3Error("NoSuchUpload", UploadId=upload_id)
        return self.uploads / upload_id

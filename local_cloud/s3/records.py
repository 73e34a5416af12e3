"""What S3 knows of an object beyond its bytes, kept as one small JSON file per version of the object.

The name of a record holds the digest of the key *and* the modification time and size of the file that it describes:

    records/<bucket>/<sha256 of key>.<mtime in ns>.<size>.json

So the rename that puts an object's file in its place is the one commit point for bytes and record together. A record
whose file never arrived (the process was killed in between), or whose file was edited by hand, matches nothing and is
ignored.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local_cloud.s3.incoming import write_json

__all__ = ["DEFAULT_TYPE", "ObjectInfo", "ObjectRecord", "Records", "guessed_record"]

DEFAULT_TYPE = "binary/octet-stream"


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """`etag` without quotes; `headers` and `metadata` with lower-case names; `checksums` as {algorithm: base64}.

    `upload_id` is the multipart upload that made the object, or "".
    """

    key: str
    etag: str
    headers: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    upload_id: str = ""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One version of an object: `size` in bytes, `modified_ns` in nanoseconds since 1970."""

    size: int
    modified_ns: int
    record: ObjectRecord

    @property
    def etag(self) -> str:
        """The ETag as headers and lists show it, in quotes."""
        return f'"{self.record.etag}"'

    @property
    def modified(self) -> int:
        """Seconds since 1970; S3 knows no fractions."""
        return self.modified_ns // 1_000_000_000


def guessed_record(key: str, md5: str) -> ObjectRecord:
    """The record of a file that did not come through S3: somebody put it, or edited it, by hand."""
    return ObjectRecord(key, md5, headers={"content-type": mimetypes.guess_type(key)[0] or DEFAULT_TYPE})


class Records:
    """The records of all objects. Callers hold the store's lock."""

    def __init__(self, folder: Path, incoming: Path) -> None:
        self._folder = folder
        self._incoming = incoming

    def read(self, bucket: str, key: str, stat: os.stat_result) -> ObjectInfo | None:
        """What is known of exactly this version of a file, or None."""
        try:
            value = json.loads(self._path(bucket, key, stat.st_mtime_ns, stat.st_size).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return ObjectInfo(stat.st_size, stat.st_mtime_ns, ObjectRecord(**value))

    def write(self, bucket: str, record: ObjectRecord, stat: os.stat_result) -> ObjectInfo:
        path = self._path(bucket, record.key, stat.st_mtime_ns, stat.st_size)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, asdict(record), self._incoming)
        return ObjectInfo(stat.st_size, stat.st_mtime_ns, record)

    def remove(self, bucket: str, key: str, modified_ns: int, size: int) -> None:
        self._path(bucket, key, modified_ns, size).unlink(missing_ok=True)

    def all(self) -> Iterator[tuple[str, str, tuple[int, int], Path]]:
        """Bucket, key, (mtime in ns, size) and path of every record; the key is "" where it can't be read."""
        for path in self._folder.glob("*/*.json"):
            try:
                key = str(json.loads(path.read_text(encoding="utf-8"))["key"])
                _, modified, size, _ = path.name.split(".")
                yield path.parent.name, key, (int(modified), int(size)), path
            except (ValueError, KeyError):
                yield path.parent.name, "", (0, 0), path

    def _path(self, bucket: str, key: str, modified_ns: int, size: int) -> Path:
        return self._folder / bucket / f"{hashlib.sha256(key.encode()).hexdigest()}.{modified_ns}.{size}.json"

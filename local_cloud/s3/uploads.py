"""Open multipart uploads on disk; they survive a restart.

    uploads/<upload id>/upload.json       where the object shall go and what it will be
    uploads/<upload id>/<part>.json       an uploaded part: its ETag, size, checksums and the name of its file
    uploads/<upload id>/<part>.<random>   its bytes; for a copied part another name of the file that it is a range of

A part exists once its JSON file has been renamed into place. The end of an upload is one rename of its folder.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from local_cloud.s3.copying import copy_range
from local_cloud.s3.errors import S3Error
from local_cloud.s3.incoming import Incoming, write_json
from local_cloud.s3.layout import Layout

__all__ = ["Part", "Upload", "Uploads"]

_MANIFEST = "upload.json"


@dataclass(frozen=True, slots=True)
class Upload:
    """An open upload. `initiated` in seconds since 1970; `algorithm` is its checksum algorithm in lower case, or ""."""

    id: str
    bucket: str
    key: str
    initiated: float
    headers: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    algorithm: str = ""
    checksum_type: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """An uploaded part: `md5` in hex, `size` in bytes, `modified` in seconds since 1970, `file` its name on disk.

    It begins at `offset` of that file, which still is what it was at `version` (modification time in ns, size).
    """

    number: int
    md5: str
    size: int
    modified: float
    file: str
    checksums: dict[str, str] = field(default_factory=dict)
    offset: int = 0
    version: tuple[int, int] | None = None

    @property
    def etag(self) -> str:
        return f'"{self.md5}"'


class Uploads:
    """All open uploads under one root."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()

    def remove_leftovers(self) -> None:
        """Remove folders without a manifest: a killed process was about to open them."""
        for folder in self._layout.uploads.iterdir():
            if not (folder / _MANIFEST).exists():
                shutil.rmtree(folder)

    def add(self, upload: Upload) -> None:
        """Open an upload."""
        folder = self._layout.upload(upload.id)
        folder.mkdir()
        write_json(folder / _MANIFEST, asdict(upload), self._layout.incoming)

    def find(self, bucket: str, key: str, upload_id: str) -> Upload:
        """An open upload of this key; NoSuchUpload otherwise."""
        upload = self._read(self._layout.upload(upload_id))
        if upload is None or (upload.bucket, upload.key) != (bucket, key):
            raise S3Error("NoSuchUpload", UploadId=upload_id)
        return upload

    def all(self, bucket: str) -> list[Upload]:
        """The open uploads of a bucket, by key and then by age."""
        uploads = filter(None, map(self._read, self._layout.uploads.iterdir()))
        return sorted(
            (one for one in uploads if one.bucket == bucket), key=lambda one: (one.key, one.initiated, one.id)
        )

    def add_part(self, upload: Upload, number: int, incoming: Incoming, md5: str, checksums: dict[str, str]) -> Part:
        """Make a received file part `number`, replacing an earlier one. NoSuchUpload when the upload has ended."""
        incoming.file.flush()
        size = incoming.path.stat().st_size
        part = Part(number, md5, size, time.time(), f"{number:05d}.{incoming.path.name}", checksums)
        return self._add(upload, part, incoming.path)

    def add_range(self, upload: Upload, number: int, linked: Path, offset: int, length: int, md5: str) -> Part:
        """Make a range of an object part `number`; `linked` is another name of the object's file. Like `add_part`."""
        stat = linked.stat()
        name, version = f"{number:05d}.{linked.name}", (stat.st_mtime_ns, stat.st_size)
        return self._add(upload, Part(number, md5, length, time.time(), name, {}, offset, version), linked)

    def _add(self, upload: Upload, part: Part, path: Path) -> Part:
        folder = self._layout.upload(upload.id)
        manifest, file = folder / f"{part.number:05d}.json", folder / part.file
        with self._lock:
            try:
                earlier = _read_part(manifest)
                path.rename(file)
                write_json(manifest, asdict(part), self._layout.incoming)
            except FileNotFoundError:
                path.unlink(missing_ok=True)
                raise S3Error("NoSuchUpload", UploadId=upload.id) from None
            except OSError:
                file.unlink(missing_ok=True)
                raise
            if earlier:
                (folder / earlier.file).unlink(missing_ok=True)
        return part

    def parts(self, upload: Upload) -> dict[int, Part]:
        """The uploaded parts by number, in order."""
        manifests = self._layout.upload(upload.id).glob("*.json")
        found = [part for path in manifests if path.name != _MANIFEST and (part := _read_part(path))]
        return {part.number: part for part in sorted(found, key=lambda part: part.number)}

    def concatenate(self, upload: Upload, parts: list[Part], target: BinaryIO) -> None:
        """Write the parts one after the other. NoSuchUpload when the upload ends meanwhile."""
        folder = self._layout.upload(upload.id)
        for part in parts:
            try:
                with (folder / part.file).open("rb") as source:
                    if part.version not in (None, _version(source)):
                        raise S3Error("InvalidPart", UploadId=upload.id, PartNumber=part.number, ETag=part.md5)
                    copy_range(source, target, part.offset, part.size)
            except FileNotFoundError:
                raise S3Error("NoSuchUpload", UploadId=upload.id) from None

    def remove(self, upload: Upload) -> None:
        """End an upload and free its space."""
        ended = self._layout.incoming / f"ended-{upload.id}"
        try:
            self._layout.upload(upload.id).rename(ended)
        except FileNotFoundError:
            return
        shutil.rmtree(ended, ignore_errors=True)

    def _read(self, folder: Path) -> Upload | None:
        try:
            return Upload(**json.loads((folder / _MANIFEST).read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            return None


def _age(upload: Upload) -> tuple[str, float, str]:
    return upload.key, upload.initiated, upload.id


def _read_part(path: Path) -> Part | None:
    try:
        part = Part(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    return replace(part, version=(part.version[0], part.version[1])) if part.version else part


def _version(file: BinaryIO) -> tuple[int, int]:
    stat = os.fstat(file.fileno())
    return stat.st_mtime_ns, stat.st_size

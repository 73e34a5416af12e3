"""Buckets are folders, objects are plain files; every change appears whole or not at all.

One lock guards the short moments in which names change (check the precondition, rename, record); bytes are received,
copied and hashed outside it. A process that is killed leaves at most files in `incoming`, which the next start removes.
Nothing is fsynced: that protects against a killed process, not against a power cut.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from local_cloud.s3.copying import md5_of_range
from local_cloud.s3.errors import S3Error
from local_cloud.s3.incoming import Incoming, receiving
from local_cloud.s3.layout import Layout
from local_cloud.s3.records import ObjectInfo, ObjectRecord, Records, guessed_record
from local_cloud.s3.uploads import Uploads

__all__ = ["Condition", "DiskStore", "OpenObject"]

_PATIENCE = 50
"""How often a file is read again that changes while it is read."""

Condition = Callable[[ObjectInfo | None], None]
"""Looks at the object that a write would replace (None: there is none) and raises S3Error to refuse the write."""


@dataclass(frozen=True, slots=True)
class OpenObject:
    """One version of an object, open for reading; it stays readable whatever replaces or deletes the key."""

    bucket: str
    info: ObjectInfo
    file: BinaryIO


class DiskStore:
    """The objects under one root. `open` before use, `close` after."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self._records = Records(self.layout.records, self.layout.incoming)
        self.uploads = Uploads(self.layout)
        self._lock = threading.Lock()
        self._last_ns = 0
        self._held: BinaryIO | None = None

    # -- life

    def open(self) -> None:
        """Take the folder for this process and remove what a killed one left. RuntimeError when another serves it."""
        for folder in (self.layout.records, self.layout.uploads, self.layout.incoming):
            folder.mkdir(parents=True, exist_ok=True)
        held = self.layout.lock.open("wb")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.close()
            raise RuntimeError(f"{self.layout.root} is served by another process; stop that one first.") from None
        self._held = held
        shutil.rmtree(self.layout.incoming)
        self.layout.incoming.mkdir()
        self._remove_stray_records()
        self.uploads.remove_leftovers()

    def close(self) -> None:
        if self._held:
            self._held.close()
            self._held = None

    def _remove_stray_records(self) -> None:
        for bucket, key, version, path in self._records.all():
            try:
                stat = self.layout.object(bucket, key).stat()
            except (OSError, S3Error):
                stat = None
            if stat is None or (stat.st_mtime_ns, stat.st_size) != version:
                path.unlink(missing_ok=True)

    # -- buckets

    def create_bucket(self, bucket: str) -> None:
        self.layout.bucket(bucket).mkdir(exist_ok=True)

    def require_bucket(self, bucket: str) -> Path:
        """The folder of a bucket that exists; NoSuchBucket otherwise."""
        folder = self.layout.bucket(bucket)
        if not folder.is_dir():
            raise S3Error("NoSuchBucket", BucketName=bucket)
        return folder

    def buckets(self) -> list[tuple[str, float]]:
        """Name and time of creation (seconds since 1970, as far as the filesystem knows) of every bucket."""
        found = []
        for folder in sorted(self.layout.root.iterdir()):
            with contextlib.suppress(S3Error):
                if self.layout.bucket(folder.name).is_dir():
                    found.append((folder.name, folder.stat().st_ctime))
        return found

    def delete_bucket(self, bucket: str) -> None:
        """Remove an empty bucket; BucketNotEmpty otherwise."""
        with self._lock:
            folder = self.require_bucket(bucket)
            if any(files for _, _, files in os.walk(folder)):
                raise S3Error("BucketNotEmpty", BucketName=bucket)
            shutil.rmtree(folder)
            shutil.rmtree(self.layout.records / bucket, ignore_errors=True)

    # -- reading

    @contextmanager
    def reading(self, bucket: str, key: str) -> Iterator[OpenObject]:
        """The current version of an object, closed at the end; NoSuchBucket or NoSuchKey when there is none."""
        opened = self.open_object(bucket, key)
        with opened.file:
            yield opened

    def open_object(self, bucket: str, key: str) -> OpenObject:
        """Like `reading`, for a caller who closes the file."""
        try:
            path = self.require_place(bucket, key)
        except S3Error as error:
            raise S3Error("NoSuchKey", Key=key) if error.code == "KeyNotStorable" else error from None
        for _ in range(_PATIENCE):
            try:
                file = path.open("rb")
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise S3Error("NoSuchKey", Key=key) from None
            try:
                if info := self._info(bucket, key, file):
                    return OpenObject(bucket, info, file)
            except BaseException:
                file.close()
                raise
            file.close()
        raise S3Error("SlowDown", f"The file of '{key}' is being changed by another program; try again later.")

    def head(self, bucket: str, key: str) -> ObjectInfo | None:
        """What is known of an object, or None when there is none."""
        try:
            with self.reading(bucket, key) as opened:
                return opened.info
        except S3Error as error:
            if error.code == "NoSuchKey":
                return None
            raise

    def keys(self, bucket: str, prefix: str = "", after: str = "") -> Iterator[str]:
        """The keys that start with `prefix` and come after `after`, in S3's order (that of their UTF-8 bytes)."""
        yield from _keys_below(self.require_bucket(bucket), "", prefix, after)

    def _info(self, bucket: str, key: str, file: BinaryIO) -> ObjectInfo | None:
        """What is known of an open file; None when its key has meanwhile moved on to another version.

        A file without a record was put, or edited, by hand: it is hashed once and gets one.
        """
        stat = os.fstat(file.fileno())
        with self._lock:
            if info := self._records.read(bucket, key, stat):
                return info
            if _version(self.layout.object(bucket, key)) != (stat.st_mtime_ns, stat.st_size):
                return None
        try:
            md5 = md5_of_range(file, 0, stat.st_size)
        except EOFError:
            return None
        with self._lock:
            if _version(self.layout.object(bucket, key)) != (stat.st_mtime_ns, stat.st_size):
                return None
            return self._records.write(bucket, guessed_record(key, md5), stat)

    # -- writing

    def require_place(self, bucket: str, key: str) -> Path:
        """Where an object lies or may lie; NoSuchBucket, KeyTooLongError or KeyNotStorable when it can lie nowhere."""
        self.require_bucket(bucket)
        return self.layout.object(bucket, key)

    def incoming(self) -> AbstractContextManager[Incoming]:
        """A new file, gone at the end unless it was committed."""
        return receiving(self.layout.incoming)

    def link(self, opened: OpenObject) -> Path | None:
        """Another name for the file of an open object, so that nothing is copied yet; None where that can't be.

        Objects are replaced, never written to: what the name stands for stays as it is.
        """
        path = self.layout.incoming / os.urandom(16).hex()
        try:
            path.hardlink_to(self.layout.object(opened.bucket, opened.info.record.key))
        except OSError:
            return None
        if os.path.samestat(path.stat(), os.fstat(opened.file.fileno())):
            return path
        path.unlink()
        return None

    def commit(self, incoming: Incoming, bucket: str, record: ObjectRecord, condition: Condition) -> ObjectInfo:
        """Make a received file the object `record.key`, in one step, if `condition` allows it.

        Raises what `condition` raises, NoSuchBucket, and KeyNotStorable where a folder is in the way.
        """
        path = self.require_place(bucket, record.key)
        incoming.file.flush()
        with self._unchanged(bucket, record.key, path) as current:
            condition(current)
            stat = self._stamp(incoming.path)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                info = self._records.write(bucket, record, stat)
                incoming.path.replace(path)
            except BaseException as error:
                self._records.remove(bucket, record.key, stat.st_mtime_ns, stat.st_size)
                self._prune(path.parent, bucket)
                if isinstance(error, (NotADirectoryError, FileExistsError, IsADirectoryError)):
                    raise S3Error("KeyNotStorable", _in_the_way(record.key)) from None
                raise
            if current and (current.modified_ns, current.size) != (stat.st_mtime_ns, stat.st_size):
                self._records.remove(bucket, record.key, current.modified_ns, current.size)
            return info

    def delete(self, bucket: str, key: str, condition: Condition) -> None:
        """Remove an object, if there is one and `condition` allows it, and the folders that it leaves empty."""
        if self.head(bucket, key) is None:
            condition(None)
            return
        path = self.require_place(bucket, key)
        with self._unchanged(bucket, key, path) as current:
            condition(current)
            if current:
                path.unlink()
                self._records.remove(bucket, key, current.modified_ns, current.size)
                self._prune(path.parent, bucket)

    @contextmanager
    def _unchanged(self, bucket: str, key: str, path: Path) -> Iterator[ObjectInfo | None]:
        """The current object, which nobody changes through S3 until the end of the block."""
        while True:
            current = self.head(bucket, key)
            with self._lock:
                if _version(path) == (current and (current.modified_ns, current.size)):
                    self.require_bucket(bucket)
                    yield current
                    return

    def _stamp(self, path: Path) -> os.stat_result:
        """Give a file a modification time that no other version has: records are told apart by it."""
        self._last_ns = max(time.time_ns(), self._last_ns + 1)
        os.utime(path, ns=(self._last_ns, self._last_ns))
        return path.stat()

    def _prune(self, folder: Path, bucket: str) -> None:
        """Remove empty folders upwards, as far as the bucket's own."""
        top = self.layout.bucket(bucket)
        with contextlib.suppress(OSError):
            while folder != top:
                folder.rmdir()
                folder = folder.parent


def _version(path: Path) -> tuple[int, int] | None:
    """Modification time (ns) and size of a plain file; None where there is none."""
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (stat.st_mtime_ns, stat.st_size) if S_ISREG(stat.st_mode) else None


def _in_the_way(key: str) -> str:
    return (
        f"The key '{key}' can't be stored: objects are plain files here, and a file and a folder can't have the same "
        "name. Another key is a folder of this path, or lies below it. Choose another key."
    )


def _keys_below(folder: Path, base: str, prefix: str, after: str) -> Iterator[str]:
    for name in _sorted_names(folder):
        key = base + name
        if not name.endswith("/"):
            if key.startswith(prefix) and key > after:
                yield key
        elif (key.startswith(prefix) or prefix.startswith(key)) and (key > after or after.startswith(key)):
            yield from _keys_below(folder / name, key, prefix, after)


def _sorted_names(folder: Path) -> list[str]:
    """The files of a folder, and its folders with a slash at the end, which is how their keys sort."""
    names = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(UnicodeEncodeError):
                entry.name.encode()
                if entry.is_dir():
                    names.append(f"{entry.name}/")
                elif entry.is_file():
                    names.append(entry.name)
    return sorted(names)

"""The store itself: what a crash between any two steps leaves behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_cloud.s3 import copying
from local_cloud.s3.errors import S3Error
from local_cloud.s3.incoming import Incoming
from local_cloud.s3.records import ObjectInfo, ObjectRecord
from local_cloud.s3.store import DiskStore


class Killed(BaseException):
    """Ends a process in the middle, as far as the disk can tell."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskStore]:
    opened = DiskStore(tmp_path)
    opened.open()
    opened.create_bucket("bucket")
    yield opened
    opened.close()


def anything(current: ObjectInfo | None) -> None:
    """The condition that allows every write."""


def put(store: DiskStore, key: str, content: bytes, etag: str = "e") -> ObjectInfo:
    with store.incoming() as incoming:
        incoming.file.write(content)
        return store.commit(incoming, "bucket", ObjectRecord(key, etag), anything)


def read(store: DiskStore, key: str) -> tuple[bytes, str]:
    with store.reading("bucket", key) as opened:
        return opened.file.read(), opened.info.record.etag


DIES_BEFORE_THE_OBJECT_MOVES = """
import os, sys
from pathlib import Path
from local_cloud.s3.records import ObjectRecord
from local_cloud.s3.store import DiskStore

real = Path.replace
Path.replace = lambda self, target: os._exit(9) if Path(target).name == "k" else real(self, target)
store = DiskStore(Path(sys.argv[1]))
store.open()
with store.incoming() as incoming:
    incoming.file.write(b"newer")
    store.commit(incoming, "bucket", ObjectRecord("k", "new-etag"), lambda current: None)
"""


def test_bytes_and_record_change_together(store: DiskStore) -> None:
    put(store, "k", b"old", "old-etag")
    store.close()

    command = [sys.executable, "-c", DIES_BEFORE_THE_OBJECT_MOVES, str(store.layout.root)]
    assert subprocess.run(command, cwd=Path(__file__).parents[4], check=False).returncode == 9

    assert len(list((store.layout.records / "bucket").iterdir())) == 2, "the process had written the new record"
    assert read(store, "k") == (b"old", "old-etag")
    store.open()
    assert read(store, "k") == (b"old", "old-etag")
    assert len(list((store.layout.records / "bucket").iterdir())) == 1
    assert list(store.layout.incoming.iterdir()) == []


def test_a_failing_rename_leaves_no_trace(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Any) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            put(store, "a/b/c", b"x")

    assert list(store.layout.bucket("bucket").iterdir()) == []
    assert list(store.layout.incoming.iterdir()) == []


def test_a_condition_sees_the_object_that_it_replaces(store: DiskStore) -> None:
    seen: list[str | None] = []

    def look(current: ObjectInfo | None) -> None:
        seen.append(current.record.etag if current else None)

    for etag in ("1", "2"):
        with store.incoming() as incoming:
            store.commit(incoming, "bucket", ObjectRecord("k", etag), look)
    store.delete("bucket", "k", look)

    assert seen == [None, "1", "2"]


def test_a_refused_write_changes_nothing(store: DiskStore) -> None:
    put(store, "k", b"old")

    def refuse(current: ObjectInfo | None) -> None:
        raise S3Error("PreconditionFailed")

    with pytest.raises(S3Error, match="PreconditionFailed"), store.incoming() as incoming:
        store.commit(incoming, "bucket", ObjectRecord("k", "new"), refuse)
    with pytest.raises(S3Error, match="PreconditionFailed"):
        store.delete("bucket", "k", refuse)

    assert read(store, "k") == (b"old", "e")


def test_an_open_object_stays_readable_when_it_is_replaced_and_deleted(store: DiskStore) -> None:
    put(store, "k", b"old")

    with store.reading("bucket", "k") as opened:
        put(store, "k", b"new")
        store.delete("bucket", "k", anything)
        assert opened.file.read() == b"old"


def test_versions_of_one_moment_are_told_apart(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_cloud.s3.store.time.time_ns", lambda: 1_700_000_000_000_000_000)

    versions = {put(store, "k", b"same size", str(number)).modified_ns for number in range(5)}

    assert len(versions) == 5
    assert read(store, "k") == (b"same size", "4")


def test_a_file_that_never_stops_changing_is_given_up(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.layout.bucket("bucket") / "k"
    path.write_bytes(b"x")

    def changes_while_it_is_read(file: Any, offset: int, length: int) -> str:
        path.write_bytes(path.read_bytes() + b"x")
        return "md5"

    monkeypatch.setattr("local_cloud.s3.store.md5_of_range", changes_while_it_is_read)
    with pytest.raises(S3Error, match="SlowDown"):
        store.head("bucket", "k")


names = st.text("ab-./é", min_size=1, max_size=6)


@settings(max_examples=60)
@given(st.sets(names, max_size=12), st.text("ab-./é", max_size=3), st.text("ab-./é", max_size=3))
def test_keys_are_those_of_a_sorted_dictionary(
    tmp_path_factory: pytest.TempPathFactory, keys: set[str], prefix: str, after: str
) -> None:
    store = DiskStore(tmp_path_factory.mktemp("store"))
    store.open()
    try:
        store.create_bucket("bucket")
        stored = []
        for key in sorted(keys):
            with suppress(S3Error):
                put(store, key, b"")
                stored.append(key)
        expected = [key for key in sorted(stored, key=str.encode) if key.startswith(prefix) and key > after]

        assert list(store.keys("bucket", prefix, after)) == expected
    finally:
        store.close()


@pytest.mark.parametrize("reason", [errno.EXDEV, errno.ENOSYS])
def test_bytes_are_copied_where_the_kernel_does_not_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    (tmp_path / "source").write_bytes(content := os.urandom(3 << 20))

    def unsupported(*arguments: Any, **options: Any) -> int:
        raise OSError(reason, "not here")

    monkeypatch.setattr(copying.os, "copy_file_range", unsupported, raising=False)
    with (tmp_path / "source").open("rb") as source, (tmp_path / "target").open("wb") as target:
        target.write(b"before ")
        copying.copy_range(source, target, 5, len(content) - 10)
        with pytest.raises(EOFError):
            copying.copy_range(source, target, len(content) - 1, 2)

    assert (tmp_path / "target").read_bytes()[: len(content) - 3] == b"before " + content[5:-5]


def test_an_uncommitted_file_is_gone(store: DiskStore) -> None:
    def receive() -> Incoming:
        with store.incoming() as incoming:
            incoming.file.write(b"half")
            raise Killed

    with pytest.raises(Killed):
        receive()

    assert list(store.layout.incoming.iterdir()) == []

"""What is left when the process is killed, the disk is full, or somebody works on the files by hand."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local_cloud.s3 import DiskS3, store
from tests.integration.s3.clients import (
    ACCESS_KEY,
    MIB,
    SECRET_KEY,
    Bucket,
    files_below,
    fresh_bucket,
    new_client,
    refusal,
    signed_headers,
)

PROJECT = Path(__file__).parents[3]
SERVER = """
import resource, sys, threading
from pathlib import Path
from local_cloud.s3 import DiskS3
root, access_key, secret_key, limit = sys.argv[1:]
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
print(DiskS3(Path(root), access_key, secret_key).serve().url, flush=True)
threading.Event().wait()
"""


@contextlib.contextmanager
def process(root: Path, limit: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and its URL; no file of it may be larger than `limit` bytes."""
    command = [sys.executable, "-c", SERVER, str(root), ACCESS_KEY, SECRET_KEY, str(limit)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout
            yield running, running.stdout.readline().strip()
        finally:
            running.kill()


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited 10 seconds in vain"
        time.sleep(0.005)


def half_sent(url: str, query: str = "") -> http.client.HTTPConnection:
    """A PUT of 10 MiB of which 4 MiB are on their way."""
    headers = signed_headers("PUT", f"{url}{query}")
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.putrequest("PUT", f"{urlsplit(url).path}{query}", skip_host=True)
    for name, value in {"Host": urlsplit(url).netloc, "Content-Length": str(10 * MIB), **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(bytes(4 * MIB))
    return connection


def incoming_bytes(root: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return sum(path.stat().st_size for path in (root / ".meta/incoming").iterdir())
    return 0


def test_a_killed_server_leaves_no_half_object(tmp_path: Path) -> None:
    with process(tmp_path) as (server, url):
        bucket = fresh_bucket(url)
        bucket.put("old", b"whole")
        connections = [half_sent(f"{url}/{bucket.name}/{key}") for key in ("new", "old")]
        wait_until(lambda: incoming_bytes(tmp_path) >= 6 * MIB)
        server.send_signal(signal.SIGKILL)
        server.wait()
        for connection in connections:
            connection.close()
        bucket.client.close()
    assert files_below(tmp_path / bucket.name) == ["old"]

    with DiskS3(tmp_path, ACCESS_KEY, SECRET_KEY).serve() as running:
        client = new_client(running.url)
        assert client.get_object(Bucket=bucket.name, Key="old")["Body"].read() == b"whole"
        assert [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket.name)["Contents"]] == ["old"]
        assert incoming_bytes(tmp_path) == 0
        client.close()


def test_a_killed_server_keeps_its_open_uploads(tmp_path: Path) -> None:
    first = bytes(5 * MIB)
    with process(tmp_path) as (server, url):
        bucket = fresh_bucket(url)
        upload = bucket.start("k", ContentType="video/mp4")
        parts = [bucket.part(upload, 1, first)]
        connection = half_sent(f"{url}/{bucket.name}/k", f"?partNumber=2&uploadId={upload['UploadId']}")
        wait_until(lambda: incoming_bytes(tmp_path) >= 3 * MIB)
        server.send_signal(signal.SIGKILL)
        server.wait()
        connection.close()
        bucket.client.close()

    with DiskS3(tmp_path, ACCESS_KEY, SECRET_KEY).serve() as running:
        again = Bucket(new_client(running.url), bucket.name, running.url)
        listed = again.client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]
        assert [(entry["Key"], entry["UploadId"]) for entry in listed] == [("k", upload["UploadId"])]
        assert [part["PartNumber"] for part in again.client.list_parts(**upload)["Parts"]] == [1]
        again.complete(upload, [*parts, again.part(upload, 2, b"end")])
        assert again.get("k") == first + b"end"
        assert again.head("k")["ContentType"] == "video/mp4"
        again.client.close()


def test_a_client_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    with DiskS3(tmp_path, ACCESS_KEY, SECRET_KEY).serve() as running:
        bucket = fresh_bucket(running.url)
        connection = half_sent(f"{running.url}/{bucket.name}/k")
        wait_until(lambda: incoming_bytes(tmp_path) >= 3 * MIB)
        connection.close()
        wait_until(lambda: not list((tmp_path / ".meta/incoming").iterdir()))
        assert bucket.keys() == []
        bucket.client.close()


def test_closing_cuts_what_is_under_way_and_joins_every_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    running = DiskS3(tmp_path, ACCESS_KEY, SECRET_KEY).serve()
    bucket = fresh_bucket(running.url)
    connection = half_sent(f"{running.url}/{bucket.name}/k")
    wait_until(lambda: incoming_bytes(tmp_path) >= 3 * MIB)

    started = time.monotonic()
    running.close()

    assert time.monotonic() - started < 10
    assert set(threading.enumerate()) == before
    assert files_below(tmp_path / ".meta/incoming") == []
    connection.close()
    bucket.client.close()


def test_one_folder_is_served_once(tmp_path: Path) -> None:
    with (
        DiskS3(tmp_path, ACCESS_KEY, SECRET_KEY).serve(),
        pytest.raises(RuntimeError, match="served by another process"),
    ):
        DiskS3(tmp_path, ACCESS_KEY, SECRET_KEY).serve()
    DiskS3(tmp_path, ACCESS_KEY, SECRET_KEY).serve().close()


# -- a full disk


def test_a_disk_that_takes_no_more_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    with process(tmp_path, limit=6 * MIB) as (_, url):
        bucket = fresh_bucket(url)
        bucket.put("k", b"old")
        upload = bucket.start("joined")
        parts = [bucket.part(upload, number, bytes(5 * MIB)) for number in (1, 2)]

        assert refusal(bucket.put, "k", bytes(8 * MIB)) == (507, "InsufficientStorage")
        assert refusal(bucket.part, upload, 3, bytes(8 * MIB)) == (507, "InsufficientStorage")
        assert refusal(bucket.complete, upload, parts) == (507, "InsufficientStorage")

        assert (bucket.keys(), bucket.get("k")) == (["k"], b"old")
        assert files_below(tmp_path / ".meta/incoming") == []
        assert len(bucket.client.list_parts(**upload)["Parts"]) == 2
        bucket.client.close()


def test_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = store.receiving

    class Full:
        def __init__(self, file: Any) -> None:
            self._file = file

        def write(self, data: bytes) -> int:
            self._file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

    @contextlib.contextmanager
    def receiving(folder: Path) -> Iterator[Any]:
        with real(folder) as incoming:
            yield type(incoming)(incoming.path, Full(incoming.file))

    with DiskS3(tmp_path, ACCESS_KEY, SECRET_KEY).serve() as running:
        bucket = fresh_bucket(running.url)
        bucket.put("k", b"old")
        monkeypatch.setattr(store, "receiving", receiving)
        with pytest.raises(bucket.client.exceptions.ClientError, match="No space left on device") as caught:
            bucket.put("k", bytes(3 * MIB))
        monkeypatch.undo()
        assert caught.value.response["Error"]["Code"] == "InsufficientStorage"
        assert bucket.get("k") == b"old"
        assert files_below(tmp_path / ".meta/incoming") == []
        bucket.client.close()


# -- files are files


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[tuple[Bucket, Path]]:
    with DiskS3(tmp_path, ACCESS_KEY, SECRET_KEY).serve() as running:
        bucket = fresh_bucket(running.url)
        yield bucket, tmp_path / bucket.name
        bucket.client.close()


def test_an_object_is_a_plain_file(shared: tuple[Bucket, Path]) -> None:
    bucket, folder = shared
    bucket.put("pipelines/p/video.mp4", b"video", ContentType="video/mp4")

    assert files_below(folder) == ["pipelines/p/video.mp4"]
    assert (folder / "pipelines/p/video.mp4").read_bytes() == b"video"


def test_a_file_that_somebody_puts_there_is_an_object(shared: tuple[Bucket, Path]) -> None:
    bucket, folder = shared
    (folder / "clips").mkdir()
    (folder / "clips/phone.mp4").write_bytes(b"by hand")

    assert bucket.keys() == ["clips/phone.mp4"]
    head = bucket.head("clips/phone.mp4")
    assert (head["ETag"], head["ContentType"]) == (f'"{hashlib.md5(b"by hand").hexdigest()}"', "video/mp4")
    assert bucket.get("clips/phone.mp4", IfMatch=head["ETag"]) == b"by hand"


def test_an_edited_file_is_another_version(shared: tuple[Bucket, Path]) -> None:
    bucket, folder = shared
    etag = bucket.put("k", b"before", Metadata={"sha256": "of before"})["ETag"]
    (folder / "k").write_bytes(b"after!")

    head = bucket.head("k")

    assert (head["ETag"], head["Metadata"]) == (f'"{hashlib.md5(b"after!").hexdigest()}"', {})
    assert refusal(bucket.get, "k", IfMatch=etag) == (412, "PreconditionFailed")


def test_a_file_that_somebody_deletes_is_no_object(shared: tuple[Bucket, Path]) -> None:
    bucket, folder = shared
    bucket.put("a/k")
    (folder / "a/k").unlink()

    assert bucket.keys() == []
    assert refusal(bucket.get, "a/k") == (404, "NoSuchKey")
    bucket.put("a/k", b"again")
    assert bucket.get("a/k") == b"again"


def test_deleting_leaves_no_empty_folders(shared: tuple[Bucket, Path]) -> None:
    bucket, folder = shared
    bucket.put("a/b/c")
    bucket.put("a/d")

    bucket.client.delete_object(Bucket=bucket.name, Key="a/b/c")
    assert [path.name for path in (folder / "a").iterdir()] == ["d"]
    bucket.client.delete_object(Bucket=bucket.name, Key="a/d")
    assert list(folder.iterdir()) == []
    bucket.put("a", b"now a file")
    assert bucket.get("a") == b"now a file"

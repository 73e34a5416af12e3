"""Large files, many at once, and every way in which a body can come."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import os
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from boto3.s3.transfer import TransferConfig

from local_cloud.s3 import DiskS3
from tests.integration.s3.clients import (
    ACCESS_KEY,
    MIB,
    SECRET_KEY,
    Answer,
    Bucket,
    fresh_bucket,
    refusal,
    send,
    signed_headers,
)

PARALLEL = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=5 * MIB, max_concurrency=8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "s3"


@pytest.fixture
def own_bucket(root: Path, tmp_path: Path) -> Iterator[Bucket]:
    """A bucket on a server of this test alone, whose files and log the test looks at."""
    with DiskS3(root, ACCESS_KEY, SECRET_KEY, tmp_path / "access.log").serve() as running:
        bucket = fresh_bucket(running.url)
        yield bucket
        bucket.client.close()


def test_the_transfer_manager_moves_20_mb_files_on_8_threads(own_bucket: Bucket, root: Path, tmp_path: Path) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(20 * MIB + 1))

    own_bucket.client.upload_file(str(source), own_bucket.name, "in/clip.mp4", Config=PARALLEL)
    own_bucket.client.copy(
        {"Bucket": own_bucket.name, "Key": "in/clip.mp4"}, own_bucket.name, "out/clip.mp4", Config=PARALLEL
    )
    own_bucket.client.download_file(own_bucket.name, "out/clip.mp4", str(back), Config=PARALLEL)

    assert back.read_bytes() == source.read_bytes() == (root / own_bucket.name / "out/clip.mp4").read_bytes()
    assert own_bucket.head("out/clip.mp4")["ETag"].endswith('-5"')
    assert list((root / ".meta/uploads").iterdir()) == list((root / ".meta/incoming").iterdir()) == []


def test_several_files_go_up_and_down_at_once(own_bucket: Bucket) -> None:
    contents = {f"clip-{number}": os.urandom(6 * MIB) for number in range(8)}

    def there_and_back(key: str) -> bytes:
        own_bucket.client.upload_fileobj(io.BytesIO(contents[key]), own_bucket.name, key, Config=PARALLEL)
        target = io.BytesIO()
        own_bucket.client.download_fileobj(own_bucket.name, key, target, Config=PARALLEL)
        return target.getvalue()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(there_and_back, contents)) == list(contents.values())


def test_ranges_of_a_large_file_are_fast(own_bucket: Bucket, root: Path) -> None:
    path = root / own_bucket.name / "large.mp4"
    with path.open("wb") as file:
        file.truncate(200 * MIB)
        file.seek(150 * MIB)
        file.write(b"marker")
    own_bucket.head("large.mp4")
    started = time.monotonic()

    for number in range(50):
        first = number * 4 * MIB
        assert len(own_bucket.get("large.mp4", Range=f"bytes={first}-{first + 65535}")) == 65536
    assert own_bucket.get("large.mp4", Range=f"bytes={150 * MIB}-{150 * MIB + 5}") == b"marker"

    assert time.monotonic() - started < 10


def test_writers_of_one_key_leave_one_whole_object(own_bucket: Bucket, root: Path) -> None:
    bodies = [bytes([number]) * (2 * MIB + number) for number in range(16)]

    with ThreadPoolExecutor(16) as pool:
        etags = list(pool.map(lambda body: own_bucket.put("k", body)["ETag"], bodies))

    content = own_bucket.get("k")
    assert content in bodies
    assert own_bucket.head("k")["ETag"] == etags[bodies.index(content)]
    assert len(list((root / ".meta/records" / own_bucket.name).iterdir())) == 1


def test_only_one_of_many_write_once_puts_wins(own_bucket: Bucket) -> None:
    def put(number: int) -> str:
        try:
            own_bucket.put("k", str(number).encode(), IfNoneMatch="*")
        except own_bucket.client.exceptions.ClientError as error:
            return str(error.response["Error"]["Code"])
        return str(number)

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(put, range(16)))

    winners = [outcome for outcome in outcomes if outcome != "PreconditionFailed"]
    assert winners == [own_bucket.get("k").decode()]


def test_readers_see_one_version_while_it_is_replaced(own_bucket: Bucket) -> None:
    bodies = {f'"{hashlib.md5(body).hexdigest()}"': body for body in (b"a" * 3 * MIB, b"b" * 2 * MIB)}
    own_bucket.put("k", next(iter(bodies.values())))

    def read(_: int) -> bool:
        answer = own_bucket.client.get_object(Bucket=own_bucket.name, Key="k")
        return bool(answer["Body"].read() == bodies[answer["ETag"]])

    with ThreadPoolExecutor(8) as pool:
        writes = [pool.submit(own_bucket.put, "k", body) for _ in range(20) for body in bodies.values()]
        assert all(pool.map(read, range(60)))
        for write in writes:
            write.result()


# -- envelopes

CONTENT = os.urandom(MIB + 3)
CRC32 = base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode()


def aws_chunked(content: bytes, trailer: str, size: int = 65536) -> bytes:
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    encoded = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return encoded + f"0\r\n{trailer}\r\n\r\n".encode()


def put_with_trailer(bucket: Bucket, body: Any, http_chunks: bool = False, algorithm: str = "crc32") -> Answer:
    url = f"{bucket.url}/{bucket.name}/k"
    headers = {
        "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "Content-Encoding": "gzip,aws-chunked",
        "X-Amz-Trailer": f"x-amz-checksum-{algorithm}",
        "X-Amz-Decoded-Content-Length": str(len(CONTENT)),
    }
    if http_chunks:
        return send("PUT", url, signed_headers("PUT", url, headers), iter([body]), encode_chunked=True)
    return send("PUT", url, signed_headers("PUT", url, headers), body)


@pytest.mark.parametrize("http_chunks", [False, True])
def test_a_checksum_may_come_after_the_body(disk_bucket: Bucket, http_chunks: bool) -> None:
    body = aws_chunked(CONTENT, f"x-amz-checksum-crc32:{CRC32}")

    assert put_with_trailer(disk_bucket, body, http_chunks).status == 200

    got = disk_bucket.client.get_object(Bucket=disk_bucket.name, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == CONTENT
    assert (got["ContentEncoding"], got["ChecksumCRC32"]) == ("gzip", CRC32)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (aws_chunked(CONTENT, "x-amz-checksum-crc32:AAAAAA=="), b"BadDigest"),
        (aws_chunked(CONTENT, ""), b"MalformedTrailerError"),
        (aws_chunked(CONTENT[:-1], f"x-amz-checksum-crc32:{CRC32}"), b"IncompleteBody"),
        (aws_chunked(CONTENT, "")[:-70000], b"IncompleteBody"),
        (b"-5\r\n", b"IncompleteBody"),
        (b"no chunks at all", b"IncompleteBody"),
    ],
)
def test_a_broken_envelope_leaves_nothing(disk_bucket: Bucket, body: bytes, code: bytes) -> None:
    answer = put_with_trailer(disk_bucket, body)

    assert (answer.status, code in answer.body) == (400, True)
    assert disk_bucket.keys() == []


def test_a_trailer_that_cannot_be_computed_here_is_kept(disk_bucket: Bucket) -> None:
    body = aws_chunked(CONTENT, "x-amz-checksum-crc64nvme:M3eFcAZSQlc=")

    assert put_with_trailer(disk_bucket, body, algorithm="crc64nvme").status == 200
    assert disk_bucket.head("k", ChecksumMode="ENABLED")["ChecksumCRC64NVME"] == "M3eFcAZSQlc="


def test_signed_chunks_are_refused_by_name(disk_bucket: Bucket) -> None:
    url = f"{disk_bucket.url}/{disk_bucket.name}/k"
    headers = signed_headers("PUT", url, {"X-Amz-Content-SHA256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"})

    answer = send("PUT", url, headers, b"x")

    assert (answer.status, b"NotImplemented" in answer.body) == (501, True)


def test_a_body_without_an_end_is_refused(disk_bucket: Bucket) -> None:
    url = f"{disk_bucket.url}/{disk_bucket.name}/k"
    headers = signed_headers("PUT", url)

    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.putrequest("PUT", urlsplit(url).path, skip_host=True)
    for name, value in {"Host": urlsplit(url).netloc, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 411
    connection.close()


def test_a_refused_upload_leaves_the_connection_usable(disk_bucket: Bucket) -> None:
    disk_bucket.put("k", b"first")

    for _ in range(3):
        assert refusal(disk_bucket.put, "k", b"x" * 3 * MIB, IfNoneMatch="*") == (412, "PreconditionFailed")
        assert disk_bucket.get("k") == b"first"


# -- the access log


def test_every_request_is_logged_with_its_bytes(own_bucket: Bucket, tmp_path: Path) -> None:
    own_bucket.put("k", b"0123456789")
    own_bucket.get("k", Range="bytes=2-4")
    own_bucket.client.copy_object(Bucket=own_bucket.name, Key="copy", CopySource=f"{own_bucket.name}/k")
    refusal(own_bucket.get, "missing")
    own_bucket.head("k")

    wanted = ("operation", "method", "key", "status", "bytes_in", "bytes_out", "bytes_copied", "range")
    deadline = time.monotonic() + 5
    while len(lines := (tmp_path / "access.log").read_text().splitlines()) < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    logged = [tuple(json.loads(line)[name] for name in wanted) for line in lines]
    errors = logged[4][5]
    assert logged[1:] == [
        ("put_object", "PUT", "k", 200, 10, 0, 0, ""),
        ("get_object", "GET", "k", 206, 0, 3, 0, "bytes=2-4"),
        ("copy_object", "PUT", "copy", 200, 0, logged[3][5], 10, ""),
        ("get_object", "GET", "missing", 404, 0, errors, 0, ""),
        ("head_object", "HEAD", "k", 200, 0, 0, 0, ""),
    ]
    assert errors > 0

"""Multipart uploads: what S3 promises, on our server and on moto."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from typing import Any

import pytest

from tests.integration.s3.clients import MIB, Bucket, refusal

FIRST, LAST = os.urandom(5 * MIB), b"the end"


def test_parts_become_one_object(bucket: Bucket) -> None:
    upload = bucket.start("k", ContentType="video/mp4", Metadata={"a": "1"})
    parts = [bucket.part(upload, 7, LAST), bucket.part(upload, 2, FIRST)]

    done = bucket.complete(upload, parts[::-1])

    md5s = hashlib.md5(FIRST).digest() + hashlib.md5(LAST).digest()
    assert done["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-2"'
    assert bucket.get("k") == FIRST + LAST
    head = bucket.head("k")
    assert (head["ContentType"], head["Metadata"], head["ETag"]) == ("video/mp4", {"a": "1"}, done["ETag"])


def test_nothing_is_seen_before_the_end(bucket: Bucket) -> None:
    upload = bucket.start("k")
    bucket.part(upload, 1, LAST)

    assert bucket.keys() == []
    assert refusal(bucket.get, "k") == (404, "NoSuchKey")


def test_a_part_can_be_sent_again(bucket: Bucket) -> None:
    upload = bucket.start("k")
    bucket.part(upload, 1, b"wrong")

    bucket.complete(upload, [bucket.part(upload, 1, b"right")])

    assert bucket.get("k") == b"right"


def test_only_the_parts_that_are_named_are_used(bucket: Bucket) -> None:
    upload = bucket.start("k")
    bucket.part(upload, 1, b"left out")

    bucket.complete(upload, [bucket.part(upload, 2, b"used")])

    assert bucket.get("k") == b"used"


def test_a_short_part_is_refused_unless_it_is_the_last(bucket: Bucket) -> None:
    upload = bucket.start("k")
    parts = [bucket.part(upload, 1, FIRST[:-1]), bucket.part(upload, 2, LAST)]

    assert refusal(bucket.complete, upload, parts) == (400, "EntityTooSmall")
    assert refusal(bucket.get, "k") == (404, "NoSuchKey")


def test_parts_must_come_in_order(bucket: Bucket) -> None:
    upload = bucket.start("k")
    parts = [bucket.part(upload, 1, FIRST), bucket.part(upload, 2, FIRST)]

    assert refusal(bucket.complete, upload, parts[::-1]) == (400, "InvalidPartOrder")


def test_unknown_parts_and_wrong_etags_are_refused(bucket: Bucket) -> None:
    upload = bucket.start("k")
    part = bucket.part(upload, 1, LAST)

    assert refusal(bucket.complete, upload, [{**part, "ETag": '"0"'}]) == (400, "InvalidPart")
    assert refusal(bucket.complete, upload, [{**part, "PartNumber": 2}]) == (400, "InvalidPart")


def test_part_numbers_end_at_10000(bucket: Bucket) -> None:
    upload = bucket.start("k")

    assert refusal(bucket.part, upload, 10_001, LAST) == (400, "InvalidArgument")
    bucket.complete(upload, [bucket.part(upload, 10_000, LAST)])


def test_an_aborted_upload_is_gone(bucket: Bucket) -> None:
    upload = bucket.start("k")
    part = bucket.part(upload, 1, LAST)

    bucket.client.abort_multipart_upload(**upload)

    assert refusal(bucket.part, upload, 2, LAST) == (404, "NoSuchUpload")
    assert refusal(bucket.complete, upload, [part]) == (404, "NoSuchUpload")
    assert refusal(bucket.client.list_parts, **upload) == (404, "NoSuchUpload")
    assert "Uploads" not in bucket.client.list_multipart_uploads(Bucket=bucket.name)


def test_open_uploads_are_listed(bucket: Bucket) -> None:
    first, second = bucket.start("a ü"), bucket.start("b")
    bucket.complete(done := bucket.start("c"), [bucket.part(done, 1, LAST)])

    listed = bucket.client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]

    assert [(entry["Key"], entry["UploadId"]) for entry in listed] == [
        ("a ü", first["UploadId"]),
        ("b", second["UploadId"]),
    ]


def test_parts_are_listed_by_page(bucket: Bucket) -> None:
    upload = bucket.start("k")
    sent = {number: bucket.part(upload, number, bytes(number))["ETag"] for number in (1, 2, 5)}

    pages = bucket.client.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 2})

    listed: list[Any] = [part for page in pages for part in page["Parts"]]
    assert [(part["PartNumber"], part["ETag"], part["Size"]) for part in listed] == [
        (number, etag, number) for number, etag in sent.items()
    ]


def test_completing_can_insist_on_being_the_first(bucket: Bucket) -> None:
    bucket.put("k", b"first")
    upload = bucket.start("k")
    part = bucket.part(upload, 1, LAST)

    assert refusal(bucket.complete, upload, [part], IfNoneMatch="*") == (412, "PreconditionFailed")
    assert bucket.get("k") == b"first"


# -- copied parts

SOURCE = os.urandom(5 * MIB + 10)


def copied(bucket: Bucket, upload: dict[str, str], number: int, key: str = "source", **options: Any) -> dict[str, Any]:
    source = {"Bucket": bucket.name, "Key": key}
    answer = bucket.client.upload_part_copy(**upload, PartNumber=number, CopySource=source, **options)
    return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}


def test_an_object_is_spliced_out_of_copied_ranges(bucket: Bucket) -> None:
    bucket.put("source", SOURCE)
    upload = bucket.start("k")

    first = copied(bucket, upload, 1, CopySourceRange=f"bytes=10-{len(SOURCE) - 1}")
    second = copied(bucket, upload, 2, CopySourceRange="bytes=0-9")
    whole = copied(bucket, upload, 3)

    assert first["ETag"] == f'"{hashlib.md5(SOURCE[10:]).hexdigest()}"'
    assert whole["ETag"] == f'"{hashlib.md5(SOURCE).hexdigest()}"'
    bucket.complete(upload, [first, second])
    assert bucket.get("k") == SOURCE[10:] + SOURCE[:10]


def test_a_part_cannot_be_copied_from_nothing(bucket: Bucket) -> None:
    upload = bucket.start("k")

    assert refusal(copied, bucket, upload, 1, key="missing") == (404, "NoSuchKey")


@pytest.mark.parametrize("size", [0, 1])
def test_a_small_object_is_copied_whole(bucket: Bucket, size: int) -> None:
    bucket.put("source", bytes(size))
    upload = bucket.start("k")

    bucket.complete(upload, [copied(bucket, upload, 1)])

    assert bucket.get("k") == bytes(size)


@pytest.mark.parametrize(
    "asked", [f"bytes=0-{len(SOURCE)}", f"bytes={len(SOURCE)}-{len(SOURCE)}", "bytes=5-1", "bytes=5-"]
)
def test_a_copied_range_must_lie_within_the_source(bucket: Bucket, asked: str) -> None:
    bucket.put("source", SOURCE)
    upload = bucket.start("k")

    assert refusal(copied, bucket, upload, 1, CopySourceRange=asked) == (400, "InvalidArgument")


def test_a_range_is_copied_only_from_a_source_above_5_mib(bucket: Bucket) -> None:
    bucket.put("source", FIRST)
    upload = bucket.start("k")

    assert refusal(copied, bucket, upload, 1, CopySourceRange="bytes=0-9") == (400, "InvalidRequest")


def test_a_copied_part_can_insist_on_its_source(bucket: Bucket) -> None:
    etag = bucket.put("source", SOURCE)["ETag"]
    upload = bucket.start("k")

    assert refusal(copied, bucket, upload, 1, CopySourceIfMatch='"0"') == (412, "PreconditionFailed")
    assert copied(bucket, upload, 1, CopySourceIfMatch=etag)["ETag"] == etag


def test_completing_again_after_a_lost_answer_answers_the_same(bucket: Bucket) -> None:
    upload = bucket.start("k")
    part = bucket.part(upload, 1, LAST)

    answers = [bucket.complete(upload, [part], IfNoneMatch="*") for _ in range(2)]

    assert answers[0]["ETag"] == answers[1]["ETag"]
    bucket.put("k", b"replaced")
    assert refusal(bucket.complete, upload, [part]) == (404, "NoSuchUpload")


def test_open_uploads_are_listed_by_page(disk_bucket: Bucket) -> None:
    started = [(key, disk_bucket.start(key)["UploadId"]) for key in ("a", "a", "b/c", "b/d")]
    list_uploads = disk_bucket.client.get_paginator("list_multipart_uploads")

    pages = list(list_uploads.paginate(Bucket=disk_bucket.name, PaginationConfig={"PageSize": 1}))
    narrowed = disk_bucket.client.list_multipart_uploads(Bucket=disk_bucket.name, Prefix="b/")["Uploads"]

    assert [(entry["Key"], entry["UploadId"]) for page in pages for entry in page.get("Uploads", [])] == started
    assert [entry["Key"] for entry in narrowed] == ["b/c", "b/d"]


def test_checksums_of_parts_are_compared_and_combined(disk_bucket: Bucket) -> None:
    upload = disk_bucket.start("k", ChecksumAlgorithm="CRC32")
    parts = []
    for number, body in enumerate([FIRST, LAST], 1):
        answer = disk_bucket.client.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32")
        parts.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]})

    wrong = [parts[0], {**parts[1], "ChecksumCRC32": "AAAAAA=="}]
    assert refusal(disk_bucket.complete, upload, wrong) == (400, "InvalidPart")

    both = b"".join(zlib.crc32(body).to_bytes(4, "big") for body in (FIRST, LAST))
    expected = base64.b64encode(zlib.crc32(both).to_bytes(4, "big")).decode() + "-2"
    assert disk_bucket.complete(upload, parts)["ChecksumCRC32"] == expected
    assert disk_bucket.head("k", ChecksumMode="ENABLED")["ChecksumCRC32"] == expected

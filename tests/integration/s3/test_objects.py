"""Objects: what S3 promises, on our server and on moto."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.s3.clients import Bucket, refusal, send, signed_headers


@pytest.mark.parametrize(
    "key", ["a", "a/b/c.mp4", "with space.txt", "ü/日本語.mp4", "a+b&c=d?e#f%20g;h'i\"j<k>", "~._-!*()"]
)
def test_an_object_comes_back_as_it_was_put(bucket: Bucket, key: str) -> None:
    put = bucket.put(key, b"hello", ContentType="text/plain", Metadata={"pipeline": "p-1"})

    got = bucket.client.get_object(Bucket=bucket.name, Key=key)

    assert got["Body"].read() == b"hello"
    assert got["ETag"] == put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert (got["ContentType"], got["Metadata"], got["ContentLength"]) == ("text/plain", {"pipeline": "p-1"}, 5)
    assert abs(got["LastModified"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert bucket.keys() == [key]


def test_a_head_tells_what_a_get_would(bucket: Bucket) -> None:
    bucket.put("k", b"hello", ContentType="video/mp4", CacheControl="no-cache", ContentDisposition="inline")

    head = bucket.head("k")

    assert (head["ContentLength"], head["ContentType"], head["AcceptRanges"]) == (5, "video/mp4", "bytes")
    assert (head["CacheControl"], head["ContentDisposition"]) == ("no-cache", "inline")


def test_an_empty_object_is_an_object(bucket: Bucket) -> None:
    bucket.put("empty", b"")

    assert bucket.get("empty") == b""
    assert bucket.head("empty")["ContentLength"] == 0


def test_a_put_replaces_content_and_metadata(bucket: Bucket) -> None:
    bucket.put("k", b"first", Metadata={"a": "1"})
    bucket.put("k", b"second one", Metadata={"b": "2"})

    assert bucket.get("k") == b"second one"
    assert bucket.head("k")["Metadata"] == {"b": "2"}


def test_what_does_not_exist_is_named(bucket: Bucket) -> None:
    assert refusal(bucket.get, "nothing") == (404, "NoSuchKey")
    assert refusal(bucket.head, "nothing") == (404, "404")
    assert refusal(bucket.client.get_object, Bucket="no-such-bucket-1", Key="k") == (404, "NoSuchBucket")
    assert refusal(bucket.client.put_object, Bucket="no-such-bucket-1", Key="k", Body=b"") == (404, "NoSuchBucket")
    assert refusal(bucket.client.list_objects_v2, Bucket="no-such-bucket-1") == (404, "NoSuchBucket")


def test_deleting_is_idempotent(bucket: Bucket) -> None:
    bucket.put("a/b")

    for _ in range(2):
        status = bucket.client.delete_object(Bucket=bucket.name, Key="a/b")["ResponseMetadata"]["HTTPStatusCode"]
        assert status == 204
    assert bucket.keys() == []


def test_many_keys_are_deleted_at_once(bucket: Bucket) -> None:
    names = ["a", "b/c", "b/d & <e>", "kept"]
    for name in names:
        bucket.put(name)

    answer = bucket.client.delete_objects(
        Bucket=bucket.name, Delete={"Objects": [{"Key": name} for name in ["a", "b/c", "b/d & <e>", "never there"]]}
    )

    assert {entry["Key"] for entry in answer["Deleted"]} == {"a", "b/c", "b/d & <e>", "never there"}
    assert "Errors" not in answer
    assert bucket.keys() == ["kept"]


def test_a_quiet_delete_lists_nothing(bucket: Bucket) -> None:
    bucket.put("a")

    answer = bucket.client.delete_objects(Bucket=bucket.name, Delete={"Objects": [{"Key": "a"}], "Quiet": True})

    assert "Deleted" not in answer
    assert bucket.keys() == []


# -- ranges

RANGES = [
    ("bytes=0-0", b"0", "bytes 0-0/10"),
    ("bytes=2-5", b"2345", "bytes 2-5/10"),
    ("bytes=7-", b"789", "bytes 7-9/10"),
    ("bytes=5-100", b"56789", "bytes 5-9/10"),
    ("bytes=-3", b"789", "bytes 7-9/10"),
    ("bytes=-100", b"0123456789", "bytes 0-9/10"),
]


@pytest.mark.parametrize(("asked", "content", "described"), RANGES)
def test_a_range_is_cut_out(bucket: Bucket, asked: str, content: bytes, described: str) -> None:
    bucket.put("k", b"0123456789")

    got = bucket.client.get_object(Bucket=bucket.name, Key="k", Range=asked)

    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert (got["Body"].read(), got["ContentRange"], got["ContentLength"]) == (content, described, len(content))


def test_a_range_past_the_end_is_refused(bucket: Bucket) -> None:
    bucket.put("k", b"0123456789")

    assert refusal(bucket.get, "k", Range="bytes=10-12") == (416, "InvalidRange")


def test_response_headers_can_be_overridden(bucket: Bucket) -> None:
    bucket.put("k", ContentType="text/plain")

    got = bucket.client.get_object(
        Bucket=bucket.name,
        Key="k",
        ResponseContentType="video/mp4",
        ResponseContentDisposition='attachment; filename="x.mp4"',
    )

    got["Body"].close()
    assert (got["ContentType"], got["ContentDisposition"]) == ("video/mp4", 'attachment; filename="x.mp4"')


# -- preconditions


def test_reads_obey_if_match_and_if_none_match(bucket: Bucket) -> None:
    etag = bucket.put("k", b"here")["ETag"]

    assert bucket.get("k", IfMatch=etag) == b"here"
    assert bucket.get("k", IfNoneMatch='"0"') == b"here"
    assert refusal(bucket.get, "k", IfMatch='"0"') == (412, "PreconditionFailed")
    assert refusal(bucket.get, "k", IfNoneMatch=etag) == (304, "304")
    assert refusal(bucket.head, "k", IfMatch='"0"') == (412, "412")


def test_reads_obey_dates(bucket: Bucket) -> None:
    bucket.put("k", b"here")
    hour = timedelta(hours=1)
    now = datetime.now(UTC)

    assert bucket.get("k", IfModifiedSince=now - hour) == b"here"
    assert refusal(bucket.get, "k", IfModifiedSince=now + hour) == (304, "304")
    assert refusal(bucket.get, "k", IfUnmodifiedSince=now - hour) == (412, "PreconditionFailed")


def test_a_write_once_object_is_written_once(bucket: Bucket) -> None:
    bucket.put("k", b"first", IfNoneMatch="*")

    assert refusal(bucket.put, "k", b"second", IfNoneMatch="*") == (412, "PreconditionFailed")
    assert bucket.get("k") == b"first"


def test_a_write_can_insist_on_what_it_replaces(bucket: Bucket) -> None:
    etag = bucket.put("k", b"first")["ETag"]

    assert refusal(bucket.put, "k", b"wrong", IfMatch='"0"') == (412, "PreconditionFailed")
    bucket.put("k", b"second", IfMatch=etag)
    assert bucket.get("k") == b"second"
    assert refusal(bucket.put, "missing", b"", IfMatch=etag) == (404, "NoSuchKey")


# -- copies


def test_a_copy_brings_its_metadata_along(bucket: Bucket) -> None:
    etag = bucket.put("from/ü x", b"hello", ContentType="video/mp4", Metadata={"a": "1"})["ETag"]

    copied = bucket.client.copy_object(
        Bucket=bucket.name, Key="to", CopySource={"Bucket": bucket.name, "Key": "from/ü x"}
    )

    assert copied["CopyObjectResult"]["ETag"] == etag
    assert bucket.get("to") == b"hello"
    head = bucket.head("to")
    assert (head["ContentType"], head["Metadata"]) == ("video/mp4", {"a": "1"})


def test_a_copy_can_replace_metadata_even_onto_itself(bucket: Bucket) -> None:
    bucket.put("k", b"hello", Metadata={"a": "1"})
    onto_itself = {"Bucket": bucket.name, "Key": "k", "CopySource": f"{bucket.name}/k"}

    assert refusal(bucket.client.copy_object, **onto_itself) == (400, "InvalidRequest")
    bucket.client.copy_object(**onto_itself, MetadataDirective="REPLACE", Metadata={"b": "2"}, ContentType="text/x")

    head = bucket.head("k")
    assert (head["Metadata"], head["ContentType"]) == ({"b": "2"}, "text/x")
    assert bucket.get("k") == b"hello"


def test_a_copy_can_insist_on_its_source(bucket: Bucket) -> None:
    etag = bucket.put("from", b"hello")["ETag"]
    copy = {"Bucket": bucket.name, "Key": "to", "CopySource": f"{bucket.name}/from"}

    assert refusal(bucket.client.copy_object, **copy, CopySourceIfMatch='"0"') == (412, "PreconditionFailed")
    assert refusal(bucket.client.copy_object, **copy, CopySourceIfNoneMatch=etag) == (412, "PreconditionFailed")
    assert bucket.keys() == ["from"]
    bucket.client.copy_object(**copy, CopySourceIfMatch=etag)
    assert bucket.get("to") == b"hello"


def test_a_copy_of_nothing_is_refused(bucket: Bucket) -> None:
    answer = refusal(bucket.client.copy_object, Bucket=bucket.name, Key="k", CopySource=f"{bucket.name}/missing")

    assert answer == (404, "NoSuchKey")


# -- checksums


def test_a_stated_checksum_is_handed_back(bucket: Bucket) -> None:
    put = bucket.put("k", b"hello", ChecksumAlgorithm="SHA256")

    got = bucket.client.get_object(Bucket=bucket.name, Key="k", ChecksumMode="ENABLED")

    assert got["Body"].read() == b"hello"
    assert got["ChecksumSHA256"] == put["ChecksumSHA256"] == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="


@pytest.mark.parametrize(
    "checksum",
    [
        {"ChecksumCRC32": "AAAAAA=="},
        {"ChecksumSHA1": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"ContentMD5": "XUFAKrxLKna5cZ2REBfFkg==", "Body": b"not hello"},
    ],
)
def test_a_wrong_checksum_is_refused(bucket: Bucket, checksum: dict[str, Any]) -> None:
    put = {"Bucket": bucket.name, "Key": "k", "Body": b"hello", **checksum}

    assert refusal(bucket.client.put_object, **put) == (400, "BadDigest")
    assert bucket.keys() == []


def test_checksums_that_cannot_be_computed_here_are_kept(disk_bucket: Bucket) -> None:
    disk_bucket.put("k", b"hello", ChecksumCRC64NVME="M3eFcAZSQlc=")

    assert disk_bucket.head("k", ChecksumMode="ENABLED")["ChecksumCRC64NVME"] == "M3eFcAZSQlc="


# -- keys as paths


def test_a_key_and_a_folder_of_the_same_name_are_refused_clearly(disk_bucket: Bucket) -> None:
    disk_bucket.put("a", b"file")
    disk_bucket.put("b/c", b"file")

    assert refusal(disk_bucket.put, "a/b") == (400, "KeyNotStorable")
    assert refusal(disk_bucket.put, "a/b/c") == (400, "KeyNotStorable")
    assert refusal(disk_bucket.put, "b") == (400, "KeyNotStorable")
    assert refusal(disk_bucket.get, "a/b") == (404, "NoSuchKey")
    assert refusal(disk_bucket.get, "b") == (404, "NoSuchKey")
    assert (disk_bucket.keys(), disk_bucket.get("a")) == (["a", "b/c"], b"file")


@pytest.mark.parametrize("key", ["../x", "a/../../x", "a//b", "./a", "a/", "a/.", "..", "x" * 256, "a\0b"])
def test_keys_that_are_no_paths_are_refused(disk_bucket: Bucket, key: str) -> None:
    assert refusal(disk_bucket.put, key) == (400, "KeyNotStorable")
    assert refusal(disk_bucket.start, key) == (400, "KeyNotStorable")
    assert refusal(disk_bucket.get, key) == (404, "NoSuchKey")
    disk_bucket.client.delete_object(Bucket=disk_bucket.name, Key=key)
    assert disk_bucket.keys() == []


def test_keys_end_at_1024_bytes(disk_bucket: Bucket) -> None:
    longest = "/".join(["x" * 255] * 4)
    disk_bucket.put(longest)

    assert disk_bucket.keys() == [longest]
    assert refusal(disk_bucket.put, f"{longest}ü") == (400, "KeyTooLongError")


@pytest.mark.parametrize("name", ["..", ".meta", "Ab1", "a", "a..b"])
def test_bucket_names_follow_the_rules(disk_bucket: Bucket, name: str) -> None:
    url = f"{disk_bucket.url}/{name}"

    assert send("PUT", url, signed_headers("PUT", url)).status == 400


def test_what_this_s3_does_not_do_is_refused_by_name(disk_bucket: Bucket) -> None:
    name = disk_bucket.name
    disk_bucket.put("k")

    assert refusal(disk_bucket.client.get_object_acl, Bucket=name, Key="k") == (501, "NotImplemented")
    assert refusal(disk_bucket.client.get_object, Bucket=name, Key="k", VersionId="1") == (501, "NotImplemented")
    assert refusal(disk_bucket.client.list_objects, Bucket=name) == (501, "NotImplemented")
    assert refusal(disk_bucket.client.put_bucket_versioning, Bucket=name, VersioningConfiguration={}) == (
        501,
        "NotImplemented",
    )


def test_metadata_ends_at_2_kb(disk_bucket: Bucket) -> None:
    disk_bucket.put("k", Metadata={"a": "x" * 2047})

    assert refusal(disk_bucket.put, "k", Metadata={"a": "x" * 2048}) == (400, "MetadataTooLarge")


def test_buckets_can_be_part_of_the_host_name(disk_bucket: Bucket) -> None:
    disk_bucket.put("a/b", b"hello")
    host = f"{disk_bucket.name}.localhost:{disk_bucket.url.rpartition(':')[2]}"

    answer = send("GET", f"{disk_bucket.url}/a/b", signed_headers("GET", f"http://{host}/a/b") | {"Host": host})

    assert (answer.status, answer.body) == (200, b"hello")

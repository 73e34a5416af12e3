"""Buckets and lists: what S3 promises, on our server and on moto."""

from __future__ import annotations

import uuid

import pytest

from tests.integration.s3.clients import Bucket, refusal

KEYS = ["a", "a-b", "a.b", "b/1", "b/2", "b/c/3", "b0", "c/1", "é", "日本"]


@pytest.fixture
def filled(bucket: Bucket) -> Bucket:
    for key in reversed(KEYS):
        bucket.put(key, key.encode())
    return bucket


def test_buckets_are_made_listed_and_deleted(bucket: Bucket) -> None:
    name = f"b-{uuid.uuid4().hex}"
    bucket.client.create_bucket(Bucket=name)
    bucket.client.create_bucket(Bucket=name)

    assert bucket.client.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert name in [entry["Name"] for entry in bucket.client.list_buckets()["Buckets"]]
    bucket.client.delete_bucket(Bucket=name)
    assert refusal(bucket.client.head_bucket, Bucket=name) == (404, "404")
    assert refusal(bucket.client.delete_bucket, Bucket=name) == (404, "NoSuchBucket")


def test_a_bucket_with_objects_stays(bucket: Bucket) -> None:
    bucket.put("deep/inside")

    assert refusal(bucket.client.delete_bucket, Bucket=bucket.name) == (409, "BucketNotEmpty")
    assert bucket.get("deep/inside") == b"content"


def test_keys_are_listed_in_the_order_of_their_bytes(filled: Bucket) -> None:
    answer = filled.client.list_objects_v2(Bucket=filled.name)

    assert [entry["Key"] for entry in answer["Contents"]] == KEYS
    assert [entry["Size"] for entry in answer["Contents"]] == [len(key.encode()) for key in KEYS]
    assert (answer["KeyCount"], answer["IsTruncated"]) == (len(KEYS), False)
    assert answer["Contents"][0]["ETag"] == filled.head("a")["ETag"]


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("a", ["a", "a-b", "a.b"]),
        ("b/", ["b/1", "b/2", "b/c/3"]),
        ("b/c", ["b/c/3"]),
        ("é", ["é"]),
        ("zzz", []),
        ("a/", []),
    ],
)
def test_a_prefix_narrows_the_list(filled: Bucket, prefix: str, keys: list[str]) -> None:
    assert filled.keys(Prefix=prefix) == keys


@pytest.mark.parametrize(
    ("prefix", "delimiter", "keys", "prefixes"),
    [
        ("", "/", ["a", "a-b", "a.b", "b0", "é", "日本"], ["b/", "c/"]),
        ("b/", "/", ["b/1", "b/2"], ["b/c/"]),
        ("b", "/", ["b0"], ["b/"]),
        ("a", "-", ["a", "a.b"], ["a-"]),
    ],
)
def test_a_delimiter_folds_keys_into_prefixes(
    filled: Bucket, prefix: str, delimiter: str, keys: list[str], prefixes: list[str]
) -> None:
    answer = filled.client.list_objects_v2(Bucket=filled.name, Prefix=prefix, Delimiter=delimiter)

    assert [entry["Key"] for entry in answer["Contents"]] == keys
    assert [entry["Prefix"] for entry in answer["CommonPrefixes"]] == prefixes


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages_hold_every_line_once(filled: Bucket, size: int, delimiter: str) -> None:
    pages = filled.client.get_paginator("list_objects_v2").paginate(
        Bucket=filled.name, Delimiter=delimiter, PaginationConfig={"PageSize": size}
    )

    lines = []
    for page in pages:
        found = [entry["Key"] for entry in page.get("Contents", [])]
        found += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        assert len(found) == page["KeyCount"] <= size
        lines += found
    expected = ["a", "a-b", "a.b", "b/", "b0", "c/", "é", "日本"] if delimiter else KEYS
    assert sorted(lines) == expected


def test_a_list_can_start_after_a_key(filled: Bucket) -> None:
    assert filled.keys(StartAfter="b/1") == KEYS[KEYS.index("b/2") :]
    assert filled.keys(StartAfter="b/") == KEYS[KEYS.index("b/1") :]
    assert filled.keys(StartAfter="b/1", Prefix="b/") == ["b/2", "b/c/3"]

"""Who may do what: signatures made by botocore, and their many ways of being wrong."""

from __future__ import annotations

import hashlib
import re
import time
from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from urllib.parse import parse_qsl, urlencode

import botocore.auth
import pytest
from botocore.config import Config

from tests.integration.s3.clients import (
    ACCESS_KEY,
    SECRET_KEY,
    Answer,
    Bucket,
    new_client,
    refusal,
    send,
    signed_headers,
)


def code_of(answer: Answer) -> tuple[int, str]:
    """Status and error code; the code is "" where the request was carried out."""
    code = re.search(rb"<Code>(\w+)</Code>", answer.body)
    return answer.status, code[1].decode() if code else ""


def at(moment: datetime) -> object:
    """Let botocore believe that it is another time."""
    return patch.object(botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: moment.replace(tzinfo=None))


@pytest.fixture
def url(bucket: Bucket) -> str:
    bucket.put("k", b"hello")
    return f"{bucket.url}/{bucket.name}/k"


def presigned(bucket: Bucket, method: str = "get_object", expires: int = 60, **options: str) -> str:
    parameters = {"Bucket": bucket.name, "Key": "k", **options}
    address: str = bucket.client.generate_presigned_url(method, Params=parameters, ExpiresIn=expires)
    return address


# -- signed headers


def test_a_signed_request_is_served(url: str) -> None:
    answer = send("GET", url, signed_headers("GET", url))

    assert (answer.status, answer.body) == (200, b"hello")


def test_an_unsigned_request_is_refused(url: str) -> None:
    assert code_of(send("GET", url)) == (403, "AccessDenied")


def test_a_wrong_secret_is_refused(url: str) -> None:
    assert code_of(send("GET", url, signed_headers("GET", url, secret_key="another"))) == (403, "SignatureDoesNotMatch")


def test_an_unknown_access_key_is_refused(url: str) -> None:
    headers = signed_headers("GET", url)
    headers["Authorization"] = headers["Authorization"].replace(ACCESS_KEY, "AKIDOTHER")

    assert code_of(send("GET", url, headers)) == (403, "InvalidAccessKeyId")


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_request_from_another_time_is_refused(url: str, minutes: int) -> None:
    with at(datetime.now(UTC) + timedelta(minutes=minutes)):
        headers = signed_headers("GET", url)

    assert code_of(send("GET", url, headers)) == (403, "RequestTimeTooSkewed")


@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_clock_may_be_a_little_off(url: str, minutes: int) -> None:
    with at(datetime.now(UTC) + timedelta(minutes=minutes)):
        headers = signed_headers("GET", url)

    assert send("GET", url, headers).status == 200


def test_a_changed_request_is_refused(url: str) -> None:
    headers = signed_headers("GET", url, {"x-amz-meta-a": "1"})

    assert code_of(send("PUT", url, headers, b"")) == (403, "SignatureDoesNotMatch")
    assert code_of(send("GET", f"{url}2", headers)) == (403, "SignatureDoesNotMatch")
    assert code_of(send("GET", f"{url}?uploadId=1", headers)) == (403, "SignatureDoesNotMatch")
    assert code_of(send("GET", url, {**headers, "x-amz-meta-a": "2"})) == (403, "SignatureDoesNotMatch")
    assert code_of(send("GET", url, {**headers, "x-amz-meta-b": "unsigned"})) == (403, "AccessDenied")


def test_a_body_that_was_not_signed_is_refused(bucket: Bucket, url: str) -> None:
    headers = signed_headers("PUT", url, {"X-Amz-Content-SHA256": hashlib.sha256(b"signed").hexdigest()})

    assert code_of(send("PUT", url, headers, b"forged")) == (400, "XAmzContentSHA256Mismatch")
    assert bucket.get("k") == b"hello"
    assert send("PUT", url, headers, b"signed").status == 200


# -- presigned URLs


def test_a_url_needs_no_credentials(bucket: Bucket, url: str) -> None:
    assert send("GET", presigned(bucket)).body == b"hello"
    assert send("GET", presigned(bucket, ResponseContentType="video/mp4")).headers["content-type"] == "video/mp4"
    assert send("PUT", presigned(bucket, "put_object"), body=b"new").status == 200
    assert bucket.get("k") == b"new"


def test_a_range_of_a_url_is_served(bucket: Bucket, url: str) -> None:
    answer = send("GET", presigned(bucket), {"Range": "bytes=1-2"})

    assert (answer.status, answer.body) == (206, b"el")


def test_an_expired_url_is_refused(bucket: Bucket, url: str) -> None:
    with at(datetime.now(UTC) - timedelta(seconds=61)):
        expired = presigned(bucket, expires=60)
    with at(datetime.now(UTC) - timedelta(seconds=50)):
        fresh = presigned(bucket, expires=60)
    with at(datetime.now(UTC) + timedelta(minutes=20)):
        early = presigned(bucket)

    answer = send("GET", expired)
    assert (code_of(answer), b"Request has expired" in answer.body) == ((403, "AccessDenied"), True)
    assert code_of(send("GET", early)) == (403, "AccessDenied")
    assert send("GET", fresh).status == 200


def test_a_url_expires_while_one_looks(disk_bucket: Bucket) -> None:
    disk_bucket.put("k", b"hello")
    address = presigned(disk_bucket, expires=1)

    assert send("GET", address).status == 200
    time.sleep(2.1)
    assert code_of(send("GET", address)) == (403, "AccessDenied")


def test_a_url_lives_a_week_at_most(bucket: Bucket, url: str) -> None:
    assert code_of(send("GET", presigned(bucket, expires=604_801))) == (400, "AuthorizationQueryParametersError")
    assert send("GET", presigned(bucket, expires=604_800)).status == 200


def test_a_url_serves_only_what_it_was_made_for(bucket: Bucket, url: str) -> None:
    bucket.put("other", b"secret")
    address = presigned(bucket)
    base, _, query = address.partition("?")
    longer = urlencode([(name, "600" if name == "X-Amz-Expires" else value) for name, value in parse_qsl(query)])

    assert code_of(send("GET", address.replace("/k?", "/other?"))) == (403, "SignatureDoesNotMatch")
    assert code_of(send("PUT", address, body=b"x")) == (403, "SignatureDoesNotMatch")
    assert code_of(send("GET", f"{base}?{longer}")) == (403, "SignatureDoesNotMatch")
    assert code_of(send("GET", f"{address}&response-content-type=text/html")) == (403, "SignatureDoesNotMatch")


def test_a_signature_of_version_2_is_refused(bucket: Bucket, url: str) -> None:
    old = new_client(bucket.url, signature_version="s3")
    address = old.generate_presigned_url("get_object", Params={"Bucket": bucket.name, "Key": "k"}, ExpiresIn=60)

    assert "AWSAccessKeyId=" in address
    assert code_of(send("GET", address)) == (400, "InvalidRequest")
    assert refusal(old.get_object, Bucket=bucket.name, Key="k") == (400, "InvalidRequest")


def test_another_region_is_as_good(disk_bucket: Bucket) -> None:
    import boto3

    disk_bucket.put("k", b"hello")
    client = boto3.client(
        "s3",
        endpoint_url=disk_bucket.url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="eu-central-1",
        config=Config(signature_version="s3v4"),
    )

    assert client.get_object(Bucket=disk_bucket.name, Key="k")["Body"].read() == b"hello"
    client.close()

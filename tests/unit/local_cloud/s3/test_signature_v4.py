"""Signature Version 4 against the worked examples of AWS's own documentation.

Source: "Authenticating requests (AWS Signature Version 4)" in the Amazon S3 API reference, which prints bucket, keys,
secret and the resulting signatures.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local_cloud.s3.errors import S3Error
from local_cloud.s3.signatures import SignedRequest, Verifier

ACCESS_KEY, SECRET_KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOON = datetime(2013, 5, 24, tzinfo=UTC)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
CREDENTIAL = f"{ACCESS_KEY}/20130524/us-east-1/s3/aws4_request"


def authorization(names: str, signature: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders={names},Signature={signature}"


GET_OBJECT = SignedRequest(
    "GET",
    "/test.txt",
    [],
    {
        "host": "examplebucket.s3.amazonaws.com",
        "range": "bytes=0-9",
        "x-amz-content-sha256": EMPTY,
        "x-amz-date": "20130524T000000Z",
        "authorization": authorization(
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
    },
)
PUT_OBJECT = SignedRequest(
    "PUT",
    "/test%24file.text",
    [],
    {
        "host": "examplebucket.s3.amazonaws.com",
        "date": "Fri, 24 May 2013 00:00:00 GMT",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        "x-amz-date": "20130524T000000Z",
        "authorization": authorization(
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
    },
)
LIST_OBJECTS = SignedRequest(
    "GET",
    "/",
    [("max-keys", "2"), ("prefix", "J")],
    {
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-content-sha256": EMPTY,
        "x-amz-date": "20130524T000000Z",
        "authorization": authorization(
            "host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        ),
    },
)
PRESIGNED = SignedRequest(
    "GET",
    "/test.txt",
    [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", CREDENTIAL),
        ("X-Amz-Date", "20130524T000000Z"),
        ("X-Amz-Expires", "86400"),
        ("X-Amz-SignedHeaders", "host"),
        ("X-Amz-Signature", "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"),
    ],
    {"host": "examplebucket.s3.amazonaws.com"},
)


documented_examples = pytest.mark.parametrize(
    "request_", [GET_OBJECT, PUT_OBJECT, LIST_OBJECTS, PRESIGNED], ids=["get", "put", "list", "url"]
)


def verify(request: SignedRequest, now: datetime = NOON) -> None:
    Verifier(ACCESS_KEY, SECRET_KEY, lambda: now).verify(request)


def refused(request: SignedRequest, now: datetime = NOON) -> str:
    with pytest.raises(S3Error) as caught:
        verify(request, now)
    return caught.value.code


@pytest.mark.parametrize(
    "request_", [GET_OBJECT, PUT_OBJECT, LIST_OBJECTS, PRESIGNED], ids=["get", "put", "list", "url"]
)
def test_the_documented_examples_are_accepted(request_: SignedRequest) -> None:
    verify(request_)


@pytest.mark.parametrize(
    "request_", [GET_OBJECT, PUT_OBJECT, LIST_OBJECTS, PRESIGNED], ids=["get", "put", "list", "url"]
)
def test_any_change_of_them_is_refused(request_: SignedRequest) -> None:
    assert refused(replace(request_, method="DELETE")) == "SignatureDoesNotMatch"
    assert refused(replace(request_, path=f"{request_.path}x")) == "SignatureDoesNotMatch"
    assert refused(replace(request_, query=[*request_.query, ("a", "")])) == "SignatureDoesNotMatch"
    assert refused(replace(request_, headers={**request_.headers, "host": "other"})) == "SignatureDoesNotMatch"
    assert refused(replace(request_, headers={**request_.headers, "x-amz-acl": "public"})) == "AccessDenied"


def test_a_url_works_until_it_expires() -> None:
    verify(PRESIGNED, NOON + timedelta(seconds=86400))

    assert refused(PRESIGNED, NOON + timedelta(seconds=86401)) == "AccessDenied"
    assert refused(PRESIGNED, NOON - timedelta(minutes=16)) == "AccessDenied"


def test_a_signature_is_good_for_a_quarter_of_an_hour() -> None:
    verify(GET_OBJECT, NOON + timedelta(minutes=15))

    assert refused(GET_OBJECT, NOON + timedelta(minutes=15, seconds=1)) == "RequestTimeTooSkewed"
    assert refused(GET_OBJECT, NOON - timedelta(minutes=15, seconds=1)) == "RequestTimeTooSkewed"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("authorization", "AWS4-HMAC-SHA256 Credential=x", "AuthorizationHeaderMalformed"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=x,SignedHeaders=a,Signature=0",
            "AuthorizationHeaderMalformed",
        ),
        ("authorization", "AWS AKIAIOSFODNN7EXAMPLE:c2lnbmF0dXJl", "InvalidRequest"),
        ("authorization", "Bearer x", "AccessDenied"),
        ("x-amz-date", "yesterday", "AuthorizationHeaderMalformed"),
        ("x-amz-date", "20130524", "AccessDenied"),
        ("x-amz-content-sha256", "abc", "InvalidArgument"),
    ],
)
def test_malformed_headers_are_refused(name: str, value: str, code: str) -> None:
    assert refused(replace(GET_OBJECT, headers={**GET_OBJECT.headers, name: value})) == code


@pytest.mark.parametrize(
    ("name", "value"),
    [("X-Amz-Expires", "0"), ("X-Amz-Expires", "604801"), ("X-Amz-Expires", "x"), ("X-Amz-Algorithm", "other")],
)
def test_malformed_urls_are_refused(name: str, value: str) -> None:
    query = [(each, value if each == name else given) for each, given in PRESIGNED.query]

    assert refused(replace(PRESIGNED, query=query)) == "AuthorizationQueryParametersError"


@pytest.mark.parametrize("name", ["X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders"])
def test_incomplete_urls_are_refused(name: str) -> None:
    query = [pair for pair in PRESIGNED.query if pair[0] != name]

    assert refused(replace(PRESIGNED, query=query)) == "AuthorizationQueryParametersError"

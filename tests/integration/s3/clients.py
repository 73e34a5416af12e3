"""How the tests reach an S3: boto3, plain HTTP, and signatures made by botocore."""

from __future__ import annotations

import http.client
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

ACCESS_KEY, SECRET_KEY = "AKIDLAPTOP", "a secret of the laptop"
MIB = 1 << 20


def new_client(url: str, **config: Any) -> Any:
    """A boto3 client that tries once, so that a test sees the first answer."""
    settings = {"signature_version": "s3v4", "retries": {"total_max_attempts": 1}, "max_pool_connections": 32, **config}
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        config=Config(**settings),
    )


@dataclass(frozen=True)
class Bucket:
    """A fresh bucket, and the client that reaches it."""

    client: Any
    name: str
    url: str

    def put(self, key: str, body: bytes = b"content", **options: Any) -> Any:
        return self.client.put_object(Bucket=self.name, Key=key, Body=body, **options)

    def get(self, key: str, **options: Any) -> bytes:
        content: bytes = self.client.get_object(Bucket=self.name, Key=key, **options)["Body"].read()
        return content

    def head(self, key: str, **options: Any) -> Any:
        return self.client.head_object(Bucket=self.name, Key=key, **options)

    def keys(self, **options: Any) -> list[str]:
        answer = self.client.list_objects_v2(Bucket=self.name, **options)
        return [entry["Key"] for entry in answer.get("Contents", [])]

    def start(self, key: str, **options: Any) -> dict[str, str]:
        """Open a multipart upload; the arguments that every call on it takes."""
        upload = self.client.create_multipart_upload(Bucket=self.name, Key=key, **options)
        return {"Bucket": self.name, "Key": key, "UploadId": upload["UploadId"]}

    def part(self, upload: dict[str, str], number: int, body: bytes, **options: Any) -> dict[str, Any]:
        answer = self.client.upload_part(**upload, PartNumber=number, Body=body, **options)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def complete(self, upload: dict[str, str], parts: list[dict[str, Any]], **options: Any) -> Any:
        return self.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **options)


def fresh_bucket(url: str, **config: Any) -> Bucket:
    bucket = Bucket(new_client(url, **config), f"b-{uuid.uuid4().hex}", url)
    bucket.client.create_bucket(Bucket=bucket.name)
    return bucket


def refusal(call: Any, *arguments: Any, **options: Any) -> tuple[int, str]:
    """Status and code with which S3 refuses a call."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **options)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def signed_headers(
    method: str, url: str, headers: dict[str, str] | None = None, secret_key: str = SECRET_KEY
) -> dict[str, str]:
    """Headers with botocore's signature. The payload is unsigned unless `X-Amz-Content-SHA256` says otherwise."""
    given = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD", **(headers or {})}
    request = AWSRequest(method=method, url=url, headers=given)
    stated = request.headers["X-Amz-Content-SHA256"]
    signer = S3SigV4Auth(Credentials(ACCESS_KEY, secret_key), "s3", "us-east-1")
    signer.payload = lambda _: stated
    signer.add_auth(request)
    return dict(request.headers)


def send(method: str, url: str, headers: dict[str, str] | None = None, body: Any = None, **options: Any) -> Answer:
    """One plain HTTP request, exactly as given."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, body=body, headers=headers or {}, **options)
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, named, response.read())
    finally:
        connection.close()


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

"""DynamoDB and S3 for the unit tests: one moto server per test process, fresh tables per test."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

CREDENTIALS = {
    "region_name": "us-east-1",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def dynamodb(moto_url: str) -> Any:
    """One request at a time, as the local cloud's gateway does it: moto undoes a failed transaction by putting whole
    tables back, and with them what others wrote meanwhile."""
    client = boto3.client("dynamodb", endpoint_url=moto_url, **CREDENTIALS)
    lock, call = threading.Lock(), client._make_api_call

    def one_at_a_time(*arguments: Any) -> Any:
        with lock:
            return call(*arguments)

    client._make_api_call = one_at_a_time
    return client


@pytest.fixture(scope="session")
def s3(moto_url: str) -> Any:
    return boto3.client("s3", endpoint_url=moto_url, **CREDENTIALS)


@dataclass(frozen=True)
class TableNames:
    nodes: str
    takes: str


@pytest.fixture
def tables(dynamodb: Any) -> TableNames:
    return fresh_tables(dynamodb)


def fresh_tables(dynamodb: Any) -> TableNames:
    """Both tables, empty, with names of their own."""
    suffix = uuid.uuid4().hex[:8]
    names = TableNames(f"nodes-{suffix}", f"takes-{suffix}")
    for name, partition, sort in ((names.nodes, "pipeline_id", "id"), (names.takes, "take_id", "record")):
        dynamodb.create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": partition, "KeyType": "HASH"},
                {"AttributeName": sort, "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": partition, "AttributeType": "S"},
                {"AttributeName": sort, "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    return names


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    return name

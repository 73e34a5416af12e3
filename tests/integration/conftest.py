"""S3, DynamoDB and Secrets Manager for the provider modules: one moto server per test process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.integration.desk import BUCKET
from tests.unit.conftest import CREDENTIALS
from video_production.storage import Storage


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def storage(moto: str) -> Storage:
    client = boto3.client("s3", endpoint_url=moto, **CREDENTIALS)
    client.create_bucket(Bucket=BUCKET)
    return Storage(client)


@pytest.fixture(scope="session")
def dynamodb(moto: str) -> Any:
    return boto3.client("dynamodb", endpoint_url=moto, **CREDENTIALS)


@pytest.fixture(scope="session")
def secrets(moto: str) -> Any:
    return boto3.client("secretsmanager", endpoint_url=moto, **CREDENTIALS)

"""S3, DynamoDB and Secrets Manager for the provider modules: one moto server per test process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.integration.desk import BUCKET
from tests.unit.conftest import CREDENTIALS
from video_production.storage import Storage

_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://{}:{}".format(*server.get_host_and_port()), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """In a process of its own: tests of the local cloud empty moto in theirs."""
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        yield server.stdout.readline().strip()
        server.stdin.close()


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

"""Local clouds in processes of their own, over a checkout with tiny functions and state machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_cloud.functions import NAMES
from local_cloud.handle import CloudHandle, attach_or_start
from tests.integration.local_cloud.tiny import write_checkout


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared-home")


@pytest.fixture(scope="session")
def cloud(checkout: Path, shared_home: Path) -> Iterator[CloudHandle]:
    """One cloud for all tests that leave it running."""
    with attach_or_start(shared_home, checkout=checkout) as handle:
        yield handle


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def start(checkout: Path, home: Path) -> Iterator[Callable[[], CloudHandle]]:
    """Starts, or attaches to, a cloud of the test's own; closes whatever is still open."""
    handles: list[CloudHandle] = []

    def attach() -> CloudHandle:
        handles.append(attach_or_start(home, checkout=checkout))
        return handles[-1]

    yield attach
    for handle in handles:
        handle.close()


@pytest.fixture
def put() -> Callable[..., None]:
    """Write a node: put(handle, "intro", "pending")."""

    def put_node(handle: CloudHandle, name: str, status: str) -> None:
        dynamodb = handle.client("dynamodb")
        item = {"pipeline_id": {"S": "lesson"}, "id": {"S": name}, "status": {"S": status}}
        dynamodb.put_item(TableName=NAMES.nodes_table, Item=item)
        dynamodb.close()

    return put_node


@pytest.fixture
def client(cloud: CloudHandle) -> Iterator[Callable[[str], Any]]:
    """boto3 clients of the shared cloud."""
    clients: list[Any] = []

    def make(service: str) -> Any:
        clients.append(cloud.client(service))
        return clients[-1]

    yield make
    for each in clients:
        each.close()

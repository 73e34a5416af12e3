from __future__ import annotations

from typing import Any

import pytest

from tests.unit.conftest import TableNames
from video_production.tables import Table
from video_production.webhooks.deduplication import Deliveries

WEEK = 7 * 24 * 3600


@pytest.fixture
def clock() -> list[float]:
    return [1_000_000.0]


@pytest.fixture
def deliveries(dynamodb: Any, tables: TableNames, clock: list[float]) -> Deliveries:
    return Deliveries(Table(dynamodb, tables.takes), clock=lambda: clock[0])


def test_what_was_passed_on_is_known_for_a_week(deliveries: Deliveries, clock: list[float]) -> None:
    assert not deliveries.known("elevenlabs", b"body")
    deliveries.remember("elevenlabs", b"body")
    assert deliveries.known("elevenlabs", b"body")
    assert not deliveries.known("elevenlabs", b"body ")
    assert not deliveries.known("heygen", b"body")
    clock[0] += WEEK + 1  # DynamoDB has not deleted it yet
    assert not deliveries.known("elevenlabs", b"body")


def test_the_record_expires_by_itself(deliveries: Deliveries) -> None:
    deliveries.remember("elevenlabs", b"body")
    [item] = deliveries.table.client.scan(TableName=deliveries.table.name)["Items"]
    assert item["expires_at"] == {"N": str(1_000_000 + WEEK)}
    assert item["take_id"]["S"].startswith("webhook#elevenlabs#")

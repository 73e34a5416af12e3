from __future__ import annotations

from typing import Any

import pytest

from tests.unit.conftest import TableNames
from tests.unit.takes.stage import Stage


@pytest.fixture
def stage(dynamodb: Any, s3: Any, tables: TableNames, bucket: str) -> Stage:
    return Stage(dynamodb, s3, tables.nodes, tables.takes, bucket)

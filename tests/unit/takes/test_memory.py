"""The tables in memory keep the contracts of the tables: the same tests, run against them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.conftest import TableNames
from tests.unit.memory import MemoryDynamo
from tests.unit.nodes.test_node_table import *  # noqa: F403
from tests.unit.takes.test_buying import *  # noqa: F403
from tests.unit.takes.test_ledger import *  # type: ignore[assignment]  # noqa: F403
from tests.unit.takes.test_races import *  # type: ignore[assignment]  # noqa: F403


@pytest.fixture
def dynamodb() -> Any:
    return MemoryDynamo()


@pytest.fixture
def tables() -> TableNames:
    return TableNames("nodes", "takes")

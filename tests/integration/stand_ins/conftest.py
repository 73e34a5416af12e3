"""A stand-in in its own process, and the official SDK pointed at it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from elevenlabs.client import ElevenLabs

from stand_ins.running import RunningStandIn
from tests.integration.stand_ins.calls import KEY


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStandIn]:
    home = tmp_path_factory.mktemp("elevenlabs")
    with RunningStandIn.start(home, "--job-seconds", "0.4", "--url-seconds", "2") as running:
        yield running


@pytest.fixture(autouse=True)
def _well_behaved(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves its rules, balance or plan to the next one."""
    yield
    if "stand_in" in request.fixturenames:
        running: RunningStandIn = request.getfixturevalue("stand_in")
        running.behave()
        running.change_plan(tier="pro", flows=True, permissions=None, credit_limit=None, concurrency=None)


@pytest.fixture(scope="module")
def sdk(stand_in: RunningStandIn) -> Iterator[ElevenLabs]:
    with httpx.Client(timeout=20) as client:
        yield ElevenLabs(base_url=stand_in.url, api_key=KEY, httpx_client=client)

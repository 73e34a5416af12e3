"""200 pipelines at once against a provider that allows five jobs, in simulated time; and schedulers in real threads."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from benchmarks.orchestration_model import Measured, Simulation, head, step
from tests.unit.scheduling.crowd import PROVIDER, SPEECH, Crowd
from video_production.errors import Superseded, TransientError
from video_production.nodes.model import NodeStatus
from video_production.nodes.table import Claim

COUNT, LIMIT = 200, 5


@pytest.fixture(scope="module")
def measured() -> Measured:
    simulation = Simulation(limit=LIMIT, job_seconds=lambda chance: chance.uniform(30, 90), webhooks=False, watch=600)
    for number in range(COUNT):
        simulation.ask(f"p{number:03}", [head(f"p{number:03}", "head")], at=number * 0.01)
    return simulation.run(COUNT, 90)


def test_the_provider_is_always_busy_and_never_asked_for_more_than_it_allows(measured: Measured) -> None:
    assert measured.outcomes == {"completed": COUNT}
    assert measured.most_under_way == LIMIT
    assert measured.refused == 0


def test_jobs_start_in_the_order_in_which_they_were_asked_for(measured: Measured) -> None:
    assert measured.in_turn == 0


def test_the_whole_takes_little_longer_than_the_jobs_alone() -> None:
    """With webhooks; where a provider is asked every ten seconds, half of that comes on top of each job."""
    simulation = Simulation(limit=LIMIT, job_seconds=lambda chance: chance.uniform(30, 90))
    for number in range(40):
        simulation.ask(f"p{number:03}", [head(f"p{number:03}", "head")])
    measured = simulation.run(40, 90)
    assert measured.outcomes == {"completed": 40}
    assert measured.ratio <= 1.10


def test_a_wide_pipeline_takes_little_longer_than_its_critical_path() -> None:
    layers = [[f"n{layer}-{row}" for row in range(5)] for layer in range(8)]
    before = [[], *layers]
    nodes = [step("p", name, before[number]) for number, layer in enumerate(layers) for name in layer]
    simulation = Simulation(limit=LIMIT)
    simulation.ask("p", nodes)
    measured = simulation.run(1, 80)
    assert measured.outcomes == {"completed": 1}
    assert measured.ratio <= 1.05


class Unreliable:
    """A client whose writes meet other transactions, and whose answers get lost, as chance wills."""

    def __init__(self, client: Any, seed: int) -> None:
        self._client = client
        self._chance = random.Random(seed)
        self.exceptions = client.exceptions

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name != "transact_write_items":
            return method

        def transact(**request: Any) -> Any:
            if self._chance.random() < 0.2:
                reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]
                raise self.exceptions.TransactionCanceledException(
                    {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}, name
                )
            answer = method(**request)
            return method(**request) if self._chance.random() < 0.2 else answer

        return transact


@pytest.mark.parametrize("seed", range(2))
def test_schedulers_that_run_at_once_share_the_slots(seed: int) -> None:
    """Six threads look at 20 pipelines in any order while their nodes end; conflicts and lost answers among it."""
    names = [f"p{number:02}" for number in range(20)]
    crowd = Crowd(limit=3)
    for name in names:
        crowd.publish(name)
    held: list[int] = []

    def work(number: int) -> None:
        chance = random.Random(seed * 100 + number)
        scheduler = crowd.another_scheduler(Unreliable(crowd.dynamodb, seed * 100 + number))
        for _ in range(80):
            name = chance.choice(names)
            node = crowd.node(name)
            try:
                if node.status == NodeStatus.IN_PROGRESS and node.process_uuid and chance.random() < 0.5:
                    crowd.nodes.complete(Claim(name, "head", node.process_uuid), SPEECH)
                ended = {"node_id": "head"} if chance.random() < 0.5 else {}
                scheduler.take({"provider": PROVIDER} if chance.random() < 0.1 else {"pipeline_id": name, **ended})
            except (Superseded, TransientError):
                continue
            held.append(len(crowd.held()))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while under_way := [name for name in names if crowd.node(name).status != NodeStatus.COMPLETED]:
        crowd.scheduler.take({"provider": PROVIDER})
        started = crowd.in_progress(under_way)
        assert 0 < len(started) <= 3
        for name in started:
            crowd.finish(name)
    crowd.advance(*names)
    assert max(held) == 3
    assert (crowd.held(), crowd.waiting()) == ([], [])

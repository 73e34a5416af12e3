"""Executions that ended without success: what is written for them, and who watches the pipeline then."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.conftest import TableNames
from tests.unit.scheduling.test_scheduler import World
from video_production.errors import NotFound, RequestError
from video_production.nodes.model import NodeStatus
from video_production.scheduling.asking import Asking
from video_production.scheduling.executions import EndedExecution
from video_production.scheduling.failures import Failure
from video_production.scheduling.watching import MOST_RESTARTS
from video_production.takes.table import TakeTable


class Watched(World):
    def __init__(self, dynamodb: Any, names: TableNames) -> None:
        super().__init__(dynamodb, names.nodes)
        self.counted: list[str] = []
        self.scheduler.report = lambda name, value=1, **dimensions: self.counted.append(name)
        self.scheduler.pipeline_machine_arn = "arn:pipeline"
        takes = TakeTable(dynamodb, names.takes, names.nodes)
        self.asking = Asking(self.nodes, takes, self.machines, "arn:pipeline")

    def watchers(self) -> list[str]:
        return [name for name, event in self.machines.running.items() if event["arn"] == "arn:pipeline"]

    def dies(self, name: str, status: str = "FAILED", **ids: str) -> None:
        self.machines.close(name)
        self.scheduler.clean_up(EndedExecution.from_event(event(name, status, **ids)))


def event(name: str, status: str = "FAILED", **ids: str) -> dict[str, Any]:
    detail = {
        "executionArn": f"arn:aws:states:us-east-1:123456789012:execution:machine:{name}",
        "name": name,
        "status": status,
        "input": json.dumps({"pipeline_id": "lesson", **ids}),
        "error": "States.Runtime",
        "cause": "The JSONPath '$.x' could not be found.",
    }
    return {"detail-type": "Step Functions Execution Status Change", "source": "aws.states", "detail": detail}


@pytest.fixture
def world(dynamodb: Any, tables: TableNames) -> Watched:
    return Watched(dynamodb, tables)


def test_a_node_whose_execution_died_is_failed_and_its_branch_ends(world: Watched) -> None:
    world.advance()
    claim = world.claim_of("a")
    world.dies(claim.process_uuid, node_id="a", process_uuid=claim.process_uuid)
    found = world.nodes.node("lesson", "a")
    assert found is not None
    assert found.status == NodeStatus.FAILED
    assert found.metadata["error"].startswith("Its work ended and nobody could write down how (States.Runtime)")
    assert world.counted == ["CouldNotSettle"]
    assert world.watchers() == []


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        ("ABORTED", Failure("States.Aborted", "Its execution was stopped from outside; retry to go on.")),
        (
            "TIMED_OUT",
            Failure("States.Timeout", "It ran longer than its time limit; make the inputs shorter, then retry."),
        ),
    ],
)
def test_what_ended_it_is_one_sentence(status: str, failure: Failure) -> None:
    assert EndedExecution.from_event(event("p1", status)).failure == failure


def test_an_execution_that_is_superseded_fails_nothing(world: Watched) -> None:
    world.advance()
    old = world.claim_of("a")
    assert world.nodes.reclaim(old, "p9")
    world.dies(old.process_uuid, node_id="a", process_uuid=old.process_uuid)
    assert world.status()["a"] == "in_progress"


def test_a_pipeline_whose_watcher_died_gets_another_one(world: Watched) -> None:
    world.asking.run("lesson")
    world.dies("lesson-1")
    assert world.watchers() == ["lesson-1-again-1"]
    pipeline = world.nodes.pipeline("lesson")
    assert pipeline is not None
    assert pipeline.watcher == "lesson-1-again-1"
    assert world.machines.nodes() == ["a", "b"]


def test_the_same_message_twice_starts_one_watcher(world: Watched) -> None:
    world.asking.run("lesson")
    world.dies("lesson-1")
    world.scheduler.clean_up(EndedExecution.from_event(event("lesson-1")))
    assert world.watchers() == ["lesson-1-again-1"]


def test_watchers_are_not_replaced_for_ever(world: Watched) -> None:
    world.asking.run("lesson")
    for _ in range(MOST_RESTARTS + 3):
        for name in world.watchers():
            world.dies(name)
    assert len([name for name in world.machines.closed if name.startswith("lesson-1")]) == MOST_RESTARTS + 1
    assert world.advance() is None  # the sweep goes on moving it


def test_the_watcher_of_an_earlier_run_is_not_replaced(world: Watched) -> None:
    world.asking.run("lesson")
    world.nodes.set_desired("lesson", "run")  # type: ignore[arg-type]
    world.asking.run("lesson")
    world.dies("lesson-1")
    assert world.watchers() == ["lesson-2"]


def test_a_pipeline_that_is_over_needs_no_watcher(world: Watched) -> None:
    world.asking.run("lesson")
    world.advance()
    for node_id in ("a", "b", "c"):
        world.complete(node_id)
        world.advance()
    world.dies("lesson-1")
    assert world.watchers() == []


def test_an_execution_of_a_pipeline_that_is_gone_is_named(world: Watched) -> None:
    gone = event("x-1")
    gone["detail"]["input"] = '{"pipeline_id": "gone"}'
    with pytest.raises(NotFound):
        world.scheduler.clean_up(EndedExecution.from_event(gone))


def test_an_execution_without_a_pipeline_is_refused() -> None:
    strange = event("x-1")
    strange["detail"]["input"] = None
    with pytest.raises(RequestError, match="its input names no pipeline"):
        EndedExecution.from_event(strange)


# Starting from outside


def test_starting_twice_starts_once_and_says_so(world: Watched) -> None:
    first, second = world.asking.start("lesson"), world.asking.start("lesson")
    assert (first.status, second.status) == ("started", "running")
    assert first.execution_arn == second.execution_arn
    assert world.watchers() == ["lesson-1"]


def test_a_finished_pipeline_is_not_run_again(world: Watched) -> None:
    world.asking.start("lesson")
    world.advance()
    for node_id in ("a", "b", "c"):
        world.complete(node_id)
        world.advance()
    world.machines.close("lesson-1")
    assert world.asking.start("lesson").status == "completed"
    assert world.watchers() == []


def test_a_failed_pipeline_is_run_again_with_its_failed_nodes(world: Watched) -> None:
    world.asking.start("lesson")
    world.advance()
    world.scheduler.fail(world.claim_of("a"), Failure("MediaError", "Broken."))
    world.complete("b")
    assert world.advance() == "failed"
    world.machines.close("lesson-1")
    assert world.asking.start("lesson").status == "started"
    assert world.watchers() == ["lesson-2"]
    assert world.status()["a"] == "pending"


def test_a_cancelled_pipeline_goes_on(world: Watched) -> None:
    world.asking.cancel("lesson")
    assert world.advance() == "cancelled"
    assert world.asking.start("lesson").status == "started"
    assert world.advance() is None


def test_a_half_edited_pipeline_is_not_started(world: Watched) -> None:
    world.nodes.edits.begin("lesson")
    with pytest.raises(RequestError, match="is being changed"):
        world.asking.start("lesson")


def test_an_unknown_pipeline_is_not_started(world: Watched) -> None:
    with pytest.raises(NotFound, match="There is no pipeline 'nope'"):
        world.asking.start("nope")

"""The scheduler: what is claimed, what is started again, and how a pipeline ends."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest

from tests.unit.conftest import TableNames
from tests.unit.graphs import node, text_output, write
from tests.unit.scheduling.machines import Machines
from video_production.errors import RequestError
from video_production.nodes.model import Desired, NodeStatus, Output
from video_production.nodes.table import Claim, NodeTable
from video_production.scheduling.failures import Failure
from video_production.scheduling.scheduler import Scheduler
from video_production.tables import Update
from video_production.takes.table import TakeTable

GRAPH = [node("s", "asset"), node("a", inputs=["s"]), node("b", inputs=["s"]), node("c", inputs=["a", "b"])]
MADE = Output("video", "v.mp4", 1, "00" * 32, "bucket", duration=1.0)


class World:
    def __init__(self, dynamodb: Any, name: str) -> None:
        self.now = 5000.0
        self.machines = Machines()
        self.nodes = NodeTable(dynamodb, name, clock=lambda: self.now)
        ids = (f"p{number}" for number in itertools.count(1))
        takes = TakeTable(dynamodb, "takes", name)
        self.scheduler = Scheduler(
            self.nodes, takes, self.machines, "arn:node", limits={}, clock=lambda: self.now, new_id=lambda: next(ids)
        )
        write(self.nodes, GRAPH, {"s": text_output()})

    def advance(self) -> str | None:
        return self.scheduler.advance("lesson")

    def status(self) -> dict[str, str]:
        return {node_id: str(entry.status) for node_id, entry in self.nodes.load("lesson")[1].items()}

    def claim_of(self, node_id: str) -> Claim:
        found = self.nodes.node("lesson", node_id)
        assert found is not None
        assert found.process_uuid
        return Claim("lesson", node_id, found.process_uuid)

    def complete(self, node_id: str) -> None:
        claim = self.claim_of(node_id)
        self.nodes.complete(claim, MADE)
        self.machines.close(claim.process_uuid)


@pytest.fixture
def world(dynamodb: Any, tables: TableNames) -> World:
    return World(dynamodb, tables.nodes)


def test_ready_nodes_start_at_once_and_others_wait_for_them(world: World) -> None:
    assert world.advance() is None
    assert world.machines.nodes() == ["a", "b"]
    world.complete("a")
    assert world.advance() is None
    assert world.machines.nodes() == ["b"]
    world.complete("b")
    assert world.advance() is None
    assert world.machines.nodes() == ["c"]
    world.complete("c")
    assert world.advance() == "completed"
    assert world.advance() == "completed"
    assert len(world.machines.started) == 3


def test_the_input_of_an_execution_holds_ids_only(world: World) -> None:
    world.advance()
    event = world.machines.running[world.claim_of("a").process_uuid]
    assert event == {
        "arn": "arn:node",
        "pipeline_id": "lesson",
        "node_id": "a",
        "process_uuid": world.claim_of("a").process_uuid,
    }


def test_a_failed_node_blocks_only_what_depends_on_it(world: World) -> None:
    world.advance()
    world.scheduler.fail(world.claim_of("a"), Failure("MediaError", "Broken."))
    assert world.advance() is None
    world.complete("b")
    assert world.advance() == "failed"
    pipeline = world.nodes.pipeline("lesson")
    assert pipeline is not None
    assert pipeline.outcome is not None
    assert (pipeline.outcome.failed, pipeline.outcome.blocked) == (("a",), ("c",))


def test_a_claim_whose_execution_never_started_is_started_after_a_while(world: World) -> None:
    world.advance()
    claim = world.claim_of("a")
    del world.machines.running[claim.process_uuid]
    world.now += 119
    world.advance()
    assert world.machines.nodes() == ["b"]
    world.now += 2
    world.advance()
    assert world.machines.nodes() == ["a", "b"]
    assert world.claim_of("a") == claim


def test_a_running_execution_is_left_alone(world: World) -> None:
    world.advance()
    world.now += 500
    world.advance()
    assert len(world.machines.started) == 2
    assert world.status()["a"] == "in_progress"


def test_a_node_whose_execution_closed_gets_a_new_one(world: World) -> None:
    world.advance()
    old = world.claim_of("a")
    world.machines.close(old.process_uuid)
    world.now += 121
    world.advance()
    assert world.claim_of("a") != old
    assert world.machines.nodes() == ["a", "b"]


def test_a_node_of_a_half_edited_pipeline_gets_a_new_execution_and_nothing_is_claimed(world: World) -> None:
    """It may hold a job slot, and the edit may never be finished: others would wait for ever."""
    world.advance()
    old = world.claim_of("a")
    world.complete("b")
    world.machines.close(old.process_uuid)
    world.nodes.edits.begin("lesson")
    world.now += 121
    assert world.advance() is None
    assert world.claim_of("a") != old
    assert world.machines.nodes() == ["a"]
    world.complete("a")
    assert world.advance() is None
    assert world.status()["c"] == "pending"


def test_a_node_that_never_reports_an_end_is_not_restarted_for_ever(world: World) -> None:
    world.advance()
    for _ in range(6):
        world.machines.close(world.claim_of("a").process_uuid)
        world.now += 121
        world.advance()
    assert world.status()["a"] == "failed"
    found = world.nodes.node("lesson", "a")
    assert found is not None
    assert "started 6 times" in found.metadata["error"]


def test_cancelling_claims_nothing_more_and_ends_when_nothing_runs(world: World) -> None:
    world.advance()
    world.nodes.set_desired("lesson", Desired.CANCELLED)
    world.complete("a")
    assert world.advance() is None
    world.complete("b")
    assert world.advance() == "cancelled"
    assert world.status()["c"] == "pending"


def test_while_a_pipeline_is_edited_nothing_is_claimed(world: World) -> None:
    world.nodes.edits.begin("lesson")
    assert world.advance() is None
    assert world.machines.nodes() == []


def test_two_schedulers_start_a_node_once(world: World) -> None:
    pipeline, _ = world.nodes.load("lesson")
    assert pipeline is not None
    world.advance()
    assert world.nodes.claim(pipeline, "a", "other") is None
    assert world.status()["a"] == NodeStatus.IN_PROGRESS


class Looks:
    """Notes when the whole pipeline is read."""

    def __init__(self, world: World) -> None:
        self.whole = 0
        load = world.nodes.load

        def noted(pipeline_id: str) -> Any:
            self.whole += 1
            return load(pipeline_id)

        world.nodes.load = noted  # type: ignore[method-assign]


BIG = [*GRAPH, *(node(f"f{number:02}", inputs=["c"]) for number in range(20))]
"""So many nodes that what is around one of them is worth choosing."""


@pytest.fixture
def big(world: World) -> World:
    write(world.nodes, BIG, {"s": text_output()})
    world.advance()
    return world


def ends(world: World, node_id: str) -> str | None:
    """The node machine's last call."""
    return world.scheduler.take({"pipeline_id": "lesson", "node_id": node_id})


def test_the_end_of_a_node_starts_what_waited_for_it_without_reading_the_whole_pipeline(big: World) -> None:
    looks = Looks(big)
    big.complete("a")
    assert ends(big, "a") is None  # b, which c takes too, is under way
    assert big.machines.nodes() == ["b"]
    big.complete("b")
    assert ends(big, "b") is None
    assert big.machines.nodes() == ["c"]
    assert looks.whole == 0
    big.complete("c")
    assert ends(big, "c") is None  # taken by nearly all
    assert looks.whole == 1
    for number in range(20):
        big.complete(f"f{number:02}")
    assert ends(big, "f00") == "completed"


def test_the_last_of_many_inputs_starts_what_takes_them_all(world: World) -> None:
    many = [node(f"n{number:02}", inputs=["s"]) for number in range(30)]
    write(world.nodes, [node("s", "asset"), *many, node("film", inputs=[n.id for n in many])], {"s": text_output()})
    world.advance()
    for each in many:
        world.complete(each.id)
        assert ends(world, each.id) is None
    assert world.machines.nodes() == ["a", "b", "film"]


def test_when_two_end_together_either_call_may_start_what_takes_both(world: World) -> None:
    world.advance()
    world.complete("a")
    world.complete("b")
    assert ends(world, "a") is None
    assert world.machines.nodes() == ["c"]
    assert ends(world, "b") is None
    assert len(world.machines.started) == 3


def test_the_end_of_a_node_leaves_the_rest_to_its_own_calls(world: World) -> None:
    """Whatever was lost is started by the next look that comes for no node."""
    write(world.nodes, [*GRAPH, node("d", inputs=["a"]), node("e", inputs=["b"])], {"s": text_output()})
    world.advance()
    world.complete("a")
    world.complete("b")  # its own call is lost
    ends(world, "a")
    assert sorted(world.machines.nodes()) == ["c", "d"]
    world.advance()
    assert sorted(world.machines.nodes()) == ["c", "d", "e"]


@pytest.mark.parametrize("last", ["a", "b"])
def test_a_failure_that_blocks_everything_left_ends_the_pipeline(world: World, last: str) -> None:
    world.advance()
    first = "b" if last == "a" else "a"
    world.scheduler.fail(world.claim_of(first), Failure("MediaError", "Broken."))
    assert ends(world, first) is None
    world.complete(last)
    assert ends(world, last) == "failed"


def test_a_failure_is_written_and_what_is_around_it_looked_at_in_one_call(big: World) -> None:
    claim = big.claim_of("a")
    failure = {"Error": "MediaError", "Cause": '{"errorType": "MediaError", "errorMessage": "Broken."}'}
    looks = Looks(big)
    told = {"pipeline_id": "lesson", "node_id": "a", "process_uuid": claim.process_uuid, "failure": failure}
    assert big.scheduler.take(told) is None
    assert looks.whole == 0
    assert big.status()["a"] == "failed"


@pytest.mark.parametrize("changes", [{"remove": ["linked"]}, {"set": {"published": "by an older version"}}])
def test_a_pipeline_that_an_older_version_published_last_is_read_whole(big: World, changes: dict[str, Any]) -> None:
    """It wrote no users, or not the right ones any more."""
    key = {"pipeline_id": "lesson", "id": "#pipeline"}
    big.nodes.table.write(Update(table=big.nodes.name, key=key, **changes))
    looks = Looks(big)
    for number, node_id in enumerate(("a", "b"), start=1):
        big.complete(node_id)
        assert ends(big, node_id) is None
        assert looks.whole == number
    assert big.machines.nodes() == ["c"]


def test_an_edit_while_a_call_reads_starts_nothing_on_what_was_before(big: World) -> None:
    """BatchGetItem promises no order: here it gives the node first, and the pipeline after a whole edit."""
    graph = [*BIG, node("next", inputs=["a"])]
    write(big.nodes, graph, {"s": text_output()})
    big.advance()
    big.complete("a")
    some = big.nodes._some

    def torn(pipeline_id: str, ids: Iterable[str]) -> Any:
        before = some(pipeline_id, ids)
        big.nodes._some = some  # type: ignore[method-assign]
        write(big.nodes, graph, {"s": text_output()})
        return some(pipeline_id, ["#pipeline"])[0], before[1]

    big.nodes._some = torn  # type: ignore[method-assign]
    ends(big, "a")
    assert big.status()["next"] == "pending"


@pytest.mark.parametrize("moved_on", ["asked for again", "cancelled", "removed"])
def test_the_call_of_an_execution_that_was_overtaken_looks_at_everything(big: World, moved_on: str) -> None:
    world = big
    world.scheduler.fail(world.claim_of("a"), Failure("MediaError", "Broken."))
    if moved_on == "asked for again":
        world.nodes.retry("lesson", "a", "retry")
    elif moved_on == "cancelled":
        world.nodes.set_desired("lesson", Desired.CANCELLED)
    else:
        for node_id in ("a", "c"):
            world.nodes.edits.remove("lesson", node_id)
    looks = Looks(world)
    assert ends(world, "a") is None
    assert looks.whole == 1
    if moved_on == "asked for again":
        assert world.status()["a"] == "in_progress"


WIDE = [node("s", "asset"), *(node(f"n{number:02}", inputs=["s"]) for number in range(20))]


def test_who_comes_second_looks_what_is_left_and_tries_nothing_twice(world: World) -> None:
    """Both have read the same; one claims all but the last five while the other is at its first."""
    write(world.nodes, WIDE, {"s": text_output()})
    pipeline, nodes = world.nodes.load("lesson")
    assert pipeline is not None
    left = ["n15", "n16", "n17", "n18", "n19", "a", "b"]
    for number in range(15):
        world.nodes.claim(pipeline, f"n{number:02}", f"rival-{number}")
    tried: list[str] = []
    claim = world.nodes.claim
    world.nodes.claim = lambda *given, **more: (tried.append(given[1]), claim(*given, **more))[1]  # type: ignore[method-assign]
    world.scheduler._drive(pipeline, nodes)
    assert tried[0] == "n00"
    assert sorted(tried[1:]) == sorted(left)
    assert {world.status()[name] for name in left} == {"in_progress"}


@pytest.mark.parametrize("desired", [Desired.CANCELLED, Desired.EDITING])
def test_who_finds_that_the_pipeline_has_moved_on_stops(world: World, desired: Desired) -> None:
    write(world.nodes, WIDE, {"s": text_output()})
    pipeline, nodes = world.nodes.load("lesson")
    assert pipeline is not None
    if desired == Desired.EDITING:
        world.nodes.edits.begin("lesson")
    else:
        world.nodes.set_desired("lesson", desired)
    tried: list[str] = []
    claim = world.nodes.claim
    world.nodes.claim = lambda *given, **more: (tried.append(given[1]), claim(*given, **more))[1]  # type: ignore[method-assign]
    world.scheduler._drive(pipeline, nodes)
    assert tried == ["n00"]
    assert world.machines.started == []


def test_an_unknown_pipeline_is_named(world: World) -> None:
    with pytest.raises(RequestError, match="There is no pipeline 'nope'"):
        world.scheduler.advance("nope")


@pytest.mark.parametrize(
    ("event", "error_type", "message"),
    [
        (
            {"Error": "MediaError", "Cause": '{"errorType": "MediaError", "errorMessage": "clip.mp4 is cut off."}'},
            "MediaError",
            "clip.mp4 is cut off.",
        ),
        (
            {"Error": "KeyError", "Cause": '{"errorType": "KeyError", "errorMessage": "\'x\'\\nmore"}'},
            "KeyError",
            "An unexpected error ended its work: KeyError: 'x'",
        ),
        (
            {"Error": "Polling.LimitReached", "Cause": "The provider had not finished."},
            "Polling.LimitReached",
            "The provider was still at work when the time for waiting was over; its result will be kept when it comes, "
            "and a retry goes on waiting for it without paying again.",
        ),
        (
            {"Error": "Polling.LimitReached", "Cause": "resubmit"},
            "Polling.LimitReached",
            "The provider did not accept the request for as long as it is tried; nothing was made and nothing paid, so "
            "retry later.",
        ),
        (
            {"Error": "Sandbox.Timedout", "Cause": '{"errorMessage": "2026 x Task timed out after 3.00 seconds"}'},
            "Sandbox.Timedout",
            "It ran longer than its function's time limit; make the inputs shorter, then retry.",
        ),
    ],
)
def test_what_step_functions_tells_becomes_one_sentence(event: dict[str, str], error_type: str, message: str) -> None:
    assert Failure.from_event(event) == Failure(error_type, message)

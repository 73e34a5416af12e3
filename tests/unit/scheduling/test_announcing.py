"""The outbox: everything that ends is announced at least once, and counted once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from tests.unit.conftest import TableNames
from tests.unit.graphs import text_output, write
from tests.unit.scheduling.test_scheduler import GRAPH, MADE, World
from video_production.nodes.model import Desired, Node, Outcome, Pipeline
from video_production.scheduling.announcing import Announcer, node_event, pipeline_event
from video_production.scheduling.failures import Failure


class Bus:
    """An EventBridge client; `refuse` is how many entries of a request it refuses."""

    def __init__(self) -> None:
        self.requests: list[list[dict[str, Any]]] = []
        self.refuse = 0
        self.down = False
        self.meanwhile: Callable[[], None] = lambda: None

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        if self.down:
            raise EndpointConnectionError(endpoint_url="https://events")
        self.meanwhile()
        self.requests.append(Entries)
        bad = [{"ErrorCode": "ThrottlingException"}] * min(self.refuse, len(Entries))
        good = [{"EventId": "e"}] * (len(Entries) - len(bad))
        return {"FailedEntryCount": len(bad), "Entries": [*bad, *good]}

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        return [(entry["DetailType"], json.loads(entry["Detail"])) for request in self.requests for entry in request]

    def ids(self) -> list[str]:
        return [detail["id"] for _, detail in self.told()]


class Told(World):
    """A world whose scheduler announces; `counted` are its metrics."""

    def __init__(self, dynamodb: Any, name: str, bus_name: str = "default") -> None:
        super().__init__(dynamodb, name)
        self.bus = Bus()
        self.counted: list[tuple[str, float, dict[str, str]]] = []
        self.scheduler.report = self.report
        self.scheduler.announcer = self.announcer(bus_name)

    def report(self, name: str, value: float = 1, **dimensions: str) -> None:
        self.counted.append((name, value, dimensions))

    def announcer(self, bus_name: str = "default") -> Announcer:
        return Announcer(self.nodes, self.bus, bus_name, "staging", report=self.report)

    def count(self, name: str) -> int:
        return sum(1 for counted in self.counted if counted[0] == name)

    def item(self) -> dict[str, Any]:
        found = self.nodes.table.get({"pipeline_id": "lesson", "id": "#pipeline"})
        assert found is not None
        return found

    def run_to_the_end(self) -> None:
        self.advance()
        for node_id in ("a", "b", "c"):
            self.now += 3
            self.complete(node_id)
            self.advance()


@pytest.fixture
def world(dynamodb: Any, tables: TableNames) -> Told:
    return Told(dynamodb, tables.nodes)


def test_every_end_is_announced_once_with_an_id_of_its_own(world: Told) -> None:
    world.run_to_the_end()
    world.advance()
    kinds = [kind for kind, _ in world.bus.told()]
    assert kinds == ["Node Completed"] * 3 + ["Pipeline Completed"]
    assert world.bus.ids() == ["p1:completed", "p2:completed", "p3:completed", "lesson:1:completed"]
    assert (world.count("NodesEnded"), world.count("PipelinesEnded")) == (3, 1)
    seconds = [value for name, value, _ in world.counted if name == "NodeSeconds"]
    assert seconds == [3, 6, 3]


def test_assets_are_not_announced(world: Told) -> None:
    world.run_to_the_end()
    assert "s" not in [detail.get("node_id") for _, detail in world.bus.told()]


def test_a_pipeline_is_under_way_until_its_outcome_is_announced(world: Told) -> None:
    assert world.item()["active"] == "pipeline"
    world.bus.down = True
    world.run_to_the_end()
    assert world.item()["outcome"]["status"] == "completed"
    assert world.item()["active"] == "pipeline"
    world.bus.down = False
    assert world.advance() == "completed"
    assert "active" not in world.item()
    assert len(world.bus.ids()) == 4
    assert world.count("PipelinesEnded") == 1


@pytest.mark.parametrize("wish", ["retry", "run", "cancel", "edit", "publish"])
def test_a_pipeline_is_under_way_again_as_soon_as_something_is_asked_for(world: Told, wish: str) -> None:
    world.advance()
    world.scheduler.fail(world.claim_of("a"), Failure("MediaError", "Broken."))
    world.complete("b")
    assert world.advance() == "failed"
    assert "active" not in world.item()
    if wish == "retry":
        world.nodes.retry("lesson", "a", "retry")
    elif wish == "edit":
        world.nodes.edits.begin("lesson")
    elif wish == "publish":
        write(world.nodes, GRAPH, {"s": text_output()})
    else:
        world.nodes.set_desired("lesson", Desired.RUN if wish == "run" else Desired.CANCELLED)
    assert world.item()["active"] == "pipeline"


def test_a_scheduler_that_died_between_publishing_and_marking_announces_again(world: Told) -> None:
    world.advance()
    world.complete("a")

    def dies() -> None:
        world.bus.meanwhile = lambda: None
        world.bus.put_events(Entries=[{"DetailType": "Node Completed", "Detail": '{"id": "p1:completed"}'}])
        raise KeyboardInterrupt

    world.bus.meanwhile = dies
    with pytest.raises(KeyboardInterrupt):
        world.advance()
    world.advance()
    assert world.bus.ids() == ["p1:completed", "p1:completed"]
    assert world.count("NodesEnded") == 1


def test_a_scheduler_that_died_after_the_outcome_announces_it_the_next_time(world: Told) -> None:
    announcer, world.scheduler.announcer = world.scheduler.announcer, None
    world.run_to_the_end()
    assert world.item()["active"] == "pipeline"
    world.scheduler.announcer = announcer
    assert world.advance() == "completed"
    assert world.bus.ids()[-1] == "lesson:1:completed"
    assert "active" not in world.item()


def test_what_is_refused_is_announced_later_and_the_pipeline_after_it(world: Told) -> None:
    announcer, world.scheduler.announcer = world.scheduler.announcer, None
    world.run_to_the_end()
    world.scheduler.announcer = announcer
    world.bus.refuse = 1
    world.advance()
    assert [len(request) for request in world.bus.requests] == [3]  # not the pipeline: one of its nodes is untold
    world.bus.refuse = 0
    world.advance()
    assert [len(request) for request in world.bus.requests] == [3, 1, 1]
    assert world.count("NodesEnded") == 3


def test_two_schedulers_at_once_may_announce_twice_but_count_once(world: Told) -> None:
    world.advance()
    world.complete("a")

    def rival() -> None:
        world.bus.meanwhile = lambda: None
        world.advance()

    world.bus.meanwhile = rival
    world.advance()
    assert world.bus.ids() == ["p1:completed", "p1:completed"]
    assert world.count("NodesEnded") == 1


def test_nodes_that_end_together_are_each_announced_by_the_call_that_comes_for_them(world: Told) -> None:
    world.advance()
    world.complete("a")
    world.complete("b")
    world.scheduler.take({"pipeline_id": "lesson", "node_id": "b"})
    assert world.bus.ids() == ["p2:completed"]
    world.scheduler.take({"pipeline_id": "lesson", "node_id": "a"})
    assert world.bus.ids() == ["p2:completed", "p1:completed"]


def test_an_end_whose_own_call_was_lost_is_announced_by_the_next_look(world: Told) -> None:
    world.advance()
    world.complete("a")
    world.complete("b")
    world.scheduler.take({"pipeline_id": "lesson", "node_id": "b"})
    world.advance()
    assert world.bus.ids() == ["p2:completed", "p1:completed"]


def test_nothing_is_untold_when_the_pipeline_is_over(world: Told) -> None:
    world.advance()
    world.complete("a")
    world.complete("b")
    world.scheduler.take({"pipeline_id": "lesson", "node_id": "b"})
    world.complete("c")
    world.scheduler.take({"pipeline_id": "lesson", "node_id": "c"})
    assert sorted(world.bus.ids()) == ["lesson:1:completed", "p1:completed", "p2:completed", "p3:completed"]
    assert world.bus.ids()[-1] == "lesson:1:completed"


def test_a_pipeline_that_is_asked_for_anew_while_it_is_announced_stays_under_way(world: Told) -> None:
    world.advance()
    world.scheduler.fail(world.claim_of("a"), Failure("MediaError", "Broken."))
    world.complete("b")
    world.bus.meanwhile = lambda: world.nodes.retry("lesson", "a", "retry") if world.item().get("outcome") else None
    world.advance()
    assert world.item()["active"] == "pipeline"
    assert "announced" not in world.item()


def test_a_node_that_is_made_again_is_announced_again(world: Told) -> None:
    world.advance()
    world.scheduler.fail(world.claim_of("a"), Failure("MediaError", "Broken."))
    world.advance()
    world.nodes.retry("lesson", "a", "retry")
    world.advance()
    world.complete("a")
    world.advance()
    assert world.bus.ids() == ["p1:failed", "p3:completed"]


def test_without_a_bus_nothing_is_published_and_everything_is_marked(dynamodb: Any, tables: TableNames) -> None:
    world = Told(dynamodb, tables.nodes, bus_name="")
    world.run_to_the_end()
    assert world.bus.requests == []
    assert "active" not in world.item()
    assert (world.count("NodesEnded"), world.count("PipelinesEnded")) == (3, 1)


def test_a_cancelled_pipeline_says_what_is_left(world: Told) -> None:
    world.advance()
    world.nodes.set_desired("lesson", Desired.CANCELLED)
    world.complete("a")
    world.complete("b")
    assert world.advance() == "cancelled"
    kind, detail = world.bus.told()[-1]
    assert kind == "Pipeline Cancelled"
    assert (detail["failed"], detail["blocked"]) == ([], ["c"])


def many(count: int) -> list[Node]:
    return [
        Node("lesson", f"n{number}", "T", "merge-videos", status="completed", process_uuid=f"p{number}", output=MADE)  # type: ignore[arg-type]
        for number in range(count)
    ]


def test_ten_events_at_most_go_into_one_request(world: Told) -> None:
    world.announcer().announce(Pipeline("lesson", "", 1, Desired.RUN, (), "", "b", ""), {n.id: n for n in many(23)})
    assert [len(request) for request in world.bus.requests] == [10, 10, 3]


def test_no_request_and_no_event_is_larger_than_eventbridge_takes(world: Told) -> None:
    ids = tuple(f"{number:064}" for number in range(6000))
    outcome = Outcome("failed", 1, 1000.0, failed=ids, blocked=ids)
    pipeline = Pipeline("lesson", "T" * 100_000, 1, Desired.RUN, ids, "", "b", "", run=1, outcome=outcome)
    long = {"error": "€" * 100_000, "finished_at": 5}
    failed = [replace(node, status="failed", metadata=long, title="€" * 90_000) for node in many(30)]  # type: ignore[arg-type]
    world.announcer().announce(pipeline, {node.id: node for node in failed})
    sizes = [
        sum(len(entry[key].encode()) for entry in request for key in ("Source", "DetailType", "Detail"))
        for request in world.bus.requests
    ]
    assert max(sizes) < 256 * 1000
    assert sum(len(request) for request in world.bus.requests) >= 30


def test_an_event_holds_what_programs_need_and_nothing_for_people(world: Told) -> None:
    output = replace(MADE, details={"reason": "long"})
    [node] = many(1)
    kind, detail = node_event(replace(node, output=output, metadata={"finished_at": 1_700_000_000.25}), "staging")
    assert (kind, detail["at"]) == ("Node Completed", "2023-11-14T22:13:20.250Z")
    assert "details" not in detail["output"]
    outcome = Outcome("completed", 1, 1_700_000_000.0)
    pipeline = Pipeline("lesson", "L", 1, Desired.RUN, ("n0",), "n0", "b", "", run=4, outcome=outcome)
    kind, detail = pipeline_event(pipeline, replace(node, output=output), "staging")
    assert (kind, detail["id"], detail["output"]["s3_key"]) == ("Pipeline Completed", "lesson:4:completed", "v.mp4")

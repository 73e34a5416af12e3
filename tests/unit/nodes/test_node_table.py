"""The node table's contract: one winner per claim, stale writers change nothing, lost answers do no harm."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.conftest import TableNames
from tests.unit.graphs import claim, node, write
from video_production.errors import RequestError, Superseded, TransientError
from video_production.nodes.model import Desired, NodeStatus, Outcome, Output
from video_production.nodes.table import Claim, NodeTable

OUTPUT = Output("video", "video.mp4", 10, "ab" * 32, "bucket", duration=1.25, details={"frames": 31, "error": 0.004})


@pytest.fixture
def table(dynamodb: Any, tables: TableNames) -> NodeTable:
    found = NodeTable(dynamodb, tables.nodes)
    found.table.sleep = lambda seconds: None
    return found


def test_a_node_is_read_as_it_was_written(table: NodeTable) -> None:
    write(table, [node("a", "asset"), node("b", inputs=["a"], volume=0.5, mode="overlay")])
    pipeline, nodes = table.load("lesson")
    assert pipeline is not None
    assert pipeline.revision == 1
    assert list(nodes) == ["a", "b"]
    assert nodes["b"].inputs == {"segments": ("a",)}
    assert nodes["b"].config == {"volume": 0.5, "mode": "overlay"}
    assert nodes["b"].status == NodeStatus.PENDING
    assert nodes["b"].metadata == {}


def test_sixteen_simultaneous_claims_have_one_winner(table: NodeTable) -> None:
    pipeline = write(table, [node("a")])
    barrier = threading.Barrier(16)
    won: list[str] = []

    def compete(number: int) -> None:
        barrier.wait()
        if table.claim(pipeline, "a", f"p{number}"):
            won.append(f"p{number}")

    threads = [threading.Thread(target=compete, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = table.node("lesson", "a")
    assert len(won) == 1
    assert found is not None
    assert found.process_uuid == won[0]


def test_a_claim_fails_when_the_revision_has_moved_on(table: NodeTable) -> None:
    before = write(table, [node("a")])
    write(table, [node("a")])
    assert table.claim(before, "a", "p1") is None


@pytest.mark.parametrize("desired", [Desired.EDITING, Desired.CANCELLED])
def test_a_claim_fails_while_the_pipeline_is_not_wanted(table: NodeTable, desired: Desired) -> None:
    pipeline = write(table, [node("a")])
    table.edits.begin("lesson") if desired == Desired.EDITING else table.set_desired("lesson", desired)
    assert table.claim(pipeline, "a", "p1") is None


def test_a_stale_writer_changes_nothing(table: NodeTable) -> None:
    write(table, [node("a")])
    old = claim(table, "a", "p1")
    new = table.reclaim(old, "p2")
    assert new is not None
    before = table.node("lesson", "a")
    writes: list[Callable[[], object]] = [
        lambda: table.touch(old, stage="encoding"),
        lambda: table.complete(old, OUTPUT),
        lambda: table.claimed(old),
    ]
    for attempt in writes:
        with pytest.raises(Superseded):
            attempt()
    assert table.fail(old, "too late", "MediaError") is False
    assert table.reclaim(old, "p3") is None
    assert table.node("lesson", "a") == before


def test_an_edit_takes_the_node_away_from_whoever_works_on_it(table: NodeTable) -> None:
    write(table, [node("a")])
    old = claim(table, "a")
    table.edits.reset("lesson", "a")
    with pytest.raises(Superseded):
        table.complete(old, OUTPUT)
    found = table.node("lesson", "a")
    assert found is not None
    assert (found.status, found.process_uuid, found.output) == (NodeStatus.PENDING, None, None)


def test_completing_keeps_numbers_exact(table: NodeTable) -> None:
    write(table, [node("a")])
    table.complete(claim(table, "a"), OUTPUT, stage="done")
    found = table.node("lesson", "a")
    assert found is not None
    assert found.output == OUTPUT
    assert found.metadata["stage"] == "done"


def test_completing_needs_the_takes_that_the_node_consists_of(table: NodeTable) -> None:
    write(table, [node("a")])
    mine = claim(table, "a")
    table.touch(mine, takes=["t1"])
    with pytest.raises(Superseded):
        table.complete(mine, OUTPUT, ["t2"])
    table.complete(mine, OUTPUT, ["t1"])


def test_a_failed_node_can_be_retried_and_others_can_not(table: NodeTable) -> None:
    write(table, [node("a"), node("b")])
    with pytest.raises(RequestError, match="Node 'a' is pending; only a failed node can be retried"):
        table.retry("lesson", "a", "retry")
    table.fail(claim(table, "a"), "Broken.", "MediaError")
    before = table.pipeline("lesson")
    table.retry("lesson", "a", "retry")
    found, after = table.node("lesson", "a"), table.pipeline("lesson")
    assert found is not None
    assert before is not None
    assert after is not None
    assert (found.status, found.asked, found.process_uuid) == (NodeStatus.PENDING, "retry", None)
    assert after.run == before.run + 1


def test_an_outcome_is_not_written_over_something_newly_asked(table: NodeTable) -> None:
    pipeline = write(table, [node("a")])
    table.fail(claim(table, "a"), "Broken.", "MediaError")
    table.retry("lesson", "a", "retry")
    outcome = Outcome("failed", 1, 5.0, failed=("a",))
    assert table.write_outcome(pipeline, pipeline.run, outcome) is False
    again = table.pipeline("lesson")
    assert again is not None
    assert again.outcome is None
    assert table.write_outcome(again, again.run, outcome) is True
    written = table.pipeline("lesson")
    assert written is not None
    assert written.outcome == outcome


class LostAnswers:
    """A client that carries every write out twice, as an SDK does after a lost answer; the second answer is seen."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.exceptions = client.exceptions

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name not in ("put_item", "update_item", "transact_write_items"):
            return method

        def twice(**request: Any) -> Any:
            with contextlib.suppress(self.exceptions.ClientError):
                method(**request)
            return method(**request)

        return twice


def test_a_lost_answer_does_not_lose_the_claim_or_the_result(dynamodb: Any, tables: TableNames) -> None:
    plain = NodeTable(dynamodb, tables.nodes)
    pipeline = write(plain, [node("a"), node("b")])
    table = NodeTable(LostAnswers(dynamodb), tables.nodes)
    taken = table.claim(pipeline, "a", "p1")
    assert taken == Claim("lesson", "a", "p1")
    moved = table.reclaim(taken, "p2")
    assert moved == Claim("lesson", "a", "p2")
    table.touch(moved, stage="encoding")
    table.complete(moved, OUTPUT)
    second = table.claim(pipeline, "b", "p3")
    assert second is not None
    assert table.fail(second, "Broken.", "MediaError") is True


class Conflicts:
    """A client whose writes meet a running transaction `times` times before they are carried out."""

    def __init__(self, client: Any, times: int) -> None:
        self._client = client
        self.left = times
        self.exceptions = client.exceptions

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def conflicting(**request: Any) -> Any:
            if name not in ("update_item", "delete_item", "transact_write_items") or self.left == 0:
                return method(**request)
            self.left -= 1
            if name != "transact_write_items":
                raise self.exceptions.TransactionConflictException(
                    {"Error": {"Code": "TransactionConflictException"}}, name
                )
            response = {
                "Error": {"Code": "TransactionCanceledException"},
                "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
            }
            raise self.exceptions.TransactionCanceledException(response, name)

        return conflicting


def test_transaction_conflicts_are_repeated(dynamodb: Any, tables: TableNames) -> None:
    pipeline = write(NodeTable(dynamodb, tables.nodes), [node("a")])
    table = NodeTable(Conflicts(dynamodb, 3), tables.nodes)
    table.table.sleep = lambda seconds: None
    taken = table.claim(pipeline, "a", "p1")
    assert taken is not None
    table.client.left = 2
    table.touch(taken, stage="encoding")
    table.client.left = 2
    table.edits.remove("lesson", "a")
    assert table.node("lesson", "a") is None


def test_a_conflict_that_does_not_end_is_left_to_the_state_machine(dynamodb: Any, tables: TableNames) -> None:
    pipeline = write(NodeTable(dynamodb, tables.nodes), [node("a")])
    table = NodeTable(Conflicts(dynamodb, 1000), tables.nodes)
    table.table.sleep = lambda seconds: None
    with pytest.raises(TransientError):
        table.claim(pipeline, "a", "p1")
    found = NodeTable(dynamodb, tables.nodes).node("lesson", "a")
    assert found is not None
    assert found.status == NodeStatus.PENDING

"""Job slots and the queue for them: who starts, who waits, and what comes back when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.nodes.test_node_table import LostAnswers
from tests.unit.scheduling.crowd import PROVIDER, SPEECH, Crowd, head
from video_production.errors import TransientError
from video_production.nodes.model import Desired, Node, NodeStatus
from video_production.nodes.slots import JobSlot, free_slots, held_slots
from video_production.nodes.table import Claim, NodeTable
from video_production.nodes.tickets import draw_tickets
from video_production.scheduling.dispatching import LONGEST_JOB
from video_production.takes.model import Take


@pytest.fixture
def crowd() -> Crowd:
    return Crowd(limit=2)


def test_as_many_start_as_the_provider_allows_and_the_others_wait_in_turn(crowd: Crowd) -> None:
    crowd.ask("a", "b", "c", "d", "e")
    assert crowd.running() == crowd.held() == ["a", "b"]
    assert crowd.waiting() == ["c", "d", "e"]
    assert crowd.node("c").status == NodeStatus.PENDING
    assert crowd.nodes.pipeline("c").outcome is None  # type: ignore[union-attr]


def test_whoever_ends_starts_the_head_of_the_queue_whosever_it_is(crowd: Crowd) -> None:
    crowd.ask("a", "b", "c", "d")
    crowd.finish("b")
    assert crowd.running() == crowd.held() == ["a", "c"]
    assert crowd.waiting() == ["d"]
    crowd.finish("a")
    crowd.finish("c")
    crowd.finish("d")
    assert (crowd.running(), crowd.held(), crowd.waiting()) == ([], [], [])
    assert {crowd.nodes.pipeline(name).outcome.status for name in "abcd"} == {"completed"}  # type: ignore[union-attr]


def test_a_call_that_died_after_it_freed_a_slot_serves_the_queue_when_it_is_repeated(crowd: Crowd) -> None:
    heads = [head("a", f"v{number}") for number in range(40)]
    crowd.publish("a", [*heads, Node("a", "film", "Film", "merge-videos", {"segments": ("v0", "v1")})])
    crowd.advance("a")
    claim = crowd.claim("a", "v0")
    crowd.nodes.complete(claim, SPEECH)
    crowd.machines.close(claim.process_uuid)
    serve = crowd.scheduler.dispatcher.serve

    def dies(provider: str) -> None:
        crowd.scheduler.dispatcher.serve = serve  # type: ignore[method-assign]
        raise TransientError(f"The queue of {provider} could not be read.")

    crowd.scheduler.dispatcher.serve = dies  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        crowd.scheduler.advance("a", "v0")
    assert len(crowd.held()) == 1
    crowd.scheduler.advance("a", "v0")
    assert len(crowd.held()) == len(crowd.running()) == 2


def test_nobody_draws_a_ticket_while_slots_are_free(crowd: Crowd) -> None:
    puts: list[Any] = []
    transact = crowd.dynamodb.transact_write_items
    crowd.dynamodb.transact_write_items = lambda **given: (puts.append(given), transact(**given))[1]
    crowd.publish("a")
    puts.clear()
    crowd.advance("a")
    assert len(puts) == 1
    assert crowd.running() == ["a"]


def test_what_a_pipeline_wants_next_comes_after_those_who_wait(crowd: Crowd) -> None:
    crowd.limits[PROVIDER] = 1
    crowd.publish("a", [head("a", "one"), head("a", "two", ["one"])])
    crowd.advance("a")
    crowd.ask("b")
    crowd.finish("a", "one")
    assert crowd.running() == ["b"]
    assert crowd.waiting() == ["a"]
    crowd.finish("b")
    assert crowd.running() == ["a"]


def test_many_nodes_of_one_pipeline_wait_in_the_order_of_the_document(crowd: Crowd) -> None:
    names = [f"n{number}" for number in range(200, 0, -1)]
    crowd.publish("a", [head("a", name) for name in names])
    crowd.advance("a")
    assert len(crowd.machines.started) == 2
    items = crowd.nodes.table.query("pipeline_id", f"#queue#{PROVIDER}")
    assert [item["node"] for item in items] == names[2:]
    crowd.advance("a")
    assert len(crowd.nodes.table.query("pipeline_id", f"#queue#{PROVIDER}")) == 198


def test_a_cancelled_pipeline_leaves_the_queue_and_comes_back_at_its_end(crowd: Crowd) -> None:
    crowd.ask("a", "b", "c", "d")
    crowd.nodes.set_desired("c", Desired.CANCELLED)
    crowd.advance("c")
    assert crowd.waiting() == ["d"]
    assert crowd.node("c").ticket == ""
    crowd.nodes.set_desired("c", Desired.RUN)
    crowd.advance("c")
    assert crowd.waiting() == ["d", "c"]


@pytest.mark.parametrize("how", ["cancelled", "edited", "held", "removed", "gone"])
def test_who_waits_no_more_does_not_stand_in_the_way(crowd: Crowd, how: str) -> None:
    """Nobody tells the queue: whoever finds the ticket at its head sees that it counts no more."""
    crowd.ask("a", "b", "c", "d")
    if how == "cancelled":
        crowd.nodes.set_desired("c", Desired.CANCELLED)
    elif how == "edited":
        crowd.publish("c", [head("c")])
    elif how == "held":
        crowd.nodes.edits.begin("c")
    else:
        crowd.nodes.edits.remove("c", "head")
        if how == "gone":
            crowd.nodes.edits.remove("c", "#pipeline")
    crowd.finish("a")
    assert crowd.running() == ["b", "d"]
    assert crowd.waiting() == []


def test_an_edited_node_waits_again_from_the_end(crowd: Crowd) -> None:
    crowd.ask("a", "b", "c", "d")
    crowd.publish("c", [head("c")])
    crowd.advance("c")
    assert crowd.waiting() == ["c", "d", "c"]  # the first is forgotten
    crowd.scheduler.take({"provider": PROVIDER})
    assert crowd.waiting() == ["d", "c"]
    crowd.finish("a")
    assert crowd.running() == ["b", "d"]


def test_a_node_that_gave_up_keeps_its_slot_until_the_job_has_ended(crowd: Crowd) -> None:
    crowd.ask("a", "b", "c")
    take = crowd.send("a")
    crowd.nodes.fail(crowd.claim("a"), "Still running.", "Polling.LimitReached")
    crowd.advance("a", "c")
    crowd.scheduler.take({"provider": PROVIDER})
    assert crowd.held() == ["a", "b"]
    assert crowd.waiting() == ["c"]
    crowd.end_job(take)
    crowd.scheduler.take({"provider": PROVIDER, "pipeline_id": "a"})
    assert crowd.held() == ["b", "c"]
    assert crowd.running() == ["a", "b", "c"]  # the execution of "a" is not closed in this test


def test_the_scheduler_of_its_pipeline_frees_the_slot_of_a_failed_node(crowd: Crowd) -> None:
    crowd.ask("a", "b", "c")
    take = crowd.send("a")
    crowd.takes.mark_failed(take, take.attempt, code="moderation", message="No.", charged=False)
    crowd.nodes.fail(crowd.claim("a"), "No.", "ProviderJobFailed")
    crowd.advance("a")
    assert crowd.held() == ["b", "c"]
    assert crowd.node("a").slot == ""


def test_a_request_that_may_have_been_paid_holds_its_slot_as_long_as_such_a_job_may_last(crowd: Crowd) -> None:
    crowd.ask("a", "b", "c")
    take = crowd.send("a", deadline=600)
    crowd.takes.mark_unknown(take, take.attempt, "Lost.")
    crowd.nodes.fail(crowd.claim("a"), "Lost.", "MayHaveBeenPaid")
    crowd.now += 590
    crowd.scheduler.take({"provider": PROVIDER})
    assert crowd.held() == ["a", "b"]
    crowd.now += 10
    crowd.scheduler.take({"provider": PROVIDER})
    assert crowd.held() == ["b", "c"]


def test_a_job_that_nobody_can_ask_about_holds_its_slot_for_a_day(crowd: Crowd) -> None:
    crowd.ask("a", "b", "c")
    crowd.send("a")
    crowd.publish("a", [head("a")])
    crowd.now += LONGEST_JOB - 10
    crowd.scheduler.take({"provider": PROVIDER})
    assert "a" in crowd.held()
    crowd.now += 10
    crowd.scheduler.take({"provider": PROVIDER})
    assert crowd.held() == ["b", "c"]


def test_an_edited_holder_that_sent_nothing_gives_its_slot_back_at_once(crowd: Crowd) -> None:
    crowd.ask("a", "b", "c")
    crowd.publish("a", [head("a")])
    crowd.advance("a")
    assert crowd.held() == ["b", "c"]
    assert crowd.waiting() == ["a"]


def test_an_edited_holder_keeps_its_slot_while_its_job_runs_and_waits_for_another(crowd: Crowd) -> None:
    crowd.ask("a", "b")
    take = crowd.send("a")
    crowd.publish("a", [head("a")])
    crowd.advance("a")
    assert crowd.held() == ["a", "b"]
    assert crowd.waiting() == ["a"]
    crowd.end_job(take)
    crowd.scheduler.take({"provider": PROVIDER, "pipeline_id": "a"})
    assert crowd.held() == ["a", "b"]
    assert crowd.waiting() == []
    assert crowd.node("a").status == NodeStatus.IN_PROGRESS


def test_a_node_that_is_started_again_keeps_its_slot(crowd: Crowd) -> None:
    crowd.ask("a", "b", "c")
    old = crowd.claim("a")
    crowd.machines.close(old.process_uuid)
    crowd.now += 500
    crowd.advance("a")
    fresh = crowd.claim("a")
    assert fresh != old
    assert [slot.holder for slot in held_slots(crowd.nodes.table, PROVIDER) if slot.holder.pipeline_id == "a"] == [
        fresh
    ]
    crowd.scheduler.take({"provider": PROVIDER})
    assert crowd.held() == ["a", "b"]
    crowd.send("a")
    crowd.finish("a")
    assert crowd.held() == ["b", "c"]


@pytest.mark.parametrize("job", ["sent", "not sent"])
def test_a_node_whose_slot_somebody_removed_waits_for_another_when_it_is_started_again(crowd: Crowd, job: str) -> None:
    crowd.ask("a", "b", "c")
    take = crowd.send("a") if job == "sent" else None
    old = crowd.node("a")
    crowd.dynamodb.tables["nodes"].pop((f"#slots#{PROVIDER}", old.slot.split("#")[1]))  # by hand
    crowd.advance("c")
    assert crowd.held() == ["b", "c"]
    crowd.machines.close(str(old.process_uuid))
    crowd.now += 500
    crowd.advance("a")
    crowd.advance("a")
    assert crowd.held() == ["b", "c"]
    assert (crowd.node("a").status, crowd.waiting()) == (NodeStatus.PENDING, ["a"])
    assert crowd.node("a").begun == ((take.id,) if take else ())
    crowd.finish("b")
    assert crowd.held() == ["a", "c"]
    assert crowd.node("a").status == NodeStatus.IN_PROGRESS
    assert crowd.node("a").asked_at == old.asked_at
    crowd.finish("a")
    assert crowd.held() == ["c"]


def test_a_node_is_not_started_again_for_ever_because_its_slot_is_removed(crowd: Crowd) -> None:
    crowd.ask("a")
    for _ in range(20):
        node = crowd.node("a")
        if node.process_uuid and node.status == NodeStatus.IN_PROGRESS:
            crowd.dynamodb.tables["nodes"].pop((f"#slots#{PROVIDER}", node.slot.split("#")[1]))
            crowd.machines.close(node.process_uuid)
        crowd.now += 500
        crowd.advance("a")
    assert crowd.node("a").status == NodeStatus.FAILED
    assert crowd.nodes.pipeline("a").outcome.status == "failed"  # type: ignore[union-attr]


def test_a_node_forgets_the_slot_that_somebody_else_has_freed(crowd: Crowd) -> None:
    crowd.ask("a", "b")
    take = crowd.send("a")
    crowd.nodes.fail(crowd.claim("a"), "Still running.", "Polling.LimitReached")
    crowd.end_job(take)
    crowd.scheduler.take({"provider": PROVIDER})  # the sweep
    assert crowd.held() == ["b"]
    crowd.advance("a")
    assert crowd.node("a").slot == ""
    assert crowd.scheduler.dispatcher.give_back([crowd.node("a")]) == set()


def test_no_request_is_sent_without_the_slot(crowd: Crowd) -> None:
    crowd.ask("a")
    [slot] = held_slots(crowd.nodes.table, PROVIDER)
    crowd.dynamodb.tables["nodes"].pop((f"#slots#{PROVIDER}", slot.name.split("#")[1]))
    with pytest.raises(AssertionError):  # the reservation answers None
        crowd.send("a")


def test_after_the_limit_was_lowered_nobody_starts_until_enough_have_ended(crowd: Crowd) -> None:
    crowd.limits[PROVIDER] = 4
    crowd.ask("a", "b", "c", "d", "e", "f")
    crowd.limits[PROVIDER] = 2
    for name in "ab":
        crowd.finish(name)
        assert len(crowd.held()) == {"a": 3, "b": 2}[name]
    crowd.finish("c")
    assert crowd.held() == ["d", "e"]
    crowd.limits[PROVIDER] = 3
    crowd.scheduler.take({"provider": PROVIDER})
    assert crowd.held() == ["d", "e", "f"]


def test_a_limit_of_none_stops_a_provider(crowd: Crowd) -> None:
    crowd.limits[PROVIDER] = 0
    crowd.ask("a")
    assert (crowd.running(), crowd.waiting()) == ([], ["a"])


@pytest.mark.parametrize(
    ("held", "limit", "free"),
    [
        ([], 3, [0, 1, 2]),
        ([1], 3, [0, 2]),
        ([3, 4], 3, [0]),
        ([4], 3, [0, 1]),
        ([1, 2], 2, []),
        ([0, 2], 2, []),
        ([0, 1, 2, 3, 4], 3, []),
        ([], 0, []),
    ],
)
def test_slots_beyond_a_lowered_limit_close_slots_within_it(held: list[int], limit: int, free: list[int]) -> None:
    slots = [JobSlot(f"{PROVIDER}#{number:04}", Claim("a", "head", "p"), 0) for number in held]
    assert free_slots(PROVIDER, slots, limit) == [f"{PROVIDER}#{number:04}" for number in free]


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_whoever_read_the_slots_long_ago_exceeds_no_lowered_limit(data: st.DataObject) -> None:
    """Any order of reading, taking and freeing: at most the limit is held once what was too much has ended."""
    limit = data.draw(st.integers(1, 5))
    held = data.draw(st.sets(st.integers(0, 8), max_size=9))
    most = max(limit, len(held))
    read: list[list[str]] = []
    for step in data.draw(st.lists(st.sampled_from(["read", "take", "free"]), max_size=40)):
        if step == "read":
            read.append(free_slots(PROVIDER, [JobSlot(f"x#{n:04}", Claim("a", "b", "p"), 0) for n in held], limit))
        elif step == "take" and read and (choices := data.draw(st.sampled_from(read))):
            held.add(int(data.draw(st.sampled_from(choices)).split("#")[1]))
        elif step == "free" and held:
            held.discard(data.draw(st.sampled_from(sorted(held))))
            most = max(limit, min(most, len(held)))
        assert len(held) <= most


def test_a_slot_that_was_taken_after_the_pipeline_was_read_is_left_alone(crowd: Crowd) -> None:
    """Another scheduler claims the node between this one's look at the pipeline and its look at the slots."""
    crowd.publish("a")
    pipeline, nodes = crowd.nodes.load("a")
    crowd.scheduler.advance("a")
    assert pipeline is not None
    crowd.scheduler.dispatcher.seat(pipeline, nodes.values())
    assert crowd.held() == ["a"]
    assert crowd.waiting() == []


def test_a_slot_in_which_something_was_sent_meanwhile_is_left_alone(crowd: Crowd) -> None:
    """The sweep reads the slot; then its node sends, and is edited away; then the sweep goes on."""
    crowd.ask("a")
    job_ended: Callable[[Any], bool] = crowd.scheduler.dispatcher._job_ended

    def meanwhile(slot: Any) -> bool:
        ended = job_ended(slot)
        crowd.send("a")
        crowd.nodes.edits.reset("a", "head")
        return ended

    crowd.nodes.edits.reset("b", "head")
    crowd.scheduler.dispatcher._job_ended = meanwhile  # type: ignore[method-assign]
    slot = held_slots(crowd.nodes.table, PROVIDER)[0]
    assert crowd.scheduler.dispatcher._release(slot) is False
    assert crowd.held() == ["a"]


def test_lost_answers_neither_lose_nor_double_anything(crowd: Crowd) -> None:
    crowd.scheduler = crowd.another_scheduler(LostAnswers(crowd.dynamodb))
    crowd.ask("a", "b", "c", "d")
    assert crowd.running() == crowd.held() == ["a", "b"]
    assert crowd.waiting() == ["c", "d"]
    crowd.finish("a")
    crowd.nodes.set_desired("d", Desired.CANCELLED)
    crowd.finish("b")
    crowd.finish("c")
    assert (crowd.running(), crowd.held(), crowd.waiting()) == ([], [], [])


def test_reads_of_a_pipeline_that_waits_are_few(crowd: Crowd) -> None:
    crowd.ask("a", "b", "c", "d")
    calls: list[str] = []

    class Counting:
        exceptions = crowd.dynamodb.exceptions

        def __getattr__(self, name: str) -> Any:
            calls.append(name)
            return getattr(crowd.dynamodb, name)

    crowd.another_scheduler(Counting()).advance("d")
    assert calls == ["query", "query"]  # its own nodes, the slots


def gave_up(crowd: Crowd, name: str) -> Take:
    """A node stopped waiting for its job, which goes on."""
    take = crowd.send(name)
    crowd.nodes.fail(crowd.claim(name), "Still running.", "Polling.LimitReached")
    crowd.machines.close(crowd.claim(name).process_uuid)
    crowd.advance(name)
    return take


def lost(crowd: Crowd, name: str) -> None:
    """A node's request may have been paid, and it failed because of that."""
    take = crowd.send(name)
    crowd.takes.mark_unknown(take, take.attempt, "Lost.")
    crowd.nodes.touch(crowd.claim(name), takes=[take.id])
    crowd.nodes.fail(crowd.claim(name), "Lost.", "MayHaveBeenPaid")
    crowd.machines.close(crowd.claim(name).process_uuid)


@pytest.mark.parametrize("waits_already", [False, True])
def test_a_retried_node_goes_on_with_the_slot_of_its_job_although_others_wait(
    crowd: Crowd, waits_already: bool
) -> None:
    crowd.ask("a", "b", "c")
    take = gave_up(crowd, "a")
    crowd.nodes.retry("a", "head", "retry")
    pipeline = crowd.nodes.pipeline("a")
    assert pipeline is not None
    if waits_already:  # drawn by a scheduler that did not know of the job yet
        draw_tickets(crowd.nodes.table, PROVIDER, pipeline, ["head"], crowd.now)
    crowd.advance("a")
    assert (crowd.running(), crowd.held(), crowd.waiting()) == (["a", "b"], ["a", "b"], ["c"])
    assert crowd.node("a").slot
    crowd.end_job(take)
    crowd.finish("a")
    assert (crowd.running(), crowd.held(), crowd.waiting()) == (["b", "c"], ["b", "c"], [])


def test_a_node_whose_lost_job_was_found_goes_on_with_its_slot(crowd: Crowd) -> None:
    crowd.ask("a", "b", "c")
    lost(crowd, "a")
    crowd.asking().resolve("a", "head", "adopt", who="ada", why="it is there", external_id="job-found")
    crowd.advance("a")
    assert (crowd.running(), crowd.held(), crowd.waiting()) == (["a", "b"], ["a", "b"], ["c"])


def test_a_slot_comes_back_when_a_person_has_another_job_bought(crowd: Crowd) -> None:
    crowd.ask("a", "b", "c")
    lost(crowd, "a")
    crowd.advance("a")
    assert crowd.waiting() == ["c"]
    crowd.asking().resolve("a", "head", "pay-again", who="ada", why="it is not there")
    crowd.advance("a")
    assert (crowd.running(), crowd.held(), crowd.waiting()) == (["b", "c"], ["b", "c"], ["a"])


def test_a_node_that_wants_something_else_by_now_waits_for_another_slot(crowd: Crowd) -> None:
    crowd.ask("a", "b")
    gave_up(crowd, "a")
    crowd.publish("a")
    crowd.advance("a")
    assert (crowd.running(), crowd.held(), crowd.waiting()) == (["b"], ["a", "b"], ["a"])


def test_two_schedulers_let_a_node_go_on_once(crowd: Crowd) -> None:
    crowd.ask("a", "b")
    gave_up(crowd, "a")
    crowd.nodes.retry("a", "head", "retry")
    before = crowd.nodes.pipeline("a"), [crowd.node("a")]
    crowd.advance("a")
    started = len(crowd.machines.started)
    crowd.another_scheduler().dispatcher.seat(*before)  # type: ignore[arg-type]
    assert len(crowd.machines.started) == started
    assert crowd.held() == ["a", "b"]


def test_claims_of_other_nodes_know_nothing_of_slots(crowd: Crowd) -> None:
    table = NodeTable(crowd.dynamodb, "nodes")
    crowd.publish("a")
    pipeline = table.pipeline("a")
    assert pipeline is not None
    assert table.claim(pipeline, "head", "p") == Claim("a", "head", "p")
    assert crowd.held() == []

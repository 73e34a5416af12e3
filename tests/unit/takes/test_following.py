"""Paid jobs that are looked at for no node: a webhook or the sweep asks for it. Nothing is ever sent from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.graphs import write
from tests.unit.takes.stage import LIFE, Stage, made, voice
from video_production.errors import (
    Cancelled,
    MayHaveBeenPaid,
    ProviderAmbiguous,
    ProviderJobFailed,
    ProviderRefused,
    ProviderUnreachable,
    Superseded,
    TransientError,
)
from video_production.nodes.model import Desired, NodeStatus, Pipeline
from video_production.nodes.table import Claim
from video_production.providers.interface import Attempt, Made, Progress, Submission, Unknown
from video_production.settings import ProviderSettings
from video_production.tables import Update
from video_production.takes.buying import Buyer
from video_production.takes.model import TakeState
from video_production.takes.requests import kept_attempt
from video_production.takes.sharing import share

ACCEPTED = Submission("job-1")
RUNNING = Progress("running", "generating")
READY = Progress("completed", "completed", result={"url": "…"})


def submitted(stage: Stage) -> str:
    """A job under way; its take's id."""
    stage.provider.answers = [ACCEPTED]
    stage.buyer().submit(stage.claim())
    return stage.take().id


def lost(stage: Stage) -> str:
    """A request whose answer was lost; its take's id."""
    stage.provider.answers = [ProviderAmbiguous("The answer was lost.", provider="obedient")]
    stage.buyer().submit(stage.claim())
    return stage.take().id


def state(stage: Stage, take_id: str) -> str:
    found = stage.takes.get(take_id)
    assert found is not None
    return str(found.state)


def waits_no_more(stage: Stage, claim: Claim) -> None:
    """The node of a cancelled pipeline ends, and its job goes on."""
    with pytest.raises(Cancelled, match="goes on with the job, and what it makes is kept"):
        stage.buyer().check(claim)
    assert stage.take().state == TakeState.SUBMITTED


def events(stage: Stage, take_id: str) -> list[str]:
    return [str(record["event"]) for record in stage.takes.ledger(take_id)]


# What was asked for outlives the node


def test_what_is_asked_for_is_kept_before_anything_is_reserved(stage: Stage) -> None:
    put = stage.storage.put_bytes

    def fails(content: bytes, bucket: str, key: str, content_type: str) -> Any:
        if key.endswith("request.json"):
            raise TransientError("S3 could not be reached.")
        return put(content, bucket, key, content_type)

    stage.storage.put_bytes = fails  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        stage.buyer().submit(stage.claim())
    assert stage.provider.sent == []
    assert "takes" not in stage.voice().metadata


def test_a_late_result_is_collected_although_its_node_is_gone(stage: Stage) -> None:
    take_id = submitted(stage)
    sent = stage.provider.sent[0]
    for name in ("voice", "script", "#pipeline"):
        stage.nodes.edits.remove("lesson", name)
    stage.storage.client.delete_object(Bucket=stage.bucket, Key="script.txt")
    collected: list[Attempt] = []
    collect = stage.provider.collect

    def remember(external_id: str, progress: Progress, attempt: Attempt) -> Made:
        collected.append(attempt)
        return collect(external_id, progress, attempt)

    stage.provider.collect = remember  # type: ignore[method-assign]
    stage.provider.progress = [READY]
    assert stage.buyer().follow(take_id).made
    assert collected == [sent]
    assert events(stage, take_id) == ["reserved", "submitted", "settled"]


def test_a_node_that_was_edited_away_and_back_finds_the_late_result(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.nodes.edits.reset("lesson", "voice")
    stage.provider.progress = [READY]
    assert stage.buyer().follow(take_id).made
    assert stage.voice().status == NodeStatus.PENDING
    assert stage.buyer().submit(stage.claim("p2")).status == "completed"
    assert len(stage.provider.sent) == 1


def test_a_job_whose_request_was_not_kept_is_reported_and_left_to_its_node(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.storage.client.delete_object(Bucket=stage.bucket, Key=f"takes/{take_id}/a1/request.json")
    assert stage.buyer().follow(take_id).state == "submitted"
    assert "only a node that wants the same can follow it" in stage.alerts[0]
    assert stage.provider.asked_for == []


def test_a_job_of_a_cancelled_pipeline_is_stopped_by_the_sweep_although_no_node_waits(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.nodes.edits.reset("lesson", "voice")
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.provider.cancels = True
    followed = stage.buyer().follow(take_id)
    assert (followed.state, followed.over) == ("failed", True)
    assert stage.provider.asked_for == []


def test_a_job_that_can_not_be_stopped_is_collected(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.provider.progress = [Progress("running", "generating"), READY]
    assert not stage.buyer().follow(take_id).over
    assert stage.buyer().follow(take_id).made


def test_the_node_of_a_job_that_the_sweep_stopped_reads_that_it_was_cancelled(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.provider.cancels = True
    stage.buyer().follow(take_id)
    with pytest.raises(Cancelled, match="Cancelled at Obedient"):
        stage.buyer().check(stage.claim_of_voice())


def test_a_pipeline_that_shares_the_job_of_another_does_not_stop_it(stage: Stage) -> None:
    submitted(stage)
    take = stage.take()
    stage.takes.table.write(
        Update(
            table=stage.takes.name,
            key={"take_id": take.id, "record": "take"},
            set={f"attempts.{take.attempt}.pipeline_id": "another"},
        )
    )
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.provider.cancels = True
    stage.provider.progress = [Progress("running", "generating")]
    waits_no_more(stage, stage.claim_of_voice())


def shared_with_another_pipeline(stage: Stage) -> Claim:
    """A job that the lesson has bought and that a node of another pipeline follows; that node's claim."""
    submitted(stage)
    take = stage.take()
    claim = publish_again(stage, "another")
    assert stage.buyer().submit(claim).status == "waiting"
    assert stage.takes.followers(take) == [("another", "voice")]
    return claim


def publish_again(stage: Stage, name: str) -> Claim:
    """The same graph under another name; the claim of its voice."""
    for node in stage.graph:
        stage.nodes.edits.save_structure(replace(node, pipeline_id=name))
        stage.nodes.edits.reset(name, node.id)
    stage.nodes.edits.provide_asset(name, "script", stage.assets["script"])
    ids = tuple(node.id for node in stage.graph)
    stage.nodes.edits.publish(Pipeline(name, name, 0, Desired.RUN, ids, "voice", stage.bucket, ""))
    found = stage.nodes.pipeline(name)
    assert found is not None
    claim = stage.nodes.claim(found, "voice", f"{name}-p1")
    assert claim is not None
    return claim


@pytest.mark.parametrize("by", ["its node", "the sweep"])
def test_a_pipeline_does_not_stop_its_job_while_another_one_waits_for_it(stage: Stage, by: str) -> None:
    claim = shared_with_another_pipeline(stage)
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.provider.cancels = True
    stage.provider.progress = [RUNNING, READY]
    if by == "its node":
        waits_no_more(stage, stage.claim_of_voice())
    else:
        assert not stage.buyer().follow(stage.take().id).over
    assert stage.buyer().check(claim).status == "completed"
    assert len(stage.provider.sent) == 1


def test_whoever_goes_on_with_the_next_attempt_of_another_keeps_its_job_alive(stage: Stage) -> None:
    """Both wait for one request, which turns out never to have been sent; the other one is faster to send it again."""
    lost(stage)
    another = publish_again(stage, "another")
    assert stage.buyer().submit(another).status == "waiting"
    stage.now += LIFE + 61
    stage.provider.found = ProviderRefused("Never sent.", provider="obedient", code="not_sent", retry_after=0.0)
    assert stage.buyer().check(stage.claim_of_voice()).status == "waiting"
    stage.provider.answers = [ACCEPTED]
    assert stage.buyer().submit(another).status == "waiting"
    assert stage.take().current.pipeline_id == "another"
    stage.provider.progress = [RUNNING, RUNNING, READY]
    assert stage.buyer().check(stage.claim_of_voice()).status == "waiting"
    stage.nodes.set_desired("another", Desired.CANCELLED)
    stage.provider.cancels = True
    waits_no_more(stage, another)
    assert stage.buyer().check(stage.claim_of_voice()).status == "completed"


def test_one_that_has_just_written_down_that_it_follows_keeps_the_job_alive(stage: Stage) -> None:
    submitted(stage)
    share(stage.takes, stage.take(), publish_again(stage, "another"))  # its next write says so on the node
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.provider.cancels = True
    stage.provider.progress = [RUNNING]
    waits_no_more(stage, stage.claim_of_voice())


def test_the_last_one_that_is_cancelled_has_the_job_stopped(stage: Stage) -> None:
    shared_with_another_pipeline(stage)
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.nodes.set_desired("another", Desired.CANCELLED)
    stage.provider.cancels = True
    with pytest.raises(Cancelled, match="Cancelled at Obedient"):
        stage.buyer().check(stage.claim_of_voice())


def test_one_that_wants_something_else_by_now_does_not_keep_the_job_alive(stage: Stage) -> None:
    shared_with_another_pipeline(stage)
    stage.nodes.edits.reset("another", "voice")
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.provider.cancels = True
    with pytest.raises(Cancelled, match="Cancelled at Obedient"):
        stage.buyer().check(stage.claim_of_voice())


# What the job's end does


def test_a_finished_job_completes_the_node_that_waits_for_it(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.provider.progress = [READY]
    followed = stage.buyer().follow(take_id)
    assert (followed.made, followed.pipeline_id) == (True, "lesson")
    assert stage.voice().status == NodeStatus.COMPLETED
    with pytest.raises(Superseded):  # the execution that waits finds it done
        stage.buyer().check(Claim("lesson", "voice", "p1"))


def test_looking_again_says_again_which_pipeline_goes_on(stage: Stage) -> None:
    """The first message was handled, and the function died before it told the scheduler."""
    take_id = submitted(stage)
    stage.provider.progress = [READY]
    stage.buyer().follow(take_id)
    again = stage.buyer().follow(take_id)
    assert (again.made, again.pipeline_id) == (True, "lesson")
    assert len(stage.provider.asked_for) == 1


def test_a_result_that_was_made_before_its_node_was_completed_completes_it(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.provider.progress = [READY]
    complete = stage.nodes.complete

    def dies(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    stage.nodes.complete = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        stage.buyer().follow(take_id)
    stage.nodes.complete = complete  # type: ignore[method-assign]
    assert stage.buyer().follow(take_id).made
    assert stage.voice().status == NodeStatus.COMPLETED


def test_a_job_that_runs_is_only_looked_at(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.provider.progress = [RUNNING]
    assert stage.buyer().follow(take_id).state == "submitted"
    assert stage.voice().status == NodeStatus.IN_PROGRESS


def why_it_failed(stage: Stage) -> tuple[str, str]:
    """The error type and the sentence of the voice node, which has failed."""
    assert stage.voice().status == NodeStatus.FAILED
    return stage.voice().metadata["error_type"], stage.voice().metadata["error"]


def test_a_failed_job_is_written_down_and_fails_the_node_that_waits_for_it(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.provider.progress = [Progress("failed", "failed", failure="Model error.", charged=False)]
    assert stage.buyer().follow(take_id).state == "failed"
    assert events(stage, take_id)[-1] == "refunded"
    assert why_it_failed(stage) == ("ProviderJobFailed", "Model error.")
    with pytest.raises(Superseded):  # the execution that waits finds it ended
        stage.buyer().check(Claim("lesson", "voice", "p1"))


def test_a_failure_that_was_written_down_before_its_node_failed_fails_it(stage: Stage) -> None:
    take_id = submitted(stage)
    take = stage.take()
    assert stage.takes.mark_failed(take, take.attempt, code="m", message="Model error.", charged=False)
    assert stage.buyer().follow(take_id).state == "failed"
    assert why_it_failed(stage) == ("ProviderJobFailed", "Model error.")


def test_a_node_that_is_to_buy_it_once_more_is_not_failed_by_a_late_hint(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.provider.progress = [Progress("failed", "failed", failure="Model error.", charged=False)]
    stage.buyer().follow(take_id)
    stage.now += 1
    stage.nodes.retry("lesson", "voice", "retry")
    claim = stage.claim("p2")
    stage.nodes.touch(claim, takes=[take_id])  # what a submitter shows before it sends
    assert stage.buyer().follow(take_id).state == "failed"
    assert stage.voice().status == NodeStatus.IN_PROGRESS
    stage.provider.answers = [Submission("job-2")]
    assert stage.buyer().submit(claim).status == "waiting"


def test_a_job_that_its_provider_does_not_know_is_for_a_person(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.provider.progress = [ProviderJobFailed("No such job.", provider="obedient", http_status=404)]
    assert stage.buyer().follow(take_id).state == "unknown"
    error_type, why = why_it_failed(stage)
    assert (error_type, "may have been paid (No such job)" in why) == ("MayHaveBeenPaid", True)


def of_which_its_provider_knew_nothing(stage: Stage) -> str:
    """A job with an id that was not found when it was asked for; its take's id."""
    take_id = submitted(stage)
    claim = stage.claim_of_voice()
    stage.provider.progress = [ProviderJobFailed("No such job.", provider="obedient", http_status=404)]
    with pytest.raises(MayHaveBeenPaid) as told:
        stage.buyer().check(claim)
    stage.nodes.fail(claim, str(told.value), "MayHaveBeenPaid")
    return take_id


def test_a_webhook_brings_the_result_of_a_job_that_its_provider_had_lost(stage: Stage) -> None:
    take_id = of_which_its_provider_knew_nothing(stage)
    stage.provider.progress = [RUNNING, READY]
    assert stage.buyer().follow(take_id).state == "unknown"
    assert stage.buyer().follow(take_id).made
    assert sorted(events(stage, take_id)) == ["reserved", "settled", "submitted", "unknown"]
    totals = stage.takes.totals("lesson", "live")
    assert (totals.unknown, totals.settled) == (0, pytest.approx(0.0024))
    stage.nodes.retry("lesson", "voice", "run")
    assert stage.buyer().submit(stage.claim("p2")).status == "completed"
    assert len(stage.provider.sent) == 1


def test_a_webhook_tells_that_a_job_which_its_provider_had_lost_failed_without_charge(stage: Stage) -> None:
    take_id = of_which_its_provider_knew_nothing(stage)
    stage.provider.progress = [Progress("failed", "failed", failure="Model error.", charged=False)]
    assert stage.buyer().follow(take_id).state == "failed"
    assert stage.takes.totals("lesson", "live").committed == 0


def test_a_person_is_told_once_of_a_job_that_its_provider_does_not_know(stage: Stage) -> None:
    told: list[str] = []
    stage.takes.report = lambda name, *_, **__: told.append(name)
    take_id = of_which_its_provider_knew_nothing(stage)
    stage.provider.progress = [ProviderJobFailed("No such job.", provider="obedient", http_status=404)]
    assert stage.buyer().follow(take_id).state == "unknown"
    assert told.count("MayHaveBeenPaid") == 1


def test_one_that_met_a_job_while_it_was_undecided_keeps_it_alive_when_it_goes_on(stage: Stage) -> None:
    take_id = of_which_its_provider_knew_nothing(stage)
    another = publish_again(stage, "another")
    with pytest.raises(MayHaveBeenPaid):
        stage.buyer().submit(another)
    stage.takes.adopt(stage.take(), "job-1", "ada", "it is there")  # before the end of the other node is written
    stage.provider.progress = [RUNNING, RUNNING]
    assert stage.buyer().check(another).status == "waiting"
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.provider.cancels = True
    assert not stage.buyer().follow(take_id).over


def test_a_request_that_was_kept_and_can_not_be_read_is_as_good_as_gone(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.storage.put_bytes(b'{"node_type', stage.bucket, f"takes/{take_id}/a1/request.json", "application/json")
    assert stage.buyer().follow(take_id).state == "submitted"
    assert "is gone" in stage.alerts[0]
    stage.now += 8 * 86_400
    assert stage.buyer().follow(take_id).state == "unknown"


def test_two_who_find_at_once_that_a_job_is_gone_tell_a_person_once(stage: Stage) -> None:
    take_id = submitted(stage)
    told: list[str] = []
    stage.takes.report = lambda name, *_, **__: told.append(name)
    seen = stage.take()
    assert stage.takes.mark_unknown(seen, seen.attempt, "Gone.")
    assert stage.takes.mark_unknown(seen, seen.attempt, "Gone.")  # by the other one, who read the same before
    assert told == ["MayHaveBeenPaid"]
    assert stage.takes.totals("lesson", "live").unknown == pytest.approx(0.0024)
    assert sorted(events(stage, take_id)) == ["reserved", "submitted", "unknown"]


@pytest.mark.parametrize("seen", ["failed", "made", "gone"])
def test_what_was_seen_of_one_job_does_not_end_another_that_a_person_named_meanwhile(stage: Stage, seen: str) -> None:
    take_id = of_which_its_provider_knew_nothing(stage)
    looked = stage.take()  # by a webhook's poller, which is slow
    stage.takes.adopt(looked, "job-7", "ada", "found it")
    if seen == "failed":
        assert not stage.takes.mark_failed(looked, looked.attempt, code="x", message="No.", charged=False)
    elif seen == "made":
        attempt = kept_attempt(stage.storage, looked)
        assert attempt is not None
        assert not stage.takes.mark_made(looked, looked.attempt, made(attempt, "job-1"))
    else:
        assert not stage.takes.mark_unknown(looked, looked.attempt, "Gone.")
    assert (state(stage, take_id), stage.take().current.external_id) == ("submitted", "job-7")
    assert stage.takes.totals("lesson", "live").reserved == pytest.approx(0.0024)


def test_deleted_files_do_not_prove_that_a_request_was_never_sent(stage: Stage) -> None:
    """A module tells that by what is not stored beside the attempt; somebody has emptied the folder."""
    take_id = lost(stage)
    stage.storage.client.delete_object(Bucket=stage.bucket, Key=f"takes/{take_id}/a1/request.json")
    stage.now += LIFE + 61
    stage.provider.found = ProviderRefused("Never sent.", provider="obedient", code="not_sent", retry_after=0.0)
    with pytest.raises(MayHaveBeenPaid, match="were deleted from the bucket"):
        stage.buyer().check(stage.claim_of_voice())
    assert (state(stage, take_id), len(stage.provider.sent)) == ("unknown", 1)


def test_a_provider_that_can_not_be_reached_ends_nothing(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.provider.progress = [ProviderUnreachable("503", provider="obedient")]
    assert stage.buyer().follow(take_id).state == "submitted"


def test_a_lost_answer_is_not_looked_for_while_the_sender_may_live(stage: Stage) -> None:
    take_id = lost(stage)
    stage.provider.found = made(stage.provider.sent[0])
    assert stage.buyer().follow(take_id).state == "submitting"


def test_a_lost_answer_is_found_without_its_node(stage: Stage) -> None:
    take_id = lost(stage)
    stage.nodes.edits.remove("lesson", "voice")
    stage.now += LIFE + 61
    looked: list[Attempt] = []

    def find(attempt: Attempt, bound: Any) -> Made:
        looked.append(attempt)
        return made(attempt)  # the provider module has stored it

    stage.provider.find = find  # type: ignore[method-assign]
    assert stage.buyer().follow(take_id).made
    assert looked == stage.provider.sent
    assert looked[0].request.inputs["script"][0].text == "Binary search halves the list."


def _wanted_when_looked_for(stage: Stage, look: Callable[[], object]) -> list[bool]:
    """Whether the attempt was still wanted, at each look for it."""
    stage.now += LIFE + 61
    wanted: list[bool] = []

    def find(attempt: Attempt, bound: Any) -> Submission:
        wanted.append(attempt.wanted)
        raise ProviderUnreachable("Try again.", provider="obedient")

    stage.provider.find = find  # type: ignore[method-assign, assignment]
    look()
    return wanted


@pytest.mark.parametrize("desired", [Desired.RUN, Desired.CANCELLED, Desired.EDITING])
def test_a_lost_answer_is_looked_for_at_no_cost_unless_its_pipeline_runs(stage: Stage, desired: Desired) -> None:
    """To look for it may be to send it once more: after a cancellation nothing is bought."""
    take_id = lost(stage)
    if desired == Desired.EDITING:
        stage.nodes.edits.begin("lesson")
    else:
        stage.nodes.set_desired("lesson", desired)
    runs = desired == Desired.RUN
    assert _wanted_when_looked_for(stage, lambda: stage.buyer().check(Claim("lesson", "voice", "p1"))) == [runs]
    assert _wanted_when_looked_for(stage, lambda: stage.buyer().follow(take_id)) == [runs]


@pytest.mark.parametrize("moved", ["edited", "gone", "wants something else"])
def test_a_lost_answer_is_looked_for_at_no_cost_when_no_node_wants_it(stage: Stage, moved: str) -> None:
    take_id = lost(stage)
    if moved == "edited":
        stage.nodes.edits.reset("lesson", "voice")
    elif moved == "gone":
        stage.nodes.edits.remove("lesson", "voice")
    else:
        stage.nodes.touch(Claim("lesson", "voice", "p1"), takes=["another"])
    assert _wanted_when_looked_for(stage, lambda: stage.buyer().follow(take_id)) == [False]


def test_what_a_failed_node_asked_for_is_still_wanted(stage: Stage) -> None:
    take_id = lost(stage)
    stage.nodes.fail(Claim("lesson", "voice", "p1"), "Too late.", "Polling.LimitReached")
    assert _wanted_when_looked_for(stage, lambda: stage.buyer().follow(take_id)) == [True]


def test_a_lost_answer_that_stays_lost_is_for_a_person(stage: Stage) -> None:
    take_id = lost(stage)
    stage.now += LIFE + 61
    assert stage.buyer().follow(take_id).state == "unknown"
    assert events(stage, take_id) == ["reserved", "unknown"]


# What stays open


WEEK = 7 * 86_400


@pytest.mark.parametrize("why", ["it runs on", "unreachable", "not kept", "another account", "a draft", "never found"])
def test_what_no_look_ends_for_a_week_is_for_a_person(stage: Stage, why: str) -> None:
    """While it is open its money is promised, and nobody may decide about it."""
    take_id = lost(stage) if why == "never found" else submitted(stage)
    if why == "not kept":
        stage.storage.client.delete_object(Bucket=stage.bucket, Key=f"takes/{take_id}/a1/request.json")
    elif why == "never found":
        stage.provider.find = _unreachable  # type: ignore[method-assign]
    stage.provider.progress = [ProviderUnreachable("503", provider="obedient") if why == "unreachable" else RUNNING] * 2
    mode: Any = "draft" if why == "a draft" else "live"
    account = "other" if why == "another account" else "main"
    settings = ProviderSettings(mode, "", "secret", account, 10, 60, 240, 60)
    buyer = Buyer(
        stage.provider,
        settings,
        stage.nodes,
        stage.takes,
        stage.storage,
        remaining=lambda: LIFE,
        alert=stage.alerts.append,
        clock=lambda: stage.now,
    )
    stage.now += WEEK - 1
    assert not buyer.follow(take_id).over
    stage.now += 1
    assert buyer.follow(take_id).state == "unknown"
    assert events(stage, take_id)[-1] == "unknown"


def test_a_result_that_comes_after_a_week_is_still_a_result(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.now += WEEK + 1
    stage.provider.progress = [READY]
    assert stage.buyer().follow(take_id).made


def _unreachable(attempt: Attempt, bound: Any) -> Submission:
    raise ProviderUnreachable("503", provider="obedient")


# Whose node it is


def test_a_node_that_wants_something_else_by_now_is_left_alone(stage: Stage) -> None:
    take_id = submitted(stage)
    claim = Claim("lesson", "voice", "p1")
    stage.nodes.touch(claim, takes=["another"])
    stage.provider.progress = [READY]
    assert stage.buyer().follow(take_id).made
    assert stage.voice().status == NodeStatus.IN_PROGRESS


def test_a_node_of_a_cancelled_pipeline_keeps_its_result_and_is_not_completed(stage: Stage) -> None:
    take_id = submitted(stage)
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.provider.progress = [READY]
    assert stage.buyer().follow(take_id).made
    assert stage.voice().status == NodeStatus.IN_PROGRESS


def test_a_node_that_was_handed_on_is_completed_for_its_new_owner(stage: Stage) -> None:
    take_id = submitted(stage)
    assert stage.nodes.reclaim(Claim("lesson", "voice", "p1"), "p2")
    stage.provider.progress = [READY]
    stage.buyer().follow(take_id)
    assert (stage.voice().status, stage.voice().process_uuid) == (NodeStatus.COMPLETED, "p2")


def test_a_result_that_is_gone_from_the_bucket_completes_nothing(stage: Stage) -> None:
    take_id = submitted(stage)
    take = stage.take()
    assert stage.takes.mark_made(take, take.attempt, made(stage.provider.sent[0]))
    assert stage.buyer().follow(take_id).made
    assert stage.voice().status == NodeStatus.IN_PROGRESS


# What is never done


@pytest.mark.parametrize("ended", ["absent", "refused", "due", "failed", "released", "unknown"])
def test_nothing_is_ever_sent(stage: Stage, ended: str) -> None:
    take_id = "absent"
    if ended in ("refused", "due"):
        delay = 1.0 if ended == "due" else None
        stage.provider.answers = [ProviderRefused("Busy.", provider="obedient", retry_after=delay)]
        claim = stage.claim()
        try:
            stage.buyer().submit(claim)
        except ProviderRefused:
            stage.nodes.fail(claim, "Busy.", "ProviderRefused")
            stage.nodes.retry("lesson", "voice", "retry")
        take_id = stage.provider.sent[0].destination.prefix.split("/")[1]
    elif ended != "absent":
        take_id = submitted(stage)
        take = stage.take()
        if ended == "failed":
            stage.takes.mark_failed(take, take.attempt, code="m", message="Model error.", charged=False)
        else:
            stage.takes.mark_unknown(take, take.attempt, "May have been paid.")
        if ended == "released":
            stage.takes.release(take, "ada", "not there")
    stage.now += 1000
    before = len(stage.provider.sent)
    stage.provider.progress = [RUNNING]
    assert not stage.buyer().follow(take_id).made
    assert len(stage.provider.sent) == before
    assert stage.provider.asked_for == (["job-1"] if ended == "unknown" else [])


@pytest.mark.parametrize(("mode", "account"), [("draft", "main"), ("live", "other")])
def test_a_job_of_another_account_or_of_a_stand_in_is_not_asked_for(stage: Stage, mode: Any, account: str) -> None:
    """The wrong place does not know the job, which would look as if it were gone."""
    take_id = submitted(stage)
    elsewhere = ProviderSettings(mode, "", "secret", account, 10, 60, 240, 60)
    buyer = Buyer(
        stage.provider, elsewhere, stage.nodes, stage.takes, stage.storage,
        remaining=lambda: LIFE, alert=stage.alerts.append, clock=lambda: stage.now,
    )  # fmt: skip
    assert buyer.follow(take_id).state == "submitted"
    assert stage.provider.asked_for == []


def test_a_job_that_is_not_ours_belongs_to_no_purchase(stage: Stage) -> None:
    take_id = submitted(stage)
    assert stage.buyer().take_of("job-1") == take_id
    assert stage.buyer().take_of("somebody-elses") is None


# Two at once


def interrupted(stage: Stage, first: Callable[[], Any], second: Callable[[], Any]) -> None:
    """While `first` fetches the result, `second` runs from its beginning to its end."""
    collect = stage.provider.collect

    def during(external_id: str, progress: Progress, attempt: Attempt) -> Made:
        stage.provider.collect = collect  # type: ignore[method-assign]
        second()
        return collect(external_id, progress, attempt)

    stage.provider.collect = during  # type: ignore[method-assign]
    stage.provider.progress = [READY, READY]
    first()


@pytest.mark.parametrize("loop_comes_first", [True, False])
def test_the_loop_and_a_webhook_at_once_make_one_result(stage: Stage, loop_comes_first: bool) -> None:
    spent: list[str] = []
    stage.takes.report = lambda name, value=1, **dimensions: spent.append(name)
    take_id = submitted(stage)
    claim = Claim("lesson", "voice", "p1")

    def loop() -> None:
        stage.buyer().check(claim)

    def webhook() -> None:
        assert stage.buyer().follow(take_id).made

    interrupted(stage, *((loop, webhook) if loop_comes_first else (webhook, loop)))
    assert events(stage, take_id) == ["reserved", "submitted", "settled"]
    assert spent == ["SpendUSD"]
    node = stage.voice()
    assert node.status == NodeStatus.COMPLETED
    assert node.output is not None
    assert stage.storage.head(stage.bucket, node.output.s3_key) is not None


@pytest.mark.parametrize("loop_comes_first", [True, False])
def test_the_loop_and_a_webhook_at_once_agree_on_a_failure(stage: Stage, loop_comes_first: bool) -> None:
    take_id = submitted(stage)
    claim = Claim("lesson", "voice", "p1")
    failed = Progress("failed", "failed", failure="Model error.", charged=False)

    def loop() -> None:
        with pytest.raises(ProviderJobFailed):
            stage.buyer().check(claim)

    def webhook() -> None:
        assert stage.buyer().follow(take_id).state == "failed"

    first, second = (loop, webhook) if loop_comes_first else (webhook, loop)
    answers = [failed, failed]

    def check(external_id: str) -> Progress:
        answer = answers.pop()
        if answers:
            second()
        return answer

    stage.provider.check = check  # type: ignore[method-assign]
    first()
    assert events(stage, take_id) == ["reserved", "submitted", "refunded"]


# What the sweep sees


def item(stage: Stage, take_id: str) -> dict[str, Any]:
    found = stage.takes.table.get({"take_id": take_id, "record": "take"})
    assert found is not None
    return found


def test_a_job_is_open_from_its_request_to_its_end(stage: Stage) -> None:
    take_id = lost(stage)
    assert (item(stage, take_id)["open"], item(stage, take_id)["open_since"]) == ("obedient", 1_000_000)
    stage.now += LIFE + 61
    stage.provider.found = Unknown("nothing there")
    stage.buyer().follow(take_id)
    assert not {"open", "open_since"} & item(stage, take_id).keys()
    found = stage.takes.get(take_id)
    assert found is not None
    stage.takes.adopt(found, "job-7", "ada", "seen there")
    assert (item(stage, take_id)["open"], item(stage, take_id)["open_since"]) == ("obedient", 1_000_000)
    stage.provider.progress = [READY]
    stage.buyer().follow(take_id)
    assert state(stage, take_id) == TakeState.MADE
    assert not {"open", "open_since"} & item(stage, take_id).keys()


def test_a_draft_costs_nothing_in_the_metrics(stage: Stage) -> None:
    reports: list[str] = []
    stage.takes.report = lambda name, value=1, **dimensions: reports.append(name)
    drafts = ProviderSettings("draft", "", "secret", "main", 10, 60, 240, 60)
    stage.provider.submit = lambda attempt: Submission("request-1", made(attempt, "request-1"))  # type: ignore[method-assign]
    buyer = Buyer(
        stage.provider, drafts, stage.nodes, stage.takes, stage.storage,
        remaining=lambda: LIFE, alert=stage.alerts.append,
    )  # fmt: skip
    write(stage.nodes, [stage.graph[0], voice()], stage.assets)
    assert buyer.submit(stage.claim()).status == "completed"
    assert reports == []

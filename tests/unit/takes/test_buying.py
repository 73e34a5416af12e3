"""The money protocol, row by row, against real tables."""

from __future__ import annotations

import threading
from contextlib import suppress
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
    RequestError,
    Superseded,
    TransientError,
)
from video_production.nodes.model import Desired, NodeStatus
from video_production.providers.interface import Progress, Submission, Unknown
from video_production.scheduling.asking import Asking
from video_production.takes.model import TakeState

ACCEPTED = Submission("job-1")
RUNNING = Progress("running", "generating")
READY = Progress("completed", "completed", result={"url": "…"})


def lost() -> ProviderAmbiguous:
    return ProviderAmbiguous("The answer was lost.", provider="obedient")


def refused(**changes: object) -> ProviderRefused:
    return ProviderRefused("No such voice.", provider="obedient", code="voice_not_found", **changes)  # type: ignore[arg-type]


def submitted(stage: Stage) -> None:
    stage.provider.answers = [ACCEPTED]
    assert stage.buyer().submit(stage.claim()).status == "waiting"


# Rows 3 and 4: the intent, the one request, the job's id


def test_a_request_is_sent_once_and_its_job_recorded(stage: Stage) -> None:
    submitted(stage)
    take = stage.take()
    assert (take.state, take.current.external_id, take.current.number) == (TakeState.SUBMITTED, "job-1", 1)
    assert stage.ledger() == ["a1:reserved", "a1:submitted"]
    assert stage.takes.bound_to("obedient", "job-1") == take.id
    assert stage.voice().metadata["external_id"] == "job-1"


def test_the_intent_is_written_before_the_request_is_sent(stage: Stage) -> None:
    stage.provider.answers = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        stage.buyer().submit(stage.claim())
    take = stage.take()
    assert take.state == TakeState.SUBMITTING
    assert take.current.quiet_at == stage.now + LIFE + 60
    assert stage.ledger() == ["a1:reserved"]


def test_an_execution_that_meets_a_purchase_under_way_never_sends_another(stage: Stage) -> None:
    submitted(stage)
    claim = stage.nodes.reclaim(stage.claim_of_voice(), "p2")
    assert claim is not None
    assert stage.buyer().submit(claim).status == "waiting"
    assert len(stage.provider.sent) == 1


def test_nothing_is_sent_when_too_little_time_is_left(stage: Stage) -> None:
    stage.remaining = 200
    with pytest.raises(TransientError, match=r"Only 200.0 s .* needs 245.0 s; nothing was sent"):
        stage.buyer().submit(stage.claim())
    assert stage.provider.sent == []


def test_nothing_is_sent_for_a_cancelled_pipeline(stage: Stage) -> None:
    claim = stage.claim()
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    with pytest.raises(Cancelled, match="nothing was paid"):
        stage.buyer().submit(claim)
    assert stage.provider.sent == []


def test_nothing_is_sent_when_the_pipeline_is_cancelled_between_reading_and_writing(stage: Stage) -> None:
    claim = stage.claim()
    buyer = stage.buyer(new_id=lambda: stage.nodes.set_desired("lesson", Desired.CANCELLED) or "a1")
    assert buyer.submit(claim).status == "waiting"
    assert stage.provider.sent == []


def test_nothing_is_sent_while_the_pipeline_is_being_edited(stage: Stage) -> None:
    claim = stage.claim()
    stage.nodes.edits.begin("lesson")
    with pytest.raises(TransientError):
        stage.buyer().submit(claim)
    assert stage.provider.sent == []


def test_nothing_is_sent_by_an_execution_that_lost_its_node(stage: Stage) -> None:
    claim = stage.claim()
    stage.nodes.reclaim(claim, "p2")
    with pytest.raises(Superseded):
        stage.buyer().submit(claim)
    assert stage.provider.sent == []


def test_nothing_is_sent_when_the_node_is_lost_between_reading_and_writing(stage: Stage) -> None:
    claim = stage.claim()
    buyer = stage.buyer(new_id=lambda: (stage.nodes.reclaim(claim, "p2"), "a1")[1])
    assert buyer.submit(claim).status == "waiting"
    assert stage.provider.sent == []


def test_eight_executions_that_want_the_same_result_send_one_request(stage: Stage) -> None:
    graph = [stage.graph[0], *(voice(f"voice-{number}") for number in range(8))]
    write(stage.nodes, graph, stage.assets)
    claims = [stage.claim(f"p{number}", f"voice-{number}") for number in range(8)]
    stage.provider.answers = [ACCEPTED] * 8
    barrier = threading.Barrier(8)
    statuses = []

    def compete(number: int) -> None:
        buyer = stage.buyer(new_id=lambda: (barrier.wait(), f"a{number}")[1])
        statuses.append(buyer.submit(claims[number]).status)

    threads = [threading.Thread(target=compete, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == ["waiting"] * 8
    assert len(stage.provider.sent) == 1


def test_a_result_that_needs_no_polling_completes_the_node_at_once(stage: Stage) -> None:
    stage.provider.submit = lambda attempt: Submission("request-1", made(attempt, "request-1"))  # type: ignore[method-assign]
    assert stage.buyer().submit(stage.claim()).status == "completed"
    assert stage.take().state == TakeState.MADE
    assert stage.voice().status == NodeStatus.COMPLETED
    assert stage.ledger() == ["a1:reserved", "a1:settled"]


def test_a_job_of_another_result_is_kept_as_an_orphan_and_reported(stage: Stage) -> None:
    """Row 4': the id that the provider gave belongs to another take already."""
    graph = [stage.graph[0], voice("voice"), voice("other")]
    graph[2] = replace(graph[2], config={"provider": "obedient", "speed": 1.1})
    write(stage.nodes, graph, stage.assets)
    stage.provider.answers = [ACCEPTED, ACCEPTED]
    stage.buyer().submit(stage.claim("p1", "other"))
    stage.buyer().submit(stage.claim("p2", "voice"))
    assert stage.take().state == TakeState.SUBMITTING
    assert (stage.take().current.external_id, stage.take().current.orphan) == (None, "job-1")
    assert stage.alerts == ["Orphan paid job job-1 of Obedient, attempt a2."]


# Row 5: definite refusals


def test_a_final_refusal_fails_and_is_not_repeated_by_itself(stage: Stage) -> None:
    stage.provider.answers = [refused()]
    claim = stage.claim()
    with pytest.raises(ProviderRefused, match="No such voice"):
        stage.buyer().submit(claim)
    with pytest.raises(ProviderRefused, match="No such voice"):
        stage.buyer().submit(claim)
    assert stage.ledger() == ["a1:reserved", "a1:refunded"]
    assert len(stage.provider.sent) == 1


def test_after_a_final_refusal_a_person_can_ask_again(stage: Stage) -> None:
    stage.provider.answers = [refused(), ACCEPTED]
    claim = stage.claim()
    with pytest.raises(ProviderRefused):
        stage.buyer().submit(claim)
    stage.nodes.fail(claim, "No such voice.", "ProviderRefused")
    stage.now += 5
    stage.nodes.retry("lesson", "voice", "run")
    assert stage.buyer().submit(stage.claim("p2")).status == "waiting"
    assert [attempt.id for attempt in stage.provider.sent] == ["a1", "a2"]
    assert stage.take().current.number == 2


def test_a_busy_provider_is_asked_again_when_the_time_has_come(stage: Stage) -> None:
    stage.provider.answers = [refused(retry_after=30.0), ACCEPTED]
    claim = stage.claim()
    step = stage.buyer().submit(claim)
    assert (step.status, step.wait_seconds) == ("resubmit", 30)
    stage.now += 10
    step = stage.buyer().submit(claim)
    assert (step.status, step.wait_seconds) == ("resubmit", 20)
    stage.now += 21
    assert stage.buyer().submit(claim).status == "waiting"
    assert len(stage.provider.sent) == 2


def test_a_refused_way_is_replaced_by_the_one_it_names(stage: Stage) -> None:
    stage.provider.answers = [refused(fallback="timed"), ACCEPTED]
    claim = stage.claim()
    assert stage.buyer().submit(claim).status == "resubmit"
    assert stage.buyer().submit(claim).status == "waiting"
    assert [attempt.way for attempt in stage.provider.sent] == ["job", "timed"]
    assert "; the timed one was used." in stage.voice().metadata["fallback"]


# Rows 6 and 7: lost answers


def test_after_a_lost_answer_nobody_looks_before_the_quiet_time_is_over(stage: Stage) -> None:
    stage.provider.answers = [lost()]
    claim = stage.claim()
    assert stage.buyer().submit(claim).status == "waiting"
    assert stage.buyer().submit(claim).status == "waiting"
    assert stage.buyer().check(claim).status == "waiting"
    assert stage.take().state == TakeState.SUBMITTING
    assert len(stage.provider.sent) == 1


def test_a_lost_job_that_is_found_is_followed(stage: Stage) -> None:
    stage.provider.answers = [lost()]
    claim = stage.claim()
    stage.buyer().submit(claim)
    stage.now += LIFE + 61
    stage.provider.found = Submission("job-9")
    assert stage.buyer().check(claim).status == "waiting"
    assert stage.take().current.external_id == "job-9"
    assert len(stage.provider.sent) == 1


def test_a_lost_answer_that_stays_lost_fails_as_may_have_been_paid(stage: Stage) -> None:
    stage.provider.answers = [lost()]
    claim = stage.claim()
    stage.buyer().submit(claim)
    stage.now += LIFE + 61
    stage.provider.found = Unknown("the history shows two that match")
    for _ in range(2):
        with pytest.raises(MayHaveBeenPaid, match=r"may have been paid \(the history shows two that match\)"):
            stage.buyer().check(claim)
    assert stage.take().state == TakeState.UNKNOWN
    assert stage.ledger() == ["a1:reserved", "a1:unknown"]
    with pytest.raises(MayHaveBeenPaid):
        stage.buyer().submit(claim)
    assert len(stage.provider.sent) == 1


def test_a_list_that_cannot_be_read_is_read_again(stage: Stage) -> None:
    stage.provider.answers = [lost()]
    claim = stage.claim()
    stage.buyer().submit(claim)
    stage.now += LIFE + 61

    def unreachable(*_: object) -> None:
        raise ProviderUnreachable("503", provider="obedient")

    stage.provider.find = unreachable  # type: ignore[assignment, method-assign]
    assert stage.buyer().check(claim).status == "waiting"
    assert stage.take().state == TakeState.SUBMITTING


def test_finding_leaves_out_what_belongs_to_other_results(stage: Stage) -> None:
    graph = [stage.graph[0], voice("voice"), voice("other")]
    graph[2] = replace(graph[2], config={"provider": "obedient", "speed": 1.1})
    write(stage.nodes, graph, stage.assets)
    stage.provider.answers = [ACCEPTED, lost()]
    stage.buyer().submit(stage.claim("p1", "other"))
    claim = stage.claim("p2", "voice")
    stage.buyer().submit(claim)
    stage.now += LIFE + 61
    with pytest.raises(MayHaveBeenPaid):
        stage.buyer().check(claim)
    assert "job-1" in stage.provider.bound
    assert "job-2" not in stage.provider.bound


def test_a_lost_result_that_is_found_completes_the_node(stage: Stage) -> None:
    stage.provider.answers = [KeyboardInterrupt()]
    claim = stage.claim()
    with pytest.raises(KeyboardInterrupt):
        stage.buyer().submit(claim)
    stage.now += LIFE + 61
    stage.provider.found = made(stage.provider.sent[0], "request-1")
    assert stage.buyer().check(claim).status == "completed"
    assert stage.voice().status == NodeStatus.COMPLETED
    assert stage.ledger() == ["a1:reserved", "a1:settled"]


# Rows 8 and 9: following the job


def test_a_running_job_is_followed_until_it_is_made(stage: Stage) -> None:
    submitted(stage)
    stage.provider.progress = [RUNNING, ProviderUnreachable("502", provider="obedient"), READY]
    buyer, claim = stage.buyer(), stage.claim_of_voice()
    assert buyer.check(claim).status == "waiting"
    assert stage.voice().metadata["last_answer"] == "generating"
    assert buyer.check(claim).status == "waiting"
    assert stage.take().current.external_id == "job-1"
    assert buyer.check(claim).status == "completed"
    found = stage.voice()
    assert found.output is not None
    assert (found.status, found.output.duration, found.output.voice) == (NodeStatus.COMPLETED, 2.5, True)
    assert stage.ledger() == ["a1:reserved", "a1:submitted", "a1:settled"]


@pytest.mark.parametrize(("charged", "event"), [(False, "refunded"), (True, "settled"), (None, "unknown")])
def test_a_failed_job_is_recorded_with_what_it_cost(stage: Stage, charged: bool | None, event: str) -> None:
    submitted(stage)
    stage.provider.progress = [Progress("failed", "failed", failure="Moderated.", failure_code="m", charged=charged)]
    with pytest.raises(ProviderJobFailed, match="Moderated"):
        stage.buyer().check(stage.claim_of_voice())
    assert stage.take().state == TakeState.FAILED
    assert stage.ledger()[-1] == f"a1:{event}"


@pytest.mark.parametrize(
    ("charged", "asked", "again"), [(False, "run", True), (None, "run", False), (None, "retry", True)]
)
def test_a_failed_job_is_bought_again_only_when_that_is_safe_or_asked_for(
    stage: Stage, charged: bool | None, asked: str, again: bool
) -> None:
    submitted(stage)
    claim = stage.claim_of_voice()
    stage.provider.progress = [Progress("failed", "failed", failure="Model error.", charged=charged)]
    with pytest.raises(ProviderJobFailed):
        stage.buyer().check(claim)
    stage.nodes.fail(claim, "Model error.", "ProviderJobFailed")
    stage.now += 1
    stage.nodes.retry("lesson", "voice", asked)
    stage.provider.answers = [Submission("job-2")]
    retried = stage.claim("p2")
    if again:
        assert stage.buyer().submit(retried).status == "waiting"
    else:
        with pytest.raises(ProviderJobFailed):
            stage.buyer().submit(retried)
    assert len(stage.provider.sent) == (2 if again else 1)


def test_a_job_that_the_provider_no_longer_knows_is_undecided(stage: Stage) -> None:
    submitted(stage)
    stage.provider.progress = [ProviderJobFailed("No such job", provider="obedient", http_status=404)]
    with pytest.raises(MayHaveBeenPaid):
        stage.buyer().check(stage.claim_of_voice())
    assert stage.take().state == TakeState.UNKNOWN


@pytest.mark.parametrize("meets", ["check", "submit of another execution"])
def test_another_version_of_the_adapter_does_not_buy_beside_the_job_that_is_under_way(stage: Stage, meets: str) -> None:
    submitted(stage)
    bought = stage.take().id
    stage.provider.adapter_version = 2  # a deployment
    stage.provider.progress = [RUNNING, READY]
    claim = stage.claim_of_voice()
    if meets != "check":
        handed_on = stage.nodes.reclaim(claim, "p2")
        assert handed_on is not None
        claim = handed_on
        assert stage.buyer().submit(claim).status == "waiting"
    assert stage.buyer().check(claim).status == "waiting"
    assert stage.buyer().check(claim).status == "completed"
    assert (len(stage.provider.sent), stage.take().id) == (1, bought)


def test_another_version_of_the_adapter_does_not_pay_again_for_a_job_that_failed(stage: Stage) -> None:
    """A webhook has told of the failure; the node's execution reads it after the deployment."""
    submitted(stage)
    take = stage.take()
    stage.takes.mark_failed(take, take.attempt, code="x", message="Model error.", charged=None)
    stage.provider.adapter_version = 2
    stage.provider.answers = [Submission("job-2")]
    with pytest.raises(ProviderJobFailed):
        stage.buyer().check(stage.claim_of_voice())
    assert len(stage.provider.sent) == 1


@pytest.mark.parametrize("how", ["it stopped waiting", "a person adopted the job"])
def test_another_version_of_the_adapter_goes_on_with_the_job_of_a_node_that_is_retried(stage: Stage, how: str) -> None:
    submitted(stage)
    take, claim = stage.take(), stage.claim_of_voice()
    asking = Asking(stage.nodes, stage.takes, None, "")
    if how == "it stopped waiting":
        stage.nodes.fail(claim, "Still at work.", "Polling.LimitReached")
        asking.retry("lesson", "voice")
    else:
        stage.takes.mark_unknown(take, take.attempt, "May have been paid.")
        stage.nodes.fail(claim, "May have been paid.", "MayHaveBeenPaid")
        asking.resolve("lesson", "voice", "adopt", who="ada", why="found it", external_id="job-1")
    stage.provider.adapter_version = 2
    again = stage.claim("p2")
    assert stage.buyer().submit(again).status == "waiting"
    stage.provider.progress = [READY]
    assert stage.buyer().check(again).status == "completed"
    assert (len(stage.provider.sent), stage.take().id) == (1, take.id)


def test_another_version_of_the_adapter_makes_anew_what_failed_before_somebody_asked_again(stage: Stage) -> None:
    submitted(stage)
    take = stage.take()
    stage.takes.mark_failed(take, take.attempt, code="x", message="Model error.", charged=False)
    stage.nodes.fail(stage.claim_of_voice(), "Model error.", "ProviderJobFailed")
    Asking(stage.nodes, stage.takes, None, "").retry("lesson", "voice")
    stage.provider.adapter_version = 2
    stage.provider.answers = [Submission("job-2")]
    stage.buyer().submit(stage.claim("p2"))
    assert (len(stage.provider.sent), stage.take().id == take.id) == (2, False)


def test_another_version_of_the_adapter_sends_what_was_never_accepted_as_its_own(stage: Stage) -> None:
    refusal = ProviderRefused("Busy.", provider="obedient", code="429", http_status=429, retry_after=5)
    stage.provider.answers = [refusal, Submission("job-1")]
    claim = stage.claim()
    stage.buyer().submit(claim)
    refused = stage.take().id
    stage.provider.adapter_version = 2
    assert stage.buyer().submit(claim).status == "waiting"
    assert stage.take().id != refused


def test_a_new_wish_after_a_deployment_is_for_what_the_new_version_makes(stage: Stage) -> None:
    submitted(stage)
    bought = stage.take().id
    stage.provider.progress = [READY]
    stage.buyer().check(stage.claim_of_voice())
    stage.provider.adapter_version = 2
    stage.nodes.edits.reset("lesson", "voice")
    stage.provider.answers = [Submission("job-2")]
    stage.buyer().submit(stage.claim("p2"))
    assert (len(stage.provider.sent), stage.take().id == bought) == (2, False)


def test_a_node_that_moved_on_does_not_lose_the_paid_job(stage: Stage) -> None:
    """Recording a paid job's id is never prevented by the node."""
    stage.provider.answers = [ACCEPTED]
    claim = stage.claim()
    sent = stage.provider.submit

    def edited_meanwhile(attempt: object) -> Submission:
        stage.nodes.edits.reset("lesson", "voice")
        return sent(attempt)  # type: ignore[arg-type]

    stage.provider.submit = edited_meanwhile  # type: ignore[assignment, method-assign]
    assert stage.buyer().submit(claim).status == "waiting"
    retaken = stage.claim("p2")
    stage.provider.progress = [READY]
    assert stage.buyer().submit(retaken).status == "waiting"
    assert stage.buyer().check(retaken).status == "completed"
    assert len(stage.provider.sent) == 1


# Rows 10 to 12


def test_what_was_made_is_reused_without_another_request(stage: Stage) -> None:
    submitted(stage)
    stage.provider.progress = [READY]
    stage.buyer().check(stage.claim_of_voice())
    stage.nodes.edits.reset("lesson", "voice")
    assert stage.buyer().submit(stage.claim("p2")).status == "completed"
    found = stage.voice()
    assert found.metadata["reused"] is True
    assert len(stage.provider.sent) == 1


def test_a_job_that_outlived_its_node_is_adopted_by_a_retry(stage: Stage) -> None:
    submitted(stage)
    stage.nodes.fail(stage.claim_of_voice(), "Too slow.", "Polling.LimitReached")
    stage.nodes.retry("lesson", "voice", "retry")
    claim = stage.claim("p2")
    stage.provider.progress = [READY]
    assert stage.buyer().submit(claim).status == "waiting"
    assert stage.buyer().check(claim).status == "completed"
    assert len(stage.provider.sent) == 1


def test_cancelling_stops_the_job_where_the_provider_can(stage: Stage) -> None:
    submitted(stage)
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.provider.cancels = True
    with pytest.raises(Cancelled, match="Cancelled at Obedient"):
        stage.buyer().check(stage.claim_of_voice())
    assert stage.take().state == TakeState.FAILED


def test_cancelling_keeps_a_paid_result_where_the_provider_cannot_stop(stage: Stage) -> None:
    submitted(stage)
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.provider.progress = [RUNNING, READY]
    with pytest.raises(Cancelled, match="Cancelled; Obedient goes on with the job, and what it makes is kept"):
        stage.buyer().check(stage.claim_of_voice())
    assert stage.take().state == TakeState.SUBMITTED
    assert stage.buyer().follow(stage.take().id).made  # the sweep, or a webhook


def test_a_result_that_is_there_when_its_pipeline_was_cancelled_is_kept(stage: Stage) -> None:
    submitted(stage)
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.provider.progress = [READY]
    with pytest.raises(Cancelled, match="what had been paid for is kept"):
        stage.buyer().check(stage.claim_of_voice())
    assert stage.take().state == TakeState.MADE


# Row 13: a person decides


def undecided(stage: Stage) -> None:
    stage.provider.answers = [lost()]
    claim = stage.claim()
    stage.buyer().submit(claim)
    stage.now += LIFE + 61
    with pytest.raises(MayHaveBeenPaid):
        stage.buyer().check(claim)
    stage.nodes.fail(claim, "May have been paid.", "MayHaveBeenPaid")


def test_paying_again_leaves_the_old_attempt_unknown_in_the_ledger(stage: Stage) -> None:
    undecided(stage)
    take = stage.take()
    stage.takes.release(take, "ada", "not in the history")
    stage.nodes.retry("lesson", "voice", "retry")
    stage.now += 1
    stage.provider.answers = [Submission("job-2")]
    assert stage.buyer().submit(stage.claim("p2")).status == "waiting"
    assert stage.ledger() == ["a1:reserved", "a1:unknown", "a2:reserved", "a2:submitted"]
    assert stage.take().attempts["a1"].state == TakeState.UNKNOWN


def test_an_adopted_job_is_followed(stage: Stage) -> None:
    undecided(stage)
    stage.takes.adopt(stage.take(), "job-7", "ada", "found on the dashboard")
    stage.nodes.retry("lesson", "voice", "retry")
    stage.provider.progress = [READY]
    claim = stage.claim("p2")
    assert stage.buyer().submit(claim).status == "waiting"
    assert stage.buyer().check(claim).status == "completed"
    assert stage.provider.asked_for == ["job-7"]
    assert len(stage.provider.sent) == 1


def test_what_was_given_up_is_not_bought_by_a_retry(stage: Stage) -> None:
    undecided(stage)
    stage.takes.abandon(stage.take(), "ada", "not worth it")
    stage.nodes.retry("lesson", "voice", "retry")
    with pytest.raises(MayHaveBeenPaid, match="given up"):
        stage.buyer().submit(stage.claim("p2"))
    assert len(stage.provider.sent) == 1


def test_only_what_is_undecided_can_be_resolved(stage: Stage) -> None:
    submitted(stage)
    with pytest.raises(RequestError, match="There is nothing to resolve: this result is submitted"):
        stage.takes.release(stage.take(), "ada", "why not")


# Metrics


@pytest.mark.parametrize(
    ("changes", "reports"),
    [
        ({}, ["ProviderRefusals"]),
        ({"account": True}, ["AccountRefusals", "ProviderRefusals"]),
        ({"account": True, "fallback": "timed"}, ["ProviderRefusals"]),
        ({"account": True, "code": "not_sent"}, ["AccountRefusals"]),
        ({"code": "not_sent", "retry_after": 1.0}, []),
    ],
)
def test_refusals_are_counted_by_whose_fault_they_are(
    stage: Stage, changes: dict[str, object], reports: list[str]
) -> None:
    seen: list[str] = []

    def report(name: str, value: float = 1, **dimensions: str) -> None:
        seen.append(name)

    stage.takes.report = report
    stage.provider.answers = [ProviderRefused("No.", provider="obedient", **changes)]  # type: ignore[arg-type]
    with suppress(ProviderRefused):
        stage.buyer(report=report).submit(stage.claim())
    assert seen == reports


def test_a_definite_refusal_is_written_down_although_the_table_hiccups(stage: Stage) -> None:
    """Nobody else knows of it: where nothing can be looked up, the request would count as paid, perhaps."""
    refuse, failures = stage.takes.refuse, [TransientError("Another transaction stayed in the way.")] * 2

    def hiccups(*given: Any, **named: Any) -> bool:
        if failures:
            raise failures.pop()
        return refuse(*given, **named)

    stage.takes.refuse = hiccups  # type: ignore[method-assign]
    stage.provider.answers = [refused()]
    with pytest.raises(ProviderRefused, match="No such voice"):
        stage.buyer().submit(stage.claim())
    assert stage.take().state == TakeState.REFUSED


def test_a_definite_refusal_that_can_not_be_written_down_in_time_is_left_to_the_search(stage: Stage) -> None:
    def hiccups(*given: Any, **named: Any) -> bool:
        stage.remaining -= 100
        raise TransientError("Another transaction stayed in the way.")

    stage.takes.refuse = hiccups  # type: ignore[method-assign]
    stage.provider.answers = [refused()]
    with pytest.raises(TransientError):
        stage.buyer().submit(stage.claim())
    assert stage.take().state == TakeState.SUBMITTING

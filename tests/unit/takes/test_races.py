"""What may go wrong between two steps of a purchase: shared results, late writers, hiccups of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.graphs import write
from tests.unit.takes.stage import LIFE, Stage, made, voice
from video_production.errors import (
    MayHaveBeenPaid,
    MediaError,
    ProviderAmbiguous,
    ProviderJobFailed,
    ProviderRefused,
    ProviderUnreachable,
    TransientError,
)
from video_production.nodes.model import Desired, NodeStatus
from video_production.nodes.table import Claim
from video_production.providers.interface import Attempt, Progress, Submission, Unknown
from video_production.scheduling.asking import Asking
from video_production.takes.model import TakeState

ACCEPTED = Submission("job-1")
READY = Progress("completed", "completed", result={"url": "…"})
FAILED = Progress("failed", "failed", failure="Model error.", failure_code="model_error", charged=None)


def lost() -> ProviderAmbiguous:
    return ProviderAmbiguous("The answer was lost.", provider="obedient")


def submitted(stage: Stage) -> Claim:
    stage.provider.answers = [ACCEPTED]
    claim = stage.claim()
    stage.buyer().submit(claim)
    return claim


def hiccups(stage: Stage, method: str, times: int) -> None:
    """The take table fails `times` times before it carries `method` out."""
    real: Callable[..., Any] = getattr(stage.takes, method)
    left = [times]

    def failing(*arguments: Any, **options: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise TransientError("DynamoDB could not be reached.")
        return real(*arguments, **options)

    setattr(stage.takes, method, failing)


def two_voices(stage: Stage, **config: Any) -> None:
    """A second voice node `other`: with the same config it wants the very same result."""
    other = replace(voice("other"), config={"provider": "obedient", **config})
    write(stage.nodes, [stage.graph[0], voice(), other], stage.assets)


# Two nodes that want the same result


def test_a_node_that_came_second_is_completed_by_the_first_ones_purchase(stage: Stage) -> None:
    two_voices(stage)
    stage.provider.answers = [ACCEPTED]
    second = stage.claim("p2", "other")

    def first_is_faster() -> str:
        stage.buyer(new_id=lambda: "a1").submit(stage.claim("p1"))
        return "a2"

    assert stage.buyer(new_id=first_is_faster).submit(second).status == "waiting"
    stage.provider.progress = [READY]
    assert stage.buyer().check(second).status == "completed"
    assert len(stage.provider.sent) == 1


def test_a_node_that_waits_for_anothers_request_is_not_told_that_its_answer_was_lost(stage: Stage) -> None:
    two_voices(stage)
    stage.provider.answers = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        stage.buyer().submit(stage.claim("p1"))
    second = stage.claim("p2", "other")
    stage.buyer().submit(second)
    stage.buyer().check(second)
    node = stage.nodes.node("lesson", "other")
    assert node is not None
    assert "lost" not in node.metadata["last_answer"]


@pytest.mark.parametrize("verdict", [FAILED, ProviderJobFailed("No such job.", provider="obedient", http_status=404)])
def test_a_verdict_about_an_attempt_that_is_over_does_not_end_the_node(stage: Stage, verdict: Any) -> None:
    """Another node followed the same job, its owner asked again, and a second attempt is under way."""
    claim = submitted(stage)

    def meanwhile(external_id: str) -> Progress:
        take = stage.take()
        stage.takes.mark_failed(take, take.attempt, code="m", message="Model error.", charged=False)
        stage.now += 1
        stage.provider.answers = [Submission("job-2")]
        other = stage.claim("p2", "other")
        stage.nodes.fail(other, "Model error.", "ProviderJobFailed")
        stage.nodes.retry("lesson", "other", "retry")
        stage.buyer().submit(stage.claim("p3", "other"))
        if isinstance(verdict, Exception):
            raise verdict
        return verdict  # type: ignore[no-any-return]

    stage.nodes.edits.save_structure(voice("other"))
    stage.provider.check = meanwhile  # type: ignore[method-assign]
    assert stage.buyer().check(claim).status == "waiting"
    assert stage.take().current.external_id == "job-2"


def test_a_provider_that_can_not_be_asked_to_cancel_does_not_end_the_node(stage: Stage) -> None:
    claim = submitted(stage)
    stage.nodes.set_desired("lesson", Desired.CANCELLED)

    def unreachable(external_id: str) -> bool:
        raise ProviderUnreachable("503", provider="obedient")

    stage.provider.cancel = unreachable  # type: ignore[method-assign]
    assert stage.buyer().check(claim).status == "waiting"
    assert stage.voice().status == NodeStatus.IN_PROGRESS


# The table hiccups at the worst moment


def test_a_paid_jobs_id_outlives_hiccups_of_the_table(stage: Stage) -> None:
    hiccups(stage, "record_submitted", 3)
    submitted(stage)
    assert stage.take().current.external_id == "job-1"


def test_a_paid_jobs_id_that_can_not_be_recorded_is_reported_before_the_function_ends(stage: Stage) -> None:
    hiccups(stage, "record_submitted", 10_000)
    remaining = iter([LIFE, LIFE, 30.0, 20.0, 10.0, 1.0, 0.5, 0.1])
    stage.provider.answers = [ACCEPTED]
    with pytest.raises(TransientError):
        stage.buyer(remaining=lambda: next(remaining)).submit(stage.claim())
    assert len(stage.alerts) == 1
    assert "job-1" in stage.alerts[0]


def test_nothing_is_read_between_the_intent_and_the_request(stage: Stage) -> None:
    """A hiccup there would leave an intent that looks like a lost answer, although nothing was sent."""
    claim = stage.claim()
    get, seen = stage.takes.get, []

    def once(identity: str) -> Any:
        seen.append(identity)
        if len(seen) > 1:
            raise TransientError("DynamoDB could not be reached.")
        return get(identity)

    stage.takes.get = once  # type: ignore[assignment, method-assign]
    stage.provider.answers = [ACCEPTED]
    assert stage.buyer().submit(claim).status == "waiting"
    assert len(stage.provider.sent) == 1


def test_nothing_is_sent_when_recording_the_intent_took_the_time_away(stage: Stage) -> None:
    remaining = iter([LIFE, 100.0])
    claim = stage.claim()
    assert stage.buyer(remaining=lambda: next(remaining)).submit(claim).status == "resubmit"
    assert stage.provider.sent == []
    assert stage.take().state == TakeState.REFUSED
    assert stage.ledger() == ["a1:reserved", "a1:refunded"]


# Results that belong to somebody else, and late ones


def test_a_found_result_that_belongs_to_another_purchase_is_not_taken(stage: Stage) -> None:
    two_voices(stage, speed=1.1)
    stage.provider.submit = lambda attempt: Submission("request-1", made(attempt, "request-1"))  # type: ignore[method-assign]
    assert stage.buyer().submit(stage.claim("p1", "other")).status == "completed"
    del stage.provider.submit
    stage.provider.answers = [lost()]
    claim = stage.claim("p2")
    stage.buyer().submit(claim)
    stage.now += LIFE + 61
    stage.provider.found = made(stage.provider.sent[-1], "request-1")
    with pytest.raises(MayHaveBeenPaid, match="belongs to another"):
        stage.buyer().check(claim)
    assert stage.take().state == TakeState.UNKNOWN
    assert stage.ledger()[-1] == "a2:unknown"


def test_another_name_of_a_job_is_bound_with_it(stage: Stage) -> None:
    stage.provider.answers = [Submission("job-1", aliases=("request-1",))]
    stage.buyer().submit(stage.claim())
    assert stage.takes.bound_to("obedient", "job-1") == stage.takes.bound_to("obedient", "request-1") == stage.take().id


def test_a_late_id_does_not_replace_the_job_that_a_person_adopted(stage: Stage) -> None:
    stage.provider.answers = [lost()]
    claim = stage.claim()
    stage.buyer().submit(claim)
    stage.now += LIFE + 61
    with pytest.raises(MayHaveBeenPaid):
        stage.buyer().check(claim)
    stage.takes.adopt(stage.take(), "job-7", "ada", "seen at the provider")
    assert not stage.takes.record_submitted(stage.take(), "a1", "job-1")
    stage.takes.keep_orphan(stage.take(), "a1", "job-1")
    assert stage.take().current.external_id == "job-7"
    assert stage.take().current.orphan == "job-1"


def test_what_was_given_up_can_still_be_adopted(stage: Stage) -> None:
    stage.provider.answers = [lost()]
    claim = stage.claim()
    stage.buyer().submit(claim)
    stage.now += LIFE + 61
    with pytest.raises(MayHaveBeenPaid):
        stage.buyer().check(claim)
    stage.nodes.fail(claim, "May have been paid.", "MayHaveBeenPaid")
    asking, identity = Asking(stage.nodes, stage.takes, None, ""), stage.take().id
    asking.resolve("lesson", "voice", "give-up", who="ada", why="too late")
    asking.resolve("lesson", "voice", "adopt", who="ada", why="found it", external_id="job-7")
    take = stage.takes.get(identity)
    assert take is not None
    assert (take.state, take.current.external_id) == (TakeState.SUBMITTED, "job-7")


def test_a_decision_whose_answer_was_lost_is_not_refused(stage: Stage) -> None:
    stage.provider.answers = [lost()]
    claim = stage.claim()
    stage.buyer().submit(claim)
    stage.now += LIFE + 61
    with pytest.raises(MayHaveBeenPaid):
        stage.buyer().check(claim)
    take, write_once = stage.take(), stage.takes.table.write

    def twice(action: Any) -> None:
        write_once(action)
        write_once(action)

    stage.takes.table.write = twice  # type: ignore[method-assign]
    stage.takes.release(take, "ada", "not in the history")
    assert stage.take().state == TakeState.RELEASED


# What a person asked for


def test_one_wish_buys_one_attempt_even_when_the_clocks_disagree(stage: Stage) -> None:
    """The person's clock is an hour ahead: the wish seems younger than the failure that it led to."""
    claim = submitted(stage)
    stage.provider.progress = [FAILED]
    with pytest.raises(ProviderJobFailed):
        stage.buyer().check(claim)
    stage.nodes.fail(claim, "Model error.", "ProviderJobFailed")
    stage.now += 3600
    stage.nodes.retry("lesson", "voice", "retry")
    stage.now -= 3590
    stage.provider.answers = [Submission("job-2")]
    again = stage.claim("p2")
    stage.buyer().submit(again)
    stage.provider.progress = [FAILED]
    for _ in range(2):
        with pytest.raises(ProviderJobFailed):
            stage.buyer().check(again)
    assert len(stage.provider.sent) == 2


def test_a_wish_is_heard_even_when_the_persons_clock_is_behind(stage: Stage) -> None:
    claim = stage.claim()
    stage.provider.answers = [ProviderRefused("No such voice.", provider="obedient"), ACCEPTED]
    with pytest.raises(ProviderRefused):
        stage.buyer().submit(claim)
    stage.nodes.fail(claim, "No such voice.", "ProviderRefused")
    stage.now -= 60
    stage.nodes.retry("lesson", "voice", "run")
    stage.now += 61
    assert stage.buyer().submit(stage.claim("p2")).status == "waiting"
    assert len(stage.provider.sent) == 2


def test_a_busy_provider_does_not_make_the_record_grow_without_end(stage: Stage) -> None:
    claim = stage.claim()
    for _ in range(40):
        stage.provider.answers = [ProviderRefused("Busy.", provider="obedient", code="busy", retry_after=1.0)]
        assert stage.buyer().submit(claim).status == "resubmit"
        stage.now += 2
    take = stage.take()
    assert len(take.attempts) <= 20
    assert take.current.number == 40
    assert len(stage.ledger()) == 80


def test_other_attempts_than_plain_refusals_are_kept_for_ever(stage: Stage) -> None:
    claim = stage.claim()
    stage.provider.answers = [ProviderRefused("Not here.", provider="obedient", fallback="timed")]
    stage.buyer().submit(claim)
    for _ in range(30):
        stage.provider.answers = [ProviderRefused("Busy.", provider="obedient", code="busy", retry_after=1.0)]
        stage.buyer().submit(claim)
        stage.now += 2
    assert stage.take().refused_ways == ("job",)


# What was made


def test_a_result_that_is_gone_from_the_bucket_is_told_and_not_called_completed(stage: Stage) -> None:
    claim = submitted(stage)
    stage.provider.progress = [READY]
    stage.buyer().check(claim)
    result = stage.take().made
    assert result is not None
    stage.nodes.edits.reset("lesson", "voice")
    stage.storage.client.delete_object(Bucket=result.bucket, Key=result.s3_key)
    with pytest.raises(MediaError, match=r"no longer lies at s3://.*; restore it, or change the node's config"):
        stage.buyer().submit(stage.claim("p2"))
    assert len(stage.provider.sent) == 1


def test_what_this_very_claim_bought_is_not_called_reused(stage: Stage) -> None:
    """The function died after the result was recorded and before the node was completed."""

    def deliver(attempt: Attempt) -> Submission:
        return Submission("request-1", stored(stage, attempt))

    stage.provider.submit = deliver  # type: ignore[method-assign]
    claim = stage.claim()
    complete = stage.nodes.complete

    def dies(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    stage.nodes.complete = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        stage.buyer().submit(claim)
    stage.nodes.complete = complete  # type: ignore[method-assign]
    assert stage.buyer().submit(claim).status == "completed"
    assert "reused" not in stage.voice().metadata


def stored(stage: Stage, attempt: Attempt) -> Any:
    result = made(attempt, "request-1")
    stage.storage.put_bytes(b"x" * result.size, result.bucket, result.s3_key, "audio/mpeg")
    return result


def test_an_attempts_files_lie_where_it_was_sent_from(stage: Stage) -> None:
    """Whoever follows it, perhaps for a pipeline with another bucket, looks for them there."""
    stage.provider.answers = [lost()]
    claim = stage.claim()
    stage.buyer().submit(claim)
    found = stage.nodes.pipeline("lesson")
    assert found is not None
    stage.nodes.edits.publish(replace(found, bucket="elsewhere"))
    stage.now += LIFE + 61
    looked: list[Attempt] = []
    stage.provider.find = lambda attempt, bound: looked.append(attempt) or Unknown("nothing")  # type: ignore[func-returns-value, method-assign]
    with pytest.raises(MayHaveBeenPaid):
        stage.buyer().check(claim)
    assert looked[0].destination == stage.provider.sent[0].destination

"""How long a job is left alone, when its node stops waiting, and that a result which comes later is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.takes.stage import Stage
from video_production.nodes.model import NodeStatus
from video_production.nodes.tickets import queue_key
from video_production.providers.interface import Progress, Submission
from video_production.scheduling.asking import Asking
from video_production.scheduling.failures import Failure
from video_production.settings import ProviderSettings
from video_production.tables import Delete, Put
from video_production.takes.buying import Buyer, Step
from video_production.takes.model import TakeState
from video_production.takes.waiting import next_look

SETTINGS = ProviderSettings(
    "live", "", "secret", "main", 10, 60, 240, 60, poll_growth=0.1, poll_longest=60, deadline=1_800
)
RUNNING = Progress("running", "generating")
READY = Progress("completed", "completed")


def patient(stage: Stage, chance: float = 0.0) -> Buyer:
    buyer = stage.buyer(chance=lambda: chance)
    buyer.settings = SETTINGS
    return buyer


def submitted(stage: Stage) -> None:
    stage.provider.answers = [Submission("job-1")]
    assert patient(stage).submit(stage.claim()) == Step("waiting", 10, 60)


def look(stage: Stage, seconds: float, progress: Progress = RUNNING, chance: float = 0.0) -> Step:
    """What a look at the job says, so many seconds after the request."""
    stage.now = 1_000_000 + seconds
    stage.provider.progress = [progress]
    return patient(stage, chance).check(stage.claim_of_voice())


def failed_at_the_deadline(stage: Stage) -> None:
    submitted(stage)
    assert look(stage, 1_800) == Step("waiting", 1, 0)
    failure = Failure.from_event({"Error": "Polling.LimitReached", "Cause": "waiting"})
    stage.nodes.fail(stage.claim_of_voice(), failure.message, failure.error_type)


@given(
    age=st.floats(0, 1e6),
    growth=st.floats(0, 1),
    first=st.floats(1, 120),
    longest=st.floats(0, 600),
    chance=st.floats(0, 1),
)
def test_no_wait_is_shorter_than_the_provider_allows(
    age: float, growth: float, first: float, longest: float, chance: float
) -> None:
    settings = replace(SETTINGS, poll_interval=first, poll_growth=growth, poll_longest=longest)
    assert first <= next_look(age, settings, lambda: chance) <= 1.1 * max(first, longest) + 1e-6


@pytest.mark.parametrize(("age", "wait"), [(0, 10), (50, 10), (100, 10), (101, 11), (400, 40), (600, 60), (1_700, 60)])
def test_the_wait_grows_with_the_age_of_the_job(stage: Stage, age: float, wait: int) -> None:
    submitted(stage)
    assert look(stage, age) == Step("waiting", wait, 60)


def test_a_job_whose_slot_others_wait_for_is_looked_at_twice_as_often(stage: Stage) -> None:
    stage.provider.answers = [Submission("job-1")]
    found = stage.nodes.pipeline("lesson")
    assert found is not None
    claim = stage.nodes.claim(found, "voice", "p1", slot="obedient#0000")
    assert claim is not None
    assert patient(stage).submit(claim).wait_seconds == 10
    ticket = {**queue_key("obedient", "000001#other#00000#voice"), "pipeline": "other", "node": "voice"}
    stage.nodes.table.write(Put(table=stage.nodes.name, item=ticket))
    assert look(stage, 10).wait_seconds == 5
    assert look(stage, 400).wait_seconds == 20
    stage.nodes.table.write(Delete(table=stage.nodes.name, key=queue_key("obedient", ticket["id"])))
    assert look(stage, 401).wait_seconds == 41


@pytest.mark.parametrize(("interval", "fastest", "wait"), [(10, 1, 5), (10, 5, 5), (8, 5, 5), (10, 10, 10), (1, 5, 1)])
def test_nobody_who_waits_makes_a_look_come_sooner_than_the_provider_allows(
    interval: float, fastest: float, wait: float
) -> None:
    settings = replace(SETTINGS, poll_interval=interval, poll_fastest=fastest)
    assert next_look(0, settings, lambda: 0.0, awaited=True) == wait


def test_jobs_that_were_sent_together_are_not_asked_about_together(stage: Stage) -> None:
    submitted(stage)
    assert {look(stage, 400, chance=chance).wait_seconds for chance in (0.0, 0.5, 1.0)} == {40, 42, 44}


def test_a_node_stops_waiting_at_the_deadline_and_its_job_goes_on(stage: Stage) -> None:
    submitted(stage)
    assert look(stage, 1_799).limit == 60
    assert look(stage, 1_800) == Step("waiting", 1, 0)
    assert stage.take().state == TakeState.SUBMITTED
    assert stage.voice().metadata["last_answer"] == "still running at Obedient after 30 min"


def test_what_is_ready_at_the_deadline_is_taken(stage: Stage) -> None:
    submitted(stage)
    assert look(stage, 5_000, READY).status == "completed"


def test_a_late_result_is_kept_and_a_retry_takes_it_without_paying(stage: Stage) -> None:
    failed_at_the_deadline(stage)
    stage.now += 600
    stage.provider.progress = [READY]
    assert patient(stage).follow(stage.take().id).made  # a webhook, or the sweep
    assert stage.voice().status == NodeStatus.FAILED
    Asking(stage.nodes, stage.takes, None, "").retry("lesson", "voice")
    assert patient(stage).submit(stage.claim("p2")).status == "completed"
    assert stage.ledger() == ["a1:reserved", "a1:submitted", "a1:settled"]


def test_a_retry_before_the_result_comes_waits_a_whole_deadline_again(stage: Stage) -> None:
    failed_at_the_deadline(stage)
    stage.now += 100
    Asking(stage.nodes, stage.takes, None, "").retry("lesson", "voice")
    assert patient(stage).submit(stage.claim("p2")) == Step("waiting", 10, 60)
    assert look(stage, 3_600) == Step("waiting", 60, 60)
    assert look(stage, 3_700) == Step("waiting", 1, 0)
    assert len(stage.provider.sent) == 1


def test_a_takeover_by_another_execution_does_not_wait_longer(stage: Stage) -> None:
    submitted(stage)
    stage.now += 1_800
    fresh = stage.nodes.reclaim(stage.claim_of_voice(), "p2")
    assert fresh
    assert patient(stage).submit(fresh).status == "waiting"
    assert look(stage, 1_811) == Step("waiting", 1, 0)

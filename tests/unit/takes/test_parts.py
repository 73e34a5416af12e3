"""A node that consists of several takes: bought in order, one at a time, joined when all are made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.unit.conftest import TableNames
from tests.unit.graphs import pipeline, text_output, write
from tests.unit.takes.stage import ObedientProvider, Stage, made, voice
from tests.unit.takes.test_following import publish_again
from video_production.errors import (
    BudgetExceeded,
    Cancelled,
    MayHaveBeenPaid,
    MediaError,
    ProviderAmbiguous,
    ProviderJobFailed,
    ProviderRefused,
    RequestError,
)
from video_production.nodes.model import Desired, NodeStatus
from video_production.nodes.table import Claim
from video_production.providers.interface import (
    Destination,
    GenerationRequest,
    InputContent,
    Made,
    Price,
    Progress,
    Submission,
    Unknown,
)
from video_production.scheduling.asking import Asking
from video_production.takes.buying import Step
from video_production.takes.model import Take, TakeState

RUNNING = Progress("running", "generating")
READY = Progress("completed", "completed")


@dataclass
class InLines(ObedientProvider):
    """Buys each line of a script on its own, and joins what was made by writing it one behind the other."""

    joined: int = 0

    def parts(self, request: GenerationRequest) -> tuple[GenerationRequest, ...]:
        [script] = request.inputs["script"]
        return tuple(
            replace(request, inputs={"script": (InputContent("text", _digest(line), line),)})
            for line in str(script.text).splitlines()
        )

    def assemble(self, parts: Sequence[Made], request: GenerationRequest, destination: Destination) -> Made:
        assert self.storage
        self.joined += 1
        content = b"".join(self.storage.read(part.bucket, part.s3_key) for part in parts)
        stored = self.storage.put_bytes(content, destination.bucket, f"{destination.prefix}all.mp3", "audio/mpeg")
        duration = sum(part.duration or 0.0 for part in parts)
        return Made("audio", stored.bucket, stored.key, stored.size, stored.sha256, duration)

    def price(self, request: GenerationRequest) -> Price:
        text = request.inputs["script"][0].text or ""
        return Price(len(text), "characters", len(text) / 1000)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def stage(dynamodb: Any, s3: Any, tables: TableNames, bucket: str) -> Stage:
    stage = Stage(dynamodb, s3, tables.nodes, tables.takes, bucket)
    stage.provider = InLines(storage=stage.storage)
    script(stage, "one", "two", "three")
    return stage


def script(stage: Stage, *lines: str) -> None:
    """Publish the lesson anew, with this script."""
    text = "\n".join(lines)
    stage.storage.put_bytes(text.encode(), stage.bucket, "script.txt", "text/plain")
    write(stage.nodes, stage.graph, {"script": text_output(text, stage.bucket)})


def accepts(stage: Stage, *jobs: str) -> None:
    stage.provider.answers = [Submission(job) for job in jobs]


def drive(stage: Stage, claim: Claim, rounds: int = 30) -> list[str]:
    """What the state machine does: submit, then check or submit again as it is told."""
    step = stage.buyer().submit(claim)
    statuses: list[str] = []
    while step.status != "completed":
        statuses.append(step.status)
        assert len(statuses) < rounds
        step = stage.buyer().submit(claim) if step.status == "resubmit" else stage.buyer().check(claim)
    return statuses


def takes(stage: Stage) -> list[Take | None]:
    return [stage.takes.get(identity) for identity in stage.voice().metadata["takes"]]


def bought(stage: Stage) -> list[str]:
    """The texts that were sent, in order."""
    return [str(attempt.request.inputs["script"][0].text) for attempt in stage.provider.sent]


def joined(stage: Stage) -> int:
    assert isinstance(stage.provider, InLines)
    return stage.provider.joined


def under_way(stage: Stage, made_before: int) -> Claim:
    """A claim with so many parts made and the next one submitted."""
    claim = stage.claim()
    jobs = [f"job-{number}" for number in range(made_before + 1)]
    accepts(stage, *jobs)
    for _ in range(made_before):
        assert stage.buyer().submit(claim).status == "waiting"
        stage.provider.progress = [READY]
        assert stage.buyer().check(claim).status == "resubmit"
    assert stage.buyer().submit(claim).status == "waiting"
    return claim


# The usual course


def test_parts_are_bought_one_after_another_and_joined(stage: Stage) -> None:
    accepts(stage, "job-1", "job-2", "job-3")
    stage.provider.progress = [READY, RUNNING, READY, READY]
    assert drive(stage, stage.claim()) == [
        "waiting", "resubmit", "waiting", "waiting", "resubmit", "waiting",
    ]  # fmt: skip
    assert bought(stage) == ["one", "two", "three"]
    node = stage.voice()
    assert node.status == NodeStatus.COMPLETED
    assert node.output
    assert (node.output.size, node.output.duration, node.output.details) == (3000, 7.5, {"parts": 3})
    assert node.output.s3_key.startswith("takes/")
    assert joined(stage) == 1


def test_all_takes_are_named_on_the_node_from_the_first_on(stage: Stage) -> None:
    under_way(stage, 1)
    node = stage.voice()
    assert [take.state if take else None for take in takes(stage)] == [TakeState.MADE, TakeState.SUBMITTED, None]
    assert (node.metadata["part"], node.metadata["parts"], node.metadata["external_id"]) == (2, 3, "job-1")


def test_each_part_is_a_purchase_of_its_own(stage: Stage) -> None:
    under_way(stage, 1)
    first, second, _ = takes(stage)
    assert first
    assert second
    assert (first.price.quantity, second.price.quantity) == (3, 3)
    events = [[record["event"] for record in stage.takes.ledger(take.id)] for take in (first, second)]
    assert events == [["reserved", "submitted", "settled"], ["reserved", "submitted"]]


def test_the_next_part_follows_at_once_and_a_retry_of_the_first_does_not(stage: Stage) -> None:
    claim = under_way(stage, 0)
    stage.provider.progress = [READY]
    assert stage.buyer().check(claim) == Step("resubmit", 1, 180)
    stage.nodes.edits.reset("lesson", "voice")
    script(stage, "new", "words")
    assert stage.buyer().check(stage.claim("p2")) == Step("resubmit", 10, 120)


def test_the_rounds_of_a_node_in_parts_are_those_of_all_its_parts_but_fit_into_an_execution(stage: Stage) -> None:
    script(stage, *(f"line {number}" for number in range(40)))
    accepts(stage, "job-1")
    assert stage.buyer().submit(stage.claim()).limit == 1_800


def test_answers_that_are_the_result_need_no_look(stage: Stage) -> None:
    claim = stage.claim()
    whole: list[Step] = []
    for number in range(3):
        stage.provider.answers = [Submission(f"r{number}")]

        def answer(attempt: Any, name: str = f"r{number}") -> Submission:
            stage.provider.sent.append(attempt)
            return Submission(name, stage.provider.collect(name, READY, attempt))

        stage.provider.submit = answer  # type: ignore[method-assign]
        whole.append(stage.buyer().submit(claim))
    assert [step.status for step in whole] == ["resubmit", "resubmit", "completed"]
    assert stage.provider.asked_for == []


# What is bought already


def test_an_edit_buys_only_what_changed(stage: Stage) -> None:
    accepts(stage, "job-1", "job-2", "job-3")
    stage.provider.progress = [READY] * 3
    drive(stage, stage.claim())
    script(stage, "one", "two, anew", "three")
    stage.provider.sent.clear()
    accepts(stage, "job-4")
    stage.provider.progress = [READY]
    drive(stage, stage.claim("p2"))
    assert bought(stage) == ["two, anew"]
    assert stage.voice().status == NodeStatus.COMPLETED


def test_going_back_buys_nothing_and_gives_the_same_output(stage: Stage) -> None:
    accepts(stage, "job-1", "job-2", "job-3")
    stage.provider.progress = [READY] * 3
    drive(stage, stage.claim())
    first = stage.voice().output
    stage.nodes.edits.reset("lesson", "voice")
    stage.provider.sent.clear()
    assert stage.buyer().submit(stage.claim("p2")).status == "completed"
    assert stage.provider.sent == []
    assert stage.voice().output == first
    assert stage.voice().metadata["reused"] is True


def test_a_part_that_stands_twice_is_bought_once(stage: Stage) -> None:
    script(stage, "again", "and", "again")
    accepts(stage, "job-1", "job-2")
    stage.provider.progress = [READY] * 2
    drive(stage, stage.claim())
    assert bought(stage) == ["again", "and"]
    output = stage.voice().output
    assert output
    assert output.size == 3000


def test_two_nodes_share_the_parts_that_they_have_in_common(stage: Stage) -> None:
    write(stage.nodes, [*stage.graph, voice("other")], {"script": text_output("one\ntwo\nthree", stage.bucket)})
    accepts(stage, "job-1", "job-2", "job-3")
    stage.provider.progress = [READY] * 3
    mine, theirs = stage.claim("p1"), stage.claim("p2", "other")
    assert stage.buyer().submit(mine).status == "waiting"
    assert stage.buyer().submit(theirs).status == "waiting"
    assert stage.buyer().check(theirs).status == "resubmit"
    drive(stage, mine)
    drive(stage, theirs)
    assert bought(stage) == ["one", "two", "three"]


def test_a_part_that_is_gone_from_the_bucket_is_not_bought_again(stage: Stage) -> None:
    accepts(stage, "job-1", "job-2", "job-3")
    stage.provider.progress = [READY] * 3
    drive(stage, stage.claim())
    second = takes(stage)[1]
    assert second
    assert second.made
    stage.storage.client.delete_object(Bucket=stage.bucket, Key=second.made.s3_key)
    stage.nodes.edits.reset("lesson", "voice")
    with pytest.raises(MediaError, match=f"no longer lies at s3://{stage.bucket}/{second.made.s3_key}"):
        stage.buyer().submit(stage.claim("p2"))
    assert len(stage.provider.sent) == 3


# Another version of the adapter


@dataclass
class InPairs(InLines):
    """Cuts elsewhere: two lines at a time, or one and then the rest."""

    first: int = 2

    def parts(self, request: GenerationRequest) -> tuple[GenerationRequest, ...]:
        lines = [str(part.inputs["script"][0].text) for part in super().parts(request)]
        cut = ["\n".join(piece) for piece in (lines[: self.first], lines[self.first :]) if piece]
        return tuple(replace(request, inputs={"script": (InputContent("text", _digest(text), text),)}) for text in cut)


def deploy(stage: Stage, provider: InLines) -> None:
    """Another version of the same adapter; what the provider will say is as before."""
    provider.answers, provider.sent = stage.provider.answers, stage.provider.sent
    provider.adapter_version, provider.storage = 2, stage.storage
    stage.provider = provider


def test_parts_that_are_cut_alike_are_kept_by_another_version_and_the_others_are_its_own(stage: Stage) -> None:
    claim = under_way(stage, 1)
    before = stage.voice().metadata["takes"]
    deploy(stage, InLines(progress=[READY, READY]))
    accepts(stage, "job-3")
    assert drive(stage, claim) == ["waiting", "resubmit", "waiting"]
    assert bought(stage) == ["one", "two", "three"]
    after = stage.voice().metadata["takes"]
    assert ([*after[:2]], after[2] == before[2]) == (before[:2], False)


def test_pieces_of_two_ways_to_cut_a_script_are_never_joined(stage: Stage) -> None:
    stage.provider = InPairs(storage=stage.storage)
    claim = under_way(stage, 0)  # "one two", and "three" is not sent yet
    deploy(stage, InPairs(first=1, progress=[READY, READY]))
    accepts(stage, "job-2", "job-3")
    drive(stage, claim)
    assert bought(stage) == ["one\ntwo", "one", "two\nthree"]


def test_what_is_begun_as_a_whole_is_kept_by_a_version_that_cuts_it_into_more(stage: Stage) -> None:
    stage.provider = InPairs(storage=stage.storage)
    claim = under_way(stage, 1)
    before = stage.voice().metadata["takes"]
    deploy(stage, InLines(progress=[READY]))
    drive(stage, claim)
    assert bought(stage) == ["one\ntwo", "three"]
    assert stage.voice().metadata["takes"] == before


# Hints


def test_a_hint_that_makes_a_part_lets_the_nodes_own_execution_buy_the_next(stage: Stage) -> None:
    claim = under_way(stage, 0)
    first = takes(stage)[0]
    assert first
    stage.provider.progress = [READY]
    assert stage.buyer().follow(first.id).made
    assert (stage.voice().status, len(stage.provider.sent)) == (NodeStatus.IN_PROGRESS, 1)
    assert stage.buyer().check(claim) == Step("resubmit", 1, 180)


def test_a_node_that_goes_on_with_a_part_of_another_keeps_that_job_alive(stage: Stage) -> None:
    """The node bought its first part itself; a webhook makes that, so the node meets the second one while it waits."""
    mine = under_way(stage, 0)
    stage.storage.put_bytes(b"two", stage.bucket, "two.txt", "text/plain")
    stage.assets["script"] = text_output("two", stage.bucket, "two.txt")
    another = publish_again(stage, "another")
    accepts(stage, "job-two")
    assert stage.buyer().submit(another).status == "waiting"
    stage.provider.progress = [READY, RUNNING, RUNNING]
    first = takes(stage)[0]
    assert first
    assert stage.buyer().follow(first.id).made
    assert stage.buyer().check(mine).status == "waiting"
    stage.nodes.set_desired("another", Desired.CANCELLED)
    stage.provider.cancels = True
    with pytest.raises(Cancelled, match="goes on with the job"):
        stage.buyer().check(another)
    assert len(stage.provider.sent) == 2


def test_a_hint_that_makes_the_last_part_completes_the_node(stage: Stage) -> None:
    under_way(stage, 2)
    last = takes(stage)[2]
    assert last
    stage.provider.progress = [READY]
    assert stage.buyer().follow(last.id).made
    assert stage.voice().status == NodeStatus.COMPLETED


def test_a_hint_of_a_part_that_failed_fails_the_node_and_says_which(stage: Stage) -> None:
    under_way(stage, 1)
    second = takes(stage)[1]
    assert second
    stage.provider.progress = [Progress("failed", "failed", failure="Model error.", charged=False)]
    assert stage.buyer().follow(second.id).state == "failed"
    assert (stage.voice().status, stage.voice().metadata["error"]) == (NodeStatus.FAILED, "Part 2 of 3: Model error.")


def test_a_hint_completes_nothing_that_was_edited_meanwhile(stage: Stage) -> None:
    under_way(stage, 2)
    last = takes(stage)[2]
    assert last
    script(stage, "one", "two", "four")
    stage.provider.progress = [READY]
    assert stage.buyer().follow(last.id).made
    assert stage.voice().status == NodeStatus.PENDING


def test_only_whoever_has_all_parts_completes_a_node(stage: Stage) -> None:
    claim = under_way(stage, 2)
    stage.nodes.touch(claim, takes=["something", "else"])
    last = stage.takes.get(stage.buyer()._wanted(claim).take_ids[2])
    assert last
    stage.provider.progress = [READY]
    stage.buyer().follow(last.id)
    assert stage.voice().status == NodeStatus.IN_PROGRESS


# What ends a node says which part


def refusal(**changes: Any) -> ProviderRefused:
    return ProviderRefused("No such voice.", provider="obedient", code="voice_not_found", **changes)


def test_a_refusal_names_the_part_and_keeps_what_was_made(stage: Stage) -> None:
    claim = under_way(stage, 0)
    stage.provider.progress = [READY]
    stage.buyer().check(claim)
    stage.provider.answers = [refusal()]
    with pytest.raises(ProviderRefused, match=r"^Part 2 of 3: No such voice\.$"):
        stage.buyer().submit(claim)
    second = takes(stage)[1]
    assert second
    assert second.current.message == "No such voice."  # another node may have it as another part
    with pytest.raises(ProviderRefused, match=r"^Part 2 of 3: No such voice\.$"):
        stage.buyer().check(claim)


def test_a_failed_job_names_the_part_and_a_retry_buys_that_part_alone(stage: Stage) -> None:
    claim = under_way(stage, 1)
    stage.provider.progress = [Progress("failed", "failed", failure="Model error.", charged=False)]
    with pytest.raises(ProviderJobFailed, match=r"^Part 2 of 3: Model error\.$"):
        stage.buyer().check(claim)
    stage.nodes.fail(claim, "Model error.", "ProviderJobFailed")
    stage.now += 1
    Asking(stage.nodes, stage.takes, None, "").retry("lesson", "voice")
    stage.provider.sent.clear()
    accepts(stage, "job-5", "job-6")
    stage.provider.progress = [READY] * 2
    drive(stage, stage.claim("p2"))
    assert bought(stage) == ["two", "three"]
    assert stage.voice().status == NodeStatus.COMPLETED


def test_a_part_that_may_have_been_paid_is_decided_about_by_name(stage: Stage) -> None:
    claim = under_way(stage, 0)
    stage.provider.progress = [READY]
    stage.buyer().check(claim)
    stage.provider.answers = [ProviderAmbiguous("The answer was lost.", provider="obedient")]
    assert stage.buyer().submit(claim).status == "waiting"
    stage.now += 1_000
    with pytest.raises(MayHaveBeenPaid, match=r"^Part 2 of 3: The request to Obedient may have been paid"):
        stage.buyer().check(claim)
    stage.nodes.fail(claim, "…", "MayHaveBeenPaid")
    asking = Asking(stage.nodes, stage.takes, None, "")
    with pytest.raises(MayHaveBeenPaid, match=r"^Part 2 of 3: The request to Obedient may have been paid"):
        asking.retry("lesson", "voice")
    asking.resolve("lesson", "voice", "adopt", who="ada", why="seen", external_id="job-found")
    second = stage.takes.get(stage.buyer()._wanted(stage.claim("p2")).take_ids[1])
    assert second
    assert (second.state, second.current.external_id) == (TakeState.SUBMITTED, "job-found")
    accepts(stage, "job-3")
    stage.provider.progress = [READY] * 2
    drive(stage, Claim("lesson", "voice", "p2"))
    assert bought(stage) == ["one", "two", "three"]


def lost_elsewhere(stage: Stage, line: str, take_id: str) -> None:
    """Another pipeline bought this line, too, and nobody knows what became of it."""
    elsewhere = [replace(stage.graph[0], pipeline_id="other"), replace(voice(), pipeline_id="other")]
    key = f"{line}.txt"
    stage.storage.put_bytes(line.encode(), stage.bucket, key, "text/plain")
    for entry in elsewhere:
        stage.nodes.edits.save_structure(entry)
        stage.nodes.edits.reset("other", entry.id)
    stage.nodes.edits.provide_asset("other", "script", text_output(line, stage.bucket, key))
    stage.nodes.edits.publish(replace(pipeline(elsewhere, stage.bucket), id="other"))
    found = stage.nodes.pipeline("other")
    assert found
    claim = stage.nodes.claim(found, "voice", "p9")
    assert claim
    stage.provider.answers = [Submission("job-9")]
    stage.buyer().submit(claim)
    take = stage.takes.get(take_id)
    assert take
    stage.takes.mark_unknown(take, take.attempt, "?")


def test_one_decision_is_about_one_part(stage: Stage) -> None:
    claim = under_way(stage, 0)
    wanted = stage.buyer()._wanted(claim)
    first = takes(stage)[0]
    assert first
    stage.takes.mark_unknown(first, first.attempt, "?")
    lost_elsewhere(stage, "two", wanted.take_ids[1])
    script(stage, "one", "two", "three")
    claim = stage.claim("p2")
    with pytest.raises(MayHaveBeenPaid):
        stage.buyer().submit(claim)
    stage.nodes.fail(claim, "…", "MayHaveBeenPaid")
    asking = Asking(stage.nodes, stage.takes, None, "")
    asking.resolve("lesson", "voice", "pay-again", who="ada", why="lost")
    states = [take.state if take else None for take in map(stage.takes.get, wanted.take_ids)]
    assert states == [TakeState.RELEASED, TakeState.UNKNOWN, None]
    with pytest.raises(RequestError):
        asking.resolve("lesson", "voice", "pay-again", who="ada", why="again")


def test_a_decision_buys_no_other_part_again_that_was_charged(stage: Stage) -> None:
    claim = under_way(stage, 0)
    wanted = stage.buyer()._wanted(claim)
    stage.provider.progress = [Progress("failed", "failed", failure="Model error.", charged=True)]
    with pytest.raises(ProviderJobFailed):
        stage.buyer().check(claim)
    stage.nodes.fail(claim, "Model error.", "ProviderJobFailed")
    lost_elsewhere(stage, "two", wanted.take_ids[1])
    stage.now += 1
    Asking(stage.nodes, stage.takes, None, "").resolve("lesson", "voice", "pay-again", who="ada", why="lost")
    sent = len(stage.provider.sent)
    with pytest.raises(ProviderJobFailed, match=r"^Part 1 of 3: Model error\.$"):
        stage.buyer().submit(stage.claim("p2"))
    assert len(stage.provider.sent) == sent


def test_cancelling_keeps_what_was_made_and_buys_no_further_part(stage: Stage) -> None:
    claim = under_way(stage, 0)
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.provider.progress = [READY]
    assert stage.buyer().check(claim).status == "resubmit"
    with pytest.raises(Cancelled, match="another request was sent"):
        stage.buyer().submit(claim)
    assert len(stage.provider.sent) == 1
    first = takes(stage)[0]
    assert first
    assert first.state == TakeState.MADE


def test_cancelling_after_the_last_part_keeps_it_and_completes_nothing(stage: Stage) -> None:
    claim = under_way(stage, 2)
    stage.nodes.set_desired("lesson", Desired.CANCELLED)
    stage.provider.progress = [READY]
    with pytest.raises(Cancelled, match="what had been paid for is kept"):
        stage.buyer().check(claim)
    assert joined(stage) == 0


def test_a_budget_that_is_used_up_names_the_part(stage: Stage) -> None:
    stage.takes.monthly_budget = 0.004  # the price of a part is a thousandth of a dollar per character
    claim = under_way(stage, 0)
    stage.provider.progress = [READY]
    stage.buyer().check(claim)
    with pytest.raises(BudgetExceeded, match=r"^Part 2 of 3: "):
        stage.buyer().submit(claim)
    assert len(stage.provider.sent) == 1


# Lost answers


def test_what_the_provider_still_has_of_a_lost_part_is_found(stage: Stage) -> None:
    claim = under_way(stage, 0)
    stage.provider.progress = [READY]
    stage.buyer().check(claim)
    stage.provider.answers = [ProviderAmbiguous("The answer was lost.", provider="obedient")]
    stage.buyer().submit(claim)
    stage.now += 1_000
    attempt = stage.provider.sent[-1]
    stage.provider.found = made(attempt, "job-found")
    stage.storage.put_bytes(b"x" * 1000, stage.bucket, stage.provider.found.s3_key, "audio/mpeg")
    assert stage.buyer().check(claim) == Step("resubmit", 1, 180)
    stage.provider.found = Unknown("-")
    accepts(stage, "job-3")
    stage.provider.progress = [READY]
    drive(stage, claim)
    assert bought(stage) == ["one", "two", "three"]

"""`why`: plain words for where a node is, how it came there, and what can be done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from video_production.cli.reasons import Reasons, Situation, reasons, reasons_object
from video_production.nodes.model import Desired, Node, NodeStatus, Outcome, Pipeline
from video_production.providers.interface import Made, Price
from video_production.takes.model import Take, TakeAttempt, TakeState

NOW = 1_000_000.0
PIPELINE = Pipeline("lesson", "Lesson", 1, Desired.RUN, (), "film", "bucket", "")
SCRIPT = Node("lesson", "script", "Script", "asset", asset={"type": "text"}, status=NodeStatus.COMPLETED)
VOICE = Node("lesson", "voice", "Voice", "generate-voiceover", {"script": ("script",)}, {"provider": "elevenlabs"})
FILM = Node("lesson", "film", "Film", "merge-videos", {"segments": ("voice",)}, {"provider": "ffmpeg"})
LAST = Node("lesson", "last", "Last", "merge-videos", {"segments": ("film",)}, {"provider": "ffmpeg"})
OUR_WORDS = ("fence", "settle", "claim", "slot", "splice", " take")


def take(state: TakeState, mode: str = "live", usd: float = 0.06, **attempt: Any) -> Take:
    about = {"node_id": "voice", "pipeline_id": "lesson", "external_id": "job-1", **attempt}
    last = TakeAttempt("a", 1, state, "job", NOW - 60, NOW + 30, **about)
    made = Made("audio", "bucket", "voice.mp3", 1, "ab", 2.0) if state == TakeState.MADE else None
    return Take("t", state, "a", {"a": last}, "elevenlabs", mode, Price(755, "characters", usd), made)


def node(base: Node, status: NodeStatus, because: tuple[str, ...] = (), **metadata: Any) -> Node:
    return replace(base, status=status, metadata=metadata, because=because)


def why(which: Node, *others: Node, takes: tuple[Take, ...] = (), **changes: Any) -> Reasons:
    nodes = {entry.id: entry for entry in (SCRIPT, VOICE, FILM, LAST, *others, which)}
    given: dict[str, Any] = {"pipeline": PIPELINE, "now": NOW, "document": "lesson.yaml", **changes}
    found = reasons(Situation(nodes=nodes, takes=takes, **given), which)
    text = "\n".join([*found.lines(), str(reasons_object(found))])
    assert not [word for word in OUR_WORDS if word in text.lower()]
    return found


# Finished


def test_a_node_that_was_bought_names_its_bill() -> None:
    found = why(node(VOICE, NodeStatus.COMPLETED), takes=(take(TakeState.MADE),))
    assert found.state == "finished"
    assert found.told[0].startswith("ElevenLabs made it on 1970-01-12 at ")
    assert found.told[0].endswith(": 755 characters for $0.06.")


def test_a_draft_cost_nothing() -> None:
    [told] = why(node(VOICE, NodeStatus.COMPLETED), takes=(take(TakeState.MADE, "draft"),)).told
    assert told.endswith("a draft of 755 characters, for nothing.")


def test_what_was_reused_names_whom_it_was_bought_for() -> None:
    shared = take(TakeState.MADE, node_id="intro", pipeline_id="course")
    [told] = why(node(VOICE, NodeStatus.COMPLETED, reused=True), takes=(shared,)).told
    assert told.startswith("Nothing was bought: the very same was bought before, on 1970-01-12 at ")
    assert told.endswith(" for intro of course, and is used again.")


def test_what_was_remade_names_the_cause() -> None:
    found = why(node(FILM, NodeStatus.COMPLETED, ("voice changed",), started_at=NOW, finished_at=NOW + 3))
    assert found.told[0].startswith("It was made by ffmpeg in 3.0 s, on ")
    assert found.told[1] == "It was made in the last run because voice changed."


def test_a_document_that_changed_will_remake_it() -> None:
    found = why(node(FILM, NodeStatus.COMPLETED), would=("speed 1 → 1.2",))
    assert found.told[-1] == "The document has changed since: it will be made again because speed 1 → 1.2."
    assert found.todo == [("./jiki-video produce lesson.yaml", "makes that so")]


# Failed


def test_a_request_that_may_have_been_paid_is_for_a_person_to_decide() -> None:
    failed = node(VOICE, NodeStatus.FAILED, error="The answer was lost.", error_type="MayHaveBeenPaid")
    found = why(failed, takes=(take(TakeState.UNKNOWN),))
    assert found.told == [
        "The answer was lost.",
        "Nobody but ElevenLabs knows whether $0.06 were charged; a person decides.",
    ]
    assert [command for command, _ in found.todo] == [
        f"./jiki-video resolve lesson.yaml voice --{option}" for option in ("adopt ID", "pay-again", "give-up")
    ]


def test_a_job_that_failed_and_may_be_charged_is_sent_again_by_name_alone() -> None:
    failed = node(VOICE, NodeStatus.FAILED, error="Model error.", error_type="ProviderJobFailed")
    found = why(failed, takes=(take(TakeState.FAILED, charged=None),))
    assert found.told[-1] == "ElevenLabs may have charged for it all the same."
    assert found.todo == [("./jiki-video retry lesson.yaml voice", "sends it again and may cost again")]


@pytest.mark.parametrize(
    ("error_type", "who"),
    [
        ("ProviderRefused", "ElevenLabs refused the request."),
        ("ProviderJobFailed", "ElevenLabs took the request and ended it without a result."),
        ("RequestError", "Whoever asked for it has to mend that."),
        ("OperatorError", "Whoever runs this environment has to mend that."),
    ],
)
def test_a_failure_says_who_must_act_and_that_nothing_was_paid(error_type: str, who: str) -> None:
    found = why(node(VOICE, NodeStatus.FAILED, error="No.", error_type=error_type))
    assert found.told == ["No.", who, "Nothing was paid for it."]
    assert found.todo == [("./jiki-video produce lesson.yaml", "tries again, when that is mended")]


def test_a_budget_that_was_in_the_way_is_raised() -> None:
    found = why(node(VOICE, NodeStatus.FAILED, error="Nothing was sent: …", error_type="BudgetExceeded"))
    assert found.todo == [("./jiki-video produce lesson.yaml --budget USD", "with a higher budget")]


def test_what_a_person_stopped_has_not_failed() -> None:
    found = why(node(VOICE, NodeStatus.FAILED, error="Cancelled.", error_type="Cancelled"))
    assert (found.state, found.todo[0][1]) == ("stopped", "goes on")


# Not finished


def test_a_node_says_for_whom_it_waits_and_how_far_that_is() -> None:
    found = why(node(FILM, NodeStatus.PENDING), node(VOICE, NodeStatus.IN_PROGRESS, stage="downloading"))
    assert found.told == ["It waits for voice (downloading)."]


def test_a_node_behind_a_failed_one_names_the_cause_and_where_to_look() -> None:
    failed = node(VOICE, NodeStatus.FAILED, error="No such voice.", error_type="ProviderRefused")
    found = why(node(LAST, NodeStatus.PENDING), failed, pipeline=replace(PIPELINE, outcome=Outcome("failed", 1, 0.0)))
    assert found.state == "not made"
    assert found.told == ["It needs voice, which failed: No such voice."]
    assert found.todo == [("./jiki-video why lesson.yaml voice", "")]


def test_a_node_in_the_queue_knows_its_place() -> None:
    found = why(node(VOICE, NodeStatus.PENDING), place=3)
    assert found.told[0].startswith("All its inputs are there. It is 3rd in the queue for ElevenLabs")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "All its inputs are there; it starts at the scheduler's next look."),
        ({"desired": Desired.CANCELLED}, "The pipeline was cancelled."),
        ({"editing": True}, "An edit of the pipeline was begun and not finished."),
        ({"outcome": Outcome("completed", 1, 0.0)}, "Nobody has asked for it since the last run ended."),
    ],
)
def test_a_node_that_could_start_says_what_keeps_it(changes: dict[str, Any], words: str) -> None:
    assert why(node(VOICE, NodeStatus.PENDING), pipeline=replace(PIPELINE, **changes)).told == [words]


@pytest.mark.parametrize(
    ("open_take", "words"),
    [
        (take(TakeState.SUBMITTED), "as job-1 (generating)."),
        (
            take(TakeState.SUBMITTING),
            "no answer has come. It is not sent again; what became of it is looked for in 30.0 s.",
        ),
        (
            take(TakeState.REFUSED, message="Too busy", retry_at=NOW + 90),
            "ElevenLabs refused it (Too busy). Nothing was paid; it is sent again in 1 min 30 s.",
        ),
    ],
)
def test_a_request_under_way_says_how_far_it_is(open_take: Take, words: str) -> None:
    running = node(VOICE, NodeStatus.IN_PROGRESS, started_at=NOW - 65, stage="waiting", last_answer="generating")
    found = why(running, takes=(open_take,))
    assert found.told[0] == "It is being made for 1 min 5 s: waiting."
    assert found.told[1].endswith(words)


def test_commands_lead_back_to_where_the_node_is() -> None:
    live = replace(PIPELINE, live=("elevenlabs",), desired=Desired.CANCELLED)
    found = why(node(VOICE, NodeStatus.PENDING), pipeline=live, document="my lesson.yaml")
    assert found.todo == [("./jiki-video produce 'my lesson.yaml' --live elevenlabs", "goes on")]
    found = why(node(VOICE, NodeStatus.FAILED, error="No."), document="lesson", option=" --environment staging")
    assert found.todo[0][0] == "./jiki-video produce lesson --environment staging"

"""The node machine, run by the local interpreter from the file that is deployed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_cloud.functions import NAMES, functions, machine_arn
from local_cloud.machines import substitute
from tests.workflow.conftest import CHECKOUT, Theatre
from video_production.settings import NODE_MACHINE_CALLS, PROVIDER_FACTS, ROLES, ProviderFacts, poller_of, submitter_of

WAITING = {"status": "waiting", "wait_seconds": 1, "limit": 60}
COMPLETED = {"status": "completed", "wait_seconds": 0, "limit": 60}
RESUBMIT = {"status": "resubmit", "wait_seconds": 1, "limit": 60}
DEFINITION: dict[str, Any] = json.loads((CHECKOUT / "workflows" / "node.asl.json").read_text())


@pytest.mark.parametrize(("kind", "role"), [("merge-videos", "merger"), ("mix-audio", "audio_mixer")])
def test_an_ffmpeg_node_is_one_function_then_the_scheduler(theatre: Theatre, kind: str, role: str) -> None:
    theatre.script(**{role: [{"status": "completed"}]})
    assert theatre.run_node(kind, "ffmpeg") == "SUCCEEDED"
    (first, event), (second, told) = theatre.calls()
    assert (first, second) == (role, "scheduler")
    assert sorted(event) == ["node_id", "pipeline_id", "process_uuid"]
    assert told == {"pipeline_id": "lesson", "node_id": event["node_id"]}


@pytest.mark.parametrize("facts", PROVIDER_FACTS.values(), ids=PROVIDER_FACTS)
def test_a_generated_node_is_submitted_once_and_then_asked_for_until_it_is_made(
    theatre: Theatre, facts: ProviderFacts
) -> None:
    submit, check = submitter_of(facts.name), poller_of(facts.name)
    theatre.script(**{submit: [WAITING], check: [WAITING, COMPLETED]})
    assert theatre.run_node(facts.node_type, facts.name) == "SUCCEEDED"
    assert theatre.roles() == [submit, check, check, "scheduler"]


def test_a_voiceover_that_is_made_at_once_is_not_asked_for(theatre: Theatre) -> None:
    theatre.script(elevenlabs_submitter=[COMPLETED])
    assert theatre.run_node("generate-voiceover", "elevenlabs") == "SUCCEEDED"
    assert theatre.roles() == ["elevenlabs_submitter", "scheduler"]


def test_a_refusal_that_may_be_repeated_is_submitted_again(theatre: Theatre) -> None:
    theatre.script(elevenlabs_submitter=[RESUBMIT, WAITING], elevenlabs_poller=[RESUBMIT, COMPLETED])
    assert theatre.run_node("generate-voiceover", "elevenlabs") == "SUCCEEDED"
    submit, check = "elevenlabs_submitter", "elevenlabs_poller"
    assert theatre.roles() == [submit, submit, check, submit, check, "scheduler"]


def test_waiting_ends_at_the_providers_limit(theatre: Theatre) -> None:
    theatre.script(elevenlabs_submitter=[{**WAITING, "limit": 2}], elevenlabs_poller=[{**WAITING, "limit": 2}])
    assert theatre.run_node("generate-voiceover", "elevenlabs") == "SUCCEEDED"
    assert theatre.roles() == ["elevenlabs_submitter", "elevenlabs_poller", "elevenlabs_poller", "scheduler"]
    assert theatre.calls()[-1][1]["failure"] == {"Error": "Polling.LimitReached", "Cause": "waiting"}


def test_a_node_that_was_removed_meanwhile_is_no_failure(theatre: Theatre) -> None:
    theatre.script()
    assert theatre.run_missing() == "SUCCEEDED"
    [(role, told)] = theatre.calls()
    assert role == "scheduler"
    assert told.keys() == {"pipeline_id", "node_id"}


@pytest.mark.parametrize(
    ("kind", "provider", "role"),
    [
        ("merge-videos", "ffmpeg", "merger"),
        ("mix-audio", None, "audio_mixer"),
        ("generate-voiceover", "elevenlabs", "elevenlabs_submitter"),
    ],
)
def test_a_failure_is_reported_to_the_scheduler_and_the_machine_succeeds(
    theatre: Theatre, kind: str, provider: str | None, role: str
) -> None:
    theatre.script(**{role: [{"raise": "MediaError", "message": "clip.mp4 is cut off."}]})
    assert theatre.run_node(kind, provider) == "SUCCEEDED"
    assert theatre.roles() == [role, "scheduler"]
    failure = theatre.calls()[-1][1]["failure"]
    assert failure["Error"] == "MediaError"
    assert json.loads(failure["Cause"])["errorMessage"] == "clip.mp4 is cut off."


def test_a_transient_error_is_repeated(theatre: Theatre) -> None:
    theatre.script(merger=[{"raise": "TransientError"}, {"status": "completed"}])
    assert theatre.run_node("merge-videos", "ffmpeg") == "SUCCEEDED"
    assert theatre.roles() == ["merger", "merger", "scheduler"]


@pytest.mark.parametrize(("kind", "provider"), [("generate-talking-head", "veo3"), ("generate-voiceover", None)])
def test_what_nobody_makes_fails_with_a_sentence(theatre: Theatre, kind: str, provider: str | None) -> None:
    theatre.script()
    assert theatre.run_node(kind, provider) == "SUCCEEDED"
    [(role, event)] = theatre.calls()
    assert role == "scheduler"
    assert "deploy a newer version" in json.loads(event["failure"]["Cause"])["errorMessage"]


def test_a_machine_that_cannot_report_fails_and_so_pages_someone(theatre: Theatre) -> None:
    theatre.script(merger=[{"raise": "MediaError"}], scheduler=[{"raise": "OperatorError"}])
    assert theatre.run_node("merge-videos", "ffmpeg") == "FAILED"


def test_step_functions_describes_the_file_after_substitution(theatre: Theatre) -> None:
    roles = functions(theatre.cloud.endpoints)
    files = {
        NAMES.node_machine: substitute(
            CHECKOUT / "workflows" / "node.asl.json",
            {
                "NodesTable": NAMES.nodes_table,
                **{ROLES[role].variable: roles[role].arn for role in NODE_MACHINE_CALLS},
            },
        ),
        NAMES.pipeline_machine: substitute(
            CHECKOUT / "workflows" / "pipeline.asl.json", {"SchedulerArn": roles["scheduler"].arn, "WatchSeconds": "1"}
        ),
    }
    for name, text in files.items():
        described = theatre.states.describe_state_machine(stateMachineArn=machine_arn(name))["definition"]
        assert json.loads(described) == json.loads(text)


def test_the_pipeline_machine_watches_until_the_outcome_is_written(theatre: Theatre) -> None:
    theatre.script(scheduler=[{"outcome": None}, {"outcome": None}, {"outcome": "completed"}])
    assert theatre.run_pipeline() == "SUCCEEDED"
    assert theatre.roles() == ["scheduler"] * 3


def test_throttling_is_repeated_for_at_least_ten_minutes() -> None:
    for name, state in DEFINITION["States"].items():
        if state["Type"] == "Task" and "lambda" in state["Resource"]:
            [rule] = state["Retry"]
            assert "Lambda.TooManyRequestsException" in rule["ErrorEquals"], name
            waits = [
                min(rule["IntervalSeconds"] * rule["BackoffRate"] ** attempt, rule["MaxDelaySeconds"])
                for attempt in range(rule["MaxAttempts"])
            ]
            assert rule["JitterStrategy"] == "FULL"  # each wait is random between 0 and its length
            assert sum(waits) / 2 >= 600 + 2 * sum(wait**2 / 12 for wait in waits) ** 0.5, name


def test_every_task_has_a_time_limit() -> None:
    assert all("TimeoutSeconds" in state for state in DEFINITION["States"].values() if state["Type"] == "Task")

"""Events: which rules they reach, in which shape; what Step Functions says of executions; schedules."""

from __future__ import annotations

import inspect
import json
import time
from typing import Any

import pytest

from local_cloud.functions import ACCOUNT, REGION
from tests.integration.local_cloud.tiny import wait_for

OURS = {"source": ["ours"], "detail-type": ["Node Completed"], "detail": {"status": ["completed"]}}
DETAIL = {"status": "completed", "title": "What is <id>?", "output": None, "n": 1.5}


def put(moto: Any, detail: Any = DETAIL, kind: str = "Node Completed", **more: Any) -> str:
    """Put an event; returns its id."""
    entry = {"Source": "ours", "DetailType": kind, "Detail": json.dumps(detail), **more}
    return str(moto.events().put_events([entry])[0]["EventId"])


def test_a_queue_receives_the_whole_event_as_it_was_put(doors: Any, moto: Any) -> None:
    moto.rule("completed", {"Arn": moto.queue("heard")}, OURS)
    event_id = put(moto, Resources=["arn:thing"], Time=1_700_000_000)
    [event] = moto.receive("heard")
    assert event == {
        "version": "0",
        "id": event_id,
        "detail-type": "Node Completed",
        "source": "ours",
        "account": ACCOUNT,
        "time": "2023-11-14T22:13:20Z",
        "region": REGION,
        "resources": ["arn:thing"],
        "detail": DETAIL,
    }


def test_a_function_is_invoked_asynchronously(doors: Any, moto: Any, functions: Any) -> None:
    moto.rule("completed", {"Arn": moto.function("listener")}, OURS)
    put(moto)
    [(name, event)] = functions.await_calls(1)
    assert (name, event["detail"]) == ("listener", DETAIL)


def test_only_rules_that_match_and_are_enabled_deliver(doors: Any, moto: Any) -> None:
    heard = {"Arn": moto.queue("heard")}
    moto.rule("other status", heard, {**OURS, "detail": {"status": ["failed"]}})
    moto.rule("other source", heard, {"source": ["aws.states"]})
    moto.rule("off", heard, OURS, state="DISABLED")
    moto.rule("schedule", heard, scheduled_expression="rate(1 day)")
    put(moto)
    assert moto.receive("heard", seconds=0) == []


@pytest.mark.parametrize(
    ("settings", "received"),
    [
        ({"Input": '{"fixed": true}'}, {"fixed": True}),
        ({"InputPath": "$.detail.title"}, "What is <id>?"),
        (
            {"InputTransformer": {"InputPathsMap": {"s": "$.detail.status"}, "InputTemplate": '{"now": "<s>"}'}},
            {"now": "completed"},
        ),
    ],
)
def test_a_target_may_want_something_else_than_the_event(
    doors: Any, moto: Any, settings: dict[str, Any], received: Any
) -> None:
    moto.rule("completed", {"Arn": moto.queue("heard"), **settings}, OURS)
    put(moto)
    assert moto.receive("heard") == [received]


def test_a_target_that_is_gone_does_not_keep_others_from_the_event(doors: Any, moto: Any) -> None:
    moto.rule("a", {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:gone"}, OURS)
    moto.rule("b", {"Arn": moto.queue("heard")}, OURS)
    put(moto)
    assert len(moto.receive("heard")) == 1


MACHINES = {
    "SUCCEEDED": {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"made": 1}, "End": True}}},
    "FAILED": {"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "Broken", "Cause": "as told"}}},
    "TIMED_OUT": {
        "StartAt": "A",
        "TimeoutSeconds": 1,
        "States": {"A": {"Type": "Wait", "Seconds": 30, "End": True}},
    },
    "ABORTED": {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 30, "End": True}}},
}


@pytest.mark.parametrize("status", MACHINES)
def test_the_end_of_an_execution_is_an_event_with_its_input_and_outcome(doors: Any, moto: Any, status: str) -> None:
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    from local_cloud import backend

    started = int(time.time() * 1000)
    moto.rule("ended", {"Arn": moto.queue("heard")}, {"source": ["aws.states"], "detail": {"status": [status]}})
    backend.create_machine("machine", json.dumps(MACHINES[status]))
    machines = stepfunctions_parser_backends[ACCOUNT][REGION]
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:machine"
    execution = machines.start_execution(machine, "one", '{"pipeline_id": "lesson"}')
    if status == "ABORTED":
        wait_for(lambda: execution.exec_worker.env is not None)
        machines.stop_execution(execution.exec_arn)
    [event] = moto.receive("heard")
    detail = event["detail"]
    assert (event["source"], event["detail-type"]) == ("aws.states", "Step Functions Execution Status Change")
    assert event["resources"] == [detail["executionArn"]] == [execution.exec_arn]
    assert (detail["stateMachineArn"], detail["name"], detail["status"]) == (machine, "one", status)
    assert detail["input"] == '{"pipeline_id": "lesson"}'
    assert detail["output"] == ('{"made":1}' if status == "SUCCEEDED" else None)
    assert (detail["error"], detail["cause"]) == (("Broken", "as told") if status == "FAILED" else (None, None))
    assert started <= detail["startDate"] <= detail["stopDate"] <= time.time() * 1000


def test_a_rule_with_a_rate_fires_again_and_again(doors: Any, moto: Any, functions: Any) -> None:
    moto.rule("sweep", {"Arn": moto.function("sweeper")}, scheduled_expression="rate(5 minutes)")
    first, second = (event for _, event in functions.await_calls(2))
    assert first["id"] != second["id"]
    assert (first["source"], first["detail-type"], first["detail"]) == ("aws.events", "Scheduled Event", {})
    assert first["resources"] == [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/sweep"]


def test_a_schedule_of_the_scheduler_fires_with_its_own_input(doors: Any, moto: Any, functions: Any) -> None:
    from moto.scheduler.models import scheduler_backends

    target = {"Arn": moto.function("sweeper"), "Input": '{"every": "five minutes"}', "RoleArn": "arn:role"}
    wanted = {"name": "sweep", "group_name": None, "schedule_expression": "rate(5 minutes)", "target": target}
    create = scheduler_backends[ACCOUNT][REGION].create_schedule
    create(**{**dict.fromkeys(inspect.signature(create).parameters), **wanted})
    assert functions.await_calls(1)[0] == ("sweeper", {"every": "five minutes"})


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("rate(5 minutes)", 300), ("rate(1 hour)", 3600), ("rate(2 days)", 172800), ("cron(0 8 * * ? *)", None)],
)
def test_rates_are_understood(expression: str, seconds: float | None) -> None:
    from local_cloud.doors.schedules import rate_in_seconds

    assert rate_in_seconds(expression) == seconds

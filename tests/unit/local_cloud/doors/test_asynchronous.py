"""Asynchronous invocations: attempts, age, and the records that destinations receive."""

from __future__ import annotations

import re
from typing import Any

import pytest

from local_cloud.functions import ACCOUNT, REGION


def invoke(name: str, kind: str = "Event") -> dict[str, str]:
    """Invoke through moto as its API does; returns the answer's headers."""
    from moto.awslambda.models import lambda_backends

    headers: dict[str, str] = {}
    sent = {"x-amz-invocation-type": kind}
    lambda_backends[ACCOUNT][REGION].invoke(name, None, '{"input_videos": ["s3://a/b"]}', sent, headers)
    return headers


def fail(event: Any) -> None:
    raise ValueError("as told")


def destination(kind: str, arn: str) -> dict[str, Any]:
    return {"DestinationConfig": {kind: {"Destination": arn}}}


def test_the_record_of_a_failure_says_what_was_asked_and_what_came_of_it(doors: Any, moto: Any, functions: Any) -> None:
    failed = moto.queue("failed")
    moto.function("merger", fail, MaximumRetryAttempts=0, **destination("OnFailure", failed))
    request_id = invoke("merger")["x-amzn-requestid"]
    [record] = moto.receive("failed")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("timestamp"))
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:merger:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"input_videos": ["s3://a/b"]},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": "ValueError", "errorMessage": "as told"},
    }
    assert len(functions.calls) == 1


def test_by_default_a_failure_is_tried_three_times(doors: Any, moto: Any, functions: Any) -> None:
    moto.function("merger", fail, **destination("OnFailure", moto.queue("failed")))
    invoke("merger")
    [record] = moto.receive("failed")
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert len(functions.calls) == 3


def test_an_event_that_got_too_old_is_not_tried_again(doors: Any, moto: Any, functions: Any) -> None:
    moto.function("merger", fail, MaximumEventAgeInSeconds=60, **destination("OnFailure", moto.queue("failed")))
    invoke("merger")
    [record] = moto.receive("failed")
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert len(functions.calls) == 1


def test_a_success_goes_to_its_own_destination_which_may_be_a_function(doors: Any, moto: Any, functions: Any) -> None:
    listener = moto.function("listener")
    moto.function("merger", lambda event: {"s3_key": "k"}, **destination("OnSuccess", listener))
    invoke("merger")
    name, record = functions.await_calls(2)[1]
    assert name == "listener"
    assert record["requestContext"]["condition"] == "Success"
    assert record["responsePayload"] == {"s3_key": "k"}
    assert "functionError" not in record["responseContext"]


def test_a_later_configuration_replaces_an_earlier_one(doors: Any, moto: Any, functions: Any) -> None:
    from moto.awslambda.models import lambda_backends

    moto.function("merger", fail, MaximumRetryAttempts=2)
    later = {"MaximumRetryAttempts": 0, **destination("OnFailure", moto.queue("failed"))}
    lambda_backends[ACCOUNT][REGION].put_function_event_invoke_config("merger", later)
    invoke("merger")
    assert moto.receive("failed")[0]["requestContext"]["approximateInvokeCount"] == 1


@pytest.mark.parametrize("kind", ["RequestResponse", "DryRun"])
def test_other_invocations_are_reported_to_nobody(doors: Any, moto: Any, functions: Any, kind: str) -> None:
    moto.function("merger", fail, MaximumRetryAttempts=0, **destination("OnFailure", moto.queue("failed")))
    invoke("merger", kind)
    assert moto.receive("failed", seconds=0.1) == []
    assert len(functions.calls) == (kind == "RequestResponse")

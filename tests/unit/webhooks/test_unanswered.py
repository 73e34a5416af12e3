"""What AWS Lambda reports of asynchronous merges that ended without an answer."""

from __future__ import annotations

from typing import Any

import pytest

from video_production.webhooks.unanswered import Unanswered

REQUEST = {
    "input_videos": ["s3://b/a.mp4"],
    "callback_url": "https://app.example.com/merged",
    "node_uuid": "n-1",
    "executor_type": "merge-videos",
    "process_uuid": "p-1",
}


def record(response: Any, condition: str = "RetriesExhausted", request: Any = REQUEST) -> dict[str, Any]:
    return {
        "version": "1.0",
        "timestamp": "2026-11-22T11:00:00.000Z",
        "requestContext": {"requestId": "r", "condition": condition, "approximateInvokeCount": 1},
        "requestPayload": request,
        "responseContext": {"statusCode": 200, "executedVersion": "7", "functionError": "Unhandled"},
        "responsePayload": response,
    }


@pytest.mark.parametrize(
    ("response", "error_type", "words"),
    [
        (
            {"errorType": "Runtime.OutOfMemory", "errorMessage": "RequestId: r Error: Runtime exited"},
            "Runtime.OutOfMemory",
            "ran out of memory",
        ),
        (
            {
                "errorType": "Runtime.ExitError",
                "errorMessage": "RequestId: r Error: Runtime exited with error: signal: killed",
            },
            "Runtime.OutOfMemory",
            "ran out of memory",
        ),
        (
            {"errorMessage": "2026-11-22T11:00:00.000Z r Task timed out after 900.00 seconds"},
            "Sandbox.Timedout",
            "time limit",
        ),
        (
            {
                "errorType": "Runtime.ExitError",
                "errorMessage": "RequestId: r Error: Runtime exited with error: exit status 1",
            },
            "Runtime.ExitError",
            "ended unexpectedly",
        ),
        ({"errorType": "KeyError", "errorMessage": "'x'"}, "KeyError", "ended unexpectedly (KeyError)"),
        (None, "Runtime.ExitError", "ended unexpectedly"),
    ],
)
def test_the_caller_hears_what_happened(response: Any, error_type: str, words: str) -> None:
    unanswered = Unanswered.from_record(record(response))
    assert unanswered.callback_url == "https://app.example.com/merged"
    payload = dict(unanswered.payload)
    assert words in payload.pop("error")
    assert payload == {
        "node_uuid": "n-1",
        "executor_type": "merge-videos",
        "process_uuid": "p-1",
        "error_type": error_type,
    }


def test_a_merge_that_was_never_started_is_reported_too() -> None:
    unanswered = Unanswered.from_record(record(None, "EventAgeExceeded"))
    assert unanswered.payload["error_type"] == "EventAgeExceeded"
    assert "could not be started in time" in unanswered.payload["error"]


@pytest.mark.parametrize("request_payload", [{"input_videos": []}, None, "text", []])
def test_nobody_is_called_who_did_not_ask_for_it(request_payload: Any) -> None:
    assert Unanswered.from_record(record({}, request=request_payload)).callback_url is None

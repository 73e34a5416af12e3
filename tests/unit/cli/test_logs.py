"""Log lines of several functions as one story: found by pipeline and node, in time order, each once."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import boto3
import pytest

from tests.unit.conftest import CREDENTIALS
from video_production.cli.logs import Line, LogReader, Wanted, render, seconds_of
from video_production.errors import RequestError

REQUEST = "0b7a1c9e-6f3c-4f5a-9a59-6b8f5a1d2c3e"
OTHER = "11111111-6f3c-4f5a-9a59-6b8f5a1d2c3e"


class Groups:
    """Log groups of a test's own."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.prefix = f"/aws/lambda/{uuid.uuid4().hex[:8]}"
        self.begin = time.time() - 100

    def group(self, role: str) -> str:
        return f"{self.prefix}-{role}"

    def write(self, role: str, second: float, message: str | dict[str, Any]) -> None:
        group = self.group(role)
        try:
            self.client.create_log_group(logGroupName=group)
            self.client.create_log_stream(logGroupName=group, logStreamName="s")
        except self.client.exceptions.ResourceAlreadyExistsException:
            pass
        text = message if isinstance(message, str) else json.dumps(message)
        event = {"timestamp": int((self.begin + second) * 1000), "message": text}
        self.client.put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])

    def says(self, role: str, second: float, message: str, node: str = "", **more: Any) -> None:
        names = {"pipeline_id": "lesson", **({"node_id": node} if node else {}), "function_request_id": REQUEST}
        self.write(role, second, {"level": "INFO", "message": message, "service": role, **names, **more})


@pytest.fixture
def groups(moto_url: str) -> Groups:
    return Groups(boto3.client("logs", endpoint_url=moto_url, **CREDENTIALS))


@pytest.fixture
def read(groups: Groups) -> Callable[[Wanted], list[Line]]:
    reader = LogReader(groups.client, groups.group)
    return lambda wanted: reader.read(wanted, groups.begin)


LESSON = Wanted(("scheduler", "merger", "sweeper"), "lesson")


def test_lines_of_all_functions_stand_in_the_order_of_time(
    groups: Groups, read: Callable[[Wanted], list[Line]]
) -> None:
    groups.says("scheduler", 1, "advanced")
    groups.says("merger", 2, "merged", "film", method="splice")
    groups.says("scheduler", 3, "advanced", outcome="completed")
    groups.says("merger", 2.5, "not ours", pipeline_id="another")
    assert [(line.role, line.message) for line in read(LESSON)] == [
        ("scheduler", "advanced"),
        ("merger", "merged"),
        ("scheduler", "advanced"),
    ]


def test_a_line_is_told_once_however_often_one_looks(groups: Groups, read: Callable[[Wanted], list[Line]]) -> None:
    groups.says("scheduler", 1, "first")
    assert [line.message for line in read(LESSON)] == ["first"]
    groups.says("scheduler", 1, "late, with the same time")
    assert [line.message for line in read(LESSON)] == ["late, with the same time"]


def test_a_node_can_be_singled_out(groups: Groups, read: Callable[[Wanted], list[Line]]) -> None:
    groups.says("merger", 1, "merged", "film")
    groups.says("merger", 2, "merged", "intro")
    assert [line.node for line in read(Wanted(("merger",), "lesson", "film"))] == ["film"]


def test_a_function_tells_all_but_metrics_begins_and_ends(groups: Groups, read: Callable[[Wanted], list[Line]]) -> None:
    groups.write("merger", 1, f"START RequestId: {REQUEST} Version: 3")
    groups.write("merger", 2, {"_aws": {"Timestamp": 1}, "VideosMerged": 1})
    groups.write("merger", 3, "plain words")
    groups.write("merger", 4, {"time": "t", "type": "platform.start", "record": {"requestId": REQUEST}})
    report = {"requestId": REQUEST, "status": "success", "metrics": {}}
    groups.write("merger", 5, {"time": "t", "type": "platform.report", "record": report})
    groups.write("merger", 6, f"REPORT RequestId: {REQUEST}\tDuration: 3 ms")
    assert [line.message for line in read(Wanted(("merger",)))] == ["plain words"]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (f"2026-11-22T10:00:00Z {REQUEST} Task timed out after 900.00 seconds", "Task timed out after 900.00 seconds"),
        (f"RequestId: {REQUEST} Error: Runtime exited with error: signal: killed", "signal: killed"),
        (
            json.dumps({"type": "platform.report", "record": {"requestId": REQUEST, "status": "timeout"}}),
            "Lambda ended this invocation: timeout",
        ),
        (
            json.dumps(
                {
                    "type": "platform.report",
                    "record": {"requestId": REQUEST, "status": "error", "errorType": "Runtime.OutOfMemory"},
                }
            ),
            "Lambda ended this invocation: error Runtime.OutOfMemory",
        ),
    ],
)
def test_the_end_that_lambda_made_of_an_invocation_belongs_to_its_pipeline(
    groups: Groups, read: Callable[[Wanted], list[Line]], event: str, words: str
) -> None:
    groups.says("merger", 1, "begins", "film")
    groups.write("merger", 2, event)
    groups.write("merger", 3, event.replace(REQUEST, OTHER))
    begins, death = read(LESSON)
    assert (begins.message, death.level) == ("begins", "ERROR")
    assert death.message.endswith(words)


def test_an_error_shows_where_in_the_program_it_came_from() -> None:
    line = Line(
        at=1_790_000_000_123,
        role="merger",
        level="ERROR",
        message="unexpected error",
        node="film",
        extras={"attempt": 2, "why": "a reason"},
        more=("Traceback (most recent call last):", "ValueError: x"),
    )
    moment = datetime.fromtimestamp(1_790_000_000.123).strftime("%H:%M:%S.123")
    assert list(render(line, 9)) == [
        (f"{moment}  ERROR    merger     film  unexpected error  attempt=2  why=a reason", "red"),
        ("    Traceback (most recent call last):", "red"),
        ("    ValueError: x", "red"),
    ]


def test_the_pattern_is_cloudwatchs_for_fields_of_json() -> None:
    wanted = Wanted(("merger",), "lesson", "film")
    assert wanted.pattern == '{ $.pipeline_id = "lesson" && $.node_id = "film" }'
    assert Wanted(("merger",)).pattern == ""


def test_a_time_is_a_number_and_a_unit() -> None:
    assert [seconds_of(text) for text in ("90s", "15m", "2h", "3d")] == [90, 900, 7200, 259200]
    for text in ("", "h", "0m", "1.5h", "2 h", "1w"):
        with pytest.raises(RequestError, match="is no time: write a number and s, m, h or d, such as 15m"):
            seconds_of(text)


def test_what_a_stranger_had_logged_neither_drives_the_terminal_nor_looks_like_another_line() -> None:
    line = Line(
        at=1_790_000_000_123,
        role="merger",
        level="INFO",
        message="done\n12:00:00.000  ERROR  all is lost",
        extras={"error": "s3://v/\x1b[2Jé.mp4"},
        more=("\x1b]0;title\x07\tx",),
    )
    [(first, _), (second, _)] = render(line, 6)
    assert first.endswith("done\\n12:00:00.000  ERROR  all is lost  error=s3://v/\\x1b[2Jé.mp4")
    assert second == "    \\x1b]0;title\\x07\tx"

"""What the functions wrote down about a pipeline, a node or themselves: merged in time order, one line each.

The functions log JSON (Powertools Logger) with `pipeline_id` and `node_id`. Lambda's own lines about an invocation that
ended badly (time limit, memory) name neither, only the invocation; they are found by that.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from video_production.cli.words import visible
from video_production.errors import RequestError

__all__ = ["Line", "LogReader", "Wanted", "colours", "day_of", "render", "seconds_of"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NOISE = ("START RequestId", "END RequestId", "REPORT RequestId", "INIT_START", "EXTENSION\t", "XRAY TraceId")
_DEATHS = ("Task timed out", "Runtime exited", "Runtime.")
_REQUEST_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LATE = 15.0
"""Seconds for which a line may arrive in CloudWatch after a younger one of another function."""
_DEATHS_PATTERN = '?"Task timed out" ?"Runtime exited" ?"Runtime." ?"timeout"'
_STYLES = {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow"}
_SAID_ELSEWHERE = {
    "level",
    "location",
    "message",
    "timestamp",
    "service",
    "cold_start",
    "function_name",
    "function_memory_size",
    "function_arn",
    "function_request_id",
    "xray_trace_id",
    "correlation_id",
    "pipeline_id",
    "node_id",
    "process_uuid",
    "process",
    "exception",
    "exception_name",
    "stack_trace",
    "sampling_rate",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read: everything of `roles`, narrowed to a pipeline and a node where they are named."""

    roles: tuple[str, ...]
    pipeline_id: str = ""
    node_id: str = ""

    @property
    def pattern(self) -> str:
        """CloudWatch's JSON filter pattern; empty takes every line."""
        conditions = [
            f"$.{name} = {json.dumps(value)}"
            for name, value in (("pipeline_id", self.pipeline_id), ("node_id", self.node_id))
            if value
        ]
        return f"{{ {' && '.join(conditions)} }}" if conditions else ""

    def takes(self, line: Line) -> bool:
        """Whether a line is meant; checked here too, since not everything that speaks CloudWatch knows patterns."""
        if not self.pipeline_id:
            return True
        return line.pipeline == self.pipeline_id and self.node_id in ("", line.node)


@dataclass(frozen=True, slots=True)
class Line:
    """One log line. `at` is in milliseconds since 1970; `more` are lines that stand below it.

    `death` marks Lambda's own word on an invocation that ended badly.
    """

    at: int
    role: str
    level: str
    message: str
    node: str = ""
    pipeline: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)
    more: tuple[str, ...] = ()
    request_id: str = ""
    id: str = ""
    death: bool = False

    def to_dict(self) -> dict[str, Any]:
        moment = datetime.fromtimestamp(self.at / 1000).astimezone().isoformat(timespec="milliseconds")
        about = {"at": moment, "role": self.role, "level": self.level, "message": self.message}
        names = {"pipeline_id": self.pipeline, "node_id": self.node, "more": "\n".join(self.more)}
        return {**about, **{name: value for name, value in names.items() if value}, **self.extras}


class LogReader:
    """Reads the log groups of functions through a CloudWatch Logs client. `group` gives a role's log group."""

    def __init__(self, client: Any, group: Callable[[str], str]) -> None:
        self._client = client
        self._group = group
        self._told: set[str] = set()
        self._invocations: dict[str, set[str]] = {}

    def read(self, wanted: Wanted, since: float) -> list[Line]:
        """The lines since a moment (Unix seconds) that were not read before, oldest first."""
        found: list[Line] = []
        for role in wanted.roles:
            lines = [line for line in self._lines(role, wanted.pattern, since) if wanted.takes(line)]
            invocations = self._invocations.setdefault(role, set())
            invocations |= {line.request_id for line in lines if line.request_id}
            if wanted.pattern and invocations:
                deaths = (line for line in self._lines(role, _DEATHS_PATTERN, since) if line.death)
                lines += [line for line in deaths if line.request_id in invocations]
            found += self._new(lines)
        return sorted(found, key=lambda line: line.at)

    def follow(self, wanted: Wanted, since: float, every: float) -> Iterator[Line]:
        """The same without an end: waits `every` seconds between looks."""
        while True:
            now = time.time()
            yield from self.read(wanted, since)
            since = max(since, now - _LATE)
            time.sleep(every)

    def _new(self, lines: Iterable[Line]) -> Iterator[Line]:
        for line in lines:
            if line.id not in self._told:
                self._told.add(line.id)
                yield line

    def _lines(self, role: str, pattern: str, since: float) -> Iterator[Line]:
        for event in self._events(self._group(role), pattern, since):
            line = _read(event, role)
            if line:
                yield line

    def _events(self, group: str, pattern: str, since: float) -> Iterator[Mapping[str, Any]]:
        request: dict[str, Any] = {"logGroupName": group, "startTime": int(since * 1000)}
        if pattern:
            request["filterPattern"] = pattern
        try:
            for page in self._client.get_paginator("filter_log_events").paginate(**request):
                yield from page["events"]
        except self._client.exceptions.ResourceNotFoundException:
            return  # a function that never ran has no log


def seconds_of(text: str) -> float:
    """`90s`, `15m`, `2h`, `1d` in seconds. Raises RequestError for anything else."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdigit() or int(number) == 0:
        raise RequestError(f"'{text}' is no time: write a number and s, m, h or d, such as 15m.")
    return float(int(number) * _UNITS[unit])


def render(line: Line, roles: int) -> Iterator[tuple[str, str]]:
    """A line for a person, and what is to stand below it: (text, colour). `roles` is the width of the role's column.

    Callers choose some of what is logged, so nothing of it reaches the terminal as a control character.
    """
    moment = datetime.fromtimestamp(line.at / 1000).astimezone()
    time_of_day = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"
    extras = "  ".join(f"{name}={_short(value)}" for name, value in line.extras.items())
    parts = [f"{time_of_day}  {line.level:<7}  {line.role:<{roles}}", line.node, line.message, extras]
    style = _STYLES.get(line.level, "")
    yield visible("  ".join(part for part in parts if part)), style
    for text in line.more:
        yield visible(f"    {text}"), style


def day_of(line: Line) -> str:
    return f"{datetime.fromtimestamp(line.at / 1000).astimezone():%Y-%m-%d}"


def colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _read(event: Mapping[str, Any], role: str) -> Line | None:
    """A log event as a line; None for what says nothing about the work (metrics, begin and end of invocations)."""
    text = str(event["message"]).strip()
    about: dict[str, Any] = {"at": event["timestamp"], "role": role, "id": event["eventId"]}
    try:
        data = json.loads(text) if text.startswith("{") else None
    except ValueError:
        data = None
    if isinstance(data, dict):
        return _structured(data, about)
    if not text or text.startswith(_NOISE):
        return None
    death = any(word in text for word in _DEATHS)
    found = _REQUEST_ID.search(text)
    first, *more = text.splitlines()
    return Line(
        level="ERROR" if death else "",
        message=first,
        more=tuple(more),
        request_id=found[0] if found else "",
        death=death,
        **about,
    )


def _structured(data: Mapping[str, Any], about: dict[str, Any]) -> Line | None:
    if "_aws" in data and "message" not in data:
        return None
    record = data.get("record")
    if str(data.get("type", "")).startswith("platform."):
        if data["type"] != "platform.report" or not isinstance(record, dict):
            return None
        if record.get("status", "success") == "success":
            return None
        kind = record.get("errorType") or ""
        message = f"Lambda ended this invocation: {record['status']} {kind}".rstrip()
        return Line(level="ERROR", message=message, request_id=str(record.get("requestId", "")), death=True, **about)
    message = data.get("message", "")
    more = str(data.get("exception") or data.get("stackTrace") or "").rstrip().splitlines()
    return Line(
        level=str(data.get("level", "")),
        message=message if isinstance(message, str) else json.dumps(message, ensure_ascii=False),
        node=str(data.get("node_id") or ""),
        pipeline=str(data.get("pipeline_id") or ""),
        extras={name: value for name, value in data.items() if name not in _SAID_ELSEWHERE},
        more=tuple(more),
        request_id=str(data.get("function_request_id") or data.get("AWSRequestId") or ""),
        **about,
    )


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

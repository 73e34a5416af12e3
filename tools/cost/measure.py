"""Produce a document on the local cloud, from nothing, and count what that uses.

Usage: python -m tools.cost.measure DOCUMENT          prints a `Usage` as JSON; a cloud starts once in a process
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_cloud.cloud import CHECKOUT, CloudOptions, LocalCloud
from local_cloud.functions import NAMES, machine_arn
from local_cloud.handle import CloudHandle, attach_or_start
from local_cloud.journal import read_tables
from tools.cost.recorder import Recorder
from tools.cost.usage import POLL_TRANSITIONS, WATCH_TRANSITIONS, FunctionUse, ProviderUse, Usage
from video_production.settings import ROLES

__all__ = ["measure"]

_POLL, _WATCH = "Check", "Watch"
"""The states that a round of the two waiting loops enters once."""

_REPORT = re.compile(
    r"REPORT .*?\tDuration: (?P<ms>[\d.]+) ms.*?Memory Size: (?P<memory>\d+) MB\tMax Memory Used: (?P<peak>\d+) MB"
    r"(?:\tInit Duration: (?P<init>[\d.]+) ms)?"
)
_READS = ("get", "head")
_FREE = ("delete", "abort")
_ENDS_WITHIN = 60.0
_LOG_EVENT = 26
"""Bytes that CloudWatch Logs counts for each event beside its message."""


def measure(document: Path, folder: Path) -> Usage:
    """Produce a copy of the document's folder, from nothing, in `folder`. Once per process: a cloud starts in it.

    Raises RuntimeError when the video is not made.
    """
    copy, home = folder / "document", folder / "home"
    shutil.copytree(document.parent, copy, ignore=shutil.ignore_patterns("output"))
    plan = _command("plan", copy / document.name, home)
    recorder = Recorder(folder / "s3.jsonl")
    with recorder.installed():
        cloud = LocalCloud.start(home, CloudOptions())
    # While we use the cloud, the command below does not end it with its own leaving: it is this process.
    with attach_or_start(home) as handle, closing(cloud):
        started = time.monotonic()
        told = _command("produce", copy / document.name, home)
        wall = time.monotonic() - started
        machines, polls = _machines(handle.client("stepfunctions"))
        tables = read_tables(home / "journal.jsonl")
        return Usage(
            date=datetime.now(UTC).date().isoformat(),
            pipeline=told["pipeline"],
            cores=os.cpu_count() or 1,
            wall=round(wall, 1),
            duration=round(told["duration"], 1),
            video_bytes=Path(told["output"]["path"]).stat().st_size,
            functions=dict(sorted(_functions(handle))),
            stored_bytes=sum(path.stat().st_size for path in _objects(home / "s3")),
            table_bytes=len(json.dumps(list(map(list, (items.values() for items in tables.values()))))),
            log_bytes=sum(len(message.encode()) + _LOG_EVENT for _, message in _messages(handle)),
            metrics=tuple(sorted({metric for _, message in _messages(handle) for metric in _metrics(message)})),
            **machines,
            **_s3(folder / "s3.jsonl"),
            **{unit: recorder.counted[unit] for unit in ("read_units", "write_units", "sqs_requests", "events")},
            providers=dict(_providers(plan, _command("cost", copy / document.name, home), polls)),
        )


def _command(name: str, document: Path, home: Path) -> dict[str, Any]:
    """What a command of ours says of the document, in the end. Raises RuntimeError when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "video_production.cli", name, document.name, "--json"],
        cwd=document.parent,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(CHECKOUT), "JIKI_VIDEO_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    last = done.stdout.splitlines()[-1:] if name == "produce" else [done.stdout]  # one event a line, or one object
    if done.returncode:
        raise RuntimeError(f"'{name}' failed, so there is nothing to measure: {' '.join(last)}")
    told: dict[str, Any] = json.loads(last[0])
    return told


def _providers(
    plan: Mapping[str, Any], spent: Mapping[str, Any], polls: Mapping[str, int]
) -> Iterator[tuple[str, ProviderUse]]:
    """What was bought of each provider: as planned, as the ledger has it. `polls` are the rounds waited by node."""
    for name in dict.fromkeys(row["provider"] for row in spent["rows"]):
        rows = [row for row in spent["rows"] if row["provider"] == name]
        buys = [buy for node in plan["nodes"] for buy in node["buys"] if buy["provider"] == name]
        waited = [polls[row["node"]] for row in rows if polls.get(row["node"])]
        yield (
            name,
            ProviderUse(
                requests=sum(row["requests"] for row in rows),
                jobs=len(waited),
                polls=sum(waited),
                unit=rows[0]["unit"],
                quantity=(sum(buy["quantity"] for buy in buys), sum(buy["quantity_high"] for buy in buys)),
                usd=(sum(buy["usd"] for buy in buys), sum(buy["usd_high"] for buy in buys)),
                settled=sum(row["paid_usd"] for row in rows),
            ),
        )


def _machines(states: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Executions of both machines: state transitions, without those of waiting; and the rounds waited by node."""
    found, waited = Counter[str](), Counter[str]()
    for name in (NAMES.pipeline_machine, NAMES.node_machine):
        for execution in states.list_executions(stateMachineArn=machine_arn(name))["executions"]:
            about, events = _history(states, execution["executionArn"])
            kinds = Counter(event["type"] for event in events)
            entered = Counter(
                event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event
            )
            retries = max(0, kinds["TaskScheduled"] - kinds["TaskStateEntered"])
            polls, watches = entered[_POLL], entered[_WATCH]
            waiting = polls * POLL_TRANSITIONS + watches * WATCH_TRANSITIONS
            found["executions"] += 1
            found["transitions"] += sum(entered.values()) + retries + 1 - waiting  # the step to the end counts too
            found["watches"] += watches
            found["history_events"] += len(events)
            waited[about.get("node_id", "")] += polls
    return dict(found), dict(waited)


def _history(states: Any, execution: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """An execution's input, and its events once it has ended: the outcome is written before its last states."""
    until = time.monotonic() + _ENDS_WITHIN
    while (described := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        if time.monotonic() > until:
            raise RuntimeError(f"{execution} goes on although the video is made.")
        time.sleep(0.1)
    events: list[dict[str, Any]] = states.get_execution_history(executionArn=execution)["events"]
    return json.loads(described["input"]), events


def _functions(handle: CloudHandle) -> Iterator[tuple[str, FunctionUse]]:
    """What the REPORT lines of each role say, taken together."""
    reports = defaultdict(list)
    for group, message in _messages(handle):
        if found := _REPORT.search(message):
            reports[group].append(found)
    for role in ROLES:
        lines = reports[NAMES.function_log_group(role)]
        if lines:
            yield (
                role,
                FunctionUse(
                    invocations=len(lines),
                    seconds=round(sum(float(line["ms"]) for line in lines) / 1000, 2),
                    starts=round(sum(float(line["init"] or 0) for line in lines) / 1000, 2),
                    memory_mb=int(lines[0]["memory"]),
                    peak_mb=max(int(line["peak"]) for line in lines),
                ),
            )


def _messages(handle: CloudHandle) -> Iterator[tuple[str, str]]:
    """(log group, message) of everything in the logs."""
    logs = handle.client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for page in pages:
            for event in page["events"]:
                yield group["logGroupName"], event["message"]


def _metrics(message: str) -> Iterator[str]:
    """The custom metrics in a log line: name and the values of its dimensions."""
    if '"CloudWatchMetrics"' not in message:
        return
    line = json.loads(message)
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for dimensions in directive["Dimensions"]:
            for metric in directive["Metrics"]:
                yield " ".join((metric["Name"], *(f"{name}={line[name]}" for name in dimensions)))


def _s3(log: Path) -> dict[str, int]:
    found = Counter({"s3_puts": 0, "s3_gets": 0, "s3_bytes_in": 0, "s3_bytes_out": 0})
    for line in log.read_text("utf-8").splitlines():
        entry = json.loads(line)
        if not entry["operation"].startswith(_FREE):
            found["s3_gets" if entry["operation"].startswith(_READS) else "s3_puts"] += 1
        found["s3_bytes_in"] += entry["bytes_in"]
        found["s3_bytes_out"] += entry["bytes_out"]
    return dict(found)


def _objects(root: Path) -> Iterator[Path]:
    for bucket in root.iterdir():
        if not bucket.name.startswith("."):
            yield from (path for path in bucket.rglob("*") if path.is_file())


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="jiki-cost-") as folder:
        print(json.dumps(measure(Path(arguments[0]).resolve(), Path(folder)).to_json()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

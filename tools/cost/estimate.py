"""From what a document used on a laptop to what it costs on AWS: pure arithmetic, every assumption in one place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tools.cost.usage import POLL_TRANSITIONS, WATCH_TRANSITIONS, FunctionUse, Usage
from video_production.cli.times import likely
from video_production.cli.words import amount
from video_production.settings import PROVIDER_FACTS, ROLES, FunctionSettings, poller_of, submitter_of
from video_production.takes.waiting import looks_until

__all__ = [
    "HIGH",
    "LOW",
    "WAITING",
    "Assumed",
    "Line",
    "Prices",
    "aws_lines",
    "function_usd",
    "invocations",
    "job_seconds",
    "machine_log_bytes",
    "merge_usd",
    "provider_lines",
    "seconds",
    "transitions",
    "wait_usd",
]

_SETTINGS = FunctionSettings.from_environment({"JIKI_ENVIRONMENT": "production"})
WAITING = {name: _SETTINGS.provider(name) for name in PROVIDER_FACTS}
"""How each provider's jobs are waited for, unless an environment's settings say otherwise."""
_GB = 1_000_000_000
_FULL_CPU_MB = 1769
"""Memory at which a function has one whole vCPU; less memory, less CPU. Source: "Lambda quotas", developer guide."""
_FREE_TMP_MB = 512
_MACHINE_EVENT = 500
"""Bytes of one line in a state machine's log without execution data."""
_DAYS_OF_LOGS = 14 / 30


class Prices:
    """The dated price table. `of(key, quantity)` is in US dollars."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.date: str = data["date"]
        self.region: str = data["region"]
        self.rows: Mapping[str, Mapping[str, Any]] = data["prices"]

    @classmethod
    def load(cls) -> Prices:
        return cls(json.loads((Path(__file__).parent / "prices.json").read_text("utf-8")))

    def of(self, key: str, quantity: float) -> float:
        row = self.rows[key]
        return float(row["usd"]) * quantity / float(row["per"])


@dataclass(frozen=True, slots=True)
class Assumed:
    """One end of the range: what a laptop can't tell about AWS.

    `slower` is how much slower one Lambda vCPU is than a core of the laptop; CPU that a function's memory does not buy
    comes on top where `cpu_bound` (all of a function's time counted as CPU time). `cold`: every function starts anew.
    `end` says which end holds of what the plan expects: how much a provider sells, and how long it takes. `awaited`:
    others wait for the jobs' slots, so that jobs are looked at twice as often. `minutes` is how long the pipeline
    runs, `traced` the part of executions that X-Ray records.
    """

    slower: float
    cpu_bound: bool
    cold: bool
    end: Literal[0, 1]
    awaited: bool
    minutes: int
    traced: float


LOW = Assumed(slower=1, cpu_bound=False, cold=False, end=0, awaited=False, minutes=1, traced=0.05)
HIGH = Assumed(slower=2, cpu_bound=True, cold=True, end=1, awaited=True, minutes=5, traced=1)


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the bill: what, how much of it (as text), and US dollars at both ends of the range."""

    what: str
    amount: str
    low: float
    high: float


def provider_lines(usage: Usage) -> list[Line]:
    """What the providers charge for what the document has them make, as the plan said with the product's own prices."""
    return [
        Line(PROVIDER_FACTS[name].title, amount(use.quantity[0], use.unit, use.quantity[1]), *use.usd)
        for name, use in usage.providers.items()
    ]


def aws_lines(usage: Usage, prices: Prices) -> list[Line]:
    """AWS's bill of one document."""

    def line(what: str, amount: str, bill: Any) -> Line:
        return Line(what, amount, bill(LOW), bill(HIGH))

    entered = tuple(transitions(usage, end) for end in (LOW, HIGH))
    invoked = tuple(sum(invocations(usage, end).values()) for end in (LOW, HIGH))
    written = usage.log_bytes + machine_log_bytes(usage)
    return [
        line(
            "Step Functions: state transitions",
            _range(*entered),
            lambda end: prices.of("states_transition", transitions(usage, end)),
        ),
        line(
            "Lambda: FFmpeg functions",
            _spent(usage, True),
            lambda end: _compute(usage, prices, end, ffmpeg=True),
        ),
        line("Lambda: the others", _spent(usage, False), lambda end: _compute(usage, prices, end, ffmpeg=False)),
        line(
            "Lambda: invocations",
            _range(*invoked),
            lambda end: prices.of("lambda_request", sum(invocations(usage, end).values())),
        ),
        line(
            "S3: requests",
            f"{usage.s3_puts} writing, {usage.s3_gets} reading",
            lambda _: prices.of("s3_put", usage.s3_puts) + prices.of("s3_get", usage.s3_gets),
        ),
        line(
            "DynamoDB",
            f"{usage.write_units} write units, {usage.read_units} read units",
            lambda _: (
                prices.of("dynamodb_write_unit", usage.write_units) + prices.of("dynamodb_read_unit", usage.read_units)
            ),
        ),
        line(
            "Logs, kept 14 days",
            f"{written / 1000:,.0f} kB",
            lambda _: prices.of("logs_gb", written / _GB) + prices.of("logs_gb_month", written / _GB * _DAYS_OF_LOGS),
        ),
        line(
            "Queues and events",
            f"{usage.sqs_requests} requests, {usage.events} events",
            lambda _: prices.of("sqs_request", usage.sqs_requests) + prices.of("event", usage.events),
        ),
        line(
            "X-Ray",
            f"up to {usage.executions} traces",
            lambda end: prices.of("xray_trace", usage.executions * end.traced),
        ),
    ]


def function_usd(role: str, use: FunctionUse, seconds: float, prices: Prices) -> float:
    """What `seconds` of a function cost, with its `/tmp`."""
    disk = max(0, ROLES[role].disk - _FREE_TMP_MB) / 1024
    return prices.of("lambda_gb_second", seconds * use.memory_mb / 1024) + prices.of(
        "lambda_tmp_gb_second", seconds * disk
    )


def merge_usd(usage: Usage, prices: Prices, end: Assumed) -> float:
    """What the document's merge costs by itself: compute and its invocation."""
    use = usage.functions["merger"]
    each = seconds(usage, "merger", end) / use.invocations
    return function_usd("merger", use, each, prices) + prices.of("lambda_request", 1)


def wait_usd(
    usage: Usage, prices: Prices, provider: str, job: float, *, awaited: bool = False
) -> tuple[int, int, float]:
    """Rounds, state transitions and US dollars of waiting for a provider's job that takes `job` seconds.

    `usage` is of a document for which such a job was waited for. `awaited`: others wait for its slot.
    """
    role = poller_of(provider)
    rounds = looks_until(job, WAITING[provider], awaited=awaited)
    use = usage.functions[role]
    each = use.seconds / use.invocations * _stretch(usage, role, HIGH)
    usd = prices.of("states_transition", rounds * POLL_TRANSITIONS) + rounds * (
        function_usd(role, use, each, prices) + prices.of("lambda_request", 1)
    )
    return rounds, rounds * POLL_TRANSITIONS, usd


def job_seconds(usage: Usage, provider: str, end: Assumed) -> float:
    """How long the provider takes for one of the document's requests, as `plan` expects of the real one."""
    use = usage.providers[provider]
    low, high = (quantity / use.requests for quantity in use.quantity)
    return likely(provider, "live", (low, high))[end.end]


def machine_log_bytes(usage: Usage) -> int:
    """What the state machines log."""
    return usage.history_events * _MACHINE_EVENT


def _rounds(usage: Usage, provider: str, end: Assumed) -> int:
    seconds = job_seconds(usage, provider, end)
    return usage.providers[provider].jobs * looks_until(seconds, WAITING[provider], awaited=end.awaited)


def transitions(usage: Usage, end: Assumed) -> int:
    """State transitions of a document on AWS."""
    rounds = sum(_rounds(usage, provider, end) for provider in usage.providers)
    return usage.transitions + rounds * POLL_TRANSITIONS + end.minutes * WATCH_TRANSITIONS


def invocations(usage: Usage, end: Assumed) -> dict[str, int]:
    """Invocations by role, with the rounds that AWS takes instead of those that the laptop took."""
    found = {role: use.invocations for role, use in usage.functions.items()}
    for provider, use in usage.providers.items():
        if use.jobs:
            found[poller_of(provider)] += _rounds(usage, provider, end) - use.polls
    found["scheduler"] += end.minutes - usage.watches
    return found


def _compute(usage: Usage, prices: Prices, end: Assumed, *, ffmpeg: bool) -> float:
    return sum(
        function_usd(role, use, seconds(usage, role, end), prices)
        for role, use in usage.functions.items()
        if ROLES[role].ffmpeg == ffmpeg
    )


def seconds(usage: Usage, role: str, end: Assumed) -> float:
    """Billed seconds of a role on AWS."""
    use = usage.functions[role]
    each = use.seconds / use.invocations
    found = each * invocations(usage, end)[role] * _stretch(usage, role, end)
    for provider, bought in usage.providers.items():
        if role == submitter_of(provider):  # what was answered at once, the submitter stood by for
            found += (bought.requests - bought.jobs) * job_seconds(usage, provider, end)
    return found + (use.starts * end.slower if end.cold else 0)


def _stretch(usage: Usage, role: str, end: Assumed) -> float:
    """How many times longer than on the laptop."""
    if not end.cpu_bound:
        return end.slower
    used = usage.cores if ROLES[role].ffmpeg else 1
    return end.slower * max(1, used / (usage.functions[role].memory_mb / _FULL_CPU_MB))


def _spent(usage: Usage, ffmpeg: bool) -> str:
    low, high = (
        sum(seconds(usage, role, end) for role in usage.functions if ROLES[role].ffmpeg == ffmpeg)
        for end in (LOW, HIGH)
    )
    return f"{low:,.0f}–{high:,.0f} s"


def _range(low: float, high: float) -> str:
    return f"{low:,.0f}–{high:,.0f}"

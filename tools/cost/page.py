"""The pages that are computed: docs/cost.md and docs/scaling.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.cost.estimate import HIGH, LOW, WAITING, Prices, lesson_lines, merge_usd, wait_usd
from tools.cost.load import load_tables
from tools.cost.markdown import between_marks, table
from tools.cost.stack import StackSize
from tools.cost.usage import Usage
from tools.template import ROOT

__all__ = ["MEASURED", "Measured", "pages", "tables"]

MEASURED = ROOT / "benchmarks" / "results" / "cost.json"
OLD_MERGE_USD = 0.006
"""What a merge was once estimated at."""
_GB = 1_000_000_000
_MONTH = 30
_IDLE_POLLS = 15 * 60 * 24 * _MONTH
"""Requests a month with which Lambda asks one queue that is empty: five readers, twenty seconds each."""
_SWEEPS = 12 * 24 * _MONTH
_ENDS = ((10, "10 s"), (60, "1 min"), (300, "5 min"), (WAITING.deadline, "30 min (the deadline)"))
_VOLUMES = (10, 100, 1_000, 10_000)


@dataclass(frozen=True, slots=True)
class Measured:
    """What `make cost-docs` counted last and what the tables are computed from."""

    usage: Usage
    stack: StackSize

    @classmethod
    def load(cls, path: Path = MEASURED) -> Measured:
        data = json.loads(path.read_text("utf-8"))
        return cls(Usage.from_json(data["usage"]), StackSize(**data["stack"]))

    def save(self, path: Path = MEASURED) -> None:
        data = {"usage": self.usage.to_json(), "stack": self.stack.to_json()}
        path.write_text(json.dumps(data, indent=2) + "\n", "utf-8")


def pages(measured: Measured, prices: Prices) -> dict[Path, str]:
    """Both pages with their tables as they follow from `measured` and `prices`."""
    made = {"cost.md": tables(measured, prices), "scaling.md": load_tables(measured.usage)}
    paths = {ROOT / "docs" / name: text for name, text in made.items()}
    return {path: between_marks(path.read_text("utf-8"), text) for path, text in paths.items()}


def tables(measured: Measured, prices: Prices) -> str:
    """The tables of docs/cost.md as Markdown."""
    parts = [_about(measured, prices), *_lesson(measured, prices), *_rest(measured, prices)]
    return "\n\n".join(parts)


def _about(measured: Measured, prices: Prices) -> str:
    usage = measured.usage
    return (
        f"Measured on {usage.date} with `examples/lesson` ({usage.duration:.0f} s of video, "
        f"{usage.video_bytes / 1e6:.1f} MB, {usage.executions} executions) on {usage.cores} cores, on which it took "
        f"{usage.wall:.0f} s. Prices of {prices.region} of {prices.date}, in US dollars, without free tiers."
    )


def _lesson(measured: Measured, prices: Prices) -> Iterator[str]:
    usage = measured.usage
    lines = lesson_lines(usage, prices)
    low, high = sum(line.low for line in lines), sum(line.high for line in lines)
    rows = [[line.what, line.amount, _usd(line.low), _usd(line.high)] for line in lines]
    rows.append(["**one lesson on AWS**", "", f"**{_usd(low)}**", f"**{_usd(high)}**"])
    rows.append(["ElevenLabs, for comparison", "list price", *[_usd(usage.provider_usd)] * 2])
    yield "### One lesson"
    yield table(["what", "how much", "low", "high"], rows)
    merge_low, merge_high = (merge_usd(usage, prices, end) for end in (LOW, HIGH))
    yield (
        f"The lesson's merge alone ({usage.duration:.0f} s of video; two of five clips are encoded, the others "
        f"spliced) costs {_usd(merge_low)} to {_usd(merge_high)}. The old estimate was {_usd(OLD_MERGE_USD)} a merge."
    )
    waits = [(name, *wait_usd(usage, prices, seconds)) for seconds, name in _ENDS]
    yield "### Waiting for one voiceover job"
    yield table(
        ["the job takes", "rounds", "state transitions", "at most"],
        [[name, str(rounds), str(transitions), _usd(usd)] for name, rounds, transitions, usd in waits],
    )


def _rest(measured: Measured, prices: Prices) -> Iterator[str]:
    usage = measured.usage
    kept = prices.of("s3_gb_month", usage.stored_bytes / _GB)
    rows = prices.of("dynamodb_gb_month", usage.table_bytes / _GB)
    yield "### Keeping and delivering one lesson"
    yield table(
        ["what", "how much", "costs"],
        [
            ["S3, everything that was made and bought", f"{usage.stored_bytes / 1e6:.1f} MB", f"{_usd(kept)} a month"],
            ["DynamoDB, with backup", f"{usage.table_bytes / 1e3:.0f} kB", f"{_usd(rows)} a month"],
            [
                "one complete download of the video",
                f"{usage.video_bytes / 1e6:.1f} MB",
                _usd(prices.of("egress_gb", usage.video_bytes / _GB)),
            ],
        ],
    )
    fixed = list(_fixed(measured, prices))
    yield "### One environment, whether it is used or not"
    yield table(
        ["what", "how many", "a month"],
        [*([what, amount, _usd(usd)] for what, amount, usd in fixed), ["**together**", "", _bold(fixed)]],
    )
    lines = lesson_lines(usage, prices)
    low, high = sum(line.low for line in lines), sum(line.high for line in lines)
    standing = sum(usd for _, _, usd in fixed)
    yield "### By volume"
    yield table(
        ["lessons a day", "AWS a month", "of it for storage that month adds", "ElevenLabs a month"],
        [
            [
                f"{day:,}",
                f"{_usd(standing + low * day * _MONTH)}–{_usd(standing + high * day * _MONTH).removeprefix('$')}",
                _usd((kept + rows) * day * _MONTH),
                _usd(usage.provider_usd * day * _MONTH),
            ]
            for day in _VOLUMES
        ],
    )


def _fixed(measured: Measured, prices: Prices) -> Iterator[tuple[str, str, float]]:
    stack, usage = measured.stack, measured.usage
    metrics = usage.metrics + stack.metric_filters
    yield "secrets", str(stack.secrets), prices.of("secret_month", stack.secrets)
    yield (
        "alarms",
        f"{stack.alarms} on {stack.alarm_metrics} metrics",
        prices.of("alarm_month", stack.alarm_metrics),
    )
    yield "dashboard", str(stack.dashboards), prices.of("dashboard_month", stack.dashboards)
    yield "custom metrics, in months in which lessons run", f"about {metrics}", prices.of("metric_month", metrics)
    polls = stack.queue_readers * _IDLE_POLLS
    yield "Lambda asking empty queues", f"about {polls:,} requests", prices.of("sqs_request", polls)
    seconds = _SWEEPS * 0.2 * 0.5
    sweep = prices.of("lambda_request", _SWEEPS) + prices.of("lambda_gb_second", seconds)
    yield "sweep every five minutes", f"{_SWEEPS:,} invocations", sweep


def _bold(fixed: Iterable[tuple[str, str, float]]) -> str:
    return f"**{_usd(sum(usd for _, _, usd in fixed))}**"


def _usd(amount: float) -> str:
    """Two digits that mean something, never fewer than cents."""
    if amount >= 100:
        return f"${amount:,.0f}"
    if amount >= 1:
        return f"${amount:,.2f}"
    return f"${float(f'{amount:.2g}'):f}".rstrip("0") if amount else "$0"

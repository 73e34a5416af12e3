"""The pages that are computed: docs/cost.md and docs/scaling.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.cost.estimate import (
    HIGH,
    LOW,
    WAITING,
    Line,
    Prices,
    aws_lines,
    job_seconds,
    merge_usd,
    provider_lines,
    wait_usd,
)
from tools.cost.load import load_tables
from tools.cost.markdown import between_marks, table
from tools.cost.offers import offers
from tools.cost.stack import StackSize
from tools.cost.usage import Usage
from tools.template import ROOT
from video_production.cli.words import file_size
from video_production.metrics import METRICS
from video_production.provider_facts import PROVIDER_FACTS
from video_production.providers.prices import PriceList
from video_production.settings import poller_of

__all__ = ["MEASURED", "Measured", "pages", "tables"]

MEASURED = ROOT / "benchmarks" / "results" / "cost.json"
OLD_MERGE_USD = 0.006
"""What a merge was once estimated at."""
_GB = 1_000_000_000
_MINUTE = 60
_MONTH = 30
_IDLE_POLLS = 15 * 60 * 24 * _MONTH
"""Requests a month with which Lambda asks one queue that is empty: five readers, twenty seconds each."""
_SWEEPS = 12 * 24 * _MONTH
_SWEEP_READS = 5
"""Read units of a sweep for each provider, as docs/scheduling.md has them."""
_VOLUMES = (10, 100, 1_000, 10_000)
Fixed = tuple[str, str, float]
"""What stands there: what, how much of it (as text), US dollars a month."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What `make cost-docs` counted last and what the tables are computed from: both examples, and the stack."""

    lesson: Usage
    explainer: Usage
    stack: StackSize

    @classmethod
    def load(cls, path: Path = MEASURED) -> Measured:
        data = json.loads(path.read_text("utf-8"))
        lesson, explainer = (Usage.from_json(data[name]) for name in ("lesson", "explainer"))
        return cls(lesson, explainer, StackSize(**data["stack"]))

    def save(self, path: Path = MEASURED) -> None:
        data = {name: getattr(self, name).to_json() for name in ("lesson", "explainer", "stack")}
        path.write_text(json.dumps(data, indent=2) + "\n", "utf-8")

    @property
    def both(self) -> tuple[Usage, Usage]:
        return self.lesson, self.explainer


def pages(measured: Measured, prices: Prices) -> dict[Path, str]:
    """Both pages with their tables as they follow from `measured` and `prices`."""
    made = {"cost.md": tables(measured, prices), "scaling.md": load_tables(measured.lesson, measured.explainer)}
    paths = {ROOT / "docs" / name: text for name, text in made.items()}
    return {path: between_marks(path.read_text("utf-8"), text) for path, text in paths.items()}


def tables(measured: Measured, prices: Prices) -> str:
    """The computed part of docs/cost.md as Markdown, its summary first."""
    parts = (
        _summary(measured, prices),
        _about(measured, prices),
        *_lesson(measured.lesson, prices),
        *_explainer(measured.explainer, prices),
        *_offers(),
        *_waits(measured, prices),
        *_keeping(measured, prices),
        *_environment(measured, prices),
        *_volumes(measured, prices),
    )
    return "\n\n".join(parts)


def _summary(measured: Measured, prices: Prices) -> str:
    bills = [(_sum(aws_lines(usage, prices)), _sum(provider_lines(usage))) for usage in measured.both]
    (lesson, voices), (explainer, providers) = bills
    idle, used = _sum_of(_idle(measured, prices)), _sum_of(_standing(measured, prices))
    return (
        "What providers make costs far more than what AWS does for it.\n\n"
        f"- **A lesson** of {measured.lesson.duration:.0f} s whose pictures exist: {_span(*lesson)} on AWS, and "
        f"{_span(*voices)} for its voices, which is {_times(voices, lesson)} times as much.\n"
        f"- **An explainer** of {measured.explainer.duration:.0f} s that four providers make from its words alone: "
        f"{_span(*explainer)} on AWS, and {_span(*providers)} for the providers, which is "
        f"{_times(providers, explainer)} times as much.\n"
        f"- **An environment** that stands there: {_usd(idle)} a month on AWS, {_usd(used)} in months in which videos "
        "are made."
    )


def _about(measured: Measured, prices: Prices) -> str:
    runs = " and ".join(
        f"`examples/{example}` ({usage.duration:.0f} s of video, {usage.video_bytes / 1e6:.1f} MB, "
        f"{usage.executions} executions, made in {usage.wall:.0f} s)"
        for example, usage in zip(("lesson", "explainer"), measured.both, strict=True)
    )
    return (
        f"Measured on {measured.lesson.date} with {runs} on {measured.lesson.cores} cores, with drafts in the "
        f"providers' place. In US dollars: AWS's prices of {prices.region} of {prices.date} without free tiers, the "
        "providers' list prices as [prices.json](../video_production/providers/prices.json) has them "
        f"({PriceList.read().about})."
    )


def _lesson(usage: Usage, prices: Prices) -> Iterator[str]:
    yield "### One lesson"
    yield "Five scenes whose pictures exist, four of them with a voice by ElevenLabs."
    yield _bill("lesson", usage, prices)
    merge_low, merge_high = (merge_usd(usage, prices, end) for end in (LOW, HIGH))
    yield (
        f"The lesson's merge alone ({usage.duration:.0f} s of video; two of five clips are encoded, the others "
        f"spliced) costs {_usd(merge_low)} to {_usd(merge_high)}. The old estimate was {_usd(OLD_MERGE_USD)} a merge."
    )


def _explainer(usage: Usage, prices: Prices) -> Iterator[str]:
    yield "### One explainer, by all four providers"
    yield (
        "Two voiceovers, a talking head, two animations; nothing of it exists before. The providers' low and high are "
        "the plan's before the run: how long a text takes to speak is known only when it was spoken. What the run's "
        f"own drafts came to in the ledger: {_usd(sum(use.settled for use in usage.providers.values()))}."
    )
    yield _bill("explainer", usage, prices)


def _bill(name: str, usage: Usage, prices: Prices) -> str:
    aws, sold = aws_lines(usage, prices), provider_lines(usage)
    rows = [[line.what, line.amount, _usd(line.low), _usd(line.high)] for line in aws]
    rows.append(_total(f"one {name} on AWS", aws))
    rows += [[line.what, line.amount, _usd(line.low), _usd(line.high)] for line in sold]
    rows += [_total("the providers together", sold)] if len(sold) > 1 else []
    rows.append(_total(f"one {name}", [*aws, *sold]))
    return table(["what", "how much", "low", "high"], rows)


def _total(what: str, lines: Iterable[Line]) -> list[str]:
    low, high = _sum(lines)
    return [f"**{what}**", "", f"**{_usd(low)}**", f"**{_usd(high)}**"]


def _offers() -> Iterator[str]:
    yield "### What providers charge"
    rows = [[what, title, models, _span(*usd)] for what, title, models, usd in offers(PriceList.read())]
    yield table(["what", "provider", "model", "list price"], rows)


def _waits(measured: Measured, prices: Prices) -> Iterator[str]:
    yield "### Waiting for one job"
    yield (
        "A usual job, short and long, is what `plan` expects of jobs like those measured here; the deadline is when a "
        "node stops waiting. Ranges: nobody waits for the job's slot, or others do, so that it is looked at twice as "
        "often."
    )
    rows = [row for provider in PROVIDER_FACTS for row in _waits_for(provider, measured, prices)]
    yield table(["provider", "the job takes", "looks", "state transitions", "costs at most"], rows)


def _waits_for(provider: str, measured: Measured, prices: Prices) -> Iterator[list[str]]:
    usage = next(usage for usage in measured.both if poller_of(provider) in usage.functions)
    deadline = WAITING[provider].deadline
    usual = [(job_seconds(usage, provider, end), "") for end in (LOW, HIGH)]
    for job, note in (*usual, (deadline, ", the deadline")):
        alone, awaited = (wait_usd(usage, prices, provider, job, awaited=each) for each in (False, True))
        lasts = f"{job:.0f} s" if job < 2 * _MINUTE else f"{job / _MINUTE:.0f} min"
        spans = (_range(*pair) for pair in zip(alone[:2], awaited[:2], strict=True))
        yield [PROVIDER_FACTS[provider].title, lasts + note, *spans, _span(alone[2], awaited[2])]


def _keeping(measured: Measured, prices: Prices) -> Iterator[str]:
    yield "### Keeping and delivering one"
    rows = [
        ["S3, everything that was made and bought", *_cells(_stored(prices), measured, " a month")],
        ["DynamoDB, with backup", *_cells(_tables(prices), measured, " a month")],
        ["one complete download of the video", *_cells(_delivered(prices), measured, "")],
    ]
    yield table(["what", "a lesson", "costs", "an explainer", "costs"], rows)


def _cells(part: Callable[[Usage], tuple[int, float]], measured: Measured, each: str) -> Iterator[str]:
    for size, usd in map(part, measured.both):
        yield file_size(size)
        yield f"{_usd(usd)}{each}"


def _stored(prices: Prices) -> Callable[[Usage], tuple[int, float]]:
    return lambda usage: (usage.stored_bytes, prices.of("s3_gb_month", usage.stored_bytes / _GB))


def _tables(prices: Prices) -> Callable[[Usage], tuple[int, float]]:
    return lambda usage: (usage.table_bytes, prices.of("dynamodb_gb_month", usage.table_bytes / _GB))


def _delivered(prices: Prices) -> Callable[[Usage], tuple[int, float]]:
    return lambda usage: (usage.video_bytes, prices.of("egress_gb", usage.video_bytes / _GB))


def _environment(measured: Measured, prices: Prices) -> Iterator[str]:
    idle, standing = _idle(measured, prices), _standing(measured, prices)
    rows = [[what, amount, _usd(usd)] for what, amount, usd in standing]
    rows.insert(len(idle), ["**unused**", "", f"**{_usd(_sum_of(idle))}**"])
    yield "### One environment, whether it is used or not"
    yield table(["what", "how many", "a month"], [*rows, ["**used**", "", f"**{_usd(_sum_of(standing))}**"]])


def _volumes(measured: Measured, prices: Prices) -> Iterator[str]:
    yield "### By volume"
    for name, usage in (("lessons", measured.lesson), ("explainers", measured.explainer)):
        rows = [_volume(usage, prices, day, _sum_of(_standing(measured, prices))) for day in _VOLUMES]
        yield table(
            [f"{name} a day", "AWS a month", "of it for storage that month adds", "the providers a month"], rows
        )


def _volume(usage: Usage, prices: Prices, day: int, standing: float) -> list[str]:
    low, high = (standing + each * day * _MONTH for each in _sum(aws_lines(usage, prices)))
    kept = sum(part(prices)(usage)[1] for part in (_stored, _tables))
    sold = (each * day * _MONTH for each in _sum(provider_lines(usage)))
    return [f"{day:,}", _span(low, high), _usd(kept * day * _MONTH), _span(*sold)]


def _standing(measured: Measured, prices: Prices) -> list[Fixed]:
    """What an environment costs in a month in which videos are made."""
    made = len({*measured.lesson.metrics, *measured.explainer.metrics}) + measured.stack.metric_filters
    metrics = "custom metrics, in months in which videos are made", f"about {made}", prices.of("metric_month", made)
    return [*_idle(measured, prices), metrics]


def _idle(measured: Measured, prices: Prices) -> list[Fixed]:
    """The same without any video."""
    stack = measured.stack
    polls = stack.queue_readers * _IDLE_POLLS
    swept = sum("sweeper" in metric.roles for metric in METRICS.values())
    sweep = (
        prices.of("lambda_request", _SWEEPS)
        + prices.of("lambda_gb_second", _SWEEPS * 0.2 * 0.5)
        + prices.of("dynamodb_read_unit", _SWEEPS * _SWEEP_READS * len(PROVIDER_FACTS))
    )
    return [
        ("secrets", str(stack.secrets), prices.of("secret_month", stack.secrets)),
        (
            "alarms",
            f"{stack.alarms} on {stack.alarm_metrics} metrics",
            prices.of("alarm_month", stack.alarm_metrics),
        ),
        ("dashboard", str(stack.dashboards), prices.of("dashboard_month", stack.dashboards)),
        ("Lambda asking empty queues", f"about {polls:,} requests", prices.of("sqs_request", polls)),
        ("sweep every five minutes", f"{_SWEEPS:,} invocations", sweep),
        ("custom metrics of the sweep", str(swept), prices.of("metric_month", swept)),
    ]


def _sum(lines: Iterable[Line]) -> tuple[float, float]:
    """Both ends of a bill."""
    bill = list(lines)
    return sum(line.low for line in bill), sum(line.high for line in bill)


def _sum_of(fixed: Iterable[Fixed]) -> float:
    return sum(usd for _, _, usd in fixed)


def _times(dear: tuple[float, float], cheap: tuple[float, float]) -> str:
    """How many times dearer, at least and at most, in two digits."""
    least, most = (float(f"{ratio:.2g}") for ratio in (dear[0] / cheap[1], dear[1] / cheap[0]))
    return f"{least:,.0f} to {most:,.0f}"


def _range(low: float, high: float) -> str:
    return f"{low:,.0f}" if low == high else f"{low:,.0f}–{high:,.0f}"


def _span(low: float, high: float) -> str:
    """An amount, or from which to which."""
    first, last = _usd(low), _usd(high)
    return first if first == last else f"{first}–{last.removeprefix('$')}"


def _usd(amount: float) -> str:
    """Two digits that mean something, never fewer than cents."""
    if amount >= 100:
        return f"${amount:,.0f}"
    if amount >= 0.1:
        return f"${amount:,.2f}"
    return f"${float(f'{amount:.2g}'):f}".rstrip("0") if amount else "$0"

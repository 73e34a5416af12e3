"""The page docs/metrics.md, made from the catalogue of business metrics."""

from __future__ import annotations

from collections.abc import Iterator

from video_production.metrics import METRICS, NAMESPACE, Metric

__all__ = ["metrics_page"]

_HEAD = f"""\
# Metrics

Generated from [metrics.py](../video_production/metrics.py) (`.venv/bin/python -m tools.generate_docs`).

Functions write these into their logs as embedded metric format, from which CloudWatch makes metrics in the namespace
`{NAMESPACE}`; no call to CloudWatch is made. What an invocation counted is written when it ends, also with an error;
one that Lambda kills takes its counts with it. Each metric has the dimension `environment` and those of its row, no
others. A metric has no data while nothing happens.

The dashboard draws them and alarms watch them: [runbook](runbook.md#the-alarms). On a laptop they are lines of JSON in
the functions' logs.

| metric | unit | dimensions | counts | from |
|---|---|---|---|---|
"""
_TAIL = f"""
Lambda has no metric of the memory that a function used. A filter on the report that it logs after each invocation
(`platform.report`) makes one per function: namespace `{NAMESPACE}/MemoryUsedMB`, named like the function.

Invocations, errors, durations, throttles, executions, queues, tables and the HTTP API are AWS's own metrics, in
`AWS/Lambda`, `AWS/States`, `AWS/SQS`, `AWS/DynamoDB` and `AWS/ApiGateway`.
"""


def metrics_page() -> str:
    """The whole page."""
    return "".join([_HEAD, *(_row(metric) for metric in METRICS.values()), _TAIL])


def _row(metric: Metric) -> str:
    unit = {"None": "US dollars"}.get(metric.unit, metric.unit.lower())
    cells = [f"`{metric.name}`", unit, ", ".join(_quoted(metric.dimensions)) or "–", metric.means]
    return f"| {' | '.join(cells)} | {', '.join(_quoted(metric.roles))} |\n"


def _quoted(names: tuple[str, ...]) -> Iterator[str]:
    return (f"`{name}`" for name in names)

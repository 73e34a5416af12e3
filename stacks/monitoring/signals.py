"""What is measured: CloudWatch metrics under the words that the alarms and the dashboard use for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions

from video_production.metrics import METRICS, NAMESPACE
from video_production.settings import Names

__all__ = ["DAY", "FIVE_MINUTES", "HOUR", "MEMORY_NAMESPACE", "MOST_METRICS", "QUARTER", "Signals", "percent", "total"]

FIVE_MINUTES = Duration.minutes(5)
QUARTER = Duration.minutes(15)
HOUR = Duration.hours(1)
DAY = Duration.days(1)
MEMORY_NAMESPACE = f"{NAMESPACE}/MemoryUsedMB"
"""One metric for each function, under the function's name: a metric filter can't invent a dimension."""

MOST_METRICS = 10
"""As many as an alarm on an expression takes."""


@dataclass(frozen=True, slots=True)
class Signals:
    """The resources of one environment, seen as metrics.

    `functions` by role, `machines` by what they run (`pipeline`, `node`), `queues` by name, dead letters included,
    `tables` by what they hold (`nodes`, `takes`).
    """

    names: Names
    functions: Mapping[str, lambda_.Function]
    machines: Mapping[str, stepfunctions.IStateMachine]
    queues: Mapping[str, sqs.IQueue]
    tables: Mapping[str, dynamodb.ITable]
    api: apigateway.IHttpApi
    bucket_name: str

    @property
    def dead_letters(self) -> Mapping[str, sqs.IQueue]:
        """The queues that keep what another queue could not deliver."""
        kept = {self.names.dead_letters(name) for name in self.queues}
        return {name: queue for name, queue in self.queues.items() if name in kept}

    @property
    def working_queues(self) -> Mapping[str, sqs.IQueue]:
        return {name: queue for name, queue in self.queues.items() if name not in self.dead_letters}

    def short(self, queue: str) -> str:
        """A queue's name without what all names have: `scheduling`, `scheduling-dead`."""
        return queue.removeprefix("jiki-video-").removesuffix(f"-{self.names.environment}")

    def business(
        self, name: str, statistic: str = "Sum", period: Duration = FIVE_MINUTES, label: str = "", **dimensions: str
    ) -> cloudwatch.Metric:
        """A metric of the catalogue. Raises KeyError for an unknown name, ValueError for other dimensions."""
        if set(METRICS[name].dimensions) != set(dimensions):
            raise ValueError(f"{name} has the dimensions {METRICS[name].dimensions}, not {tuple(dimensions)}.")
        return cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=name,
            dimensions_map={"environment": self.names.environment, **dimensions},
            statistic=statistic,
            period=period,
            label=label or name,
        )

    def each(self, name: str, by: str, statistic: str = "Sum", **only: str) -> cloudwatch.MathExpression:
        """A metric of the catalogue as one line for every value of its dimension `by`; new values need no deploy."""
        schema = ",".join((NAMESPACE, "environment", *METRICS[name].dimensions))
        values = {"environment": self.names.environment, **only}
        terms = " ".join(f'{dimension}="{value}"' for dimension, value in values.items())
        return cloudwatch.MathExpression(
            expression=f"SEARCH('{{{schema}}} MetricName=\"{name}\" {terms}', '{statistic}')",
            using_metrics={},
            label=f"${{PROP('Dim.{by}')}}",
            period=FIVE_MINUTES,
        )

    def memory_used(self, role: str) -> cloudwatch.Metric:
        """The most memory that an invocation of the function used, in MB."""
        return cloudwatch.Metric(
            namespace=MEMORY_NAMESPACE,
            metric_name=self.names.function(role),
            statistic="Maximum",
            period=FIVE_MINUTES,
            label=role,
        )

    def memory_size(self, role: str) -> float:
        """The memory of the function, in MB."""
        resource = self.functions[role].node.default_child
        size = resource.memory_size if isinstance(resource, lambda_.CfnFunction) else None
        return size or 128

    def timeout_seconds(self, role: str) -> float:
        timeout = self.functions[role].timeout
        return timeout.to_seconds() if timeout else 3

    def failed_executions(self) -> Sequence[cloudwatch.IMetric]:
        """Executions of all machines that failed, ran out of time or were aborted."""
        return [
            metric
            for kind, machine in self.machines.items()
            for metric in (
                machine.metric_failed(label=f"{kind}: failed"),
                machine.metric_timed_out(label=f"{kind}: timed out"),
                machine.metric_aborted(label=f"{kind}: aborted"),
            )
        ]


def total(metrics: Sequence[cloudwatch.IMetric], label: str, period: Duration = FIVE_MINUTES) -> cloudwatch.IMetric:
    """The sum of metrics, of which some may have no data."""
    names = [f"m{number}" for number in range(len(metrics))]
    return cloudwatch.MathExpression(
        expression=f"SUM([{', '.join(names)}])",
        using_metrics=dict(zip(names, metrics, strict=True)),
        label=label,
        period=period,
    )


def percent(part: cloudwatch.IMetric, whole: cloudwatch.IMetric, label: str, at_least: int) -> cloudwatch.IMetric:
    """`part` in percent of `whole`; 0 while `whole` is under `at_least`, which says too little."""
    return cloudwatch.MathExpression(
        expression=f"IF(whole >= {at_least}, 100 * part / whole, 0)",
        using_metrics={"part": part, "whole": whole},
        label=label,
        period=QUARTER,
    )

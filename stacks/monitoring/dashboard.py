"""The dashboard: the first row says whether all is well, the rows below say where it is not."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.monitoring.signals import DAY, FIVE_MINUTES, HOUR, Signals
from video_production.settings import PROVIDER_FACTS, PROVIDERS, ROLES, ProviderFacts, poller_of, submitter_of

__all__ = ["rows"]

Row = list[cloudwatch.IWidget]
_THIRD = 8
_HIGH = 6
_STATUS_COLORS = {
    "completed": cloudwatch.Color.GREEN,
    "failed": cloudwatch.Color.RED,
    "cancelled": cloudwatch.Color.GREY,
}


def rows(signals: Signals, alarms: Sequence[cloudwatch.IAlarm], daily_spend_usd: float) -> list[Row]:
    """The widgets, row by row, 24 columns wide."""
    of_providers = [role for name in PROVIDERS for role in (submitter_of(name), poller_of(name))]
    own = [role for role in signals.functions if role not in of_providers]
    return [
        _is_it_well(signals, alarms),
        _pipelines(signals),
        _heading("Providers and money"),
        *(_provider(signals, facts) for facts in PROVIDER_FACTS.values()),
        _money(signals, daily_spend_usd),
        _heading("Media"),
        _media(signals),
        _heading("Functions"),
        _calls(signals, own),
        _limits(signals, own),
        _heading("Functions of the providers"),
        _calls(signals, of_providers, " of the providers"),
        _limits(signals, of_providers, " of the providers"),
        _heading("Underneath"),
        _queues(signals),
        _services(signals),
    ]


def _is_it_well(signals: Signals, alarms: Sequence[cloudwatch.IAlarm]) -> Row:
    return [
        cloudwatch.AlarmStatusWidget(
            title="Ringing now (empty: all is well)",
            alarms=alarms,
            states=[cloudwatch.AlarmState.ALARM],
            width=10,
            height=4,
        ),
        cloudwatch.SingleValueWidget(
            title="Pipelines, last 24 hours",
            metrics=_pipeline_counts(signals),
            set_period_to_time_range=True,
            width=8,
            height=4,
        ),
        cloudwatch.SingleValueWidget(
            title="Under way now",
            metrics=[
                signals.business("SweptPipelines", "Maximum", label="Pipelines"),
                signals.business("SweptJobs", "Maximum", label="Paid jobs"),
            ],
            sparkline=True,
            width=6,
            height=4,
        ),
    ]


def _pipeline_counts(signals: Signals) -> list[cloudwatch.IMetric]:
    return [
        signals.machines["pipeline"].metric_started(label="Started", color=cloudwatch.Color.BLUE),
        *(
            signals.business("PipelinesEnded", label=status.capitalize(), status=status).with_(color=color)
            for status, color in _STATUS_COLORS.items()
        ),
    ]


def _pipelines(signals: Signals) -> Row:
    return [
        _lines("Pipelines started and ended, per hour", _pipeline_counts(signals), "pipelines", period=HOUR),
        _counts("Failed nodes by type", [signals.each("NodesEnded", "node_type", status="failed")], "nodes"),
        _lines("Time from start to end of a node, by type", [signals.each("NodeSeconds", "node_type", "Average")], "s"),
    ]


def _provider(signals: Signals, facts: ProviderFacts) -> Row:
    """What is asked of one provider, how long it takes, and how it tells that it has finished."""

    def business(metric: str, label: str) -> cloudwatch.IMetric:
        return signals.business(metric, label=label, provider=facts.name)

    requests = [
        business("ProviderCalls", "requests"),
        business("ProviderErrors", "5xx or no answer"),
        business("RateLimited", "429"),
    ]
    following = [business("Polls", "polls")]
    if facts.webhooks:
        following += [business("WebhooksReceived", "webhooks"), business("WebhooksRejected", "webhooks rejected")]
    told = "polls and webhooks" if facts.webhooks else "polls"
    latency = signals.each("ProviderLatency", "operation", "p90", provider=facts.name)
    return [
        _lines(f"{facts.title}: requests, errors and 429s", requests, "requests"),
        _lines(f"{facts.title}: latency, p90", [latency], "ms"),
        _lines(f"{facts.title}: {told}", following, "count"),
    ]


def _of_providers(signals: Signals, **words: str) -> list[cloudwatch.IMetric]:
    """Business metrics, each with the words that follow the provider's name in its label; provider by provider."""
    return [
        signals.business(metric, label=f"{provider}: {label}", provider=provider)
        for provider in PROVIDERS
        for metric, label in words.items()
    ]


def _money(signals: Signals, daily_spend_usd: float) -> Row:
    spend = [signals.business("SpendUSD", label=provider, provider=provider) for provider in PROVIDERS]
    refusals = _of_providers(
        signals,
        AccountRefusals="account or key",
        ProviderRefusals="all refusals",
    )
    undecided = _of_providers(
        signals,
        MayHaveBeenPaid="may have been paid",
        OrphanPaidJobs="paid, not awaited",
    )
    return [
        _lines("Spend per day", spend, "US$", alarm_at=daily_spend_usd, start="-P7D", period=DAY, stacked=True),
        _lines("Paid requests refused", refusals, "requests"),
        _counts("Waiting for a person's decision", undecided, "requests"),
    ]


def _media(signals: Signals) -> Row:
    used = [
        signals.business("TmpPercent", "Maximum", label=role, role=role)
        for role in signals.functions
        if ROLES[role].ffmpeg
    ]
    moved = [signals.business("BytesRead", label="Read"), signals.business("BytesWritten", label="Written")]
    return [
        cloudwatch.GraphWidget(
            title="How videos were joined, last 24 hours",
            left=[signals.each("VideosMerged", "method")],
            left_y_axis=_axis("videos"),
            view=cloudwatch.GraphWidgetView.BAR,
            set_period_to_time_range=True,
            width=_THIRD,
            height=_HIGH,
        ),
        _lines("Media moved", moved, "bytes"),
        _lines("/tmp used, most of an invocation", used, "%", alarm_at=80, top=100),
    ]


def _calls(signals: Signals, roles: Sequence[str], whose: str = "") -> Row:
    functions = [(role, signals.functions[role]) for role in roles]
    return [
        _lines(
            f"Invocations{whose}", [function.metric_invocations(label=role) for role, function in functions], "calls"
        ),
        _counts(f"Errors{whose}", [function.metric_errors(label=role) for role, function in functions], "calls"),
        _counts(f"Throttles{whose}", [function.metric_throttles(label=role) for role, function in functions], "calls"),
    ]


def _limits(signals: Signals, roles: Sequence[str], whose: str = "") -> Row:
    functions = [(role, signals.functions[role]) for role in roles]
    durations = [
        _of_limit(function.metric_duration(statistic="Maximum"), signals.timeout_seconds(role) * 1000, role)
        for role, function in functions
    ]
    memory = [_of_limit(signals.memory_used(role), signals.memory_size(role), role) for role in roles]
    concurrent = [
        function.metric("ConcurrentExecutions", statistic="Maximum", label=role) for role, function in functions
    ]
    return [
        _lines(f"Longest duration{whose}, in % of the time limit", durations, "%", alarm_at=80, top=100),
        _lines(f"Most memory{whose}, in % of what there is", memory, "%", alarm_at=90, top=100),
        _lines(f"Running at once{whose}", concurrent, "instances"),
    ]


def _queues(signals: Signals) -> Row:
    working, dead = signals.working_queues.items(), signals.dead_letters.items()
    ages = [
        queue.metric_approximate_age_of_oldest_message(statistic="Maximum", label=signals.short(name))
        for name, queue in working
    ]
    letters = [
        queue.metric_approximate_number_of_messages_visible(statistic="Maximum", label=signals.short(name))
        for name, queue in dead
    ]
    return [
        _lines("Oldest message waiting", ages, "s", alarm_at=900),
        _counts("Dead letters", letters, "messages"),
        _counts("Executions that could not settle", [*signals.failed_executions()], "executions"),
    ]


def _services(signals: Signals) -> Row:
    api = [
        signals.api.metric_count(statistic="Sum", label="Requests"),
        signals.api.metric_client_error(statistic="Sum", label="4xx"),
        signals.api.metric_server_error(statistic="Sum", label="5xx"),
    ]
    throttled = [
        table.metric(f"{kind}ThrottleEvents", statistic="Sum", label=f"{name}: {kind.lower()}s")
        for name, table in signals.tables.items()
        for kind in ("Read", "Write")
    ]
    size = cloudwatch.Metric(
        namespace="AWS/S3",
        metric_name="BucketSizeBytes",
        dimensions_map={"BucketName": signals.bucket_name, "StorageType": "StandardStorage"},
        statistic="Average",
        period=DAY,
        label="Standard storage",
    )
    return [
        _lines("HTTP API", api, "requests"),
        _counts("Throttled table requests", throttled, "requests"),
        _lines("Stored in the bucket", [size], "bytes", start="-P28D"),
    ]


def _heading(text: str) -> Row:
    return [cloudwatch.TextWidget(markdown=f"## {text}", width=24, height=1)]


def _of_limit(metric: cloudwatch.IMetric, limit: float, role: str) -> cloudwatch.IMetric:
    """A function's metric in percent of its limit; roles are ids, since ids must differ within a widget."""
    return cloudwatch.MathExpression(
        expression=f"100 * {role} / {limit:g}", using_metrics={role: metric}, label=role, period=FIVE_MINUTES
    )


def _counts(
    title: str, metrics: Sequence[cloudwatch.IMetric], unit: str, period: Duration = FIVE_MINUTES
) -> cloudwatch.GraphWidget:
    """What happens now and then: stacked, so that the height is the sum."""
    return _lines(title, metrics, unit, period=period, stacked=True)


def _lines(
    title: str,
    metrics: Sequence[cloudwatch.IMetric],
    unit: str,
    *,
    alarm_at: float | None = None,
    top: float | None = None,
    start: str | None = None,
    period: Duration = FIVE_MINUTES,
    stacked: bool = False,
) -> cloudwatch.GraphWidget:
    """A graph over time; `top` ends its axis, `start` widens its time, a red line shows where an alarm rings."""
    mark = [] if alarm_at is None else [_mark(alarm_at, f"alarm at {alarm_at:g} {unit}")]
    return cloudwatch.GraphWidget(
        title=title,
        left=metrics,
        left_y_axis=_axis(unit, top),
        left_annotations=mark,
        start=start,
        period=period,
        stacked=stacked,
        width=_THIRD,
        height=_HIGH,
    )


def _axis(unit: str, top: float | None = None) -> cloudwatch.YAxisProps:
    return cloudwatch.YAxisProps(label=unit, show_units=False, min=0, max=top)


def _mark(value: float, label: str) -> cloudwatch.HorizontalAnnotation:
    return cloudwatch.HorizontalAnnotation(value=value, label=label, color=cloudwatch.Color.RED)

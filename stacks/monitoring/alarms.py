"""The alarms: each needs a person, says in one sentence what to do, and names its section of docs/runbook.md.

A description starts with `Tonight: ` or `In the morning: `, so that a pager can subscribe to the former alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.monitoring.signals import DAY, FIVE_MINUTES, HOUR, MOST_METRICS, QUARTER, Signals, percent, total
from video_production.settings import PROVIDER_FACTS, PROVIDERS, ROLES, poller_of, submitter_of

__all__ = ["RUNBOOK", "Watch", "watches"]

RUNBOOK = "docs/runbook.md"
_NEARLY = 80
"""Percent of time and disk from which the limit is near: the last moment at which nothing has failed yet."""
_FULL = 90
"""The same of memory, whose use varies less."""

Urgency = Literal["Tonight", "In the morning"]
Missing = cloudwatch.TreatMissingData


@dataclass(frozen=True, slots=True)
class Watch:
    """One alarm: rings when `metric` is at or over `threshold` in `times` of the last `of` periods.

    `section` is the anchor in the runbook; `missing` is deliberate: most metrics have no data while nothing happens.
    """

    id: str
    metric: cloudwatch.IMetric
    threshold: float
    urgency: Urgency
    todo: str
    section: str
    times: int = 1
    of: int = 1
    missing: cloudwatch.TreatMissingData = Missing.NOT_BREACHING
    below: bool = False
    """Rings below the threshold instead."""

    @property
    def description(self) -> str:
        return f"{self.urgency}: {self.todo} {RUNBOOK}#{self.section}"


def watches(signals: Signals, daily_spend_usd: float) -> list[Watch]:
    """Every alarm of an environment. `daily_spend_usd`: US dollars that the providers may cost in a day."""
    return [
        *_work(signals),
        *_money(signals, daily_spend_usd),
        *_providers(signals),
        *_doors(signals),
        *_queues(signals),
        *(watch for role in signals.functions for watch in _function(signals, role)),
    ]


def _work(signals: Signals) -> Iterator[Watch]:
    """Executions, and the net under them."""
    unsettled = signals.business("CouldNotSettle")
    yield Watch(
        "could-not-settle",
        total([*signals.failed_executions(), unsettled], "executions that ended without writing what became of them"),
        1,
        "Tonight",
        "find out why an execution ended without writing what became of its node, and see that its pipeline goes on.",
        "could-not-settle",
    )
    yield Watch(
        "stuck-nodes",
        signals.business("StuckNodes", period=HOUR),
        3,
        "In the morning",
        "find out what ends executions in the middle of a node; they are started again by themselves five times.",
        "stuck-nodes",
    )
    for name, roles in _throttled_together(signals):
        yield Watch(
            name,
            total([signals.functions[role].metric_throttles() for role in roles], "refused invocations"),
            1,
            "Tonight",
            "raise the account's concurrency quota, or stop what else uses it: Lambda refused calls for 15 minutes.",
            "throttles",
            times=3,
            of=3,
        )
    yield Watch(
        "sweeper-silent",
        signals.functions["sweeper"].metric_invocations(period=FIVE_MINUTES),
        1,
        "In the morning",
        "switch the five-minute schedule on again; without it nobody notices lost events.",
        "sweeper-silent",
        times=6,
        of=6,
        missing=Missing.BREACHING,  # a function that is not called sends no zeros
        below=True,
    )


def _throttled_together(signals: Signals) -> Iterator[tuple[str, Sequence[str]]]:
    """The functions in groups as large as one alarm takes, those of providers apart."""
    of_providers = [role for name in PROVIDERS for role in (submitter_of(name), poller_of(name))]
    others = [role for role in signals.functions if role not in of_providers]
    for name, roles in (("throttles", others), ("throttles-providers", of_providers)):
        for start in range(0, len(roles), MOST_METRICS):
            yield f"{name}-{start // MOST_METRICS + 1}" if start else name, roles[start : start + MOST_METRICS]


def _money(signals: Signals, daily_spend_usd: float) -> Iterator[Watch]:
    spend = [signals.business("SpendUSD", period=DAY, provider=provider) for provider in PROVIDERS]
    yield Watch(
        "spend",
        total(spend, "US dollars in a day", DAY),
        daily_spend_usd,
        "Tonight",
        f"cancel what should not run, or raise the limit: providers cost over ${daily_spend_usd:g} in a day.",
        "spend",
    )
    for provider in PROVIDERS:
        yield Watch(
            f"may-have-been-paid-{provider}",
            signals.business("MayHaveBeenPaid", provider=provider),
            1,
            "In the morning",
            f"look the request up at {provider} and decide with `resolve`; until then nothing more is paid for it.",
            "may-have-been-paid",
        )
        yield Watch(
            f"orphan-paid-jobs-{provider}",
            signals.business("OrphanPaidJobs", provider=provider),
            1,
            "In the morning",
            f"see what was paid at {provider} that no node awaits, and whether it can be used.",
            "orphan-paid-job",
        )


def _providers(signals: Signals) -> Iterator[Watch]:
    for provider in PROVIDERS:
        calls = signals.business("ProviderCalls", period=QUARTER, provider=provider)
        errors = signals.business("ProviderErrors", period=QUARTER, provider=provider)
        limited = signals.business("RateLimited", period=QUARTER, provider=provider)
        yield Watch(
            f"provider-errors-{provider}",
            percent(errors, calls, "% of requests answered 5xx or not at all", at_least=10),
            20,
            "Tonight",
            f"see whether {provider} is down, and cancel what runs if paid requests get lost.",
            "provider-errors",
            times=2,
            of=2,
        )
        yield Watch(
            f"rate-limited-{provider}",
            percent(limited, calls, "% of requests answered 429", at_least=10),
            30,
            "In the morning",
            f"start fewer pipelines at once, or take a larger plan: {provider} has answered 429 for an hour.",
            "rate-limited",
            times=4,
            of=4,
        )
        yield Watch(
            f"provider-account-{provider}",
            signals.business("AccountRefusals", period=QUARTER, provider=provider),
            1,
            "Tonight",
            f"top up the account at {provider}, or mend its key: paid requests are refused, nothing is made.",
            "out-of-credit",
        )


def _doors(signals: Signals) -> Iterator[Watch]:
    """What callers and providers meet."""
    undelivered = signals.functions["merger"].metric("DestinationDeliveryFailures", statistic="Sum")
    yield Watch(
        "callbacks-failed",
        total([signals.business("CallbacksFailed"), undelivered], "callbacks that nobody took"),
        1,
        "In the morning",
        "tell the caller of a merge how it ended; nobody took the callback.",
        "callbacks-failed",
    )
    for provider in (facts.name for facts in PROVIDER_FACTS.values() if facts.webhooks):
        yield Watch(
            f"webhooks-rejected-{provider}",
            signals.business("WebhooksRejected", period=HOUR, provider=provider),
            5,
            "In the morning",
            f"register {provider}'s webhook again, unless a stranger sends them; polling goes on without it.",
            "webhooks-rejected",
        )
    yield Watch(
        "api-errors",
        signals.api.metric_server_error(statistic="Sum", period=FIVE_MINUTES),
        1,
        "Tonight",
        "read the logs of the two functions behind the HTTP API: its callers get errors.",
        "api-errors",
        times=3,
        of=6,
    )


def _queues(signals: Signals) -> Iterator[Watch]:
    for name, queue in signals.working_queues.items():
        yield Watch(
            f"queue-age-{signals.short(name)}",
            queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=FIVE_MINUTES),
            QUARTER.to_seconds(),
            "Tonight",
            f"find out why nobody takes messages from {name}: the oldest has waited for a quarter of an hour.",
            "queue-age",
            times=2,
            of=2,
        )
    for name, queue in signals.dead_letters.items():
        yield Watch(
            f"dead-letters-{signals.short(name).removesuffix('-dead')}",
            queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=FIVE_MINUTES),
            1,
            "Tonight",
            f"mend what failed the messages in {name}, then redrive them.",
            "dead-letters",
            missing=Missing.IGNORE,  # SQS falls silent about a queue that nobody touches; the letters are still there
        )


def _function(signals: Signals, role: str) -> Iterator[Watch]:
    function, name = signals.functions[role], signals.names.function(role)
    timeout, memory = signals.timeout_seconds(role), signals.memory_size(role)
    yield Watch(
        f"errors-{role}",
        function.metric_errors(period=FIVE_MINUTES),
        1,
        "Tonight",
        f"read the log of {name}: it has failed again and again, so repeating does not help.",
        "function-errors",
        times=3,
        of=6,
    )
    yield Watch(
        f"duration-{role}",
        function.metric_duration(statistic="Maximum", period=FIVE_MINUTES),
        timeout * 1000 * _NEARLY / 100,
        "In the morning",
        f"see what took {name} over {_NEARLY} % of its {timeout:g} s, before it runs out of time.",
        "timeout",
    )
    yield Watch(
        f"memory-{role}",
        signals.memory_used(role),
        memory * _FULL / 100,
        "In the morning",
        f"give {name} more than its {memory:g} MB of memory, before it is killed for want of it.",
        "out-of-memory",
    )
    if ROLES[role].ffmpeg:
        yield Watch(
            f"tmp-{role}",
            signals.business("TmpPercent", "Maximum", role=role),
            _NEARLY,
            "In the morning",
            f"split the job that filled over {_NEARLY} % of /tmp of {name}, or give it more.",
            "tmp-full",
        )

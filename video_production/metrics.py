"""The catalogue of business metrics: functions emit them, the stack draws and watches them, the docs list them.

All are CloudWatch metrics in one namespace, sent as embedded metric format by way of the log. Every metric has the
dimension `environment` and those that it names; nothing else. Source: "Embedded metric format", CloudWatch user guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from video_production.settings import PROVIDERS, poller_of, submitter_of

__all__ = ["METRICS", "NAMESPACE", "Metric", "Report", "unreported"]

NAMESPACE = "JikiVideo"

Unit = Literal["Count", "Seconds", "Milliseconds", "Bytes", "Percent", "None"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `dimensions` beside `environment`; `roles` are the functions that emit it."""

    name: str
    unit: Unit
    means: str
    roles: tuple[str, ...]
    dimensions: tuple[str, ...] = ()


class Report(Protocol):
    """How the library tells what happened: a metric of the catalogue, its value, its own dimensions. Never raises."""

    def __call__(self, name: str, value: float = 1, **dimensions: str) -> None: ...


def unreported(name: str, value: float = 1, **dimensions: str) -> None:
    """A report that nobody wants: the command line, tests."""


_POLLERS = tuple(map(poller_of, PROVIDERS))
_PROVIDER_ROLES = (*map(submitter_of, PROVIDERS), *_POLLERS)
_CATALOGUE = (
    Metric("PipelinesEnded", "Count", "pipelines whose outcome was written", ("scheduler",), ("status",)),
    Metric("NodesEnded", "Count", "nodes that completed or failed", ("scheduler",), ("node_type", "status")),
    Metric("NodeSeconds", "Seconds", "from a node's claim to its end", ("scheduler",), ("node_type",)),
    Metric("StuckNodes", "Count", "nodes whose execution was closed while they were in progress", ("scheduler",)),
    Metric("CouldNotSettle", "Count", "executions that ended without writing what became of them", ("scheduler",)),
    Metric("ProviderCalls", "Count", "requests to a provider", _PROVIDER_ROLES, ("provider",)),
    Metric("ProviderErrors", "Count", "of these, answered 5xx or not at all", _PROVIDER_ROLES, ("provider",)),
    Metric("RateLimited", "Count", "of these, answered 429", _PROVIDER_ROLES, ("provider",)),
    Metric("ProviderLatency", "Milliseconds", "how long requests took", _PROVIDER_ROLES, ("provider", "operation")),
    Metric("Polls", "Count", "looks at jobs under way", _POLLERS, ("provider",)),
    Metric("ProviderRefusals", "Count", "paid requests that a provider refused", _PROVIDER_ROLES, ("provider",)),
    Metric(
        "AccountRefusals",
        "Count",
        "paid requests not made for want of a valid key, credit, plan or permission; a missing secret counts",
        _PROVIDER_ROLES,
        ("provider",),
    ),
    Metric("SpendUSD", "None", "US dollars for results that were charged", _PROVIDER_ROLES, ("provider",)),
    Metric("MayHaveBeenPaid", "Count", "requests that a person has to decide about", _PROVIDER_ROLES, ("provider",)),
    Metric("OrphanPaidJobs", "Count", "paid jobs that nobody awaits", _PROVIDER_ROLES, ("provider",)),
    Metric("VideosMerged", "Count", "merges that succeeded", ("merger",), ("method",)),
    Metric("BytesRead", "Bytes", "media that FFmpeg functions fetched", ("merger", "audio_mixer")),
    Metric("BytesWritten", "Bytes", "media that FFmpeg functions stored", ("merger", "audio_mixer")),
    Metric("TmpPercent", "Percent", "the most of /tmp that an invocation used", ("merger", "audio_mixer"), ("role",)),
    Metric("WebhooksReceived", "Count", "webhooks with a good signature", ("webhook_receiver",), ("provider",)),
    Metric("WebhooksRejected", "Count", "webhooks without one", ("webhook_receiver",), ("provider",)),
    Metric("CallbacksFailed", "Count", "callbacks that nobody took", ("merger", "error_callback")),
    Metric("SweptPipelines", "Count", "pipelines under way at a sweep", ("sweeper",)),
    Metric("SweptJobs", "Count", "paid jobs under way at a sweep", ("sweeper",)),
)
METRICS = {metric.name: metric for metric in _CATALOGUE}

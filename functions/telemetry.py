"""The business metrics of one function, as `video_production.metrics` lists them and not otherwise.

They are collected during an invocation and written into the log at its end, in CloudWatch's embedded metric format: one
line for every combination of dimensions.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from video_production.metrics import METRICS, NAMESPACE, Metric

__all__ = ["Telemetry"]

Handler = Callable[[dict[str, Any], Any], Any]
_log = logging.getLogger(__name__)


class Telemetry:
    """Collects metrics for `environment` and `role`, the function that emits them.

    What the catalogue does not know is left out, with an error in the log: it may come up right after a paid request,
    whose answer must not get lost for the sake of a number. `strict` raises ValueError instead, for tests.
    """

    def __init__(self, environment: str, role: str, *, strict: bool = False) -> None:
        self.environment = environment
        self.role = role
        self.strict = strict
        self._sets: dict[tuple[tuple[str, str], ...], AmazonCloudWatchEMFProvider] = {}

    def add(self, name: str, value: float = 1, **dimensions: str) -> None:
        """Note one value. This is the library's `Report`."""
        metric = METRICS.get(name)
        problem = self._problem(metric, dimensions)
        if metric is None or problem:
            if self.strict:
                raise ValueError(f"{name}: {problem}")
            _log.error("%s is not counted: %s", name, problem)
            return
        named = {"environment": self.environment, **{key: dimensions[key] or "none" for key in metric.dimensions}}
        known = self._sets.get(tuple(named.items()))
        if known is None:
            # An empty `service` keeps Powertools from adding a dimension of that name.
            known = AmazonCloudWatchEMFProvider(namespace=NAMESPACE, service="", dimension_set=dict(named))
            self._sets[tuple(named.items())] = known
        known.add_metric(name, metric.unit, value)

    def flush(self) -> None:
        """Write what was collected."""
        sets, self._sets = self._sets, {}
        for collected in sets.values():
            if collected.metric_set:  # empty where a hundred values were written on the way
                collected.flush_metrics()

    def sent(self, handler: Handler) -> Handler:
        """Decorate a handler: its metrics are written when it ends, however it ends."""

        @functools.wraps(handler)
        def counted(event: dict[str, Any], context: Any) -> Any:
            try:
                return handler(event, context)
            finally:
                self.flush()

        return counted

    def _problem(self, metric: Metric | None, dimensions: dict[str, str]) -> str:
        if metric is None:
            return "there is no such metric in the catalogue"
        if self.role not in metric.roles:
            return f"the function '{self.role}' does not emit it"
        if set(dimensions) != set(metric.dimensions):
            wanted = ", ".join(metric.dimensions) or "none"
            return f"its dimensions are {wanted}, not {', '.join(dimensions) or 'none'}"
        return ""

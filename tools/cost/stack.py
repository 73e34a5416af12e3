"""What a deployed environment has that is billed by the month, counted in its synthesised template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["StackSize", "read_template"]


@dataclass(frozen=True, slots=True)
class StackSize:
    """Billed things of one environment. `alarm_metrics` counts each metric that an alarm looks at."""

    secrets: int
    alarms: int
    alarm_metrics: int
    dashboards: int
    metric_filters: int
    queue_readers: int

    def to_json(self) -> dict[str, int]:
        return asdict(self)


def read_template(template: Mapping[str, Any]) -> StackSize:
    """Count in a template."""
    resources = list(template["Resources"].values())
    kinds = Counter(resource["Type"] for resource in resources)
    alarms = [each["Properties"] for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"]
    return StackSize(
        secrets=kinds["AWS::SecretsManager::Secret"],
        alarms=len(alarms),
        alarm_metrics=sum(sum("MetricStat" in metric for metric in alarm.get("Metrics", ())) or 1 for alarm in alarms),
        dashboards=kinds["AWS::CloudWatch::Dashboard"],
        metric_filters=kinds["AWS::Logs::MetricFilter"],
        queue_readers=kinds["AWS::Lambda::EventSourceMapping"],
    )

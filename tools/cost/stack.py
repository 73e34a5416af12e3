"""What a deployed environment has that is billed by the month, counted in its synthesised template."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["StackSize", "read_template", "stack_size"]

ROOT = Path(__file__).resolve().parent.parent.parent


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


def stack_size(folder: Path) -> StackSize:
    """Synthesise the app into `folder` and count. Raises RuntimeError when it can't be synthesised."""
    environment = {**os.environ, "CDK_OUTDIR": str(folder)}
    done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"The stack could not be synthesised: {done.stdout}{done.stderr}")
    [template] = folder.glob("*.template.json")
    return read_template(json.loads(template.read_text("utf-8")))


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

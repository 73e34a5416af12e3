"""EventBridge: from events to the targets of rules; and the events that Step Functions itself sends.

moto matches patterns, but delivers to queues only, ignores that a rule is disabled, gives every event to a rule that
has a schedule instead of a pattern, and fills its default template by replacing text inside the event.
Sources: "Amazon EventBridge targets" and "Automating Step Functions event delivery with EventBridge".
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.events.models import Rule, events_backends
from moto.events.utils import EventTemplateParser
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from local_cloud.doors.targets import Targets

__all__ = ["EventBus", "iso_time", "target_input"]

log = logging.getLogger(__name__)

Forward = Callable[[Any, dict[str, Any]], None]
"""(rule, event): moto's own delivery, for the targets that are not ours."""


class EventBus:
    """Delivers what rules match. Nothing here raises: one broken target must not keep others from their events."""

    def __init__(self, targets: Targets, forward: Forward) -> None:
        self._targets = targets
        self._forward = forward

    def event_sent(self, rule: Rule, moto_event: dict[str, Any]) -> None:
        """An event on the bus of `rule`, as moto has it: to the rule's targets, if the pattern matches."""
        event = {name: value for name, value in moto_event.items() if name != "ingestion-time"}
        event["time"] = iso_time(event["time"])
        if enabled(rule) and rule.event_pattern.get_pattern() and rule.event_pattern.matches_event(event):
            for target in list(rule.targets):
                self._send(rule, target, event, moto_event)

    def execution_ended(self, execution: Any) -> None:
        """Put the event that Step Functions sends for an execution that ended."""
        try:
            events_backends[execution.account_id][execution.region_name].put_events([status_change(execution)])
        except Exception:
            log.exception("the end of %s was not announced", execution.exec_arn)

    def _send(self, rule: Rule, target: dict[str, Any], event: dict[str, Any], moto_event: dict[str, Any]) -> None:
        arn = target["Arn"]
        try:
            if self._targets.serves(arn):
                group = (target.get("SqsParameters") or {}).get("MessageGroupId")
                self._targets.deliver(arn, target_input(target, event), group)
            else:
                alone = copy.copy(rule)
                alone.targets = [target]
                self._forward(alone, moto_event)
        except Exception:
            log.exception("rule %s could not deliver to %s", rule.name, arn)


def enabled(rule: Any) -> bool:
    return str(rule.state).startswith("ENABLED")


def target_input(target: dict[str, Any], event: dict[str, Any]) -> str:
    """What a target receives: the event, its own constant, one part of the event, or a filled template."""
    if target.get("Input"):
        return str(target["Input"])
    if path := target.get("InputPath"):
        return json.dumps(_part(event, path))
    if transformer := target.get("InputTransformer"):
        filled = EventTemplateParser.parse(
            transformer["InputTemplate"],
            transformer.get("InputPathsMap") or {},
            {**event, "ingestion-time": event["time"]},
        )
        return json.dumps(filled)
    return json.dumps(event)


def _part(event: dict[str, Any], path: str) -> Any:
    """The part of an event at `$.detail.name`."""
    part: Any = event
    for name in path.removeprefix("$").strip(".").split("."):
        part = part.get(name) if name and isinstance(part, dict) else part
    return part


def iso_time(moment: Any) -> str:
    """An event's time: from Unix seconds, or as it is."""
    try:
        return datetime.fromtimestamp(float(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return str(moment)


def status_change(execution: Any) -> dict[str, Any]:
    """The PutEvents entry for an execution of moto's interpreter, in the shape of a real event."""
    status = execution.exec_status.value
    machine = execution.state_machine
    version_of = getattr(machine, "source_arn", None)
    output = to_json_str(execution.output, separators=(",", ":")) if status == "SUCCEEDED" else None
    detail = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": version_of or machine.arn,
        "stateMachineVersionArn": machine.arn if version_of else None,
        "stateMachineAliasArn": None,
        "name": execution.name,
        "status": status,
        "startDate": int(execution.start_date.timestamp() * 1000),
        "stopDate": int(execution.stop_date.timestamp() * 1000),
        "input": execution.execution_input,
        "output": output,
        "inputDetails": {"included": True},
        "outputDetails": {"included": True} if output is not None else None,
        "error": execution.error,
        "cause": execution.cause,
        "redriveCount": 0,
        "redriveDate": None,
        "redriveStatus": "NOT_REDRIVABLE" if status == "SUCCEEDED" else "REDRIVABLE",
        "redriveStatusReason": None,
    }
    return {
        "Source": "aws.states",
        "DetailType": "Step Functions Execution Status Change",
        "Time": execution.stop_date.timestamp(),
        "Resources": [execution.exec_arn],
        "Detail": json.dumps(detail),
    }

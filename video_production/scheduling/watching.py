"""The execution of the pipeline machine that watches a run: its name, and how it is started."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from video_production.errors import TransientError
from video_production.nodes.model import Pipeline

__all__ = ["MOST_RESTARTS", "next_watcher", "start_watcher", "watcher_name"]

MOST_RESTARTS = 3
"""How often a watcher that died is replaced in one run. After that the sweep alone drives the pipeline on."""
_RESTARTED = "-again-"


def watcher_name(pipeline: Pipeline) -> str:
    """The name of the execution that watches the current run: one run, one name, however often it is asked for."""
    return f"{pipeline.id[:64]}-{pipeline.run}"


def next_watcher(pipeline: Pipeline, dead: str) -> str | None:
    """The name of the execution that replaces `dead`; None for an earlier run, and when enough were replaced."""
    name = watcher_name(pipeline)
    if dead == name:
        return f"{name}{_RESTARTED}1"
    first, _, number = dead.rpartition(_RESTARTED)
    if first != name or not number.isdecimal() or int(number) >= MOST_RESTARTS:
        return None
    return f"{name}{_RESTARTED}{int(number) + 1}"


def start_watcher(states: Any, machine_arn: str, pipeline_id: str, name: str) -> str | None:
    """Start the pipeline machine under a name; its ARN, also when it runs already. None when that one is closed.

    Raises TransientError.
    """
    event = json.dumps({"pipeline_id": pipeline_id}, separators=(",", ":"))
    try:
        return str(states.start_execution(stateMachineArn=machine_arn, name=name, input=event)["executionArn"])
    except states.exceptions.ExecutionAlreadyExists:
        return None
    except (ClientError, BotoCoreError) as error:
        raise TransientError(f"Pipeline {pipeline_id}: its execution could not be started ({error}).") from error

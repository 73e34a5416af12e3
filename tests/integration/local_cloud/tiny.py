"""A checkout with tiny functions and state machines, and how tests look at a cloud's processes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_cloud.functions import ROLES
from local_cloud.handle import CHECKOUT
from video_production.settings import NODE_MACHINE_CALLS
from video_production.settings import ROLES as ROLE_OF

HANDLER = """
import json, os, time
import boto3

def handler(event, context):
    if "do" not in event:
        print("event", json.dumps(event))
    do = event.get("do", "echo")
    if do == "fail":
        raise ValueError("as told")
    if do == "sleep":
        print("sleeping")
        time.sleep(event["seconds"])
    if do == "grow":
        grown = bytearray(event["megabytes"] << 20)
        time.sleep(5)
    for record in event.get("Records", []):
        time.sleep(json.loads(record["body"]).get("sleep", 0))
    if do == "write":
        boto3.client("dynamodb").put_item(TableName=os.environ["NODES_TABLE"], Item=event["item"])
    if do == "start":
        arn = os.environ["NODE_MACHINE_ARN"]
        machines = boto3.client("stepfunctions")
        machines.start_execution(stateMachineArn=arn, name=event["name"], input=json.dumps(event["input"]))
    if do == "store":
        boto3.client("s3").put_object(Bucket=event["bucket"], Key=event["key"], Body=event["text"].encode())
    print("did", do)
    return {"did": do, "pid": os.getpid(), "role": os.environ["POWERTOOLS_SERVICE_NAME"], "event": event}
"""

NODE_MACHINE = {
    "StartAt": "Call",
    "States": {
        "Call": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "${SchedulerArn}", "Payload.$": "$"},
            "ResultPath": "$.result",
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Note the failure"}],
            "Next": "Over",
        },
        "Note the failure": {
            "Type": "Task",
            "Resource": "arn:aws:states:::dynamodb:putItem",
            "Parameters": {
                "TableName": "${NodesTable}",
                "Item": {
                    "pipeline_id": {"S": "failures"},
                    "id": {"S.$": "$$.Execution.Name"},
                    "error": {"S.$": "$.failure.Error"},
                },
            },
            "ResultPath": None,
            "Next": "Over",
        },
        "Over": {
            "Type": "Pass",
            "Result": [f"${{{ROLE_OF[role].variable}}}" for role in NODE_MACHINE_CALLS],
            "ResultPath": "$.others",
            "End": True,
        },
    },
}

PIPELINE_MACHINE = """
{"StartAt": "Call", "States": {
  "Call": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
           "Parameters": {"FunctionName": "${SchedulerArn}", "Payload.$": "$"}, "Next": "Watch"},
  "Watch": {"Type": "Wait", "Seconds": ${WatchSeconds}, "End": true}}}
"""


def write_checkout(root: Path) -> Path:
    """A checkout with our library and stand-ins, but tiny functions and machines."""
    for name in ("video_production", "stand_ins"):
        (root / name).symlink_to(CHECKOUT / name)
    for role in ROLES:
        folder = root / "functions" / role
        folder.mkdir(parents=True)
        (folder / "handler.py").write_text(HANDLER)
    (root / "workflows").mkdir()
    (root / "workflows" / "node.asl.json").write_text(json.dumps(NODE_MACHINE))
    (root / "workflows" / "pipeline.asl.json").write_text(PIPELINE_MACHINE)
    return root


def wait_for(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The condition's first true value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
    return value


def processes_of(home: Path) -> list[int]:
    """All living processes whose command line or environment names a state folder, zombies left out."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:
                continue
            if str(home).encode() in told:
                found.append(int(process.name))
    return found

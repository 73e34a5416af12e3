"""Start a published pipeline through Step Functions.

Usage: start_pipeline.py PIPELINE_ID

Prints the execution's ARN. Starting the same run twice starts it once, because the execution's name says which run.
Environment: PIPELINE_MACHINE_ARN, NODES_TABLE, and what boto3 reads (region, credentials, endpoints).
"""

from __future__ import annotations

import json
import os
import sys

import boto3


def start(pipeline_id: str) -> str:
    """The ARN of the execution that makes the pipeline's current run, started now or before. LookupError: no such."""
    run = _current_run(pipeline_id)
    states = boto3.client("stepfunctions")
    machine = os.environ["PIPELINE_MACHINE_ARN"]
    name = f"{pipeline_id[:64]}-{run}"
    event = json.dumps({"pipeline_id": pipeline_id}, separators=(",", ":"))
    try:
        return str(states.start_execution(stateMachineArn=machine, name=name, input=event)["executionArn"])
    except states.exceptions.ExecutionAlreadyExists:  # it is over; a new run is asked for with `retry` or an edit
        return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def _current_run(pipeline_id: str) -> int:
    answer = boto3.client("dynamodb").get_item(
        TableName=os.environ["NODES_TABLE"],
        Key={"pipeline_id": {"S": pipeline_id}, "id": {"S": "#pipeline"}},
        ConsistentRead=True,
        ProjectionExpression="#run",
        ExpressionAttributeNames={"#run": "run"},
    )
    if "run" not in answer.get("Item", {}):
        raise LookupError(f"There is no pipeline '{pipeline_id}'.")
    return int(answer["Item"]["run"]["N"])


if __name__ == "__main__":
    try:
        print(start(sys.argv[1]))
    except LookupError as error:
        sys.exit(str(error))

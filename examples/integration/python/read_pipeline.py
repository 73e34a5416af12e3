"""Say how far a pipeline is, and where its finished video can be fetched.

Usage: read_pipeline.py PIPELINE_ID

Prints a JSON object: the outcome (null while it runs), each node's status, a URL of the video that holds for an hour.
Environment: NODES_TABLE, and what boto3 reads (region, credentials, endpoints).
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key
from botocore.config import Config

ONE_HOUR = 3600


def read(pipeline_id: str) -> dict[str, Any]:
    """What the table says now. LookupError: there is no such pipeline."""
    table = boto3.resource("dynamodb").Table(os.environ["NODES_TABLE"])
    query: dict[str, Any] = {"KeyConditionExpression": Key("pipeline_id").eq(pipeline_id), "ConsistentRead": True}
    items: dict[str, dict[str, Any]] = {}
    while True:
        page = table.query(**query)
        items |= {item["id"]: item for item in page["Items"]}
        if "LastEvaluatedKey" not in page:
            break
        query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    pipeline = items.pop("#pipeline", None)
    if pipeline is None or "final_node" not in pipeline:
        raise LookupError(f"There is no pipeline '{pipeline_id}'.")
    outcome = pipeline.get("outcome")
    return {
        "title": pipeline["title"],
        "outcome": outcome["status"] if outcome else None,
        "nodes": {node_id: items[node_id]["status"] for node_id in pipeline["node_ids"]},
        "video": _url(items[pipeline["final_node"]]),
    }


def _url(node: dict[str, Any]) -> str | None:
    output = node.get("output")
    if node["status"] != "completed" or not output:
        return None
    s3 = boto3.client("s3", config=Config(signature_version="s3v4"))  # boto3 alone would sign with version 2
    place = {"Bucket": output["bucket"], "Key": output["s3_key"]}
    return str(s3.generate_presigned_url("get_object", Params=place, ExpiresIn=ONE_HOUR))


if __name__ == "__main__":
    try:
        print(json.dumps(read(sys.argv[1]), indent=2))
    except LookupError as error:
        sys.exit(str(error))

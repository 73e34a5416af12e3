"""Join videos and wait for the answer.

Usage: merge_synchronously.py BUCKET KEY s3://… [s3://…]

Prints the merger's answer. Exit code 0: joined; 1: the request is wrong, the same one fails again; 2: try later.
Environment: MERGER_FUNCTION, and what boto3 reads (region, credentials, endpoints).
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import boto3
from botocore.config import Config

PATIENT = Config(read_timeout=960, retries={"total_max_attempts": 1}, tcp_keepalive=True)
"""A merge may take 15 minutes. boto3 gives up after one minute by default, and then *invokes again*: two merges run."""


def merge(input_videos: list[str], bucket: str, key: str) -> dict[str, Any]:
    """The merger's answer. What ends a function from outside (time, memory) looks like a 500 of the merger."""
    lambda_client = boto3.client("lambda", config=PATIENT)
    event = {"input_videos": input_videos, "output_bucket": bucket, "output_key": key}
    response = lambda_client.invoke(FunctionName=os.environ["MERGER_FUNCTION"], Payload=json.dumps(event))
    answer: dict[str, Any] = json.load(response["Payload"])
    if "FunctionError" in response:
        return {"error": answer["errorMessage"], "error_type": answer.get("errorType", "Unknown"), "statusCode": 500}
    return answer


def main(arguments: list[str]) -> int:
    bucket, key, *input_videos = arguments
    answer = merge(input_videos, bucket, key)
    print(json.dumps(answer, indent=2))
    return {200: 0, 400: 1}.get(answer["statusCode"], 2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

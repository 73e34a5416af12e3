"""Start a published pipeline through the HTTP API.

Usage: start_pipeline_over_http.py PIPELINE_ID

Prints the answer. 202: it runs; 200: it is complete already; 404: unknown; 409: it can't be started now, with the
reason; 503: try again. Exit code 0 for the first two, 1 for the others.
Environment: API_URL, and what boto3 reads (region, credentials).
"""

from __future__ import annotations

import os
import sys
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest


def start(pipeline_id: str) -> tuple[int, str]:
    """Status and body of the API's answer."""
    url = f"{os.environ['API_URL'].rstrip('/')}/pipelines/{quote(pipeline_id, safe='')}/executions"
    session = boto3.Session()
    signed = AWSRequest("POST", url, data=b"")
    SigV4Auth(session.get_credentials(), "execute-api", session.region_name).add_auth(signed)
    try:
        with urlopen(Request(url, data=b"", headers=dict(signed.headers), method="POST"), timeout=35) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


if __name__ == "__main__":
    status, body = start(sys.argv[1])
    print(body)
    sys.exit(0 if status in (200, 202) else 1)

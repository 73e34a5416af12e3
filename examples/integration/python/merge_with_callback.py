"""Join videos without waiting: the merger calls back, signed, when it is done.

Usage: merge_with_callback.py BUCKET KEY s3://… [s3://…]

Runs a receiver of callbacks, hands the work over and ends when its result has come. In an application the two halves
are apart: a controller receives, a job hands over. Prints the callback; exit code 0: joined, 1: not.
Environment: MERGER_FUNCTION, CALLBACK_SECRET (the name of the secret), CALLBACK_URL (where the receiver is seen from
outside; its host must be on the merger's allow-list; not needed with the local cloud), optionally CALLBACK_PORT, and
what boto3 reads.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
from callback_signature import HEADER, is_genuine

Callback = dict[str, Any]
LONGEST_BODY = 1 << 20
LONGEST_MERGE = 16 * 60
"""Seconds: the merger's own limit and some time for the callback. After that, look at the merger's log."""


class Receiver(ThreadingHTTPServer):
    """Answers 204 to a callback with a good signature and 401 to anything else. `arrived` gives each one once."""

    def __init__(self, port: int, secret: str) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.secret = secret
        self.arrived: queue.Queue[Callback] = queue.Queue()
        self._seen: set[str] = set()

    def take(self, callback: Callback) -> None:
        """A callback may come more than once. An application keeps `process_uuid` under a unique index instead."""
        if callback["process_uuid"] not in self._seen:
            self._seen.add(callback["process_uuid"])
            self.arrived.put(callback)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), LONGEST_BODY))
        if not is_genuine(body, self.headers.get(HEADER, ""), self.server.secret):
            return self._answer(401)
        self.server.take(json.loads(body))
        return self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print callbacks only."""


def hand_over(input_videos: list[str], bucket: str, key: str, callback_url: str, process_uuid: str) -> None:
    """Queue the merge. `process_uuid` is ours: it comes back in the callback and tells which work it belongs to."""
    event = {
        "input_videos": input_videos,
        "output_bucket": bucket,
        "output_key": key,
        "callback_url": callback_url,
        "process_uuid": process_uuid,
    }
    boto3.client("lambda").invoke(
        FunctionName=os.environ["MERGER_FUNCTION"], InvocationType="Event", Payload=json.dumps(event)
    )


def callback_url(port: int) -> str:
    """Where the receiver is called. The local cloud reaches this machine, AWS does not."""
    if url := os.environ.get("CALLBACK_URL"):
        return url
    if not os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://127.0.0.1:"):
        sys.exit("CALLBACK_URL is not set: AWS can't call this machine back, so say where it is seen from outside.")
    return f"http://127.0.0.1:{port}/callbacks/videos"


def main(arguments: list[str]) -> int:
    bucket, key, *input_videos = arguments
    port = int(os.environ.get("CALLBACK_PORT", "0"))
    callback_url(port)  # before anything is asked of AWS
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["CALLBACK_SECRET"])["SecretString"]
    with Receiver(port, secret) as receiver:
        Thread(target=receiver.serve_forever, args=(0.05,), daemon=True).start()
        hand_over(input_videos, bucket, key, callback_url(receiver.server_port), process_uuid=str(uuid.uuid4()))
        callback = receiver.arrived.get(timeout=LONGEST_MERGE)
        receiver.shutdown()
    print(json.dumps(callback, indent=2))
    return 0 if "result" in callback else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

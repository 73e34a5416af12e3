"""Counts what passes the local cloud's doors, in the units in which AWS bills it.

The doors are replaced before a cloud starts: only there is every request seen, those of the functions included.
"""

from __future__ import annotations

import functools
import io
import json
import math
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from local_cloud import cloud, s3
from local_cloud.gateway import Gateway, StartResponse, touched_items

__all__ = ["Recorder"]

_TABLES = "DynamoDB_20120810."
_QUEUES = "AmazonSQS."
_EVENTS = "AWSEvents.PutEvents"
_READS = (".GetItem", ".Query")
_INDEXED = ("active", "open")
"""Attributes that put an item into an index; a write of such an item is billed for the index too."""


class Recorder:
    """Start a cloud while it is `installed`. `counted` holds write_units, read_units, sqs_requests and events."""

    def __init__(self, s3_log: Path) -> None:
        self.counted: Counter[str] = Counter()
        self._s3_log = s3_log
        self._lock = threading.Lock()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Within it, clouds that are started have counting doors."""
        recorder = self

        class Counting(Gateway):
            def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
                target: str = environ.get("HTTP_X_AMZ_TARGET", "")
                body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) if target else b""
                if target:
                    environ["wsgi.input"] = io.BytesIO(body)
                answer = list(super().__call__(environ, start_response))
                # The command line reads as often as its picture changes; that is not the lesson's.
                if "AWS_Lambda" in environ.get("HTTP_USER_AGENT", "") or not target.endswith(_READS):
                    recorder.count(target, body, b"".join(answer), self)
                return answer

        logging = functools.partial(s3.DiskS3, access_log=self._s3_log)
        with patch.object(cloud, "Gateway", Counting), patch.object(s3, "DiskS3", logging):
            yield

    def count(self, target: str, body: bytes, answer: bytes, gateway: Gateway) -> None:
        """Count one request with its answer."""
        with self._lock:
            if target.startswith(_TABLES):
                self._table(target.removeprefix(_TABLES), body, answer, gateway)
            elif target.startswith(_QUEUES):
                self.counted["sqs_requests"] += 1
            elif target == _EVENTS:
                self.counted["events"] += len(json.loads(body)["Entries"])

    def _table(self, operation: str, body: bytes, answer: bytes, gateway: Gateway) -> None:
        """Sizes are those of DynamoDB's JSON, which is somewhat longer than what DynamoDB counts."""
        if operation in ("GetItem", "Query"):
            consistent = json.loads(body).get("ConsistentRead", False)
            units = max(1, math.ceil(len(answer) / 4096))
            self.counted["read_units"] += units if consistent else math.ceil(units / 2)
            return
        transaction = operation == "TransactWriteItems"
        for table, key in touched_items(operation, body, gateway._key_names):
            item = gateway._store.get(table, key) or {}
            units = max(1, math.ceil(len(json.dumps(item)) / 1024))
            self.counted["write_units"] += units * (2 if transaction else 1) + any(name in item for name in _INDEXED)
        if transaction:
            checks = [action for action in json.loads(body)["TransactItems"] if "ConditionCheck" in action]
            self.counted["write_units"] += 2 * len(checks)

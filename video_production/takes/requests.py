"""What an attempt asked for, kept beside its files: `takes/{take}/{attempt}/request.json`.

A result can come when its node was edited away, and with it everything that the request was made of. So the request is
stored before the attempt is written down: if that write is lost nothing was reserved, and nothing was sent.
"""

from __future__ import annotations

import json
from typing import Any

from video_production.errors import MediaError
from video_production.providers.interface import Attempt, Destination, GenerationRequest, InputContent
from video_production.storage import Storage
from video_production.takes.model import Take, TakeAttempt

__all__ = ["attempt_of", "is_request_kept", "keep_request", "kept_attempt"]

_FILE = "request.json"
_LIMIT = 4 << 20
"""Bytes; the longest script is 40,000 characters."""


def attempt_of(take_id: str, attempt: TakeAttempt, request: GenerationRequest, bucket: str = "") -> Attempt:
    """An attempt as its provider needs it. Its files lie where it was sent from, whoever follows it now."""
    destination = Destination(attempt.bucket or bucket, f"takes/{take_id}/{attempt.id}/")
    return Attempt(attempt.id, attempt.way, attempt.sent_at, request, destination)


def keep_request(storage: Storage, attempt: Attempt) -> None:
    """Store what an attempt is going to ask for. Raises what Storage raises; nothing was sent then."""
    request = attempt.request
    content = {
        "node_type": request.node_type,
        "config": dict(request.config),
        "inputs": {slot: [_input(entry) for entry in entries] for slot, entries in request.inputs.items()},
    }
    where = attempt.destination
    body = json.dumps(content, ensure_ascii=False).encode()
    storage.put_bytes(body, where.bucket, where.prefix + _FILE, "application/json")


def is_request_kept(storage: Storage, attempt: Attempt) -> bool:
    """Whether the file still lies there that was stored before anything of this attempt. Raises as `kept_attempt`."""
    where = attempt.destination
    return storage.head(where.bucket, where.prefix + _FILE) is not None


def kept_attempt(storage: Storage, take: Take) -> Attempt | None:
    """The current attempt of a take with what it asked for; None where that is gone or can't be read.

    Raises TransientError, OperatorError.
    """
    empty = attempt_of(take.id, take.current, GenerationRequest("", {}, {}))
    try:
        content = json.loads(storage.read(empty.destination.bucket, empty.destination.prefix + _FILE, _LIMIT))
    except (MediaError, ValueError):
        return None
    inputs = {slot: tuple(InputContent(**entry) for entry in entries) for slot, entries in content["inputs"].items()}
    return attempt_of(take.id, take.current, GenerationRequest(content["node_type"], content["config"], inputs))


def _input(content: InputContent) -> dict[str, Any]:
    fields = {"type": content.type, "sha256": content.sha256, "bucket": content.bucket, "s3_key": content.s3_key}
    known = {"text": content.text, "duration": content.duration}
    return fields | {name: value for name, value in known.items() if value is not None}

"""The merger's contract with callers outside this project: event in, answer out, callback on the way."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger

from video_production.errors import InputError, RequestError, VideoProductionError
from video_production.media.merge import MergeInput, merge
from video_production.metrics import Report
from video_production.secrets import Secret
from video_production.storage import S3Location, Storage, file_name, parse_s3_url, s3_location
from video_production.webhooks.callbacks import check_callback_url, post_callback
from video_production.webhooks.unanswered import identity_of

__all__ = ["DirectCaller", "DirectRequest", "answer_direct"]

logger = Logger(child=True)
_MAX_INPUTS = 200
_CALLBACK_SECONDS = 15.0
"""How long after the merge's deadline callers are still told: the function must not be ended while it does that."""


@dataclass(frozen=True, slots=True)
class DirectCaller:
    """How callers are told: the hosts that may be called, what is signed with, where a failure is reported.

    `allow_inband` is as `merge` has it.
    """

    hosts: tuple[str, ...]
    secret: Secret
    report: Report
    allow_inband: bool = False


@dataclass(frozen=True, slots=True)
class DirectRequest:
    """The event as it came: nothing of it is trusted before `answer_direct` looks at it."""

    event: Mapping[str, Any]

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> DirectRequest:
        return cls(event)

    @property
    def callback_url(self) -> str | None:
        return self.event.get("callback_url")

    def inputs(self) -> list[S3Location]:
        """The inputs, checked. Raises RequestError naming the field."""
        urls = self.event.get("input_videos")
        if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
            raise RequestError("input_videos: give a list of S3 URLs (s3://bucket/key).")
        if not 1 <= len(urls) <= _MAX_INPUTS:
            raise RequestError(f"input_videos: {len(urls)} videos; 1 to {_MAX_INPUTS} can be merged.")
        return [parse_s3_url(url) for url in urls]

    def destination(self) -> S3Location:
        bucket, key = self.event.get("output_bucket"), self.event.get("output_key")
        if not isinstance(bucket, str) or not bucket or not isinstance(key, str) or not key:
            raise RequestError("output_bucket and output_key: name the object that the merged video becomes.")
        return s3_location(bucket, key)


def answer_direct(request: DirectRequest, caller: DirectCaller, storage: Storage, deadline: float) -> dict[str, Any]:
    """Merge and answer with statusCode 200, 400 (the caller's fault) or 500; never raises. /tmp is empty afterwards."""
    try:
        if request.callback_url:
            check_callback_url(request.callback_url, caller.hosts)
        with tempfile.TemporaryDirectory(prefix="merge-") as folder:
            target = request.destination()
            inputs = [MergeInput(file_name(each.key), each) for each in request.inputs()]
            allowed = caller.allow_inband
            merged = merge(inputs, target, Path(folder), storage=storage, deadline=deadline, allow_inband=allowed)
        result = {"s3_key": target.key, "duration": merged.result.duration, "size": merged.size}
        answer = {
            **result,
            "statusCode": 200,
            "method": merged.result.method,
            "reason": merged.result.reason,
            "bytes_read": merged.moved.read,
            "bytes_written": merged.moved.written,
            "bytes_copied": merged.moved.copied,
        }
        told: dict[str, Any] = {"result": result}
        caller.report("VideosMerged", method=merged.result.method)
    except VideoProductionError as error:
        told = {"error": str(error), "error_type": type(error).__name__}
        answer = {**told, "statusCode": 400 if isinstance(error, InputError) else 500}
    except Exception as error:
        logger.exception("unexpected error")
        told = {"error": f"An unexpected error ended the merge: {error}", "error_type": type(error).__name__}
        answer = {**told, "statusCode": 500}
    _call_back(request, told, caller, until=deadline + _CALLBACK_SECONDS)
    return answer


def _call_back(request: DirectRequest, told: dict[str, Any], caller: DirectCaller, *, until: float) -> None:
    """Tell the caller. Whatever goes wrong here changes nothing of what became of the merge."""
    if not request.callback_url:
        return
    try:
        payload = {**identity_of(request.event), **told}
        secret = caller.secret.read()
        post_callback(request.callback_url, payload, hosts=caller.hosts, secret=secret, until=until)
    except Exception:
        caller.report("CallbacksFailed")
        logger.exception("the caller could not be told")

"""The merger's contract with callers outside this project: event in, answer out, callback on the way."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger

from video_production.errors import InputError, RequestError, VideoProductionError
from video_production.media.merge_objects import merge_objects
from video_production.settings import FunctionSettings
from video_production.storage import S3Location, Storage, parse_s3_url
from video_production.webhooks.callbacks import check_callback_url, post_callback

__all__ = ["DirectRequest", "answer_direct"]

logger = Logger(child=True)
_MAX_INPUTS = 200


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
        return S3Location(bucket, key)

    def identity(self) -> dict[str, Any]:
        return {name: self.event.get(name) for name in ("node_uuid", "executor_type", "process_uuid")}


def answer_direct(
    request: DirectRequest, settings: FunctionSettings, storage: Storage, deadline: float
) -> dict[str, Any]:
    """Merge and answer with statusCode 200, 400 (the caller's fault) or 500; never raises. /tmp is empty afterwards."""
    try:
        if request.callback_url:
            check_callback_url(request.callback_url, settings.callback_hosts)
        with tempfile.TemporaryDirectory(prefix="merge-") as folder:
            merged = merge_objects(request.inputs(), request.destination(), storage, Path(folder), deadline=deadline)
        result = {"s3_key": merged.s3_key, "duration": merged.result.duration, "size": merged.size}
        answer = {**result, "statusCode": 200, "method": merged.result.method, "reason": merged.result.reason}
        told: dict[str, Any] = {"result": result}
    except VideoProductionError as error:
        told = {"error": str(error), "error_type": type(error).__name__}
        answer = {**told, "statusCode": 400 if isinstance(error, InputError) else 500}
    except Exception as error:
        logger.exception("unexpected error")
        told = {"error": f"An unexpected error ended the merge: {error}", "error_type": type(error).__name__}
        answer = {**told, "statusCode": 500}
    _call_back(request, told, settings)
    return answer


def _call_back(request: DirectRequest, told: dict[str, Any], settings: FunctionSettings) -> None:
    if not request.callback_url:
        return
    payload = {**request.identity(), **told}
    try:
        post_callback(request.callback_url, payload, hosts=settings.callback_hosts, secret=settings.callback_secret)
    except VideoProductionError as error:
        logger.error(str(error))

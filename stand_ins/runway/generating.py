"""The calls that submit, look at and cancel tasks, and the address of a finished clip."""

from __future__ import annotations

import base64
import binascii
import time
import uuid
from typing import Any

from stand_ins.faults import Fault
from stand_ins.runway.call import Call
from stand_ins.runway.errors import ApiError
from stand_ins.runway.links import check_link, denied
from stand_ins.runway.schema import CREDITS_PER_SECOND
from stand_ins.runway.tasks import Task
from stand_ins.runway.workspace import UPLOAD_SECONDS
from stand_ins.server import Reply

__all__ = ["cancel", "check", "download", "image_to_video", "prompt_of_path", "submit", "text_to_video"]

_INLINE_LIMIT = 5 << 20
_FAILURES = {
    "SAFETY.INPUT": "The input was rejected by our content moderation system.",
    "SAFETY.OUTPUT": "The output was rejected by our content moderation system.",
    "INPUT_PREPROCESSING.SAFETY": "The prompt was rejected by our content moderation system.",
    "ASSET.INVALID": "An input asset is invalid for this task.",
    "INTERNAL.BAD_OUTPUT": "The output was rejected for quality reasons.",
    "THIRD_PARTY.UNAVAILABLE": "The model's provider did not return any output.",
}
_NO_REASON = "internal_error"
"""The reason of a rule that names none."""


def text_to_video(call: Call) -> Reply:
    """`POST /v1/text_to_video`."""
    return _accepted(submit(call, "text_to_video", call.body, None))


def image_to_video(call: Call) -> Reply:
    """`POST /v1/image_to_video`."""
    images = call.body.prompt_image
    uri = images if isinstance(images, str) else _first(images)
    return _accepted(submit(call, "image_to_video", call.body, _picture(call, uri)))


def submit(call: Call, kind: str, body: Any, picture: bytes | None) -> Task:
    """Make a task of a body and store it. Raises ApiError where the account does not allow it."""
    fate = call.faults.fate
    failing = fate if fate is not None and fate.do == "fail-job" else None
    task = Task(
        id=str(uuid.uuid4()),
        created_at=call.now,
        request_id=call.request_id,
        kind=kind,
        model=body.model,
        prompt=body.prompt_text,
        ratio=body.ratio,
        duration=body.duration,
        sound=body.sound,
        credits=CREDITS_PER_SECOND[body.model, body.sound] * body.duration,
        picture=picture is not None,
        seed=body.seed,
        fate="fail" if failing else "never" if fate is not None else "",
        **(_failure(failing) if failing else {}),
    )
    call.workspace.submit(task, picture)
    return task


def check(call: Call) -> Reply:
    """`GET /v1/tasks/{id}`."""
    task = _find(call)
    call.workspace.look(task.id, call.now)
    stale = call.faults.answers("expire-url")
    return Reply.json(call.workspace.task_json(task, call.now, call.request.base_url, stale=stale))


def cancel(call: Call) -> Reply:
    """`DELETE /v1/tasks/{id}`."""
    call.workspace.delete(_find(call))
    return Reply(204)


def download(call: Call) -> Reply:
    """The clip of a task; no key is asked for."""
    if call.faults.answers("expire-url"):
        return denied()
    refusal = check_link(call.request, call.workspace.signing_key, time.time())
    path = call.workspace.clip_path(call.parameters["name"].removesuffix(".mp4"))
    if refusal is not None or not path.exists():
        return refusal or denied()
    return Reply(200, path.read_bytes(), "video/mp4")


def prompt_of_path(call: Call) -> str:
    """The prompt of the task that is asked for, for rules to match."""
    name = call.parameters.get("id") or call.parameters["name"].removesuffix(".mp4")
    task = call.workspace.tasks.get(name)
    return task.prompt if task else ""


def _accepted(task: Task) -> Reply:
    return Reply.json({"id": task.id, "estimatedCost": {"credits": task.credits}})


def _find(call: Call) -> Task:
    task = call.workspace.tasks.get(call.parameters["id"])
    if task is None:
        raise ApiError(404, "Could not find a task with that ID.")
    return task


def _failure(fault: Fault) -> dict[str, Any]:
    """How a task fails. Only rejected input is charged all the same, unless the rule says so."""
    code = None if fault.reason == _NO_REASON else fault.reason
    text = next((text for start, text in _FAILURES.items() if (code or "").startswith(start)), "")
    charged = fault.billed or (code or "").startswith("SAFETY.INPUT")
    said = fault.message or text or "An unexpected error occurred."
    return {"failure": said, "failure_code": code, "fail_charged": charged}


def _first(images: list[Any]) -> str:
    first = [image.uri for image in images if image.position == "first"]
    if len(images) != 1 or len(first) != 1:
        raise ApiError.of_field("promptImage", "The draft provider starts from exactly one first frame.")
    return str(first[0])


def _picture(call: Call, uri: str) -> bytes:
    """What a URI stands for. Raises ApiError 400 for one that is too large, unknown or somewhere else."""
    if uri.startswith("data:"):
        if len(uri) > _INLINE_LIMIT:
            raise ApiError.of_field("promptImage", "Data URIs may hold at most 5 MB.")
        head, _, content = uri.partition(",")
        if not head.startswith("data:image/") or not head.endswith(";base64"):
            raise ApiError.of_field("promptImage", "Invalid asset: not a base64 encoded image.")
        try:
            return base64.b64decode(content, validate=True)
        except binascii.Error:
            raise ApiError.of_field("promptImage", "Invalid asset: not a base64 encoded image.") from None
    if uri.startswith("runway://"):
        upload = call.workspace.uploads.get(uri.removeprefix("runway://"))
        if upload is None or not upload.received or call.now - upload.created_at > UPLOAD_SECONDS:
            raise ApiError.of_field("promptImage", "The upload does not exist or has expired.")
        return call.workspace.upload_path(upload.id).read_bytes()
    raise ApiError.of_field("promptImage", "The draft provider fetches nothing; upload the image or send a data URI.")

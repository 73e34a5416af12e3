"""Vertex AI: operations are started, and asked about with a POST; they tell no percentage."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

from stand_ins.faults import Fault
from stand_ins.server import Reply
from stand_ins.veo3.call import Call
from stand_ins.veo3.catalog import find_model
from stand_ins.veo3.errors import NUMBERS, ApiError
from stand_ins.veo3.records import Operation
from stand_ins.veo3.schema import FetchOperation, PredictLongRunning, parse_body

__all__ = ["check", "prompt_of_check", "prompt_of_submit", "submit"]

_RESPONSE = "type.googleapis.com/cloud.ai.large_models.vision.GenerateVideoResponse"
FILTERED = (
    "Veo could not generate videos because the output violates Vertex AI's usage guidelines. If you think this was an "
    "error, send feedback. Support codes: 58061214"
)


def submit(call: Call) -> Reply:
    """`POST …/models/{model}:predictLongRunning`."""
    workspace, place = call.workspace, call.parameters
    _authorize(call)
    model = find_model(place["model"], place["project"], place["location"])
    workspace.account.require_room(workspace.running(), model.id)
    body = parse_body(PredictLongRunning, call.request.body)
    instance, parameters = body.instances[0], body.parameters
    image = instance.image.content if instance.image else None
    if not instance.prompt.strip() and image is None:
        raise ApiError(400, "Either a prompt or an image is required.")
    if parameters.resolution not in model.resolutions:
        raise ApiError(400, f"Unsupported resolution {parameters.resolution} for model {model.id}.")
    if parameters.storageUri:
        workspace.account.require_bucket(parameters.storageUri.removeprefix("gs://").partition("/")[0])
    operation = _operation(call, instance.prompt, parameters.model_dump(exclude_none=True), image is not None)
    workspace.start(operation, image)
    return Reply.json({"name": operation.name})


def check(call: Call) -> Reply:
    """`POST …/models/{model}:fetchPredictOperation`."""
    _authorize(call)
    name = parse_body(FetchOperation, call.request.body).operationName
    operation = call.workspace.operations.get(name.rpartition("/")[2])
    if operation is None or operation.name != name or place_of(call) != name.rpartition("/operations/")[0]:
        raise ApiError(404, f"The operation {name} was not found.")
    answer: dict[str, Any] = {"name": name}
    if operation.done:
        answer |= {"done": True, **_outcome(call, operation)}
    return Reply.json(answer)


def place_of(call: Call) -> str:
    """The path of the model that is called."""
    place = call.parameters
    return f"projects/{place['project']}/locations/{place['location']}/publishers/google/models/{place['model']}"


def prompt_of_submit(call: Call) -> str:
    """What a request asks for, for rules to match."""
    try:
        return str(json.loads(call.request.body)["instances"][0]["prompt"])
    except (ValueError, LookupError, TypeError):
        return ""


def prompt_of_check(call: Call) -> str:
    """What the operation that is asked about was asked for."""
    try:
        name = str(json.loads(call.request.body)["operationName"])
    except (ValueError, LookupError, TypeError):
        return ""
    operation = call.workspace.operations.get(name.rpartition("/")[2])
    return operation.prompt if operation else ""


def _authorize(call: Call) -> None:
    call.workspace.account.require_api(call.parameters["project"])
    call.workspace.account.require("predict", "aiplatform.endpoints.predict")


def _operation(call: Call, prompt: str, parameters: dict[str, Any], has_image: bool) -> Operation:
    identity = str(uuid.uuid4())
    fate = call.faults.fate
    fated = _fate(fate)
    return Operation(
        id=identity,
        name=f"{place_of(call)}/operations/{identity}",
        created_at=call.now,
        due_at=call.now + call.workspace.settings.job_seconds,
        model=call.parameters["model"],
        prompt=prompt,
        parameters=parameters,
        has_image=has_image,
        hidden=call.faults.listing is not None,
        fate=fated,
        fated_error=fate.reason if fate and fate.reason in NUMBERS else "INTERNAL",
        fated_message=(fate.message if fate else "") or (FILTERED if fated == "filter" else "The operation failed."),
    )


def _fate(fault: Fault | None) -> Any:
    if fault is None:
        return ""
    if fault.do == "never-finish":
        return "never"
    return "filter" if fault.reason == "filtered" else "fail"


def _outcome(call: Call, operation: Operation) -> dict[str, Any]:
    if operation.error:
        return {"error": {"code": NUMBERS[operation.error], "message": operation.message}}
    response: dict[str, Any] = {"@type": _RESPONSE}
    if operation.fate == "filter":
        return {"response": {**response, "raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [operation.message]}}
    return {"response": {**response, "raiMediaFilteredCount": 0, "videos": _videos(call, operation)}}


def _videos(call: Call, operation: Operation) -> list[dict[str, str]]:
    if operation.films:
        return [{"gcsUri": address, "mimeType": "video/mp4"} for address in operation.films]
    content = base64.b64encode(call.workspace.film_bytes(operation)).decode()
    return [{"bytesBase64Encoded": content, "mimeType": "video/mp4"}] * operation.parameters["sampleCount"]

"""From an animation node to what Vertex AI is asked: effective config, prompt and body of `predictLongRunning`.

Source: the official SDK google-genai 3.4.0 (`_GenerateVideosParameters_to_vertex`) and Google's reference of Veo 3.1 on
Vertex AI.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from video_production.errors import RequestError
from video_production.providers.interface import GenerationRequest, InputContent

__all__ = [
    "LARGEST_IMAGE",
    "FirstFrame",
    "check_size",
    "effective_config",
    "first_frame",
    "image_of",
    "prompt_of",
    "submit_body",
]

NODE_TYPE = "generate-animation"
LARGEST_IMAGE = 20 << 20
"""Bytes of a first frame, before it is encoded; Vertex AI takes no more."""

_PASSED_ON = {"seed": int, "negativePrompt": str}
_SIGNATURES: Mapping[bytes, str] = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """A picture that the film starts from."""

    content: bytes
    mime_type: str


def effective_config(node_type: str, config: Mapping[str, Any], *, model: str) -> dict[str, Any]:
    """The config with every default filled in. `model` is the environment's, for documents that name none.

    Model and duration are paid for, so nothing is chosen silently: RequestError where one is missing.
    """
    if node_type != NODE_TYPE:
        raise RequestError(f"veo3 can't make a '{node_type}' node; it makes '{NODE_TYPE}'.")
    chosen = config.get("model") or model
    if not chosen:
        raise RequestError(
            "The animation names no model and neither do the settings, and none is chosen for you; add 'model' to "
            "the node's config, or set VEO3_MODEL (on AWS: providers.veo3.model in cdk.json)."
        )
    if not config.get("duration"):
        raise RequestError("The animation names no duration; add it to the node's config, none is chosen for you.")
    effective: dict[str, Any] = {
        "provider": "veo3",
        "model": str(chosen),
        "duration": int(config["duration"]),
        "aspectRatio": str(config.get("aspectRatio") or "16:9"),
        "resolution": str(config.get("resolution") or "720p"),
        "generateAudio": True,
        "personGeneration": "allow_adult",
    }
    for key, kind in _PASSED_ON.items():
        if config.get(key) not in (None, ""):
            effective[key] = kind(config[key])
    return effective


def prompt_of(request: GenerationRequest) -> str:
    """What shall be seen. RequestError where the node has no words for it."""
    texts = [content.text for content in request.inputs.get("prompt", ()) if content.text is not None]
    if len(texts) != 1 or not texts[0].strip():
        raise RequestError("The animation has no prompt; plug one text that is not empty into 'prompt'.")
    return texts[0]


def image_of(request: GenerationRequest) -> InputContent | None:
    """The picture that the film shall start from, where there is one."""
    images = request.inputs.get("referenceImage", ())
    return images[0] if images else None


def check_size(size: int, name: str) -> None:
    """RequestError, naming the file, for a picture of more bytes than Vertex AI takes."""
    if size > LARGEST_IMAGE:
        raise RequestError(
            f"The picture {name} has {size / 2**20:.1f} MB; Veo takes at most {LARGEST_IMAGE >> 20} MB as the first "
            "frame. Make it smaller."
        )


def first_frame(content: bytes, name: str) -> FirstFrame:
    """A picture as Vertex AI takes it. RequestError, naming the file, for one that is neither PNG nor JPEG."""
    for signature, mime_type in _SIGNATURES.items():
        if content.startswith(signature):
            return FirstFrame(content, mime_type)
    raise RequestError(f"The picture {name} is neither PNG nor JPEG, and Veo starts from nothing else; convert it.")


def submit_body(
    config: Mapping[str, Any], prompt: str, *, storage_uri: str, attempt: str, image: FirstFrame | None = None
) -> dict[str, Any]:
    """The body of `predictLongRunning`. The film is written below `storage_uri`; `attempt` labels the bill."""
    instance: dict[str, Any] = {"prompt": prompt}
    parameters: dict[str, Any] = {
        "sampleCount": 1,
        "durationSeconds": config["duration"],
        "aspectRatio": config["aspectRatio"],
        "resolution": config["resolution"],
        "generateAudio": config["generateAudio"],
        "personGeneration": config["personGeneration"],
        "storageUri": storage_uri,
    }
    parameters |= {key: config[key] for key in _PASSED_ON if key in config}
    if image is not None:
        encoded = base64.b64encode(image.content).decode()
        instance["image"] = {"bytesBase64Encoded": encoded, "mimeType": image.mime_type}
    return {"instances": [instance], "parameters": parameters, "labels": {"attempt": attempt}}

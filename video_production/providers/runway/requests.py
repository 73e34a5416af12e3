"""From an animation node to what Runway is asked: effective config, request bodies, the pictures in them.

Source: the official SDK 5.24.0 (`text_to_video`, `image_to_video`, `uploads`) and Runway's API documentation.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from video_production.errors import RequestError
from video_production.providers.interface import GenerationRequest, InputContent

__all__ = [
    "IMAGE",
    "INLINE_LIMIT",
    "TEXT",
    "UPLOAD_LIMIT",
    "body_of",
    "data_uri",
    "effective_config",
    "image_of",
    "media_type_of",
    "price_model",
    "prompt_of",
]

TEXT, IMAGE = "text_to_video", "image_to_video"
"""The two ways to buy, named as the paths of the API."""
PROMPT_LIMIT = 1000
"""UTF-16 code units of a prompt, in every model that is used here."""
INLINE_LIMIT = 3 << 20
"""Bytes of a picture that travels within the request: base64 makes a third more of it, and 5 MB are allowed."""
UPLOAD_LIMIT = 16_000_000
"""Bytes of a picture that is uploaded first."""

_NODE_TYPE = "generate-animation"
_VEO = ("veo3.1", "veo3.1_fast")
_DURATIONS: Mapping[str, tuple[int, ...]] = {"gen4.5": tuple(range(2, 11)), **dict.fromkeys(_VEO, (4, 6, 8))}
_RATIOS: Mapping[tuple[str, str], str] = {
    ("16:9", "720p"): "1280:720",
    ("9:16", "720p"): "720:1280",
    ("16:9", "1080p"): "1920:1080",
    ("9:16", "1080p"): "1080:1920",
}
_MAGIC = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


def effective_config(node_type: str, config: Mapping[str, Any], *, model: str) -> dict[str, Any]:
    """The config with every default filled in that we decide; without a seed Runway draws one.

    `model` is the environment's, for documents that name none. Model and length decide the bill, so nothing is chosen
    silently: RequestError where one is missing, and for what the model does not make.
    """
    if node_type != _NODE_TYPE:
        raise RequestError(f"Runway can't make a '{node_type}' node; it makes '{_NODE_TYPE}'.")
    model = str(config.get("model") or model)
    if not model:
        raise RequestError(
            "The animation names no model and neither do the settings, and none is chosen for you; add 'model' to "
            "the node's config, or set RUNWAY_MODEL (on AWS: providers.runway.model in cdk.json)."
        )
    if model not in _DURATIONS:
        raise RequestError(f"Runway's model '{model}' is not known here; choose one of {', '.join(_DURATIONS)}.")
    duration = _duration(model, config.get("duration"))
    shape, resolution = str(config.get("aspectRatio") or "16:9"), str(config.get("resolution") or "720p")
    if (shape, resolution) not in _RATIOS or (resolution != "720p" and model not in _VEO):
        raise RequestError(f"Runway's {model} makes no {shape} picture of {resolution}; correct the node's config.")
    if config.get("audio") and model not in _VEO:
        raise RequestError(f"Runway's {model} makes no sound; remove 'audio' or choose model veo3.1.")
    effective: dict[str, Any] = {
        "provider": "runway",
        "model": model,
        "duration": duration,
        "aspectRatio": shape,
        "resolution": resolution,
        "audio": bool(config.get("audio", False)),
    }
    if config.get("seed") is not None:
        effective["seed"] = int(config["seed"])
    return effective


def prompt_of(request: GenerationRequest) -> str:
    """What shall be seen. RequestError where the node has no prompt, or one that is too long for Runway."""
    texts = [content.text for content in request.inputs.get("prompt", ()) if content.text is not None]
    if len(texts) != 1 or not texts[0].strip():
        raise RequestError("The animation has no prompt; plug one text that is not empty into 'prompt'.")
    units = len(texts[0].encode("utf-16-le")) // 2
    if units > PROMPT_LIMIT:
        raise RequestError(f"The prompt has {units:,} characters; Runway takes at most {PROMPT_LIMIT:,}. Shorten it.")
    return texts[0]


def image_of(request: GenerationRequest) -> InputContent | None:
    """The picture to start from; None where the words alone decide."""
    images = request.inputs.get("referenceImage", ())
    if len(images) > 1:
        raise RequestError("An animation starts from one picture; plug only one into 'referenceImage'.")
    return images[0] if images else None


def body_of(config: Mapping[str, Any], prompt: str, image: str | None) -> dict[str, Any]:
    """The body of `POST /v1/text_to_video`, or of `/v1/image_to_video` with `image`, a data URI or an upload's."""
    body: dict[str, Any] = {
        "model": config["model"],
        "promptText": prompt,
        "ratio": _RATIOS[config["aspectRatio"], config["resolution"]],
        "duration": config["duration"],
    }
    if image is not None:
        body["promptImage"] = [{"uri": image, "position": "first"}]
    if config["model"] in _VEO:
        body["audio"] = config["audio"]
    if "seed" in config:
        body["seed"] = config["seed"]
    return body


def price_model(config: Mapping[str, Any]) -> str:
    """The name under which the price list has this effective config: sound costs extra."""
    return f"{config['model']}/audio" if config["audio"] else str(config["model"])


def media_type_of(path: Path, name: str) -> str:
    """What kind of picture a file holds, by its first bytes. RequestError for one that Runway does not read."""
    with path.open("rb") as file:
        head = file.read(12)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return "image/webp"
    raise RequestError(f"The picture {name} is of a kind that Runway does not read; give it a PNG, JPEG or WebP file.")


def data_uri(path: Path, media_type: str) -> str:
    """A small picture as the request itself carries it."""
    return f"data:{media_type};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _duration(model: str, given: Any) -> int:
    if given is None:
        raise RequestError("The animation names no duration; add it to the node's config, none is chosen for you.")
    lengths = _DURATIONS[model]
    if int(given) != given or given not in lengths:
        raise RequestError(f"Runway's {model} makes no clip of {given} seconds; it makes {_listed(lengths)}.")
    return int(given)


def _listed(lengths: tuple[int, ...]) -> str:
    if len(lengths) > 3:
        return f"{lengths[0]} to {lengths[-1]}"
    return f"{', '.join(map(str, lengths[:-1]))} or {lengths[-1]}"

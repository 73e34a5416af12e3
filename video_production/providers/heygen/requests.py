"""From a talking-head node to what HeyGen is asked: effective config, limits, the request's body.

Source: HeyGen's v3 API as its official command line describes it (schemas of 2026-07-22), and its page on limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from video_production.errors import RequestError
from video_production.providers.interface import GenerationRequest, InputContent

__all__ = [
    "ENGINES",
    "LONGEST_SECONDS",
    "background_of",
    "effective_config",
    "priced_as",
    "refuse_too_long",
    "speech_of",
    "tolerance",
    "video_body",
]

ENGINES = ("avatar_iii", "avatar_iv", "avatar_v")
LONGEST_SECONDS = 600.0

_NODE_TYPE = "generate-talking-head"
_DEFAULT_SIZE = (1280, 720)
_RESOLUTIONS = {720: "720p", 1080: "1080p", 2160: "4k"}
_RATIOS = {(16, 9): "16:9", (9, 16): "9:16", (4, 5): "4:5", (5, 4): "5:4", (1, 1): "1:1"}
_TOLERANCE = 0.5
"""Seconds that a sound file may be longer than the limit: encoders pad."""


def effective_config(node_type: str, config: Mapping[str, Any], *, engine: str) -> dict[str, Any]:
    """The config with every default filled in. `engine` is the environment's, for documents that name none.

    Avatar and engine are paid for, so nothing is chosen silently, and HeyGen's own default is not relied on:
    RequestError where one is missing, and for sizes and engines that HeyGen does not have.
    """
    if node_type != _NODE_TYPE:
        raise RequestError(f"HeyGen can't make a '{node_type}' node; it makes '{_NODE_TYPE}'.")
    if not config.get("avatarId"):
        raise RequestError("The talking head names no avatarId; add it to the node's config, none is chosen for you.")
    width, height = config.get("width"), config.get("height")
    if (width is None) != (height is None):
        raise RequestError("The talking head has a width or a height alone; give both or neither.")
    size = _DEFAULT_SIZE if width is None or height is None else (int(width), int(height))
    engine = str(config.get("engine") or engine)
    if not engine:
        raise RequestError(
            "The talking head names no engine and neither do the settings, and none is chosen for you; add 'engine' "
            "to the node's config, or set HEYGEN_ENGINE (on AWS: providers.heygen.engine in cdk.json)."
        )
    if engine not in ENGINES:
        raise RequestError(f"HeyGen has no engine '{engine}'; choose one of {', '.join(ENGINES)}.")
    effective = {
        "provider": "heygen",
        "avatarId": str(config["avatarId"]),
        "width": size[0],
        "height": size[1],
        "engine": engine,
    }
    _shape(effective)
    return effective


def speech_of(request: GenerationRequest) -> InputContent:
    """The sound file that is to be spoken. RequestError where the node has none."""
    sounds = [content for content in request.inputs.get("audio", ()) if content.type == "audio"]
    if len(sounds) != 1:
        raise RequestError("The talking head has nothing to say; plug one voiceover into 'audio'.")
    return sounds[0]


def background_of(request: GenerationRequest) -> InputContent | None:
    """The picture behind the person, where there is one."""
    return next(iter(request.inputs.get("background", ())), None)


def refuse_too_long(seconds: float) -> None:
    """Raise RequestError for speech that is longer than HeyGen takes."""
    if seconds > LONGEST_SECONDS + _TOLERANCE:
        minutes, rest = divmod(round(seconds), 60)
        raise RequestError(
            f"The speech lasts {minutes}:{rest:02} minutes and HeyGen takes at most 10 minutes at once; cut its script "
            "into several talking heads and merge them."
        )


def tolerance(seconds: float) -> float:
    """By how many seconds a video may differ from what it says: HeyGen adds a breath, and frames are whole."""
    return max(1.0, seconds * 0.02)


def priced_as(config: Mapping[str, Any]) -> str:
    """What the price depends on, as the price list names it: the engine, and whether it renders 4K."""
    return str(config["engine"]) + ("/4k" if _shape(config)[0] == "4k" else "")


def video_body(
    config: Mapping[str, Any], *, title: str, audio_asset: str, background_asset: str | None = None
) -> dict[str, Any]:
    """The body of `POST /v3/videos`. `title` is what the video is found by when its answer was lost."""
    resolution, ratio = _shape(config)
    body: dict[str, Any] = {
        "type": "avatar",
        "avatar_id": config["avatarId"],
        "audio_asset_id": audio_asset,
        "title": title,
        "callback_id": title,
        "resolution": resolution,
        "aspect_ratio": ratio,
        "engine": {"type": config["engine"]},
        "output_format": "mp4",
        "caption": {"file_format": "srt"},
    }
    if background_asset is not None:
        body["background"] = {"type": "image", "asset_id": background_asset}
    return body


def _shape(config: Mapping[str, Any]) -> tuple[str, str]:
    """HeyGen's words for a size: resolution and aspect ratio. RequestError for a size that it does not make."""
    width, height = int(config["width"]), int(config["height"])
    resolution = _RESOLUTIONS.get(min(width, height))
    ratio = next((name for (x, y), name in _RATIOS.items() if width * y == height * x), None)
    if resolution is None or ratio is None:
        raise RequestError(
            f"{width}×{height} is no size that HeyGen makes. The shorter side is 720, 1080 or 2160, the shape "
            f"{', '.join(_RATIOS.values())}."
        )
    return resolution, ratio

"""From a voiceover node to what ElevenLabs is asked: effective config, the way to buy, request bodies.

Source: the official SDK 2.78.0 (`flows/text_to_speech`, `text_to_speech`). The job API rejects fields that it does not
know, so a config that needs one is bought by the timed call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from video_production.errors import RequestError
from video_production.providers.elevenlabs.models import model_of
from video_production.providers.interface import GenerationRequest

__all__ = ["DEFAULT_FORMAT", "JOB", "TIMED", "effective_config", "job_body", "job_can_do", "script_of", "timed_body"]

JOB = "job"
"""The asynchronous job API: submit, poll, download."""
TIMED = "timed"
"""The synchronous call that answers with the sound and the time of each character."""

DEFAULT_FORMAT = "mp3_44100_128"
_NODE_TYPE = "generate-voiceover"
_SETTINGS = {"stability": "stability", "similarityBoost": "similarity_boost", "speed": "speed"}
_CONTEXT = {"previousText": "previous_text", "nextText": "next_text"}
"""What is spoken around a part of a long script; the job API does not take it."""
_JOB_FORMATS = frozenset(
    {"mp3_22050_32", "mp3_24000_48", *(f"mp3_44100_{bit_rate}" for bit_rate in (32, 64, 96, 128, 192))}
)


def effective_config(node_type: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with every default filled in that we decide; what is left out is the voice's own saved setting.

    Voice and model are paid for, so they have no default: RequestError where one is missing.
    """
    if node_type != _NODE_TYPE:
        raise RequestError(f"ElevenLabs can't make a '{node_type}' node; it makes '{_NODE_TYPE}'.")
    for key in ("voiceId", "modelId"):
        if not config.get(key):
            raise RequestError(f"The voiceover names no {key}; add it to the node's config, none is chosen for you.")
    effective: dict[str, Any] = {
        "provider": "elevenlabs",
        "voiceId": str(config["voiceId"]),
        "modelId": str(config["modelId"]),
        "outputFormat": str(config.get("outputFormat") or DEFAULT_FORMAT),
        "captions": bool(config.get("captions", False)),
    }
    for key in _SETTINGS:
        if config.get(key) is not None:
            effective[key] = float(config[key])
    if config.get("language"):
        effective["language"] = str(config["language"])
    if config.get("pronunciationDictionaries"):
        effective["pronunciationDictionaries"] = [
            {"id": str(entry["id"]), "version": str(entry["version"])} for entry in config["pronunciationDictionaries"]
        ]
    return effective


def script_of(request: GenerationRequest) -> str:
    """The text to be spoken. RequestError where the node has none."""
    texts = [content.text for content in request.inputs.get("script", ()) if content.text is not None]
    if len(texts) != 1 or not texts[0].strip():
        raise RequestError("The voiceover has no script to speak; plug one text that is not empty into 'script'.")
    return texts[0]


def job_can_do(config: Mapping[str, Any]) -> bool:
    """Whether the job API can make exactly what this effective config asks for."""
    takes = model_of(config["modelId"]).job
    if (
        takes is None
        or config["captions"]
        or any(key in config for key in _CONTEXT)
        or config["outputFormat"] not in _JOB_FORMATS
    ):
        return False
    return takes.issuperset(key for key in (*_SETTINGS, "language") if key in config)


def job_body(config: Mapping[str, Any], text: str, *, webhook: bool = False) -> dict[str, Any]:
    """The body of `POST /v1/flows/text-to-speech`. `webhook` asks for one at the job's end."""
    body: dict[str, Any] = {"voice": config["voiceId"], "output_format": config["outputFormat"]}
    return body | timed_body(config, text) | ({"webhook": {"type": "all"}} if webhook else {})


def timed_body(config: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The body of `POST /v1/text-to-speech/{voice}/with-timestamps`."""
    body: dict[str, Any] = {"text": text, "model_id": config["modelId"]}
    if "language" in config:
        body["language_code"] = config["language"]
    settings = {name: config[key] for key, name in _SETTINGS.items() if key in config}
    if settings:
        body["voice_settings"] = settings
    if config.get("pronunciationDictionaries"):
        body["pronunciation_dictionary_locators"] = [
            {"pronunciation_dictionary_id": entry["id"], "version_id": entry["version"]}
            for entry in config["pronunciationDictionaries"]
        ]
    return body | {name: config[key] for key, name in _CONTEXT.items() if key in config}

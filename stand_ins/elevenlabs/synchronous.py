"""The synchronous calls: the answer is the audio, plain or with the time of every character."""

from __future__ import annotations

import base64
from typing import Any

from stand_ins.elevenlabs.audio import AudioFormat
from stand_ins.elevenlabs.call import Call
from stand_ins.elevenlabs.catalog import SpeechModel, check_dictionaries, find_speaker, speech_model
from stand_ins.elevenlabs.errors import ApiError
from stand_ins.elevenlabs.records import HistoryItem
from stand_ins.elevenlabs.schema import SpeechQuery, SpeechRequest
from stand_ins.elevenlabs.spelling import spell_out
from stand_ins.elevenlabs.workspace import new_id
from stand_ins.server import Reply
from stand_ins.speech import CharacterTimes

__all__ = ["check_text", "convert", "convert_with_timestamps", "settings_of"]

STITCHING_AGE = 2 * 3600.0
"""Seconds: earlier requests older than this can't be continued."""
SEEDS = range(2**32)


def convert(call: Call) -> Reply:
    """`POST /v1/text-to-speech/{voice_id}`."""
    item, headers, _ = _generate(call, "tts")
    audio = call.workspace.audio_path(item.id).read_bytes()
    return Reply(200, audio, AudioFormat.parse(item.output_format).content_type, headers)


def convert_with_timestamps(call: Call) -> Reply:
    """`POST /v1/text-to-speech/{voice_id}/with-timestamps`."""
    item, headers, alignments = _generate(call, "timed")
    audio = call.workspace.audio_path(item.id).read_bytes()
    return Reply.json({"audio_base64": base64.b64encode(audio).decode(), **alignments}, headers=headers)


def check_text(text: str, model: SpeechModel) -> None:
    """Raise ApiError for a text that is empty or too long for the model."""
    if not text.strip():
        raise ApiError(400, "empty_text", "The text must not be empty.", parameter="text")
    if len(text) > model.limit:
        message = f"A maximum of {model.limit} characters is supported by {model.id}; the text has {len(text)}."
        raise ApiError(400, "text_too_long", message, parameter="text")


def settings_of(body: Any) -> dict[str, Any]:
    """The voice settings that a request gives."""
    return body.voice_settings.model_dump(exclude_none=True) if body.voice_settings else {}


def _generate(call: Call, kind: str) -> tuple[HistoryItem, dict[str, str], dict[str, Any]]:
    """Check, speak, store and bill; the item, the headers of the answer, and the alignments."""
    body: SpeechRequest = call.body
    query: SpeechQuery = call.query
    account = call.workspace.account
    model, audio_format = _check(call, body, query)
    credits = model.credits(body.text)
    account.require_credits(credits)
    running = account.enter(model)
    try:
        item_id = new_id()
        speech = call.workspace.make(
            item_id,
            text=body.text,
            voice=call.parameters["voice_id"],
            output_format=audio_format.name,
            settings=settings_of(body),
            language=body.language_code,
        )
    finally:
        account.leave(model)
    alignments = {
        "alignment": _alignment(speech.times),
        "normalized_alignment": _alignment(spell_out(speech.times)),
    }
    item = HistoryItem(
        id=item_id,
        request_id=call.request_id,
        created_at=call.now,
        kind=kind,
        source="TTS",
        text=body.text,
        voice=call.parameters["voice_id"],
        model=model.id,
        output_format=audio_format.name,
        settings=settings_of(body),
        credits=credits,
        credits_before=0,
        charge_id=item_id,
        hidden=call.faults.listing is not None,
        alignments=alignments if kind == "timed" else None,
    )
    if not call.workspace.keep(item, logged=query.enable_logging):
        account.require_credits(credits)
    headers = {
        "character-cost": str(credits),
        "current-concurrent-requests": str(running),
        "maximum-concurrent-requests": str(account.concurrency_limit(model)),
    }
    return item, headers, alignments


def _check(call: Call, body: SpeechRequest, query: SpeechQuery) -> tuple[SpeechModel, AudioFormat]:
    """Everything that the real service checks after the key; raise ApiError."""
    account = call.workspace.account
    find_speaker(call.parameters["voice_id"])
    model = speech_model(body.model_id)
    check_text(body.text, model)
    audio_format = AudioFormat.parse(query.output_format)
    account.require_tier(audio_format.smallest_plan, f"The output format {audio_format.name}")
    if not query.enable_logging:
        account.require_tier("enterprise", "Zero retention mode")
    _check_settings(body)
    check_dictionaries(body.pronunciation_dictionary_locators)
    _check_stitching(call, body, model)
    return model, audio_format


def _check_settings(body: SpeechRequest) -> None:
    settings = body.voice_settings
    if settings and settings.speed is not None and not 0.7 <= settings.speed <= 1.2:
        message = f"Invalid setting for speed received, expected to be between 0.7 and 1.2, received {settings.speed}."
        raise ApiError(400, "invalid_voice_settings", message, parameter="voice_settings.speed")
    if settings and settings.style is not None and not 0 <= settings.style <= 1:
        message = f"Invalid setting for style received, expected to be between 0 and 1, received {settings.style}."
        raise ApiError(400, "invalid_voice_settings", message, parameter="voice_settings.style")
    if body.seed is not None and body.seed not in SEEDS:
        raise ApiError(400, "invalid_parameters", "The seed must be between 0 and 4294967295.", parameter="seed")


def _check_stitching(call: Call, body: SpeechRequest, model: SpeechModel) -> None:
    """Earlier requests must exist, with logging, and be at most two hours old."""
    wanted = [*(body.previous_request_ids or []), *(body.next_request_ids or [])]
    if wanted and not model.stitching:
        message = f"Request stitching is not available for {model.id}."
        raise ApiError(400, "invalid_parameters", message, parameter="previous_request_ids")
    if not wanted:
        return
    ages = {item.request_id: call.now - item.created_at for item in call.workspace.history.newest_first()}
    for request_id in wanted:
        if ages.get(request_id, STITCHING_AGE + 1) > STITCHING_AGE:
            message = f"The request {request_id} was not found or is older than two hours."
            raise ApiError(400, "invalid_parameters", message, parameter="previous_request_ids")


def _alignment(times: CharacterTimes) -> dict[str, Any]:
    return {
        "characters": list(times.characters),
        "character_start_times_seconds": list(times.starts),
        "character_end_times_seconds": list(times.ends),
    }

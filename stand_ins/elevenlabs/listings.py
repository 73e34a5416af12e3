"""What costs nothing: history, models, voices, the subscription."""

from __future__ import annotations

from typing import Any

from stand_ins.elevenlabs.audio import AudioFormat
from stand_ins.elevenlabs.call import Call
from stand_ins.elevenlabs.catalog import MODELS, find_speaker, model_json, voice_json
from stand_ins.elevenlabs.errors import ApiError
from stand_ins.elevenlabs.records import HistoryItem
from stand_ins.elevenlabs.schema import HistoryList, VoicesList
from stand_ins.server import Reply
from stand_ins.speakers import SPEAKERS, Speaker

__all__ = [
    "delete_item",
    "get_audio",
    "get_item",
    "get_voice",
    "list_history",
    "list_models",
    "list_voices",
    "subscription",
]


def list_history(call: Call) -> Reply:
    """`GET /v1/history`."""
    query: HistoryList = call.query
    if query.model_id and not query.source:
        message = "The parameter source is required when model_id is given."
        raise ApiError(400, "invalid_parameters", message, parameter="source")
    items = [item for item in call.workspace.history.newest_first() if _matches(item, query)]
    if query.sort_direction == "asc":
        items.reverse()
    if query.start_after_history_item_id:
        places = [place for place, item in enumerate(items) if item.id == query.start_after_history_item_id]
        items = items[places[0] + 1 :] if places else []
    page = items[: query.page_size]
    return Reply.json(
        {
            "history": [_item_json(item) for item in page],
            "last_history_item_id": page[-1].id if page else None,
            "has_more": len(items) > len(page),
            "scanned_until": int(page[-1].created_at) if page else None,
        }
    )


def get_item(call: Call) -> Reply:
    """`GET /v1/history/{id}`."""
    return Reply.json(_item_json(_find_item(call)))


def get_audio(call: Call) -> Reply:
    """`GET /v1/history/{id}/audio`."""
    item = _find_item(call)
    audio = call.workspace.audio_path(item.id).read_bytes()
    return Reply(200, audio, AudioFormat.parse(item.output_format).content_type)


def delete_item(call: Call) -> Reply:
    """`DELETE /v1/history/{id}`."""
    item = _find_item(call)
    call.workspace.history.delete(item.id)
    if item.source == "TTS":
        call.workspace.audio_path(item.id).unlink(missing_ok=True)
    return Reply.json({"status": "ok"})


def list_models(_: Call) -> Reply:
    """`GET /v1/models`."""
    return Reply.json([model_json(model) for model in MODELS.values()])


def list_voices(call: Call) -> Reply:
    """`GET /v2/voices`."""
    query: VoicesList = call.query
    speakers = [speaker for speaker in SPEAKERS if _speaker_matches(speaker, query)]
    start = query.next_page_token or 0
    page = speakers[start : start + query.page_size]
    more = start + len(page) < len(speakers)
    return Reply.json(
        {
            "voices": [voice_json(speaker) for speaker in page],
            "has_more": more,
            "total_count": len(speakers),
            "next_page_token": str(start + len(page)) if more else None,
        }
    )


def get_voice(call: Call) -> Reply:
    """`GET /v1/voices/{voice_id}`."""
    return Reply.json(voice_json(find_speaker(call.parameters["voice_id"])))


def subscription(call: Call) -> Reply:
    """`GET /v1/user/subscription`."""
    return Reply.json(call.workspace.account.subscription(call.now))


def _find_item(call: Call) -> HistoryItem:
    item = call.workspace.history.get(call.parameters["id"])
    if item is None or item.hidden:
        message = f"A history item with ID {call.parameters['id']} was not found."
        raise ApiError(404, "history_item_not_found", message)
    return item


def _matches(item: HistoryItem, query: HistoryList) -> bool:
    created = int(item.created_at)
    return (
        not item.hidden
        and query.voice_id in (None, item.voice)
        and query.model_id in (None, item.model)
        and query.source in (None, item.source)
        and (query.date_after_unix is None or created >= query.date_after_unix)
        and (query.date_before_unix is None or created < query.date_before_unix)
        and (query.search or "").lower() in item.text.lower()
    )


def _item_json(item: HistoryItem) -> dict[str, Any]:
    speaker = find_speaker(item.voice)
    return {
        "history_item_id": item.id,
        "request_id": item.request_id,
        "voice_id": item.voice,
        "model_id": item.model,
        "voice_name": speaker.name,
        "voice_category": "premade" if speaker in SPEAKERS else "generated",
        "text": item.text,
        "date_unix": int(item.created_at),
        "character_count_change_from": item.credits_before,
        "character_count_change_to": item.credits_before + item.credits,
        "content_type": AudioFormat.parse(item.output_format).content_type,
        "state": "created",
        "settings": item.settings,
        "share_link_id": None,
        "source": item.source,
        "alignments": item.alignments,
        "dialogue": None,
        "output_format": item.output_format,
    }


def _speaker_matches(speaker: Speaker, query: VoicesList) -> bool:
    words = f"{speaker.name} {speaker.description} {speaker.gender} {speaker.accent} premade".lower()
    return (
        (query.search or "").lower() in words
        and query.category in (None, "premade")
        and (query.voice_ids is None or speaker.voice_id in query.voice_ids)
    )

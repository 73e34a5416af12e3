"""What the account can choose from: a few avatars with their looks, and voices. Any other avatar id works as well."""

from __future__ import annotations

from typing import Any

from stand_ins.heygen.call import Call, page_of
from stand_ins.server import Reply
from stand_ins.speakers import SPEAKERS

__all__ = ["list_avatars", "list_looks", "list_voices", "user"]

_AVATARS = (("Anna", "female"), ("Tyler", "male"), ("Monica", "female"), ("Joon", "male"))
_ENGINES = ["avatar_iii", "avatar_iv", "avatar_v"]


def user(call: Call) -> Reply:
    """`GET /v3/users/me`."""
    return Reply.json({"data": call.workspace.account.user()})


def list_avatars(call: Call) -> Reply:
    """`GET /v3/avatars`: groups of looks."""
    rows: list[dict[str, Any]] = [
        {"id": f"{name}_group", "name": name, "gender": gender, "looks_count": 1, "consent_status": "approved"}
        for name, gender in _AVATARS
    ]
    return page_of(rows, call.query.limit, call.query.token)


def list_looks(call: Call) -> Reply:
    """`GET /v3/avatars/looks`: their ids are what a video is asked for with."""
    rows: list[dict[str, Any]] = [
        {
            "id": f"{name}_public_3",
            "group_id": f"{name}_group",
            "name": f"{name} in a draft",
            "avatar_type": "studio_avatar",
            "ownership": "public",
            "gender": gender,
            "supported_api_engines": _ENGINES,
        }
        for name, gender in _AVATARS
    ]
    return page_of(rows, call.query.limit, call.query.token)


def list_voices(call: Call) -> Reply:
    """`GET /v3/voices`."""
    rows: list[dict[str, Any]] = [
        {"voice_id": each.voice_id, "name": each.name, "gender": each.gender, "language": "English"}
        for each in SPEAKERS
    ]
    return page_of(rows, call.query.limit, call.query.token)

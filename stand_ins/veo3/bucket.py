"""Google Cloud Storage's JSON API, as far as films are read with it: a bucket, its listing, an object, its content."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from stand_ins.server import Reply
from stand_ins.veo3.call import Call
from stand_ins.veo3.errors import ApiError
from stand_ins.veo3.records import StoredFilm

__all__ = ["get_bucket", "get_object", "list_objects", "text_of_list", "text_of_object"]

PAGE = 1000


def get_bucket(call: Call) -> Reply:
    """`GET /storage/v1/b/{bucket}`."""
    name = _bucket(call)
    return Reply.json({"kind": "storage#bucket", "id": name, "name": name, "location": "US-CENTRAL1"})


def list_objects(call: Call) -> Reply:
    """`GET /storage/v1/b/{bucket}/o`, in the order of their names."""
    bucket, query = _bucket(call), call.request.query
    prefix, after = query.get("prefix", ""), query.get("pageToken", "")
    found = [
        film
        for film in call.workspace.films.newest_first()
        if film.bucket == bucket and film.name.startswith(prefix) and film.name > after and not film.hidden
    ]
    found.sort(key=lambda film: film.name)
    size = min(PAGE, int(query.get("maxResults") or PAGE))
    answer: dict[str, Any] = {"kind": "storage#objects"}
    if found:
        answer["items"] = [_described(call, film) for film in found[:size]]
    if len(found) > size:
        answer["nextPageToken"] = found[size - 1].name
    return Reply.json(answer)


def get_object(call: Call) -> Reply:
    """`GET /storage/v1/b/{bucket}/o/{object}`: its description, or with `alt=media` its content."""
    film = _film(call)
    if call.request.query.get("alt") != "media":
        return Reply.json(_described(call, film))
    headers = {"x-goog-hash": f"md5={film.md5}", "etag": film.md5}
    return Reply(200, call.workspace.content(film), "video/mp4", headers)


def text_of_list(call: Call) -> str:
    """The prefix that is listed, for rules to match."""
    return call.request.query.get("prefix", "")


def text_of_object(call: Call) -> str:
    """The object's name, for rules to match."""
    return unquote(call.parameters["object"])


def _bucket(call: Call) -> str:
    call.workspace.account.require("storage", "storage.objects.get")
    name = unquote(call.parameters["bucket"])
    call.workspace.account.require_bucket(name)
    return name


def _film(call: Call) -> StoredFilm:
    bucket, name = _bucket(call), unquote(call.parameters["object"])
    for film in call.workspace.films.newest_first():
        if (film.bucket, film.name) == (bucket, name):
            return film
    raise ApiError(404, f"No such object: {bucket}/{name}")


def _described(call: Call, film: StoredFilm) -> dict[str, Any]:
    when = datetime.fromtimestamp(film.created_at, UTC).isoformat().replace("+00:00", "Z")
    name = quote(film.name, safe="")
    return {
        "kind": "storage#object",
        "id": f"{film.bucket}/{film.name}/{int(film.created_at * 1e6)}",
        "bucket": film.bucket,
        "name": film.name,
        "size": str(film.size),
        "contentType": "video/mp4",
        "md5Hash": film.md5,
        "timeCreated": when,
        "updated": when,
        "mediaLink": f"{call.request.base_url}/storage/v1/b/{film.bucket}/o/{name}?alt=media",
    }

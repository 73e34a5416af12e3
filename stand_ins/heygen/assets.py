"""Assets: files sent as a form, or announced, put to storage and completed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from email import message_from_bytes
from email.policy import HTTP
from typing import Any

from stand_ins.film import SOUND_RATE, SoundUnreadable, decode_sound
from stand_ins.heygen.call import Call
from stand_ins.heygen.errors import ApiError
from stand_ins.heygen.links import PREFIX, check_link, sign_link
from stand_ins.heygen.records import Asset
from stand_ins.heygen.workspace import new_id
from stand_ins.server import Reply

__all__ = ["announce", "complete", "delete_asset", "get_asset", "put", "upload"]

LARGEST_FORM = 32 * 1024 * 1024
LARGEST = 512 * 1024 * 1024
UPLOAD_SECONDS = 900
UPLOADS = "uploads/"
_MAGIC = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"%PDF", "application/pdf"),
)


def upload(call: Call) -> Reply:
    """`POST /v3/assets`: one file in a form."""
    if len(call.request.body) > LARGEST_FORM + 4096:
        raise ApiError(413, "The file exceeds the limit of 32 MB; use a direct upload.")
    name, content = _file(call)
    content_type = _kind(content)
    if content_type is None:
        raise ApiError(400, "Unsupported file type.", code="invalid_parameter", parameter="file")
    asset = Asset(new_id(), call.now, name, content_type, len(content))
    return Reply.json({"data": _shown(call, _stored(call, asset, content))})


def announce(call: Call) -> Reply:
    """`POST /v3/assets/direct-uploads`."""
    body = call.body
    if body.size_bytes > LARGEST:
        raise ApiError(413, "The file exceeds the limit of 512 MB.", parameter="size_bytes")
    asset = Asset(
        new_id(), call.now, body.filename, body.content_type, body.size_bytes, body.checksum_sha256 or "", ready=False
    )
    call.workspace.assets.save(asset)
    url = sign_link(
        call.request.base_url,
        UPLOADS + asset.id,
        call.workspace.signing_key,
        now=call.now,
        lifetime=UPLOAD_SECONDS,
        method="PUT",
    )
    answer = {
        "asset_id": asset.id,
        "upload_url": url,
        "upload_headers": {"Content-Type": body.content_type},
        "expires_in_seconds": UPLOAD_SECONDS,
        "max_bytes": body.size_bytes,
        "status": "pending_upload",
    }
    return Reply.json({"data": answer})


def put(call: Call) -> Reply:
    """The presigned PUT of a direct upload; no key is asked for, and S3 answers."""
    refusal = check_link(call.request, call.workspace.signing_key)
    if refusal is not None:
        return refusal
    asset = call.workspace.assets.get(call.request.path.removeprefix(PREFIX + UPLOADS))
    headers, content = call.request.headers, call.request.body
    if asset is None or headers.get("content-type") != asset.content_type or len(content) != asset.size:
        return Reply(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>", "application/xml")
    if asset.sha256 and hashlib.sha256(content).hexdigest() != asset.sha256:
        return Reply(400, b"<Error><Code>BadDigest</Code></Error>", "application/xml")
    call.workspace.asset_path(asset.id).write_bytes(content)
    return Reply(200, b"", "application/xml")


def complete(call: Call) -> Reply:
    """`POST /v3/assets/{id}/complete`: again and again the same answer."""
    asset = _find(call)
    path = call.workspace.asset_path(asset.id)
    if not asset.ready:
        if not path.exists():
            raise ApiError(400, "The file has not been uploaded yet.", code="asset_not_available")
        content = path.read_bytes()
        if _kind(content) != asset.content_type:
            raise ApiError(400, "The file is not of the declared content type.", code="invalid_parameter")
        asset = _stored(call, replace(asset, ready=True), content)
    return Reply.json({"data": {**_shown(call, asset), "status": "completed"}})


def get_asset(call: Call) -> Reply:
    """`GET /v3/assets/{id}`."""
    asset = _find(call)
    answer = {
        "id": asset.id,
        "name": asset.name,
        "type": asset.content_type.partition("/")[0],
        "owner": "draft",
        "space_id": "draft",
        "uploaded_at": int(asset.created_at),
        "url": _shown(call, asset)["url"],
        "folder_id": None,
    }
    return Reply.json({"data": answer})


def delete_asset(call: Call) -> Reply:
    """`DELETE /v3/assets/{id}`."""
    asset = _find(call)
    call.workspace.assets.delete(asset.id)
    call.workspace.asset_path(asset.id).unlink(missing_ok=True)
    return Reply.json({"data": {"id": asset.id}})


def _find(call: Call) -> Asset:
    asset = call.workspace.assets.get(call.parameters["id"])
    if asset is None:
        raise ApiError(404, f"Asset {call.parameters['id']} was not found.", code="asset_not_found")
    return asset


def _file(call: Call) -> tuple[str, bytes]:
    """Name and content of the form's field `file`."""
    header = f"Content-Type: {call.request.headers.get('content-type', '')}\r\n\r\n".encode()
    form = message_from_bytes(header + call.request.body, policy=HTTP)
    for part in form.iter_parts() if form.is_multipart() else ():
        if part.get_param("name", header="content-disposition") == "file":
            content = part.get_payload(decode=True)
            return part.get_filename() or "file", content if isinstance(content, bytes) else b""
    raise ApiError(400, "file is required", parameter="file")


def _kind(content: bytes) -> str | None:
    found = next((kind for at, magic, kind in _MAGIC if content[at : at + len(magic)] == magic), None)
    mpeg_audio = len(content) > 1 and content[0] == 0xFF and content[1] & 0xE0 == 0xE0 and content[1] & 0x06
    return found or ("audio/mpeg" if mpeg_audio else None)


def _stored(call: Call, asset: Asset, content: bytes) -> Asset:
    """Keep a file, with its hash and, of a sound, its length."""
    path = call.workspace.asset_path(asset.id)
    path.write_bytes(content)
    asset = replace(asset, sha256=hashlib.sha256(content).hexdigest())
    if asset.content_type.startswith("audio/"):
        try:
            asset = replace(asset, seconds=len(decode_sound(path)) / SOUND_RATE)
        except SoundUnreadable as error:
            path.unlink()
            raise ApiError(400, f"The sound can't be read: {error}.", code="invalid_parameter") from error
    call.workspace.assets.save(asset)
    return asset


def _shown(call: Call, asset: Asset) -> dict[str, Any]:
    return {
        "asset_id": asset.id,
        "url": f"{call.request.base_url}{PREFIX}assets/{asset.id}",
        "mime_type": asset.content_type,
        "size_bytes": asset.size,
    }

"""Ephemeral uploads: a place is given, a form is posted there, and its URI stands for the file for 24 hours."""

from __future__ import annotations

import secrets
from dataclasses import replace
from email import message_from_bytes
from email.message import Message

from stand_ins.runway.call import Call
from stand_ins.runway.links import UPLOADS, denied, signature
from stand_ins.runway.tasks import Upload
from stand_ins.server import Reply

__all__ = ["create", "receive"]


def create(call: Call) -> Reply:
    """`POST /v1/uploads`."""
    upload = Upload(secrets.token_hex(16), call.now, call.body.filename)
    call.workspace.uploads.save(upload)
    fields = {"key": upload.id, "policy": signature(upload.id, call.workspace.signing_key)}
    url = f"{call.request.base_url}{UPLOADS}{upload.id}"
    return Reply.json({"uploadUrl": url, "fields": fields, "runwayUri": f"runway://{upload.id}"})


def receive(call: Call) -> Reply:
    """The form that is posted to an upload's address: its fields, then the file."""
    upload = call.workspace.uploads.get(call.parameters["id"])
    fields = _fields(call.request.headers.get("content-type", ""), call.request.body)
    if upload is None or fields.get("policy") != signature(upload.id, call.workspace.signing_key).encode():
        return denied()
    path = call.workspace.upload_path(upload.id)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(fields.get("file", b""))
    call.workspace.uploads.save(replace(upload, received=True))
    return Reply(204)


def _fields(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of a form by name."""
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    parts = message.get_payload() if message.is_multipart() else []
    fields = {}
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, Message):
            content = part.get_payload(decode=True)
            name = part.get_param("name", header="content-disposition")
            fields[str(name)] = content if isinstance(content, bytes) else b""
    return fields

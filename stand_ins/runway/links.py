"""Addresses of clips and of uploads: they need no key, and they die."""

from __future__ import annotations

import hashlib
import hmac

from stand_ins.server import Reply, Request

__all__ = ["OUTPUTS", "UPLOADS", "check_link", "denied", "sign_link", "signature"]

OUTPUTS = "/stand-in-output/"
UPLOADS = "/stand-in-uploads/"


def sign_link(base_url: str, name: str, key: bytes, *, expires: float) -> str:
    """The address of a clip that works until `expires` (Unix seconds, rounded down)."""
    until = str(int(expires))
    return f"{base_url}{OUTPUTS}{name}?_jwt={until}.{signature(f'{name}|{until}', key)}"


def check_link(request: Request, key: bytes, now: float) -> Reply | None:
    """The refusal of a wrong or expired address; None when it is good."""
    name = request.path.removeprefix(OUTPUTS)
    until, _, given = request.query.get("_jwt", "").partition(".")
    if not hmac.compare_digest(given, signature(f"{name}|{until}", key)) or now >= int(until):
        return denied()
    return None


def denied() -> Reply:
    """What a content delivery network says of an address that does not work, or not any more."""
    said = "<Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>"
    return Reply(403, f"<?xml version='1.0' encoding='UTF-8'?>{said}".encode(), "application/xml")


def signature(text: str, key: bytes) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

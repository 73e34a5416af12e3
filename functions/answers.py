"""Answers of the HTTP API (payload format 2.0): JSON, and one sentence where something is wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["answer", "path_parameter", "problem", "raw_body"]


def answer(status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """An HTTP answer with a JSON body."""
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}


def problem(status: int, sentence: str, error_type: str) -> dict[str, Any]:
    """An HTTP answer that says what is wrong."""
    return answer(status, {"error": sentence, "error_type": error_type})


def path_parameter(event: Mapping[str, Any], name: str) -> str:
    """A part of the path, as the route names it; empty where there is none."""
    return str((event.get("pathParameters") or {}).get(name) or "")


def raw_body(event: Mapping[str, Any]) -> bytes:
    """The body as it was sent, byte for byte: signatures cover nothing else."""
    body = event.get("body") or ""
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()

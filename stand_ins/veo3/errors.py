"""Errors as Google's APIs answer them: a status word of google.rpc.Code, a sentence, maybe a reason in the details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stand_ins.server import Reply

__all__ = ["NUMBERS", "ApiError", "TokenError"]

WORDS: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
NUMBERS: Mapping[str, int] = {
    "CANCELLED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
}
"""google.rpc.Code, as failed operations give it."""


class ApiError(Exception):
    """A refusal. `word` is google.rpc's status, `reason` stands in the details."""

    def __init__(self, status: int, message: str, *, word: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.word = word or WORDS.get(status, "UNKNOWN")
        self.reason = reason

    def reply(self, headers: Mapping[str, str] | None = None) -> Reply:
        error: dict[str, Any] = {"code": self.status, "message": self.message, "status": self.word}
        if self.reason:
            kind = "type.googleapis.com/google.rpc.ErrorInfo"
            error["details"] = [{"@type": kind, "reason": self.reason, "domain": "googleapis.com"}]
        return Reply.json({"error": error}, self.status, headers)


class TokenError(Exception):
    """A refusal of the token endpoint, in OAuth's own form (RFC 6749, section 5.2)."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description

    def reply(self) -> Reply:
        return Reply.json({"error": self.code, "error_description": self.description}, 400)

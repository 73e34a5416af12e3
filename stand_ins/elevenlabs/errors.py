"""ElevenLabs' two shapes of errors: an object with a code, and the list of a failed schema check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stand_ins.server import Reply

__all__ = ["ApiError", "SchemaError"]

TYPES: Mapping[int, str] = {
    400: "validation_error",
    401: "authentication_error",
    402: "payment_required",
    403: "authorization_error",
    404: "not_found",
    409: "conflict",
    429: "rate_limit_error",
    500: "internal_error",
    503: "service_unavailable",
}

CODES: Mapping[int, str] = {
    400: "invalid_parameters",
    401: "unauthorized",
    402: "insufficient_credits",
    403: "insufficient_permissions",
    404: "not_found",
    409: "already_processing",
    429: "rate_limit_exceeded",
    500: "internal_error",
    503: "service_unavailable",
}

LEGACY: Mapping[str, str] = {
    "text_too_long": "max_character_limit_exceeded",
    "insufficient_credits": "quota_exceeded",
    "insufficient_permissions": "missing_permissions",
    "concurrent_limit_exceeded": "too_many_concurrent_requests",
    "unauthorized": "invalid_api_key",
}
"""The older words that still travel in `status`."""


class ApiError(Exception):
    """A refusal with a code. `legacy` is the older word in `status`; `parameter` names the field at fault."""

    def __init__(self, status: int, code: str, message: str, *, legacy: str = "", parameter: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code or CODES.get(status, "error")
        self.message = message
        self.legacy = legacy or LEGACY.get(self.code, self.code)
        self.parameter = parameter

    def reply(self, request_id: str, headers: Mapping[str, str] | None = None) -> Reply:
        detail: dict[str, Any] = {
            "type": TYPES.get(self.status, "error"),
            "code": self.code,
            "message": self.message,
            "status": self.legacy,
            "request_id": request_id,
        }
        if self.parameter:
            detail["param"] = self.parameter
        return Reply.json({"detail": detail}, self.status, headers)


class SchemaError(Exception):
    """A request that does not fit its schema: status 422, `detail` is a list."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems

    @classmethod
    def of(cls, message: str) -> SchemaError:
        return cls([{"type": "value_error", "loc": ["body"], "msg": message, "input": None}])

    def reply(self) -> Reply:
        return Reply.json({"detail": self.problems}, 422)

"""HeyGen's one shape of errors: `{"error": {"code", "message", "param"?, "doc_url"}}`."""

from __future__ import annotations

from collections.abc import Mapping

from stand_ins.server import Reply

__all__ = ["ApiError"]

CODES: Mapping[int, str] = {
    400: "validation_error",
    401: "unauthorized",
    402: "insufficient_credit",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "payload_too_large",
    429: "rate_limit_exceeded",
    500: "internal_error",
    503: "service_unavailable",
}
DOCUMENTATION = "https://developers.heygen.com/errors"


class ApiError(Exception):
    """A refusal. `parameter` names the field at fault, `retry_after` the seconds to wait."""

    def __init__(
        self, status: int, message: str, *, code: str = "", parameter: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code or CODES.get(status, "error")
        self.message = message
        self.parameter = parameter
        self.retry_after = retry_after

    def reply(self) -> Reply:
        error = {"code": self.code, "message": self.message, "doc_url": f"{DOCUMENTATION}#{self.code}"}
        if self.parameter:
            error["param"] = self.parameter
        headers = {} if self.retry_after is None else {"Retry-After": f"{self.retry_after:g}"}
        return Reply.json({"error": error}, self.status, headers)

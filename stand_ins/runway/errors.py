"""Runway's errors: a text, the fields at fault, and the page that explains them. They have no codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stand_ins.server import Reply

__all__ = ["ApiError"]

_PAGE = "https://docs.dev.runwayml.com/errors/errors/"


class ApiError(Exception):
    """A refusal. `issues` are the fields that do not fit, each with `path` and `message`."""

    def __init__(self, status: int, message: str, issues: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.issues = issues

    @classmethod
    def of_field(cls, field: str, message: str) -> ApiError:
        """A body whose `field` can't be accepted."""
        return cls(400, "Validation of body failed", [{"code": "custom", "path": [field], "message": message}])

    def reply(self, headers: Mapping[str, str] | None = None) -> Reply:
        body: dict[str, Any] = {"error": self.message, "docUrl": _PAGE}
        if self.issues is not None:
            body["issues"] = self.issues
        return Reply.json(body, self.status, headers)

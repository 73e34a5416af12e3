"""Operations and objects of the bucket, as the stand-in keeps them on disk."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

__all__ = ["Operation", "StoredFilm"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One request for a film. Times in Unix seconds; `fate` is what a rule ordained, with google.rpc's status
    `fated_error` and what is said to it.

    When it is done, `films` are the addresses of what was written, or `error` is google.rpc's status of its failure.
    """

    id: str
    name: str
    created_at: float
    due_at: float
    model: str
    prompt: str
    parameters: dict[str, Any]
    has_image: bool = False
    hidden: bool = False
    fate: Literal["", "fail", "filter", "never"] = ""
    fated_error: str = ""
    fated_message: str = ""
    done_at: float | None = None
    films: list[str] = field(default_factory=list)
    error: str = ""
    message: str = ""

    @property
    def done(self) -> bool:
        return self.done_at is not None

    def made(self, now: float, films: list[str]) -> Operation:
        return replace(self, done_at=now, films=films)

    def failed(self, now: float, error: str, message: str) -> Operation:
        return replace(self, done_at=now, error=error, message=message)


@dataclass(frozen=True, slots=True)
class StoredFilm:
    """An object of a bucket; `file` is its content's name on disk. `hidden` ones are not listed."""

    id: str
    created_at: float
    bucket: str
    name: str
    file: str
    size: int
    md5: str
    hidden: bool = False

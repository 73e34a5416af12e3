"""One HTTP request and what becomes of it: the words that `http` and `sending` share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

__all__ = ["Answer", "Call", "InterruptedExchangeError"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. `content` is its body, empty where the body was streamed into a file."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that sends `body` as JSON, or the file `data`.

    `into` takes the body of a good answer, of at most `limit` bytes; `follow` allows redirects. A `public` one goes to
    the public internet alone, over https.
    """

    operation: str
    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    params: Mapping[str, str] | None = field(repr=False)
    body: Mapping[str, Any] | None = field(repr=False)
    into: IO[bytes] | None
    limit: int
    follow: bool
    data: IO[bytes] | None = None
    public: bool = False


class InterruptedExchangeError(Exception):
    """No whole answer: `sent` says whether the request may have reached the provider."""

    def __init__(self, why: str, *, sent: bool, curable: bool = True) -> None:
        super().__init__(why)
        self.why = why
        self.sent = sent
        self.curable = curable

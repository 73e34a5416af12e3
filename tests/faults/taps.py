"""Every side effect goes through a tap, which can strike before it and after it.

Side effects are writes to the tables, requests to the provider, writes to S3, starts of executions and the answers of
functions. An undisturbed run tells how many points there are and what they are called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from video_production.providers.exchange import Answer, Call, InterruptedExchangeError

__all__ = ["FAULTS", "Fault", "Killed", "Point", "Tap"]

Fault = Literal["killed", "exception", "timeout", "answer lost", "duplicate start", "duplicate webhook", "takeover"]
FAULTS: tuple[Fault, ...] = (
    "killed",
    "exception",
    "timeout",
    "answer lost",
    "duplicate start",
    "duplicate webhook",
    "takeover",
)
_TABLE_WRITES = ("put_item", "update_item", "delete_item", "transact_write_items")
_S3_WRITES = (
    "put_object",
    "create_multipart_upload",
    "upload_part",
    "complete_multipart_upload",
    "abort_multipart_upload",
)


class Killed(BaseException):
    """The process is gone. Not an Exception: nothing in the product can catch it and go on."""


@dataclass(frozen=True, slots=True)
class Point:
    """A moment just before or just after a side effect of `kind` (table, provider, s3, execution, function)."""

    when: Literal["before", "after"]
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.when} {self.name}"


class Tap:
    """Counts the points that a run passes; at the chosen one `strike` is called, once."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.chosen: int | None = None
        self.strike: Callable[[Point], None] = lambda point: None
        self.struck: Point | None = None
        self.quiet = False
        self.dead = False

    def around(self, kind: str, name: str, act: Callable[[], Any]) -> Any:
        """Carry out one side effect. A process that is dead carries out nothing, while its stack unwinds."""
        self._pass(Point("before", kind, name))
        result = act()
        self._pass(Point("after", kind, name))
        return result

    def _pass(self, point: Point) -> None:
        if self.dead:
            raise Killed
        if self.quiet:
            return
        self.points.append(point)
        if self.chosen == len(self.points) - 1:
            self.struck = point
            self.strike(point)

    def tables(self, client: Any) -> Any:
        return _Tapped(self, "table", client, _TABLE_WRITES, _table_write)

    def storage(self, client: Any) -> Any:
        return _Tapped(self, "s3", client, _S3_WRITES, lambda name, request: f"s3 {name}")

    def sending(self, send: Callable[..., Answer]) -> Callable[..., Answer]:
        def tapped(call: Call, verify: bool | str, budget: float) -> Answer:
            return self.around("provider", f"provider {call.operation}", lambda: send(call, verify, budget))  # type: ignore[no-any-return]

        return tapped


class _Tapped:
    """A client whose writes go through the tap."""

    def __init__(
        self, tap: Tap, kind: str, client: Any, writes: tuple[str, ...], words: Callable[[str, Any], str]
    ) -> None:
        self._tap, self._kind, self._client, self._writes, self._words = tap, kind, client, writes, words

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._client, name)
        if name not in self._writes:
            return act
        return lambda **request: self._tap.around(self._kind, self._words(name, request), lambda: act(**request))


def _table_write(name: str, request: dict[str, Any]) -> str:
    actions = request.get("TransactItems") or [{name: request}]
    tables = dict.fromkeys(next(iter(action.values()))["TableName"] for action in actions)
    return f"{name.split('_')[0]} {'+'.join(tables)}"


def lost_answer(point: Point) -> Exception:
    """What a caller sees when the answer to a call never comes."""
    if point.kind == "provider":
        return InterruptedExchangeError("the connection was cut", sent=True)
    if point.kind == "execution":
        return EndpointConnectionError(endpoint_url="http://127.0.0.1/states")
    return ReadTimeoutError(endpoint_url=f"http://127.0.0.1/{point.kind}")

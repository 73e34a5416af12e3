"""A stream of events drawn, and the exit code that it ends with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from typing import Any

import click

from video_production.errors import DocumentError, InputError, VideoProductionError
from video_production.settings import LOCAL

__all__ = ["FAILED", "INTERRUPTED", "INVALID", "STOPPED", "tell"]

INVALID, FAILED, INTERRUPTED = 1, 2, 3
STOPPED = "Stopped. Nothing is lost: run the same command again to continue."
_EXIT_CODES = {"completed": 0, "failed": FAILED, "cancelled": INTERRUPTED}


def tell(events: Callable[[], Generator[dict[str, Any]]], as_json: bool) -> int:
    """Draw a stream of events; answer with the exit code that the last one stands for."""
    from video_production.cli.rendering import choose

    renderer = choose(as_json)
    status, seen = "", _Seen()
    try:
        with contextlib.closing(events()) as stream:
            for event in stream:
                seen.note(event)
                renderer.show(event)
                status = event.get("status", status)
    except VideoProductionError as error:
        if not as_json:
            raise
        renderer.show(_refusal(error))
        return INVALID
    except KeyboardInterrupt:
        if as_json:
            renderer.show({"event": "finished", "status": "interrupted", "error": seen.stopped, "output": None})
            return INTERRUPTED
        if seen.stopped == STOPPED:
            raise
        renderer.close()
        click.echo(f"\n{seen.stopped}", err=True)  # the line before ends in ^C
        return INTERRUPTED
    finally:
        renderer.close()
    return _EXIT_CODES[status]


class _Seen:
    """How far a run had come, for who stops watching it: on AWS it goes on."""

    def __init__(self) -> None:
        self._where: Mapping[str, Any] = {"environment": LOCAL}
        self._pipeline = ""
        self._last = ""

    def note(self, event: Mapping[str, Any]) -> None:
        self._where = event.get("where", self._where)
        self._pipeline = event.get("pipeline", self._pipeline)
        if event["event"] in ("publishing", "started"):
            self._last = event["event"]

    @property
    def stopped(self) -> str:
        environment = self._where["environment"]
        if environment == LOCAL:
            return STOPPED
        cancel = f"./jiki-video cancel {self._pipeline} --environment {environment}"
        if not self._last:
            return "Stopped. Nothing was started."
        if self._last == "publishing":
            return (
                f"Stopped while '{self._pipeline}' was being handed over to {environment}; run the same command again, "
                f"or stop it there: {cancel}"
            )
        return (
            f"Stopped watching; '{self._pipeline}' goes on in {environment}. The same command watches it again, "
            f"{cancel} stops it."
        )


def _refusal(error: VideoProductionError) -> dict[str, Any]:
    problems = error.problems if isinstance(error, DocumentError) else []
    return {
        "event": "finished",
        "status": "invalid" if isinstance(error, InputError) else "error",
        "error": str(error),
        "problems": [{"path": problem.path, "message": problem.message} for problem in problems],
        "output": None,
    }

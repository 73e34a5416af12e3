"""Drawing events: live in a terminal, as plain lines elsewhere, as JSON for programs.

A renderer gets every event in order. The last line on standard output is the path of the finished video alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol

import click

from video_production.cli.rows import Columns, doing, node_details, node_row
from video_production.cli.summary import opening, summary
from video_production.cli.words import listing

__all__ = ["JsonLines", "PlainLines", "Renderer", "choose"]

Event = Mapping[str, Any]
_BEAT = 10.0
"""Seconds without a line after which plain output gives a sign of life."""


class Renderer(Protocol):
    def show(self, event: Event) -> None: ...

    def close(self) -> None: ...


def choose(as_json: bool) -> Renderer:
    """JSON when asked for; a live picture in a terminal; plain lines otherwise."""
    if as_json:
        return JsonLines()
    if not sys.stdout.isatty():
        return PlainLines()
    from rich.console import Console

    from video_production.cli.live_picture import LivePicture

    console = Console(highlight=False)
    return LivePicture(console) if console.is_terminal and not console.is_dumb_terminal else PlainLines()


class JsonLines:
    """Every line one JSON event, there as soon as it happened."""

    def show(self, event: Event) -> None:
        click.echo(json.dumps(event, ensure_ascii=False))
        sys.stdout.flush()

    def close(self) -> None:
        return


class PlainLines:
    """One line when a node ends, and a sign of life now and then."""

    def __init__(self) -> None:
        self._columns = Columns()
        self._running: dict[str, Event] = {}
        self._spoke_at = time.monotonic()

    def show(self, event: Event) -> None:
        if event["event"] == "started":
            self._columns = Columns.of(event["nodes"])
        if event["event"] == "node":
            self._node(event)
        for line in opening(event):
            self._say(line)
        if event["event"] == "finished":
            for line in summary(event):
                self._say(line)
        self._beat()

    def close(self) -> None:
        return

    def _node(self, event: Event) -> None:
        self._running.pop(event["id"], None)
        if event["status"] == "in_progress" or event.get("queue"):
            self._running[event["id"]] = event
        elif event["status"] in ("completed", "failed") and not event["kept"]:
            self._say(node_row(event, self._columns))
            for line in node_details(event):
                self._say(line)

    def _beat(self) -> None:
        if self._running and time.monotonic() - self._spoke_at > _BEAT:
            self._say("   … " + listing([_sign_of_life(entry) for entry in self._running.values()], 4))

    def _say(self, line: str) -> None:
        self._spoke_at = time.monotonic()
        click.echo(line)
        sys.stdout.flush()


def _sign_of_life(event: Event) -> str:
    answer = f": {event['last_answer']}" if event["last_answer"] else ""
    return f"{event['id']} ({doing(event)}{answer})"

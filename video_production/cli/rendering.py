"""Drawing events: live in a terminal, as plain lines elsewhere, as JSON for programs.

A renderer gets every event in order. The last line on standard output is the path of the finished video alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Protocol

import click
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from video_production.cli.summary import summary
from video_production.cli.words import KINDS, elapsed, listing

__all__ = ["JsonLines", "LivePicture", "PlainLines", "Renderer", "choose"]

Event = Mapping[str, Any]
_BEAT = 15.0
_MARKS = {"completed": ("✓", "green"), "failed": ("✗", "red"), "in_progress": ("•", "cyan"), "pending": ("·", "dim")}


class Renderer(Protocol):
    def show(self, event: Event) -> None: ...

    def close(self) -> None: ...


def choose(as_json: bool) -> Renderer:
    """JSON when asked for; a live picture in a terminal; plain lines otherwise."""
    console = Console(highlight=False)
    if as_json:
        return JsonLines()
    return LivePicture(console) if console.is_terminal else PlainLines()


class JsonLines:
    """Every line one JSON event."""

    def show(self, event: Event) -> None:
        click.echo(json.dumps(event, ensure_ascii=False))

    def close(self) -> None:
        return


class PlainLines:
    """One line when a node ends, and a sign of life now and then."""

    def __init__(self) -> None:
        self._running: dict[str, Event] = {}
        self._beat = time.monotonic()

    def show(self, event: Event) -> None:
        for line in _opening(event):
            click.echo(line)
        if event["event"] == "node":
            self._node(event)
        if event["event"] == "finished":
            for line in summary(event):
                click.echo(line)

    def close(self) -> None:
        return

    def _node(self, event: Event) -> None:
        if event["status"] in ("completed", "failed"):
            self._running.pop(event["id"], None)
            click.echo(node_line(event))
        elif event["status"] == "in_progress":
            self._running[event["id"]] = event
        if self._running and time.monotonic() - self._beat > _BEAT:
            self._beat = time.monotonic()
            click.echo("   … " + listing([f"{entry['id']} ({doing(entry)})" for entry in self._running.values()], 4))


class LivePicture:
    """One line per node that moves in place, with a bar for the whole."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._nodes: dict[str, Event] = {}
        self._seen_at: dict[str, float] = {}
        self._live = Live(get_renderable=self._picture, console=console, refresh_per_second=8, transient=False)
        self._started = False

    def show(self, event: Event) -> None:
        for line in _opening(event):
            self._console.print(line, markup=False, highlight=False)
        if event["event"] == "node":
            if not self._started:
                self._started = True
                self._live.start()
            self._nodes[event["id"]] = event
            self._seen_at[event["id"]] = time.monotonic()
        if event["event"] == "finished":
            self.close()
            for line in summary(event):
                self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        if self._started:
            self._started = False
            self._live.stop()

    def _picture(self) -> Table:
        rows = Table.grid(padding=(0, 2, 0, 0))
        for column in range(4):
            rows.add_column(no_wrap=column != 3, min_width=1)
        for event in self._nodes.values():
            mark, style = _MARKS[event["status"]]
            text = f"{event['error']}" if event["status"] == "failed" else doing(event)
            rows.add_row(Text(f" {mark} {event['id']}", style), KINDS[event["type"]], self._elapsed(event), Text(text))
        done = sum(1 for event in self._nodes.values() if event["status"] == "completed")
        rows.add_row("", "", "", "")
        rows.add_row(Text(" all", "bold"), f"{done}/{len(self._nodes)}", "", ProgressBar(self._total(), self._done()))
        return rows

    def _total(self) -> float:
        return float(max(1, len(self._nodes)))

    def _done(self) -> float:
        parts = (1.0 if e["status"] == "completed" else float(e["progress"] or 0) for e in self._nodes.values())
        return sum(parts)

    def _elapsed(self, event: Event) -> str:
        if event["elapsed"] is None:
            return ""
        running = event["status"] == "in_progress"
        since = time.monotonic() - self._seen_at[event["id"]] if running else 0.0
        return elapsed(event["elapsed"] + since)


def _opening(event: Event) -> list[str]:
    """What is said before anything is made."""
    if event["event"] == "validated":
        return ["LOCAL DRAFT · no account, no keys, nothing leaves this machine"]
    if event["event"] != "published":
        return []
    lines = []
    changed = [*event["changed"], *event["new"]]
    if event["reused"] and changed:
        lines.append(f" changed: {listing(changed)}")
    if event["reused"] and event["remade"]:
        lines.append(f" remade because of it: {listing(event['remade'])}")
    if event["reused"] and (changed or event["remade"]):
        lines.append(f" reused: {listing(event['reused'])}")
    if event["removed"]:
        lines.append(f" removed: {listing(event['removed'])}")
    return lines


def doing(event: Event) -> str:
    """What a node is doing, or how it ended."""
    if event["status"] == "pending":
        return "waiting for its inputs"
    if event["status"] == "completed":
        return "already made, reused" if event["reused"] else "draft" if event["draft"] else "done"
    word = event["stage"] or "starting"
    return f"{word} {event['progress']:.0%}" if event["progress"] else str(word)


def node_line(event: Event) -> str:
    """One finished node: `✓ intro-voice  voiceover  draft  2.1 s`."""
    mark, _ = _MARKS[event["status"]]
    took = elapsed(event["elapsed"]) if event["elapsed"] is not None else ""
    if event["status"] == "failed":
        return f" {mark} {event['id']}  {KINDS[event['type']]}  {event['error']}"
    line = f" {mark} {event['id']:<16}  {KINDS[event['type']]:<10}  {doing(event):<8}  {took}"
    return f"{line}\n     {event['note']}" if event["note"] else line

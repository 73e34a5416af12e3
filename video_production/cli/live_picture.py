"""The live picture in a terminal: one line per node that moves in place, with a bar for the whole."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from video_production.cli.rows import Columns, node_details, node_row
from video_production.cli.summary import opening, summary
from video_production.cli.words import count
from video_production.settings import LOCAL

__all__ = ["LivePicture"]

Event = Mapping[str, Any]
_STYLES = {"completed": "green", "failed": "red", "in_progress": "cyan", "pending": "dim"}
_STAGE_WIDTH = 22
_ROOM_FOR_REMARKS = 100
"""Columns from which a line also says the provider's last answer or the node's title."""
_AROUND = 6
"""Lines of the screen that are not for nodes: headline, bar, prompt."""


class LivePicture:
    """Draws while nodes run; when all is over, the same lines stay, unabridged."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._columns = Columns()
        self._nodes: dict[str, Event] = {}
        self._seen_at: dict[str, float] = {}
        self._live = Live(get_renderable=self._picture, console=console, refresh_per_second=8, transient=True)
        self._started = False

    def show(self, event: Event) -> None:
        for line in opening(event):
            self._print(line)
        if not self._started and _begins(event):
            self._started = True
            self._live.start()
        if event["event"] == "started":
            self._columns = Columns.of(event["nodes"], longest_id=self._console.width // 3, doing=_STAGE_WIDTH)
        if event["event"] == "node":
            self._nodes[event["id"]] = event
            self._seen_at[event["id"]] = time.monotonic()
        if event["event"] == "finished":
            self.close()
            for line in summary(event):
                self._print(line)

    def close(self) -> None:
        """Replace what moved by lines that stay."""
        if not self._started:
            return
        self._started = False
        self._live.stop()
        for event in self._nodes.values():
            self._print(self._row(event), _STYLES[event["status"]])
            for line in node_details(event):
                self._print(line, "red" if event["status"] == "failed" else "")

    def _print(self, line: str, style: str = "") -> None:
        self._console.print(Text(line, style), soft_wrap=True)

    def _picture(self) -> RenderableType:
        if not self._nodes:
            return Text(" starting …", "dim")
        return Group(*self._lines(), Text(""), self._bar())

    def _lines(self) -> Iterator[Text]:
        """One line per node; where the screen is too low for all, those that move, and the others counted."""
        shown = list(self._nodes.values())
        room = max(3, self._console.height - _AROUND)
        if len(shown) > room:
            moving = [event for event in shown if event["status"] in ("in_progress", "failed")]
            shown = (moving + [event for event in shown if event["status"] == "pending"])[: room - 1]
            shown_ids = {event["id"] for event in shown}
            shown = [event for event in self._nodes.values() if event["id"] in shown_ids]
        for event in shown:
            yield self._line(event)
        hidden = len(self._nodes) - len(shown)
        if hidden:
            yield Text(f"   … and {count(hidden, 'other node')}", "dim")

    def _line(self, event: Event) -> Text:
        line = Text(self._row(event), _STYLES[event["status"]], no_wrap=True, overflow="ellipsis")
        if self._console.width >= _ROOM_FOR_REMARKS:
            running = event["status"] == "in_progress"
            remark = (event["last_answer"] if running else None) or event["title"]
            if remark != event["id"]:
                full = self._columns.ids + self._columns.kinds + _STAGE_WIDTH + 20
                line.pad_right(max(0, full - len(line)))
                line.append(str(remark), "dim")
        return line

    def _row(self, event: Event) -> str:
        seconds = event["elapsed"]
        if seconds is not None and event["status"] == "in_progress":
            seconds += time.monotonic() - self._seen_at[event["id"]]
        return node_row(event, self._columns, seconds)

    def _bar(self) -> Table:
        done = sum(event["status"] == "completed" for event in self._nodes.values())
        parts = (1.0 if e["status"] == "completed" else float(e["progress"] or 0) for e in self._nodes.values())
        row = Table.grid(padding=(0, 2, 0, 0), expand=True)
        row.add_column(no_wrap=True)
        row.add_column(ratio=1)
        bar = ProgressBar(float(max(1, len(self._nodes))), sum(parts))
        row.add_row(Text(f" {done} of {len(self._nodes)} done", "bold"), bar)
        return row


def _begins(event: Event) -> bool:
    """On AWS a question may come first, and it would not be seen beneath a picture that moves."""
    if event["event"] == "validated":
        return bool(event["where"]["environment"] == LOCAL)
    return event["event"] in ("publishing", "started")

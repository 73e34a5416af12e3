"""The chart of `cost`: an SVG that follows the reader's light or dark screen, drawn here without any library.

A pipeline is drawn as one bar for each node, a month as one column for each day. Colours stand for providers; what may
have been paid is hatched, because it is not certain.
"""

from __future__ import annotations

import calendar
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from video_production.cli.costs import Costs
from video_production.cli.words import count, money
from video_production.settings import PROVIDER_FACTS
from video_production.takes.entries import Entry
from video_production.takes.model import LedgerEvent

__all__ = ["chart"]

_WIDTH = 960
_MARGIN = 32
_MOST_BARS = 24
_LONGEST_NAME = 30
_BAR, _STEP = 18, 34
_COLUMNS_HEIGHT = 300
_LIGHT = ("#2a78d6", "#c2571a", "#14865e", "#6a4fc4", "#a03a6b")
_DARK = ("#6aa7f0", "#f0955c", "#4cc79a", "#a895f0", "#e08ab2")
_STYLE = """\
  :root { color-scheme: light dark; }
  svg { --page: #ffffff; --ink: #1c2430; --quiet: #5b6676; --line: #dfe3e8; font: 14px/1.3 system-ui, sans-serif; }
  @media (prefers-color-scheme: dark) {
    svg { --page: #14181f; --ink: #e8ebf0; --quiet: #9aa5b4; --line: #2c3440; }
  }
  text { fill: var(--ink); } .quiet { fill: var(--quiet); } .title { font-size: 20px; font-weight: 600; }
  .line { stroke: var(--line); stroke-width: 1; } .figure { font-variant-numeric: tabular-nums; }"""

_PATTERN = """\
  <pattern id="open{number}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
    <rect width="6" height="6" fill="var(--page)"/><rect width="3" height="6" fill="var(--p{number})"/>
  </pattern>"""


@dataclass
class _Sheet:
    """Marks are collected; height follows from them."""

    marks: list[str] = field(default_factory=list)
    height: float = 0

    def text(self, x: float, y: float, words: str, css: str = "", anchor: str = "start") -> None:
        attributes = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"' + (f' class="{css}"' if css else "")
        self.marks.append(f"<text {attributes}>{escape(words)}</text>")

    def line(self, x: float, y: float, to_x: float, to_y: float) -> None:
        self.marks.append(f'<line class="line" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"/>')

    def box(self, x: float, y: float, width: float, height: float, provider: int, sure: bool, words: str) -> None:
        fill = f"var(--p{provider})" if sure else f"url(#open{provider})"
        shape = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}" rx="2"'
        self.marks.append(f'<rect {shape} fill="{fill}"><title>{escape(words)}</title></rect>')


@dataclass(frozen=True)
class _Amount:
    provider: str
    usd: float
    sure: bool


def chart(costs: Costs) -> str:
    """The SVG's text. Drafts are drawn only where nothing real was bought."""
    mode = "live" if costs.mode("live") else "draft"
    entries = [entry for entry in costs.entries if entry.mode == mode and entry.state != LedgerEvent.REFUNDED]
    providers = [name for name in PROVIDER_FACTS if any(entry.provider == name for entry in entries)]
    sheet = _Sheet()
    total = sum(entry.usd for entry in entries)
    what = "Spent" if mode == "live" else "Drafts, at the prices of the real providers"
    sheet.text(_MARGIN, 46, costs.about, "title")
    unsure = sum(entry.usd for entry in entries if not _sure(entry))
    hatched = f" · hatched: {money(unsure)} is under way, or nobody knows" if unsure else ""
    sheet.text(_MARGIN, 70, f"{what}: {money(total)} for {count(len(entries), 'request')}{hatched}", "quiet")
    top = _legend(sheet, entries, providers)
    if costs.of == "pipeline":
        _columns(sheet, costs.about, entries, providers, top)
    else:
        _bars(sheet, entries, providers, top)
    return _svg(sheet, f"{costs.about}: {what} {money(total)}", providers)


def _legend(sheet: _Sheet, entries: Sequence[Entry], providers: Sequence[str]) -> float:
    x = float(_MARGIN)
    for number, name in enumerate(providers):
        usd = sum(entry.usd for entry in entries if entry.provider == name)
        words = f"{PROVIDER_FACTS[name].title}  {money(usd)}"
        sheet.box(x, 88, 12, 12, number, True, words)
        sheet.text(x + 18, 99, words)
        x += 18 + 7.6 * len(words) + 24
    return 128


def _bars(sheet: _Sheet, entries: Sequence[Entry], providers: Sequence[str], top: float) -> None:
    """One bar for each node, the dearest first; many small ones are one."""
    by_node: dict[str, list[Entry]] = {}
    for entry in entries:
        by_node.setdefault(entry.node_id, []).append(entry)
    ranked = sorted(by_node.items(), key=lambda item: -sum(entry.usd for entry in item[1]))
    if len(ranked) > _MOST_BARS:
        rest = [entry for _, group in ranked[_MOST_BARS - 1 :] for entry in group]
        ranked = [*ranked[: _MOST_BARS - 1], (f"{len(ranked) - _MOST_BARS + 1} other nodes", rest)]
    names = [_short(name) for name, _ in ranked]
    left = _MARGIN + max((7.4 * len(name) for name in names), default=0) + 14
    room = _WIDTH - _MARGIN - 76 - left
    dearest = max((sum(entry.usd for entry in group) for _, group in ranked), default=0.0)
    steps = _steps(dearest)
    scale = room / (steps[-1] or 1)
    bottom = top + _STEP * len(ranked)
    for value in steps:
        sheet.line(left + value * scale, top - 6, left + value * scale, bottom)
        sheet.text(left + value * scale, bottom + 18, money(value), "quiet figure", "middle")
    for row, (name, (_, group)) in enumerate(zip(names, ranked, strict=True)):
        y, x = top + row * _STEP + (_STEP - _BAR) / 2 - 4, left
        sheet.text(left - 10, y + _BAR - 4, name, anchor="end")
        for amount in _amounts(group, providers):
            width = amount.usd * scale
            words = f"{name}: {money(amount.usd)}, {PROVIDER_FACTS[amount.provider].title}"
            sheet.box(x, y, width - 2, _BAR, providers.index(amount.provider), amount.sure, words)
            x += width
        sheet.text(x + 8, y + _BAR - 4, money(sum(entry.usd for entry in group)), "figure")
    sheet.height = bottom + 40


def _columns(sheet: _Sheet, month: str, entries: Sequence[Entry], providers: Sequence[str], top: float) -> None:
    """One column for each day of the month."""
    year, number = (int(part) for part in month.split("-"))
    days = calendar.monthrange(year, number)[1]
    by_day: dict[int, list[Entry]] = {}
    for entry in entries:
        by_day.setdefault(datetime.fromtimestamp(entry.at, UTC).day, []).append(entry)
    steps = _steps(max((sum(entry.usd for entry in group) for group in by_day.values()), default=0.0))
    left, bottom = _MARGIN + 62, top + _COLUMNS_HEIGHT
    scale = _COLUMNS_HEIGHT / (steps[-1] or 1)
    slot = (_WIDTH - _MARGIN - left) / days
    for value in steps:
        sheet.line(left, bottom - value * scale, _WIDTH - _MARGIN, bottom - value * scale)
        sheet.text(left - 10, bottom - value * scale + 5, money(value), "quiet figure", "end")
    for day in range(1, days + 1):
        x, y = left + (day - 1) * slot, bottom
        if day in (1, days) or day % 5 == 0:
            sheet.text(x + slot / 2, bottom + 20, str(day), "quiet figure", "middle")
        for amount in _amounts(by_day.get(day, []), providers):
            height = amount.usd * scale
            y -= height
            words = f"{month}-{day:02}: {money(amount.usd)}, {PROVIDER_FACTS[amount.provider].title}"
            place = providers.index(amount.provider)
            sheet.box(x + 3, y, min(slot - 6, 22), max(0.5, height - 2), place, amount.sure, words)
    sheet.text(left, bottom + 44, "days of the month, in UTC", "quiet")
    sheet.height = bottom + 64


def _amounts(entries: Sequence[Entry], providers: Sequence[str]) -> list[_Amount]:
    """What each provider got of it, what is certain first; nothing for what is nothing."""
    amounts = [
        _Amount(name, sum(entry.usd for entry in entries if entry.provider == name and _sure(entry) == sure), sure)
        for name in providers
        for sure in (True, False)
    ]
    return [amount for amount in amounts if amount.usd > 0]


def _sure(entry: Entry) -> bool:
    return entry.state == LedgerEvent.SETTLED


def _steps(largest: float) -> list[float]:
    """Round values from nothing to at least `largest`, three to six of them."""
    if largest <= 0:
        return [0.0, 1.0]
    raw = largest / 4
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    return [round(step * number, 10) for number in range(math.ceil(largest / step - 1e-9) + 1)]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _svg(sheet: _Sheet, label: str, providers: Sequence[str]) -> str:
    numbers = range(max(1, len(providers)))
    light, dark = (
        " ".join(f"--p{number}: {palette[number % len(palette)]};" for number in numbers) for palette in (_LIGHT, _DARK)
    )
    patterns = "\n".join(_PATTERN.format(number=number) for number in numbers)
    marks = "\n".join(f"  {mark}" for mark in sheet.marks)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {sheet.height:.0f}" width="{_WIDTH}" role="img"
     aria-label={quoteattr(label)}>
  <style>
{_STYLE}
  svg {{ {light} }}
  @media (prefers-color-scheme: dark) {{ svg {{ {dark} }} }}
  </style>
  <defs>
{patterns}
  </defs>
  <rect width="100%" height="100%" fill="var(--page)"/>
{marks}
</svg>
"""

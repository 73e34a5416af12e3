"""The words that people read: node types, stages, times, sizes, money, paths."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from video_production.providers.prices import dollars

__all__ = [
    "KINDS",
    "amount",
    "between",
    "clock_time",
    "count",
    "elapsed",
    "file_size",
    "listing",
    "money",
    "money_between",
    "near",
    "quoted",
    "visible",
]

KINDS = {
    "asset": "asset",
    "generate-voiceover": "voiceover",
    "generate-talking-head": "talking head",
    "generate-animation": "animation",
    "render-code": "render",
    "mix-audio": "mix",
    "merge-videos": "merge",
    "compose-video": "compose",
}


_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def elapsed(seconds: float) -> str:
    """`2.1 s`, `1 min 5 s`, `2 h 3 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def clock_time(seconds: float) -> str:
    """`0:07`, `1:02`, `1:00:05`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def money(usd: float) -> str:
    return dollars(usd)


def between(low: float, high: float) -> str:
    """`755`, `12.5 to 18`: one place where a number is small."""
    left, right = (
        f"{value:,.0f}" if value >= 20 or value == round(value) else f"{value:,.1f}" for value in (low, high)
    )
    return left if left == right else f"{left} to {right}"


def money_between(low: float, high: float) -> str:
    """`$0.06`, or `$0.06 to $0.09`."""
    left, right = money(low), money(high)
    return left if left == right else f"{left} to {right}"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """`1 clip`, `5 clips`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def amount(low: float, unit: str, high: float | None = None) -> str:
    """`1 second`, `755 characters`, `12.5 to 18 seconds`."""
    high = low if high is None else high
    one = round(low, 1) == round(high, 1) == 1
    return count(1, unit.removesuffix("s")) if one else f"{between(low, high)} {unit}"


def listing(names: Sequence[str], limit: int = 8) -> str:
    """`a, b, c` with the rest counted."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def quoted(path: Path | str) -> str:
    """A path as it is typed in a shell."""
    return shlex.quote(str(path))


def near(path: Path) -> str:
    """A path as short as it can be typed here: relative below the working folder, else as it is."""
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else str(path)


def visible(text: str) -> str:
    """Text that others wrote, on one line: a terminal's control characters as they are written in a program."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def file_size(size: int) -> str:
    """`812 bytes`, `5.2 kB`, `1.1 GB`: decimal units, as disks and price lists count."""
    if size < 1000:
        return f"{size} bytes"
    for unit, limit in (("kB", 10**6), ("MB", 10**9)):
        if size < limit:
            return f"{size / limit * 1000:.1f} {unit}"
    return f"{size / 10**9:.2f} GB"

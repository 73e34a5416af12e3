"""The section of docs/benchmarks.md about orchestration, from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["END", "START", "page_section"]

START, END = "<!-- orchestration table: made by `make bench-orchestration` -->", "<!-- end of orchestration table -->"
_HEAD = ("where", "what", "seconds", "the least, seconds", "ratio", "most jobs at once", "refused (429)")


def page_section(results: Mapping[str, Any]) -> str:
    """The table, and the load of the machine that made it."""
    lines = [f"| {' | '.join(_HEAD)} |", f"|{'---|' * len(_HEAD)}"]
    for row in results["rows"]:
        jobs = (str(row["most"]), str(row["refused"])) if row["most"] else ("", "")
        figures = (f"{row['makespan']:,.1f}", f"{row['bound']:,.1f}", f"{row['makespan'] / row['bound']:.3f}")
        lines.append(f"| {' | '.join((row['where'], row['what'], *figures, *jobs))} |")
    load = ", ".join(map(str, results["load"]))
    return "\n".join([*lines, "", f"Load of the machine at the end (1, 5, 15 minutes): {load} on two processors."])

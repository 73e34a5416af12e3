"""The section of docs/benchmarks.md about orchestration, from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["END", "START", "page_section"]

START, END = "<!-- orchestration table: made by `make bench-orchestration` -->", "<!-- end of orchestration table -->"
_HEAD = ("where", "what", "seconds", "the least, seconds", "ratio", "most jobs at once", "refused (429)")


def page_section(results: Mapping[str, Any]) -> str:
    """The tables of all parts that were measured; under those in real time the load that the machine had before."""
    return "\n\n".join(_part(name, part) for name, part in results.items())


def replaced(page: str, section: str) -> str:
    """The page with this section in the place of the old one."""
    before, rest = page.split(START)
    return f"{before}{START}\n{section}\n{END}{rest.split(END)[1]}"


def _part(name: str, part: Mapping[str, Any]) -> str:
    lines = [f"| {' | '.join(_HEAD)} |", f"|{'---|' * len(_HEAD)}"]
    for row in part["rows"]:
        jobs = (str(row["most"]), str(row["refused"])) if row["most"] else ("", "")
        figures = (f"{row['makespan']:,.1f}", f"{row['bound']:,.1f}", f"{row['makespan'] / row['bound']:.3f}")
        lines.append(f"| {' | '.join((row['where'], row['what'], *figures, *jobs))} |")
    if name != "simulated":
        load = ", ".join(map(str, part["load"]))
        lines += ["", f"Load of the machine before (1, 5, 15 minutes): {load} on two processors."]
    return "\n".join(lines)

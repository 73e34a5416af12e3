"""The section of docs/benchmarks.md about merging, from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["page_section", "replaced"]

START, END = "<!-- merge tables: made by `make bench-merge` -->", "<!-- end of merge tables -->"
_METHODS = {"baseline": "download, concat, upload", "splice": "splice", "splice-inband": "splice-inband"}


def page_section(results: Mapping[str, Any]) -> str:
    """The tables, without what stands around them."""
    parts = [
        _table(
            ("inputs", "way", "seconds", "MB through the client", "calls", "memory, MB", "temporary files, MB"),
            [_measured(row) for row in results["runs"]],
        ),
        f"Load of the machine at the end (1, 5, 15 minutes): {', '.join(map(str, results['load']))} on two processors.",
        _table(
            ("inputs", "seconds: times less", "bytes: times less"),
            [(name, f"{ratio['wall']:g}", f"{ratio['bytes']:g}") for name, ratio in results["ratios"].items()],
        ),
        "Modelled for a function of 3,008 MB, 75 MB/s, 30 ms a call:",
        _table(
            ("inputs", "way", "seconds", "US dollars"),
            [
                (row["case"], _METHODS[row["method"]], f"{row['model_s']:.1f}", f"{row['model_usd']:.5f}")
                for row in results["runs"]
            ],
        ),
        "Merging the tables of 60 inputs:",
        _table(
            ("film", "samples", "processor seconds", "memory, MB"),
            [
                (f"{row['hours']} h", f"{row['samples']:,}", f"{row['cpu_s']:.2f}", f"{row['memory_mb']:,.0f}")
                for row in results["tables"]
            ],
        ),
    ]
    return "\n\n".join(parts)


def _measured(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["case"],
        _METHODS[row["method"]],
        f"{row['wall_s']:.2f}",
        f"{row['bytes_through_client'] / 1e6:,.1f}",
        f"{row['api_calls']:,}",
        f"{row['peak_rss_mb']:.0f}",
        f"{row['tmp_bytes'] / 1e6:,.0f}",
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def replaced(page: str, section: str) -> str:
    """The page with this section between its marks."""
    before, rest = page.split(START, 1)
    return f"{before}{START}\n{section}\n{END}{rest.split(END, 1)[1]}"

"""What stands in docs/benchmarks.md about orchestration is what was measured last."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.orchestration_page import page_section, replaced

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_shows_the_figures_of_the_last_run() -> None:
    results = json.loads((ROOT / "benchmarks" / "results" / "orchestration.json").read_text())
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert replaced(page, page_section(results)) == page


def test_no_run_exceeded_what_the_provider_allows() -> None:
    results = json.loads((ROOT / "benchmarks" / "results" / "orchestration.json").read_text())
    rows = [row for part in results.values() for row in part["rows"]]
    assert all(row["most"] <= 5 and row["refused"] == 0 for row in rows)
    assert all(row["overtaken"] == 0 for row in rows if "jobs of" in row["what"] and "overtaken" in row)

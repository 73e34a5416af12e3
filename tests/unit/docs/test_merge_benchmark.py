"""What stands in docs/benchmarks.md about merging is what was measured last."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.merge_page import page_section, replaced

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_shows_the_figures_of_the_last_run() -> None:
    results = json.loads((ROOT / "benchmarks" / "results" / "merge.json").read_text())
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert replaced(page, page_section(results)) == page


def test_every_run_says_all_that_was_measured() -> None:
    results = json.loads((ROOT / "benchmarks" / "results" / "merge.json").read_text())
    measured = {"case", "method", "wall_s", "bytes_through_client", "api_calls", "peak_rss_mb", "tmp_bytes"}
    assert all(measured <= run.keys() for run in results["runs"])
    assert {run["method"] for run in results["runs"]} == {"splice", "splice-inband", "baseline"}
    assert all(ratio.keys() == {"wall", "bytes"} for ratio in results["ratios"].values())

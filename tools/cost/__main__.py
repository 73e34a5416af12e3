"""Measure the example lesson and write docs/cost.md.

Usage: .venv/bin/python -m tools.cost [--check]          (or: make cost)

With --check nothing is measured or written; the exit code is 1 when the page does not follow from what was measured.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tools.cost.estimate import Prices
from tools.cost.page import MEASURED, PAGE, Measured, current_page
from tools.cost.stack import ROOT, stack_size

LESSON = ROOT / "examples" / "lesson" / "pipeline.yaml"


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 1
    if not arguments:
        _measure().save()
        print(f"wrote {MEASURED.relative_to(ROOT)}")
    page = current_page(PAGE.read_text("utf-8"), Measured.load(), Prices.load())
    if arguments:
        current = page == PAGE.read_text("utf-8")
        print("" if current else "docs/cost.md is not current; run make cost", end="\n" if not current else "")
        return 0 if current else 1
    PAGE.write_text(page, "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


def _measure() -> Measured:
    from tools.cost.measure import measure  # only now: it brings an AWS along

    with tempfile.TemporaryDirectory(prefix="jiki-cost-") as folder:
        stack = stack_size(Path(folder) / "cdk.out")
        return Measured(measure(LESSON, Path(folder) / "run"), stack)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

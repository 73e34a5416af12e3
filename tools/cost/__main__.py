"""Measure the example lesson and write the tables of docs/cost.md and docs/scaling.md.

Usage: .venv/bin/python -m tools.cost [--check]          (or: make cost)

With --check nothing is measured or written; the exit code is 1 when a page does not follow from what was measured.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tools.cost.estimate import Prices
from tools.cost.page import MEASURED, Measured, pages
from tools.cost.stack import read_template
from tools.template import ROOT, synthesise

LESSON = ROOT / "examples" / "lesson" / "pipeline.yaml"


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 1
    if not arguments:
        _measure().save()
        print(f"wrote {MEASURED.relative_to(ROOT)}")
    stale = {
        path: text for path, text in pages(Measured.load(), Prices.load()).items() if path.read_text("utf-8") != text
    }
    for path, text in stale.items():
        if arguments:
            print(f"{path.relative_to(ROOT)} is not current; run make cost")
        else:
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return int(bool(arguments and stale))


def _measure() -> Measured:
    busy = os.getloadavg()[0]
    if busy > 1:
        print(f"This machine is busy (load {busy:.1f}), so durations will come out too long.", file=sys.stderr)
    from tools.cost.measure import measure  # only now: it brings an AWS along

    with tempfile.TemporaryDirectory(prefix="jiki-cost-") as folder:
        return Measured(measure(LESSON, Path(folder)), read_template(synthesise()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Measure two examples and print what they cost; with --write, keep that in docs/cost.md and docs/scaling.md.

Usage: .venv/bin/python -m tools.cost [--write [--force] | --check]          (or: make cost, make cost-docs)

Durations are money here, and on a busy machine they come out too long: --write then refuses, unless --force is given.
With --check nothing is measured or written; the exit code is 1 when a page does not follow from what is kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tools.cost.estimate import Prices
from tools.cost.load import load_tables
from tools.cost.page import MEASURED, Measured, pages, tables
from tools.cost.stack import read_template
from tools.cost.usage import Usage
from tools.template import ROOT, synthesise

__all__ = ["main"]

MOST_LOAD = 0.5
"""Load average for each core above which durations are not to be kept."""


def main(arguments: list[str]) -> int:
    """The command; returns its exit code."""
    if arguments not in ([], ["--check"], ["--write"], ["--write", "--force"]):
        print(__doc__, file=sys.stderr)
        return 1
    if arguments == ["--check"]:
        return _check()
    write, load = bool(arguments), _load()
    if load > MOST_LOAD:
        print(
            f"This machine is busy (a load of {load:.1f} for each core), so durations come out too long.",
            file=sys.stderr,
        )
        if write and "--force" not in arguments:
            print("Nothing was measured or written; wait for a quiet machine, or give --force.", file=sys.stderr)
            return 1
    measured, prices = _measure(), Prices.load()
    print(tables(measured, prices), load_tables(measured.lesson, measured.explainer), sep="\n\n")
    if write:
        _write(measured, prices)
    else:
        print("\nNothing was written; make cost-docs does that.")
    return 0


def _load() -> float:
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def _measure() -> Measured:
    return Measured(_usage("lesson"), _usage("explainer"), read_template(synthesise()))


def _usage(example: str) -> Usage:
    """Measure one of examples/ in a process of its own: a cloud starts once in each."""
    document = ROOT / "examples" / example / "pipeline.yaml"
    command = [sys.executable, "-m", "tools.cost.measure", str(document)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return Usage.from_json(json.loads(done.stdout.splitlines()[-1]))


def _write(measured: Measured, prices: Prices) -> None:
    measured.save()
    print(f"\nwrote {MEASURED.relative_to(ROOT)}")
    for path, text in _stale(measured, prices).items():
        path.write_text(text, "utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


def _check() -> int:
    stale = _stale(Measured.load(), Prices.load())
    for path in stale:
        print(f"{path.relative_to(ROOT)} is not current; run make cost-docs")
    return int(bool(stale))


def _stale(measured: Measured, prices: Prices) -> dict[Path, str]:
    """The pages that say something else than follows, with what they should say."""
    return {path: text for path, text in pages(measured, prices).items() if path.read_text("utf-8") != text}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

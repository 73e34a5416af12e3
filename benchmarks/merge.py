"""Our merge against what everyone does: download, `ffmpeg -f concat -c copy`, upload.

Usage: python -m benchmarks.merge [--small] [CASE...]          (or: make bench-merge)

Both ways run in processes of their own, one after the other, against the project's S3 on this disk, whose access log
counts calls and bytes; memory and temporary files are watched from outside. Writes `benchmarks/results/merge.json` and
the section of `docs/benchmarks.md`. Needs about 15 GB in the temporary folder, for a while; with --small some hundred
megabytes. Nothing is written where only some of it runs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measured import Measured, run_measured
from benchmarks.merge_inputs import Kind, make_input, make_loops
from benchmarks.merge_model import MODEL, model
from benchmarks.merge_page import page_section, replaced

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "merge.json"
PAGE = ROOT / "docs" / "benchmarks.md"
_KEY, _SECRET, _BUCKET = "benchmark", "not-a-secret", "benchmark"
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """`count` inputs of `size` bytes; they alternate between the kinds."""

    name: str
    count: int
    size: int
    kinds: tuple[Kind, ...]
    methods: tuple[str, ...]
    repeats: int = 1

    @property
    def words(self) -> str:
        return f"{self.count} × {self.size / _MB:,.0f} MB ({self.kinds[0].words})"


@dataclass(frozen=True, slots=True)
class Row:
    """One way of merging one case."""

    case: str
    method: str
    wall_s: float
    bytes_through_client: int
    api_calls: int
    peak_rss_mb: float
    tmp_bytes: int
    cpu_s: float
    bytes_copied: int
    model_s: float
    model_usd: float


_LESSON, _CAMERA = Kind(2000, 2), Kind(8000, 2)
CASES = (
    Case("10 × 100 MB", 10, 113 * _MB, (_LESSON,), ("splice", "baseline")),
    Case("3 × 1 GB", 3, 1090 * _MB, (_CAMERA,), ("splice", "baseline")),
    Case("3 × 1 GB, other settings", 3, 1090 * _MB, (_CAMERA, Kind(8000, 2, chroma=1)), ("splice-inband",)),
    Case("2 × 2 s, 1080p", 2, 1, (Kind(1000, 2, loop=2),), ("splice", "baseline"), repeats=9),
    Case("2 × 2 s, 360p", 2, 1, (Kind(300, 2, loop=2, height=360),), ("splice", "baseline"), repeats=9),
)
_SMALL = 20


def main(arguments: list[str]) -> int:
    small = "--small" in arguments
    chosen = [case for case in CASES if not set(arguments) - {"--small"} or case.name in arguments]
    rows: list[Row] = []
    for case in chosen:
        size = max(1, case.size // _SMALL) if small else case.size
        rows += _run(case, size)
        for row in rows[-len(case.methods) :]:
            print(json.dumps(asdict(row), ensure_ascii=False), flush=True)
    tables = [_tables(hours) for hours in (1, 10)]
    results = {
        "load": [round(each, 1) for each in os.getloadavg()],
        "cases": {case.name: case.words for case in CASES},
        "runs": [asdict(row) for row in rows],
        "ratios": _ratios(rows),
        "tables": tables,
        "model": MODEL,
    }
    section = page_section(results)
    print(section)
    if not arguments:
        RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
        PAGE.write_text(replaced(PAGE.read_text(), section))
    return 0


def _run(case: Case, size: int) -> Iterator[Row]:
    """Every way of merging one case; the server and all files are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-merge-") as name:
        folder = Path(name)
        keys = [f"input-{index}.mp4" for index in range(case.count)]
        _make_inputs(case, size, folder / "s3" / _BUCKET, keys)
        log = folder / "access.jsonl"
        with _server(folder / "s3", log) as url:
            for method in case.methods:
                temporary = folder / "tmp"
                temporary.mkdir()
                environment = _environment(url, temporary)
                os.sync()  # what was written before is none of this one's business
                arguments = [method, str(case.repeats), _BUCKET, f"out-{method}.mp4", *keys]
                measured = run_measured("benchmarks.merge_client", arguments, environment, temporary, log)
                shutil.rmtree(temporary)
                (folder / "s3" / _BUCKET / f"out-{method}.mp4").unlink()
                yield _row(case, method, measured)


def _make_inputs(case: Case, size: int, bucket: Path, keys: Sequence[str]) -> None:
    """Objects of that S3 are plain files; they grow a little from one to the next."""
    bucket.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="bench-loops-") as loops:
        made = [make_loops(kind, Path(loops)) for kind in case.kinds]
        for index, key in enumerate(keys):
            make_input(made[index % len(made)], size + index * size // 50, bucket / key)


@contextmanager
def _server(root: Path, log: Path) -> Iterator[str]:
    """S3 as a process of its own, so that its work is not counted as ours; its address."""
    command = [sys.executable, "-m", "benchmarks.merge_server", str(root), str(log), _KEY, _SECRET]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(30)


def _environment(url: str, temporary: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(temporary),
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ACCESS_KEY_ID": _KEY,
        "AWS_SECRET_ACCESS_KEY": _SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def _row(case: Case, method: str, measured: Measured) -> Row:
    traffic, times = measured.traffic, case.repeats
    seconds, usd = model(measured, times)
    return Row(
        case=case.name,
        method=method,
        wall_s=round(measured.wall, 3),
        bytes_through_client=traffic.bytes // times,
        api_calls=traffic.calls // times,
        peak_rss_mb=round(measured.memory / 1e6, 1),
        tmp_bytes=measured.files,
        cpu_s=round(measured.cpu, 3),
        bytes_copied=traffic.copied // times,
        model_s=round(seconds, 2),
        model_usd=round(usd, 7),
    )


def _ratios(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """How many times less we take than the baseline of the same case."""
    ratios = {}
    for row in rows:
        base = next((each for each in rows if each.case == row.case and each.method == "baseline"), None)
        if base is not None and row is not base:
            moved = base.bytes_through_client / row.bytes_through_client
            ratios[row.case] = {"wall": round(base.wall_s / row.wall_s, 1), "bytes": round(moved, 1)}
    return ratios


def _tables(hours: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.merge_tables", str(hours)]
    told: dict[str, Any] = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    return told


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

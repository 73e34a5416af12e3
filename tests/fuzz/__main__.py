"""Damaged files through the reader, the probe and the splicer: `make fuzz`, or `python -m tests.fuzz`.

Real files are damaged in ways that get past the first checks. Whatever takes a file somewhere new in the code is
damaged further. A finding is any exception but MediaError, anything untrue of a plan (cases.py), some seconds of
processor time, a hang, or hundreds of megabytes (worker.py). Its files are kept in `build/fuzz`;
`python -m tests.fuzz FOLDER` runs one again.

Environment: FUZZ_MINUTES (30), FUZZ_WORKERS (one for each processor), FUZZ_SEED (chosen and printed).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

from tests.fuzz.cases import run_case
from tests.fuzz.seeds import make_seeds
from tests.fuzz.worker import load_case, work

FINDINGS = Path("build/fuzz")
_MOST_FINDINGS = 50


def main(arguments: list[str]) -> int:
    match arguments:
        case []:
            return _campaign()
        case ["--worker", *rest]:
            return work(*map(Path, rest[:2]), seed=int(rest[2]), until=float(rest[3]))
        case [folder]:
            print(run_case(load_case(Path(folder))))
            return 0
    print(__doc__, file=sys.stderr)
    return 2


@dataclass(slots=True)
class _Worker:
    """A process that runs cases; it ends when its time is up, or at a finding that ends processes."""

    folder: Path
    process: subprocess.Popen[bytes]


@dataclass(slots=True)
class _Campaign:
    corpus: Path
    seed: int
    until: float
    started: int = 0
    cases: int = 0
    reached: int = 0
    findings: list[Path] = field(default_factory=list)

    def start(self, room: Path) -> _Worker:
        self.started += 1
        folder = room / str(self.started)
        folder.mkdir()
        command = [sys.executable, "-m", "tests.fuzz", "--worker", str(self.corpus), str(folder)]
        numbers = [str(self.seed + self.started), str(self.until)]
        # One pool of memory for all threads: the limit on addresses counts what they only reserve, too.
        environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1"}
        with (folder / "stderr").open("wb") as errors:
            process = subprocess.Popen([*command, *numbers], env=environment, stderr=errors)
        return _Worker(folder, process)

    def collect(self, worker: _Worker) -> None:
        """Add up what an ended worker did; a worker that died left the case that killed it."""
        told = worker.folder / "told"
        cases, reached = map(int, told.read_text().split()) if told.exists() else (0, 0)
        self.cases += cases
        self.reached = max(self.reached, reached)
        found = sorted(worker.folder.glob("finding-*"))
        if worker.process.returncode:
            killing = worker.folder / "case"
            killing.mkdir(exist_ok=True)
            said = (worker.folder / "stderr").read_text(errors="replace")
            (killing / "why").write_text(f"{said}\nThe process ended with {worker.process.returncode}.")
            found.append(killing)
        for case in found:
            self.findings.append(_kept(case, len(self.findings) + 1))


def _kept(case: Path, number: int) -> Path:
    target = FINDINGS / f"{time.strftime('%Y%m%d-%H%M%S')}-{number}"
    target.mkdir(parents=True)
    for file in case.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def _campaign() -> int:
    minutes, count = (
        float(os.environ.get("FUZZ_MINUTES", "30")),
        int(os.environ.get("FUZZ_WORKERS", os.cpu_count() or 1)),
    )
    seed = int(os.environ.get("FUZZ_SEED") or SystemRandom().randrange(1 << 30))
    print(f"Fuzzing for {minutes:g} minutes in {count} processes, seed {seed} …", flush=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        room = Path(name)
        corpus = room / "seeds"
        corpus.mkdir()
        make_seeds(corpus)
        campaign = _Campaign(corpus, seed, time.time() + 60 * minutes)
        _run(campaign, room, count)
    print(f"{campaign.cases:,} cases, {campaign.reached:,} lines of code reached, {len(campaign.findings)} findings.")
    for finding in campaign.findings:
        print(f"  {finding}: {(finding / 'why').read_text().strip().splitlines()[-1]}")
    return 1 if campaign.findings else 0


def _run(campaign: _Campaign, room: Path, count: int) -> None:
    workers = [campaign.start(room) for _ in range(count)]
    try:
        while workers:
            time.sleep(0.5)
            for worker in [each for each in workers if each.process.poll() is not None]:
                workers.remove(worker)
                campaign.collect(worker)
                if time.time() < campaign.until and len(campaign.findings) < _MOST_FINDINGS:
                    workers.append(campaign.start(room))
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

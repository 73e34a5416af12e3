"""How long each function takes to be imported in a fresh process, against `import boto3` alone.

Usage: python -m benchmarks.cold_imports [ROUNDS]          (or: make bench-imports)

Imports each handler from its own bundle, made for this machine, with nothing else on `sys.path`, and boto3 from a
folder with what it needs, in turn; every import in a process of its own. What counts is CPU time, and each import is
compared with the `import boto3` of its own round, because the machine does other things too; figures are medians.
Writes `benchmarks/results/imports.json` and the table in `docs/benchmarks.md`.
"""

from __future__ import annotations

import compileall
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from statistics import median

from packaging.requirements import Requirement

from tools.bundles import bundle
from video_production.settings import ROLES

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "imports.json"
PAGE = ROOT / "docs" / "benchmarks.md"
START, END = "<!-- import table: made by `make bench-imports` -->", "<!-- end of import table -->"
ROUNDS = 15

_PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
began = time.process_time()
{statement}
print(time.process_time() - began)
"""
_BOTO3 = "import boto3"
_CLIENT_ROLE = "scheduler"
_CLIENT = "from video_production.tables import connect; connect().meta"
"""Imports what every function imports of botocore, and makes the first client."""
_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "EVENT_BUS": "default",
    "JIKI_ENVIRONMENT": "development",
    "POWERTOOLS_METRICS_NAMESPACE": "JikiVideo",
    "POWERTOOLS_SERVICE_NAME": "benchmark",
    "SCHEDULING_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/scheduling",
}


@dataclass(frozen=True, slots=True)
class Import:
    """CPU seconds of one import in each round: from source, as in a new Lambda sandbox, and with bytecode."""

    name: str
    source: list[float] = field(default_factory=list)
    bytecode: list[float] = field(default_factory=list)

    def against(self, base: Import) -> tuple[float, float]:
        """The median ratios to `base`, round by round."""
        pairs = ((self.source, base.source), (self.bytecode, base.bytecode))
        source, bytecode = (median(mine / its for mine, its in zip(*pair, strict=True)) for pair in pairs)
        return round(source, 3), round(bytecode, 3)


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory(prefix="jiki-video-imports-") as folder:
        imports = _measured(Path(folder), rounds)
    base = imports[0]
    found = {
        "python": platform.python_version(),
        "rounds": rounds,
        "boto3_cpu_seconds": [round(median(base.source), 3), round(median(base.bytecode), 3)],
        "ratios": {one.name: one.against(base) for one in imports},
    }
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    table = _table(imports)
    _replace(table)
    print(table)
    return 0


def _measured(folder: Path, rounds: int) -> list[Import]:
    """The baseline first, then each function, then botocore with its first client."""
    sources = {role: bundle(role, architecture="local") for role in ROLES} | {_BOTO3: _boto3(folder / "boto3")}
    compiled = {name: _compiled(source, folder / "compiled" / name) for name, source in sources.items()}
    subjects = [(Import(_BOTO3), _BOTO3, _BOTO3)]
    subjects += [(Import(role), role, f"import {ROLES[role].handler.rpartition('.')[0]}") for role in ROLES]
    subjects += [(Import("botocore and its first client"), _CLIENT_ROLE, _CLIENT)]
    for _ in range(rounds):
        for one, name, statement in subjects:
            one.source.append(_once(sources[name], statement))
            one.bytecode.append(_once(compiled[name], statement))
    return [one for one, _, _ in subjects]


def _boto3(target: Path) -> Path:
    """A folder with boto3 and what it needs, as they are installed here, without bytecode."""
    waiting, seen = ["boto3"], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        installed = distribution(name)
        for file in installed.files or ():
            if file.suffix in (".py", ".pem"):
                (target / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path(str(installed.locate_file(file))), target / file)
        waiting += [need.name for need in map(Requirement, installed.requires or ()) if need.marker is None]
    return target


def _compiled(source: Path, target: Path) -> Path:
    """A copy of a folder with the bytecode of this Python beside its modules."""
    shutil.copytree(source, target)
    compileall.compile_dir(target, quiet=2)
    return target


def _once(folder: Path, statement: str) -> float:
    """CPU seconds of one import in a new process that finds nothing but Python and `folder`, and writes no bytecode."""
    command = [sys.executable, "-I", "-S", "-B", "-c", _PROGRAM.format(statement=statement), str(folder)]
    done = subprocess.run(command, env=_VARIABLES, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _table(imports: list[Import]) -> str:
    base, *others = imports
    source, bytecode = (f"1.00 ({1000 * median(times):.0f} ms)" for times in (base.source, base.bytecode))
    lines = ["| import | from source | with bytecode |", "|---|---|---|", f"| `{base.name}` | {source} | {bytecode} |"]
    lines += ["| {} | {:.2f} | {:.2f} |".format(one.name, *one.against(base)) for one in others]
    return "\n".join(lines)


def _replace(table: str) -> None:
    """Put the table between its marks."""
    before, rest = PAGE.read_text().split(START, 1)
    PAGE.write_text(f"{before}{START}\n{table}\n{END}{rest.split(END, 1)[1]}")


if __name__ == "__main__":
    sys.exit(main())

"""Measures a process and its children from outside: memory, temporary files; and S3 by its access log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Measured", "Traffic", "run_measured"]

_EVERY = 0.01
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a server's access log says of one client: calls, and bytes of bodies in either direction."""

    downloaded: int
    uploaded: int
    copied: int
    reads: int
    writes: int

    @property
    def bytes(self) -> int:
        return self.downloaded + self.uploaded

    @property
    def calls(self) -> int:
        return self.reads + self.writes


@dataclass(frozen=True, slots=True)
class Measured:
    """`wall` and `cpu` in seconds; the most memory (files in memory included) and temporary files at once, in bytes."""

    wall: float
    cpu: float
    memory: int
    files: int
    traffic: Traffic


def run_measured(
    module: str, arguments: Sequence[str], environment: dict[str, str], temporary: Path, log: Path
) -> Measured:
    """Run `python -m module arguments`, which prints a JSON object with `wall_s` and `cpu_s`.

    Linux only: /proc is asked.
    """
    before = log.stat().st_size
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], env=environment, stdout=subprocess.PIPE, text=True
    )
    memory = files = 0
    with process:
        while process.poll() is None:
            memory = max(memory, _memory([pid for pid in _family(process.pid) if not _copied(pid, process.pid)]))
            files = max(files, _size_of(temporary))
            time.sleep(_EVERY)
        assert process.stdout is not None
        said = process.stdout.read()
    if process.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} ended with {process.returncode}")
    told = json.loads(said)
    return Measured(told["wall_s"], told["cpu_s"], memory, files, _traffic(log, before))


def _traffic(log: Path, before: int) -> Traffic:
    down = up = copied = reads = writes = 0
    with log.open("rb") as lines:
        lines.seek(before)
        for line in lines:
            entry = json.loads(line)
            down, up = down + entry["bytes_out"], up + entry["bytes_in"]
            copied += entry["bytes_copied"]
            read = entry["method"] in ("GET", "HEAD")
            reads, writes = reads + read, writes + (not read)
    return Traffic(down, up, copied, reads, writes)


def _family(pid: int) -> list[int]:
    """A process and its descendants, all of which are younger."""
    parents = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - hundreds of times a second
        if name.isdigit() and int(name) > pid:
            parents[int(name)] = _parent(name)
    family = [pid]
    for child in sorted(parents):
        if parents[child] in family:
            family.append(child)
    return family


def _copied(pid: int, parent: int) -> bool:
    """Whether a child is still the parent's image, in the moment before it becomes another program: nothing is new."""
    try:
        return pid != parent and Path(f"/proc/{pid}/exe").readlink() == Path(f"/proc/{parent}/exe").readlink()
    except OSError:
        return False


def _parent(pid: str) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _memory(pids: Sequence[int]) -> int:
    """What processes have in memory; a file in memory that several of them hold counts once."""
    files: dict[int, int] = {}
    resident = 0
    for pid in pids:
        try:
            resident += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
            for each in Path(f"/proc/{pid}/fd").iterdir():
                if str(each.readlink()).startswith("/memfd:"):
                    stat = each.stat()
                    files[stat.st_ino] = stat.st_size
        except (OSError, IndexError):
            continue
    return resident + sum(files.values())


def _size_of(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).stat().st_size
            except OSError:
                continue
    return total

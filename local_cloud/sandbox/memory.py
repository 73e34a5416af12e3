"""How much memory a sandbox uses, its children (FFmpeg) included, and how much it may use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

__all__ = ["Memory", "memory_in_use", "memory_limit"]

LAMBDA_CORES = 2
SHARE_PER_CORE = 1 / 12


class Memory(NamedTuple):
    """Bytes. `resident` is all that is in memory; `unreclaimable` what is no copy of a file, so that running out of it
    kills."""

    resident: int
    unreclaimable: int


def memory_in_use(pid: int, proc: Path = Path("/proc")) -> Memory:
    """The memory of a process and all its descendants; 0 where there is no /proc (macOS) or no such process."""
    resident = unreclaimable = 0
    waiting = [pid]
    while waiting:
        process = proc / str(waiting.pop())
        try:
            sizes = _sizes(process / "status")
            for task in (process / "task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except OSError:
            continue
        resident += sizes.get("VmRSS", 0)
        unreclaimable += sizes.get("RssAnon", 0) + sizes.get("RssShmem", 0)
    return Memory(resident, unreclaimable)


def memory_limit(memory_mb: int, cores: int | None = None) -> int:
    """Above how many unreclaimable bytes a function with so much memory is killed.

    FFmpeg runs a thread per core and needs memory per thread: a 4K encode takes 2.0 GB with 2 threads and 5.0 GB with
    the 24 of a machine with 16 cores. So a machine with more than the two cores that Lambda gives FFmpeg allows more.
    """
    cores = cores or os.cpu_count() or LAMBDA_CORES
    return int((memory_mb << 20) * (1 + max(0, cores - LAMBDA_CORES) * SHARE_PER_CORE))


def _sizes(status: Path) -> dict[str, int]:
    """The sizes in a process's `status`, in bytes."""
    sizes = {}
    for line in status.read_text().splitlines():
        name, _, rest = line.partition(":")
        if rest.endswith(" kB"):
            sizes[name] = int(rest.split()[0]) * 1024
    return sizes

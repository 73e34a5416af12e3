"""How much memory a sandbox uses, its children (FFmpeg) included."""

from __future__ import annotations

from pathlib import Path

__all__ = ["memory_in_use"]


def memory_in_use(pid: int, proc: Path = Path("/proc")) -> int:
    """Resident bytes of a process and all its descendants; 0 where there is no /proc (macOS) or no such process."""
    total = 0
    waiting = [pid]
    while waiting:
        process = proc / str(waiting.pop())
        try:
            total += _resident(process / "status")
            for task in (process / "task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return total


def _resident(status: Path) -> int:
    for line in status.read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0

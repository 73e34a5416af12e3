"""One fuzzing process: makes cases, runs them, keeps what leads somewhere new."""

from __future__ import annotations

import faulthandler
import resource
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import CodeType, FrameType
from typing import Any

import video_production.media
from tests.fuzz.cases import Memory, run_case
from tests.fuzz.mutations import mutated

__all__ = ["MOST_MEMORY", "SLOWEST", "load_case", "work"]

SLOWEST = 5.0
"""Seconds of processor time for one case; most take some milliseconds."""

MOST_MEMORY = 512 << 20
"""Bytes by which one case may raise the most memory that the process ever had."""

_HUNG = 120.0
"""Seconds after which a case counts as hung, however busy the machine is."""

_ADDRESSES = 4 << 30
_WATCHED = tuple(str(Path(video_production.media.__path__[0]) / name) for name in ("mp4", "splice", "probe.py"))
_TRACED = 4
"""One case in so many is followed line by line, which is slow."""


def load_case(folder: Path) -> list[Memory]:
    """The files of a case as `_save` left them."""
    names = sorted(folder.glob("*.mp4"))
    zeros = dict(line.split() for line in (folder / "zeros").read_text().splitlines())
    return [Memory(path.name, path.read_bytes(), int(zeros[path.name])) for path in names]


def _save(folder: Path, files: list[Memory], why: str = "") -> None:
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for file in files:
        (folder / file.name).write_bytes(file.data)
    (folder / "zeros").write_text("".join(f"{file.name} {file.zeros}\n" for file in files))
    if why:
        (folder / "why").write_text(why)


def work(seeds: Path, folder: Path, *, seed: int, until: float) -> int:
    """Run cases until the time `until` (`time.time`).

    Leaves in `folder`: `told` (how many cases, how many lines of code were reached) and `finding-N` for each finding.
    """
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    warnings.simplefilter("error")
    fuzzer = _Fuzzer([path.read_bytes() for path in sorted(seeds.iterdir())], Random(seed), folder)
    while time.time() < until:
        fuzzer.step()
    return 0


class _Fuzzer:
    def __init__(self, seeds: list[bytes], random: Random, folder: Path) -> None:
        self._seeds = seeds
        self._grown: list[bytes] = []
        self._random = random
        self._folder = folder
        self._cases = 0
        self._endings: set[str] = set()
        self._known: set[str] = set()
        self._lines = _Lines()

    def step(self) -> None:
        base = self._base()
        changed = mutated(base, self._random.choice(self._seeds), self._random)
        files = self._files(changed)
        _save(self._folder / "case", files)
        self._cases += 1
        faulthandler.dump_traceback_later(_HUNG, exit=True)
        before, begun = _most_memory(), time.process_time()
        new = False
        try:
            with self._lines.followed(self._cases % _TRACED == 0) as seen_new:
                ending = run_case(files)
                new = ending not in self._endings
                self._endings.add(ending)
            new |= seen_new()
        except Exception:  # noqa: BLE001 - whatever it is, it is a finding
            self._found(files, traceback.format_exc())
        faulthandler.cancel_dump_traceback_later()
        seconds, memory = time.process_time() - begun, _most_memory() - before
        if seconds > SLOWEST * (10 if self._cases % _TRACED == 0 else 1):
            self._found(files, f"It took {seconds:.1f} s of processor time.")
        if memory > MOST_MEMORY:
            self._found(files, f"It took {memory >> 20} MiB of memory.")
        if new and len(changed) < 100_000:
            self._grown.append(changed)
        if self._cases % 50 == 0:
            (self._folder / "told").write_text(f"{self._cases} {len(self._lines.seen)}")

    def _base(self) -> bytes:
        if self._grown and self._random.random() < 0.5:
            return self._random.choice(self._grown)
        return self._random.choice(self._seeds)

    def _files(self, changed: bytes) -> list[Memory]:
        """The damaged file, often beside others; sometimes with gigabytes of zeros behind it."""
        zeros = self._random.choice((0, 0, 0, 0, 1000, 1 << 20, 6 << 30))
        if zeros >= 1000:
            largest = zeros >= 1 << 31
            head = (1).to_bytes(4, "big") + b"free" + (16 + zeros).to_bytes(8, "big") if largest else b""
            changed += head or (8 + zeros).to_bytes(4, "big") + b"free"
        files = [Memory("0.mp4", changed, zeros)]
        for number in range(1, self._random.choice((1, 2, 2, 2, 3))):
            other = self._random.choice((changed, self._base()))
            files.append(Memory(f"{number}.mp4", other, zeros if other is changed else 0))
        self._random.shuffle(files)
        return files

    def _found(self, files: list[Memory], why: str) -> None:
        """Keep a finding, once for each place where it went wrong."""
        places = [line.strip() for line in why.splitlines() if line.strip().startswith("File ")]
        key = places[-1] if places else why.split(" ", 3)[0]
        if key not in self._known:
            self._known.add(key)
            _save(self._folder / f"finding-{len(self._known)}", files, why)
            print(f"Finding: {why.strip().splitlines()[-1]}", file=sys.stdout, flush=True)


class _Lines:
    """Which lines of the watched code have been run."""

    def __init__(self) -> None:
        self.seen: set[tuple[CodeType, int]] = set()
        self._watched: dict[CodeType, bool] = {}

    @contextmanager
    def followed(self, follow: bool) -> Iterator[Callable[[], bool]]:
        before = len(self.seen)
        if follow:
            threading.settrace(self._enter)
            sys.settrace(self._enter)
        try:
            yield lambda: len(self.seen) > before
        finally:
            if follow:
                sys.settrace(None)
                threading.settrace(None)

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if code not in self._watched:
            self._watched[code] = code.co_filename.startswith(_WATCHED)
        return self._line if self._watched[code] else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.seen.add((frame.f_code, frame.f_lineno))
        return self._line


def _most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10

"""Make the checkout runnable: a virtual environment in `.venv` with exactly what a lock file names.

Usage: python3 tools/set_up.py demo|deploy|test

Runs with the standard library alone. Does nothing when the lock file has not changed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
MINIMUM = (3, 11)
CONTAINED_IN = {"demo": ("demo", "test"), "deploy": ("deploy", "test"), "test": ("test",)}
"""What is installed already when one of these locks is."""
CANDIDATES = ("python3.14", "python3.13", "python3.12", "python3.11", "python3")


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in CONTAINED_IN:
        print(__doc__, file=sys.stderr)
        return 1
    name = sys.argv[1]
    if any(_is_installed(lock) for lock in CONTAINED_IN[name]):
        return 0
    started = time.monotonic()
    print(f"Setting up: installing what requirements/{name}.lock names into .venv …", flush=True)
    if not (VENV / "bin" / "python").exists() and not _create_environment():
        return 1
    size = _install(_lock(name))
    if size is None:
        return 1
    _stamp(name).write_text(_digest(name))
    print(f"Set-up done: {size / 1e6:.0f} MB downloaded, {time.monotonic() - started:.0f} s.", flush=True)
    return 0


def _lock(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.lock"


def _stamp(name: str) -> Path:
    return VENV / f".{name}"


def _digest(name: str) -> str:
    return hashlib.sha256(_lock(name).read_bytes()).hexdigest()


def _is_installed(name: str) -> bool:
    return _stamp(name).is_file() and _stamp(name).read_text() == _digest(name)


def _create_environment() -> bool:
    """Create the environment with the first Python on this machine that is new enough and complete."""
    problem = ""
    for python in _pythons():
        create = subprocess.run([python, "-m", "venv", "--clear", VENV], capture_output=True, text=True, check=False)
        if create.returncode == 0:
            return True
        problem = f"{python} can't create a virtual environment (on Debian: apt-get install python3-venv)"
    print(f"Set-up failed: {problem or 'Python 3.11 or newer was not found on PATH'}.", file=sys.stderr)
    return False


def _pythons() -> Iterator[str]:
    for candidate in (sys.executable, *map(shutil.which, CANDIDATES)):
        if candidate is None:
            continue
        ask = [candidate, "-c", f"import sys; print(sys.version_info >= {MINIMUM})"]
        if subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip() == "True":
            yield candidate


def _install(lock: Path) -> int | None:
    """Download what is missing of the lock, then install it from the downloaded files; return the bytes downloaded."""
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory(prefix="jiki-video-set-up-") as folder:
        wheels, missing = Path(folder) / "wheels", Path(folder) / "missing.txt"
        wheels.mkdir()
        missing.write_text("".join(_missing(lock, pip)))
        for step in (
            ["download", "--require-hashes", "--dest", str(wheels)],
            ["install", "--no-index", "--find-links", str(wheels)],
        ):
            command = [*pip, *step, "--quiet", "--no-deps", "--requirement", str(missing)]
            done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                errors = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
                print("Set-up failed while installing packages:\n" + "\n".join(errors[-8:]), file=sys.stderr)
                return None
        return sum(file.stat().st_size for file in wheels.iterdir())


def _missing(lock: Path, pip: list[str]) -> Iterator[str]:
    """The entries of the lock that are not installed yet, each with its hashes."""
    frozen = subprocess.run([*pip, "freeze", "--all"], capture_output=True, text=True, check=True).stdout
    installed = {line.lower().replace("_", "-") for line in frozen.splitlines()}
    wanted = False
    for line in lock.read_text().splitlines(keepends=True):
        if not line.startswith(" "):
            wanted = line.split()[0].lower().replace("_", "-") not in installed
        if wanted:
            yield line


if __name__ == "__main__":
    sys.exit(main())

"""Make the checkout runnable: a virtual environment in `.venv` with exactly what a lock file names.

Usage: python3 tools/set_up.py demo|test

Runs on a bare Python (3.11 or newer, standard library only). Does nothing when the lock file has not changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
MINIMUM = (3, 11)
CANDIDATES = ("python3.14", "python3.13", "python3.12", "python3.11", "python3")


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in ("demo", "test"):
        print(__doc__, file=sys.stderr)
        return 1
    name = sys.argv[1]
    if sys.version_info < MINIMUM:
        return _restart_with_newer_python()
    lock = ROOT / "requirements" / f"{name}.lock"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamps = [VENV / f".{stamp}" for stamp in (("demo", "test") if name == "demo" else ("test",))]
    if any(stamp.is_file() and stamp.read_text() == _expected(stamp.name[1:]) for stamp in stamps):
        return 0
    started = time.monotonic()
    print(f"Setting up: installing what requirements/{name}.lock names into .venv …", flush=True)
    if not (VENV / "bin" / "python").exists():
        create = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
        if create.returncode:
            print(
                f"Set-up failed: {sys.executable} can't create a virtual environment. "
                "On Debian and Ubuntu run 'apt-get install python3-venv', then try again.\n" + create.stdout[-500:],
                file=sys.stderr,
            )
            return 1
    size = _install(lock)
    if size is None:
        return 1
    (VENV / f".{name}").write_text(digest)
    print(f"Set-up done: {size / 1e6:.0f} MB downloaded, {time.monotonic() - started:.0f} s.", flush=True)
    return 0


def _expected(name: str) -> str:
    return hashlib.sha256((ROOT / "requirements" / f"{name}.lock").read_bytes()).hexdigest()


def _install(lock: Path) -> int | None:
    """Download the locked packages, then install them from the downloaded files; return the bytes downloaded."""
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory(prefix="jiki-video-set-up-") as wheels:
        for command in (
            [*pip, "download", "--quiet", "--no-deps", "--require-hashes", "--dest", wheels, "--requirement", str(lock)],
            [*pip, "install", "--quiet", "--no-deps", "--no-index", "--find-links", wheels, "--requirement", str(lock)],
        ):
            done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                errors = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
                print("Set-up failed while installing packages:\n" + "\n".join(errors[-8:]), file=sys.stderr)
                return None
        return sum(file.stat().st_size for file in Path(wheels).iterdir())


def _restart_with_newer_python() -> int:
    for candidate in CANDIDATES:
        path = shutil.which(candidate)
        if path is None:
            continue
        probe = subprocess.run([path, "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True, text=True, check=False)
        if probe.stdout.strip() == "True":
            os.execv(path, [path, *sys.argv])
    print("Set-up needs Python 3.11 or newer; none was found on PATH.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

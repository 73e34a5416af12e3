"""Pin the dependencies of pyproject.toml into requirements/*.lock, with hashes and without any address.

The locks hold for every platform and Python version that the project supports. `test.lock` contains the others:
functions run in Lambda with the packages that the tests run with. `functions.lock` is what they may import.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = {
    "test": ("cli", "local", "deploy", "test"),
    "demo": ("cli", "local"),
    "deploy": ("cli", "deploy"),
    "functions": (),
}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="jiki-video-lock-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([f"{folder}/bin/pip", "install", "--quiet", "uv"], check=True)
        constraint: list[str] = []
        for name, chosen in EXTRAS.items():
            lock = ROOT / "requirements" / f"{name}.lock"
            extras = [argument for extra in chosen for argument in ("--extra", extra)]
            command = [f"{folder}/bin/uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
            command += ["--generate-hashes", "--no-header", "--no-annotate"]
            command += ["--no-emit-index-url", "--no-emit-find-links"]
            subprocess.run([*command, *extras, *constraint, "-o", str(lock), "pyproject.toml"], check=True, cwd=ROOT)
            constraint = ["--constraint", str(lock)]
    return 0


if __name__ == "__main__":
    sys.exit(main())

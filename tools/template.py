"""The template of an environment, synthesised here; nothing is asked of AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "synthesise"]

ROOT = Path(__file__).resolve().parent.parent


def synthesise() -> dict[str, Any]:
    """The template of the default environment. Takes some ten seconds. Raises RuntimeError with what the app says."""
    with tempfile.TemporaryDirectory(prefix="jiki-template-") as folder:
        environment = {**os.environ, "CDK_OUTDIR": folder}
        done = subprocess.run(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"The stack could not be synthesised: {done.stdout}{done.stderr}")
        [template] = Path(folder).glob("*.template.json")
        read: dict[str, Any] = json.loads(template.read_text("utf-8"))
        return read

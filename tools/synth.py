"""Write what would be deployed, for all environments: cdk.out/<environment>/.

Usage: python -m tools.synth

Nothing is asked of AWS or the network.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

from stacks.application import synthesise
from stacks.settings import SettingsError
from video_production.errors import OperatorError
from video_production.settings import ENVIRONMENTS

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "cdk.out"


def main() -> int:
    for environment in ENVIRONMENTS:
        started, folder = time.monotonic(), OUTPUT / environment
        shutil.rmtree(folder, ignore_errors=True)
        try:
            template = synthesise(folder, {"environment": environment})
        except (SettingsError, OperatorError) as error:
            print(error, file=sys.stderr)
            return 1
        resources = len(json.loads(template.read_text())["Resources"])
        seconds = time.monotonic() - started
        print(f"{environment:12} {resources:4} resources {seconds:6.1f} s  {template.relative_to(ROOT)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

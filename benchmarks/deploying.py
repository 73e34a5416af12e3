"""How long the CDK takes: to synthesise the app, and to deploy it into the emulated AWS.

Usage: python -m benchmarks.deploying          (or: make bench-deploy)

Runs the real CDK CLI: bootstrap, synth, deploy, deploy again without a change, deploy one changed setting, destroy. The
functions' packages are made beforehand. Writes `benchmarks/results/deploying.json` and the table in
`docs/benchmarks.md`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from local_cloud.deployed.cdk import Cdk, Step
from local_cloud.handle import attach_or_start
from tools.bundles import bundle, ffmpeg_layer
from video_production.settings import ROLES

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "deploying.json"
PAGE = ROOT / "docs" / "benchmarks.md"
START, END = "<!-- deploy table: made by `make bench-deploy` -->", "<!-- end of deploy table -->"


def main() -> int:
    ffmpeg_layer("local")
    for role in ROLES:
        bundle(role, architecture="local")
    with tempfile.TemporaryDirectory(prefix="jiki-video-deploying-") as folder:
        seconds = {words: round(step.seconds, 1) for words, step in _measure(Path(folder)).items()}
    RESULTS.write_text(json.dumps(seconds, indent=2) + "\n")
    table = "\n".join(
        ["| step | seconds |", "|---|---|", *(f"| {words} | {time} |" for words, time in seconds.items())]
    )
    before, rest = PAGE.read_text().split(START, 1)
    PAGE.write_text(f"{before}{START}\n{table}\n{END}{rest.split(END, 1)[1]}")
    print(table)
    return 0


def _measure(folder: Path) -> dict[str, Step]:
    """What is measured → the command that ran."""
    with attach_or_start(folder / "home", module="local_cloud.deployed") as cloud:
        cdk = Cdk(ROOT, ("./cdk",), cloud.endpoints, folder / "logs")
        drafts = {name: {"mode": "draft", "base_url": url} for name, url in cloud.endpoints.stand_ins.items()}
        settings: dict[str, Any] = {"providers": drafts}
        first, second = folder / "first", folder / "second"
        return {
            "bootstrap": cdk.bootstrap(),
            "synth, one environment": cdk.synth(first, "development", settings),
            "first deployment": cdk.deploy(first),
            "deployment without a change": cdk.deploy(first),
            "synth after a changed setting": cdk.synth(
                second, "development", {**settings, "memory": {"scheduler": 640}}
            ),
            "deployment of the changed setting": cdk.deploy(second),
            "destroy": cdk.destroy(second),
        }


if __name__ == "__main__":
    sys.exit(main())

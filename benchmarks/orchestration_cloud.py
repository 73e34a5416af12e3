"""The local cloud as `benchmarks.orchestration` needs it, in a process of its own.

It is the local cloud but for two things, in which it is like AWS: the pipeline machine looks every minute instead of
every second, and functions may have as many sandboxes as there are nodes at work. `checkout` makes one in which the
function that mixes audio sleeps for ten seconds instead: a node whose work takes no processor.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from local_cloud import cloud
from local_cloud.__main__ import serve
from local_cloud.functions import NAMES, Function, functions
from local_cloud.handle import CHECKOUT
from local_cloud.machines import machine_definitions

__all__ = ["MODULE", "NODE_SECONDS", "checkout"]

MODULE = "benchmarks.orchestration_cloud"
NODE_SECONDS = 10.0
_SANDBOXES = {"audio_mixer": 12, "scheduler": 6}
_WATCH = ('"Seconds": 1,', '"Seconds": 60,')
_SLEEPER = '''"""Sleeps as long as a node shall take."""

import time

from functions.making import make_node
from video_production.nodes.model import Output


def make(claim, nodes, storage, until):
    nodes.claimed(claim)
    time.sleep({seconds})
    nodes.complete(claim, Output("video", "v.mp4", 1, "00" * 32, "bucket", duration=1.0))
    return True


def handler(event, context):
    return {{"status": "completed" if make_node(event, context, make) else "superseded"}}
'''


def checkout(folder: Path, seconds: float) -> Path:
    """A checkout in `folder` that is ours but for the function that sleeps."""
    folder.mkdir(parents=True)
    for name in ("video_production", "workflows", "stand_ins"):
        (folder / name).symlink_to(CHECKOUT / name)
    shutil.copytree(CHECKOUT / "functions", folder / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "functions" / "audio_mixer" / "handler.py").write_text(_SLEEPER.format(seconds=seconds))
    return folder


def _start(home: Path, options: dict[str, Any]) -> cloud.LocalCloud:
    def wide(*given: Any, **more: Any) -> dict[str, Function]:
        table = functions(*given, **more)
        return {role: replace(each, concurrency=_SANDBOXES.get(role, each.concurrency)) for role, each in table.items()}

    def patient(workflows: Path, table: Mapping[str, Function]) -> dict[str, str]:
        found = machine_definitions(workflows, table)
        watched = found[NAMES.pipeline_machine].replace(*_WATCH)
        if watched == found[NAMES.pipeline_machine]:
            raise RuntimeError("The pipeline machine no longer waits as this benchmark thinks.")
        return found | {NAMES.pipeline_machine: watched}

    cloud.__dict__.update(functions=wide, machine_definitions=patient)
    options["prewarm"] = tuple(options["prewarm"])
    options["checkout"] = Path(options["checkout"])
    return cloud.LocalCloud.start(home, cloud.CloudOptions(**options))


if __name__ == "__main__":
    serve(MODULE, _start)

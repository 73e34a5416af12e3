"""`make cost` counts what a lesson uses, in all of the units that are billed."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.e2e.lab import CHECKOUT, Lab
from tools.cost.usage import Usage

_MEASURE = """
import json, sys
from pathlib import Path
from tools.cost.measure import measure
print(json.dumps(measure(Path(sys.argv[1]), Path(sys.argv[2])).to_json()))
"""


def test_a_lesson_is_counted(lab: Lab) -> None:
    document = lab.write_scene("A few words.")
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(document), str(lab.root / "measured")],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    usage = Usage.from_json(json.loads(done.stdout.splitlines()[-1]))
    assert (usage.lesson, usage.executions, usage.jobs) == ("lab", 3, 1)
    assert {"scheduler", "elevenlabs_submitter", "elevenlabs_poller", "audio_mixer"} == usage.functions.keys()
    # Without waiting the pipeline's execution enters 3 states, that of the mix 5, that of the voice 8; then each ends.
    assert usage.transitions == 3 + 5 + 8 + 3
    assert usage.functions["audio_mixer"].invocations == 1
    assert usage.stored_bytes > usage.video_bytes > 0
    assert usage.s3_bytes_in == usage.stored_bytes
    assert min(usage.s3_puts, usage.s3_gets, usage.read_units, usage.write_units, usage.log_bytes, usage.events) > 0
    assert usage.provider_usd > 0

"""`make cost` counts what a lesson uses, in all of the units that are billed."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.e2e.lab import CHECKOUT, Lab
from tools.cost.usage import Usage


def test_a_lesson_is_counted(lab: Lab) -> None:
    document = lab.write_scene("A few words.")
    done = subprocess.run(
        [sys.executable, "-m", "tools.cost.measure", str(document)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    usage = Usage.from_json(json.loads(done.stdout.splitlines()[-1]))
    assert (usage.pipeline, usage.executions) == ("lab", 3)
    assert {"scheduler", "elevenlabs_submitter", "elevenlabs_poller", "audio_mixer"} == usage.functions.keys()
    # Without waiting the pipeline's execution enters 3 states, that of the mix 5, that of the voice 8; then each ends.
    assert usage.transitions == 3 + 5 + 8 + 3
    assert usage.functions["audio_mixer"].invocations == 1
    assert usage.stored_bytes > usage.video_bytes > 0
    assert usage.s3_bytes_in == usage.stored_bytes
    assert min(usage.s3_puts, usage.s3_gets, usage.read_units, usage.write_units, usage.log_bytes, usage.events) > 0
    voice = usage.providers["elevenlabs"]
    assert (voice.requests, voice.jobs, voice.quantity) == (1, 1, (len("A few words."),) * 2)
    assert voice.polls > 0
    assert voice.usd[0] == voice.usd[1] == voice.settled > 0

"""Every invocation of a run happens in a process of its own kind: never in the command line's, never in the cloud's."""

from __future__ import annotations

import json
import os
import time

import pytest

from local_cloud.functions import NAMES
from tests.e2e.lab import Lab

NEEDED = ("merger", "audio_mixer", "elevenlabs_submitter", "elevenlabs_poller", "scheduler")
"""The functions that a lesson always takes; the others wait for something to go wrong, or for a call from outside."""


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("desk"))


def test_the_logs_of_every_invocation_show_another_process_than_the_command_lines(lab: Lab) -> None:
    lab.write_lesson()
    with lab.cloud() as cloud:
        process = lab.start("produce", str(lab.document), "--json")
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
        logs = cloud.client("logs")
        time.sleep(1)  # logs are written beside the invocations, not before their answers
        for role in NEEDED:
            events = logs.filter_log_events(logGroupName=NAMES.function_log_group(role))["events"]
            messages = [event["message"] for event in events]
            invocations = {line.split()[2] for line in messages if line.startswith("START RequestId:")}
            said = [json.loads(line) for line in messages if line.startswith("{") and '"function_request_id"' in line]
            processes = {entry["function_request_id"]: int(entry["process"]) for entry in said}
            assert invocations, role
            assert invocations <= processes.keys(), role
            assert not {process.pid, cloud.pid, os.getpid()}.intersection(processes.values()), role

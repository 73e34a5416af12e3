"""The state folder and its locks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cloud.functions import Endpoints
from local_cloud.state import CloudInfo, FileLock, StateFolder

ENDPOINTS = Endpoints("http://127.0.0.1:1", "http://127.0.0.1:2", {"elevenlabs": "http://127.0.0.1:3"})


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path)


@pytest.fixture
def other_process(state: StateFolder) -> Iterator[subprocess.Popen[str]]:
    """A process that holds cloud.lock until it is killed."""
    script = f"""
from local_cloud.state import FileLock, StateFolder
from pathlib import Path
import time
lock = FileLock(StateFolder(Path({str(state.root)!r})).cloud_lock)
print(lock.own(wait=0), flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


def test_nothing_runs_in_a_fresh_folder(state: StateFolder) -> None:
    assert not state.alive()
    assert state.running() is None


def test_a_cloud_that_is_not_ready_yet_is_alive_but_not_running(
    state: StateFolder, other_process: subprocess.Popen[str]
) -> None:
    assert state.alive()
    assert state.running() is None


def test_a_ready_cloud_is_found_with_all_it_told(state: StateFolder, other_process: subprocess.Popen[str]) -> None:
    state.announce(CloudInfo(other_process.pid, ENDPOINTS, ("heygen",)))
    assert state.running() == CloudInfo(other_process.pid, ENDPOINTS, ("heygen",))


def test_the_description_of_a_killed_cloud_is_not_taken_for_the_next_one_that_starts(
    state: StateFolder, other_process: subprocess.Popen[str]
) -> None:
    with subprocess.Popen(["true"]) as killed:
        killed.wait()
    state.announce(CloudInfo(killed.pid, ENDPOINTS, ()))
    assert state.alive()
    assert state.running() is None


def test_the_description_left_behind_by_a_killed_cloud_counts_for_nothing(
    state: StateFolder, other_process: subprocess.Popen[str]
) -> None:
    state.announce(CloudInfo(os.getpid(), ENDPOINTS, ()))
    other_process.kill()
    other_process.wait()
    assert state.cloud_json.exists()
    assert state.running() is None


def test_a_lock_is_shared_by_many_or_owned_by_one(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    try:
        assert first.share(wait=0)
        assert second.share(wait=0)
        assert not first.own(wait=0)
        assert second.own(wait=0)
        assert not first.share(wait=0.05)
    finally:
        first.close()
        second.close()

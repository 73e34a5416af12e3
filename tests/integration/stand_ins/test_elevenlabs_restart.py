"""The stand-in keeps its word across kills, and its process across nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import requests
from elevenlabs.client import ElevenLabs

from stand_ins.charge_book import ChargeBook
from stand_ins.home import CHARGE_BOOK
from stand_ins.running import RunningStandIn, StandInFailed
from tests.integration.stand_ins.calls import HEADERS, KEY, RACHEL, charges_for, finished, submit, unique


def test_a_kill_loses_neither_jobs_nor_history_nor_charges_nor_rules(tmp_path: Path) -> None:
    text, done_text = unique("Interrupted."), unique("Done.")
    with httpx.Client(timeout=20) as client:
        with RunningStandIn.start(tmp_path, "--job-seconds", "1.5") as first:
            sdk = ElevenLabs(base_url=first.url, api_key=KEY, httpx_client=client)
            audio = b"".join(sdk.text_to_speech.convert(RACHEL, text=done_text))
            first.misbehave({"on": "tts", "do": "garbage", "times": 5})
            first.change_plan(tier="scale")
            interrupted = submit(sdk, text)
            charged = first.charges()
            first.kill()
        assert ChargeBook(tmp_path / CHARGE_BOOK).rows() == charged
        with RunningStandIn.start(tmp_path, "--job-seconds", "1.5") as second:
            sdk = ElevenLabs(base_url=second.url, api_key=KEY, httpx_client=client)
            progress = finished(sdk, interrupted)
            assert progress.status == "completed"
            assert requests.get(progress.content_url, timeout=10).content[:2] == b"\xff\xfb"
            assert len(charges_for(second, interrupted)) == 1
            (item,) = sdk.history.list(search=done_text).history
            assert b"".join(sdk.history.get_audio(item.history_item_id)) == audio
            assert sdk.user.subscription.get().tier == "scale"
            rules = requests.get(f"{second.url}/stand-in/faults", timeout=10).json()
            assert [(rule["do"], rule["times"]) for rule in rules] == [("garbage", 5)]
            second.kill()
        with RunningStandIn.start(tmp_path) as third:
            assert len(charges_for(third, interrupted)) == 1
            assert len(third.charges()) == 2


def test_what_was_kept_but_not_yet_billed_is_billed_at_the_next_start(tmp_path: Path) -> None:
    with RunningStandIn.start(tmp_path) as first:
        requests.post(f"{first.url}/v1/text-to-speech/{RACHEL}", json={"text": "Hello"}, headers=HEADERS, timeout=10)
        (charge,) = first.charges()
    # As if the process had died between the two writes.
    (tmp_path / CHARGE_BOOK).unlink()
    with RunningStandIn.start(tmp_path) as second:
        assert second.charges() == [charge]


def test_two_stand_ins_never_share_a_folder(tmp_path: Path) -> None:
    with RunningStandIn.start(tmp_path), pytest.raises(StandInFailed, match="already runs in"):
        RunningStandIn.start(tmp_path)


def test_it_ends_in_order_when_asked(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "stand_ins.elevenlabs", "--home", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_it_does_not_outlive_its_parent(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from stand_ins.running import RunningStandIn; "
        "print(RunningStandIn.start(Path(sys.argv[1])).pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    end = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and _is_running(child):
        assert time.monotonic() < end, "the stand-in outlived its parent"
        time.sleep(0.1)


def _is_running(pid: int) -> bool:
    """A process that ended but was not waited for by anybody is not running."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"

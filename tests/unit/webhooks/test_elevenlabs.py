"""What ElevenLabs signs, checked with the official SDK, and everything that must not pass."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from elevenlabs.webhooks_custom import WebhooksClient

from video_production.webhooks.elevenlabs import TOLERANCE, finished_job, is_genuine, sign

SECRET = "wsec_1234"
BODY = json.dumps({"type": "flows_generation", "event_timestamp": 1, "data": {"id": "job-1"}}).encode()
NOW = 1_000_000.0


def genuine(body: bytes, header: str, now: float = NOW) -> bool:
    return is_genuine({"elevenlabs-signature": header}, body, SECRET, now)


def test_our_signature_is_the_one_of_the_official_sdk() -> None:
    header = sign(BODY, SECRET, int(time.time()))
    client: Any = WebhooksClient.__new__(WebhooksClient)
    assert client.construct_event(BODY.decode(), header, SECRET)["data"] == {"id": "job-1"}


@pytest.mark.parametrize("seconds", [0, -TOLERANCE, TOLERANCE])
def test_a_good_signature_holds_for_half_an_hour_either_way(seconds: int) -> None:
    assert genuine(BODY, sign(BODY, SECRET, int(NOW)), NOW + seconds)


@pytest.mark.parametrize("seconds", [-TOLERANCE - 1, TOLERANCE + 1])
def test_an_old_signature_and_one_from_the_future_are_refused(seconds: int) -> None:
    assert not genuine(BODY, sign(BODY, SECRET, int(NOW)), NOW + seconds)


def test_the_raw_bytes_count() -> None:
    body = b'{"data": {"id": "caf\xc3\xa9 \xff"}}'
    header = sign(body, SECRET, int(NOW))
    assert genuine(body, header)
    assert not genuine(body + b" ", header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1000000",
        "v0=00",
        "t=1000000,v0=",
        "t=1000000,v0=é",
        "t=²,v0=00",
        "t=-1,v0=00",
        "t=" + "9" * 400 + ",v0=00",
        "t=1000000,t=1000000,v0=00",
        sign(BODY, "another", int(NOW)),
        sign(BODY, SECRET, int(NOW)).replace("v0=", "v1="),
        sign(BODY, SECRET, int(NOW)).replace("t=1000000", "t=1000001"),
        sign(BODY, SECRET, int(NOW)).upper(),
    ],
)
def test_anything_else_is_refused(header: str) -> None:
    assert not genuine(BODY, header)


def test_one_good_signature_among_several_is_enough() -> None:
    at, good = sign(BODY, SECRET, int(NOW)).split(",")
    assert genuine(BODY, f"{at}, v0=00, {good}")


@pytest.mark.parametrize(
    ("body", "job"),
    [
        (BODY, "job-1"),
        (b'{"type": "speech_to_text", "data": {"id": "job-1"}}', None),
        (b'{"type": "flows_generation", "data": {"id": 7}}', None),
        (b'{"type": "flows_generation", "data": []}', None),
        (b"[1]", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_only_the_end_of_a_job_is_passed_on(body: bytes, job: str | None) -> None:
    assert finished_job(body) == job

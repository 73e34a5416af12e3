"""What HeyGen signs, as its documentation describes it, and everything that must not pass."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from video_production.webhooks.heygen import TOLERANCE, finished_job, is_genuine, sign

SECRET = "whsec_1234"
BODY = json.dumps(
    {"event_type": "avatar_video.success", "event_data": {"video_id": "v-1", "url": "https://…"}}
).encode()
NOW = 1_000_000.0
GOOD = {"heygen-signature": sign(BODY, SECRET), "heygen-timestamp": "1000000", "heygen-event-id": "e-1"}


def test_the_signature_is_the_hex_digest_of_the_raw_body_alone() -> None:
    assert sign(BODY, SECRET) == hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    assert is_genuine(GOOD, BODY, SECRET, NOW)
    assert not is_genuine(GOOD, BODY + b" ", SECRET, NOW)


@pytest.mark.parametrize("seconds", [0, -TOLERANCE, TOLERANCE])
def test_a_delivery_is_good_for_half_an_hour_either_way(seconds: int) -> None:
    assert is_genuine(GOOD, BODY, SECRET, NOW + seconds)


@pytest.mark.parametrize("seconds", [-TOLERANCE - 1, TOLERANCE + 1])
def test_an_old_delivery_and_one_from_the_future_are_refused(seconds: int) -> None:
    assert not is_genuine(GOOD, BODY, SECRET, NOW + seconds)


@pytest.mark.parametrize(
    "changes",
    [
        {"heygen-signature": ""},
        {"heygen-signature": "é"},
        {"heygen-signature": sign(BODY, "another")},
        {"heygen-signature": "v1=" + sign(BODY, SECRET)},
        {"heygen-timestamp": ""},
        {"heygen-timestamp": "-1"},
        {"heygen-timestamp": "²"},
        {"heygen-timestamp": "9" * 400},
    ],
)
def test_anything_else_is_refused(changes: dict[str, str]) -> None:
    assert not is_genuine(GOOD | changes, BODY, SECRET, NOW)


@pytest.mark.parametrize(
    ("body", "job"),
    [
        (BODY, "v-1"),
        (b'{"event_type": "avatar_video.fail", "event_data": {"video_id": "v-2", "msg": "no face"}}', "v-2"),
        (b'{"event_type": "avatar_video_caption.success", "event_data": {"video_id": "v-1"}}', None),
        (b'{"event_type": "avatar_video.success", "event_data": {"video_id": 7}}', None),
        (b'{"event_type": "avatar_video.success", "event_data": []}', None),
        (b"[1]", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_only_the_end_of_a_job_is_passed_on(body: bytes, job: str | None) -> None:
    assert finished_job(body) == job

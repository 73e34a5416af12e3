"""Calls that several tests make: by hand, and the speech that they are about."""

from __future__ import annotations

import io
import time
import uuid
import wave
from typing import Any

import numpy as np
import requests

from stand_ins.running import RunningStandIn

KEY = "draft-key"
HEADERS = {"x-api-key": KEY}
RATE = 16_000


def speech(seconds: float = 0.4) -> bytes:
    """A WAV file that nobody else has: a tone with a noise of its own."""
    noise = np.random.default_rng(uuid.uuid4().int % 2**32)
    samples = int(seconds * RATE)
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(samples) / RATE) + 0.01 * noise.standard_normal(samples)
    with io.BytesIO() as file:
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(RATE)
            sound.writeframes((tone * 32767).clip(-32768, 32767).astype("<i2").tobytes())
        return file.getvalue()


def call(
    stand_in: RunningStandIn, method: str, path: str, *, headers: Any = HEADERS, timeout: float = 20, **options: Any
) -> requests.Response:
    """One request by hand, with the right key unless `headers` says otherwise."""
    return requests.request(method, stand_in.url + path, headers=headers, timeout=timeout, **options)


def upload(stand_in: RunningStandIn, content: bytes, name: str = "speech.wav", kind: str = "audio/wav") -> str:
    """Upload a file as an asset and return its id."""
    answer = call(stand_in, "POST", "/v3/assets", files={"file": (name, content, kind)})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["asset_id"])


def body(asset_id: str, **fields: Any) -> dict[str, Any]:
    """A request for a video of an uploaded sound."""
    return {"type": "avatar", "avatar_id": "Anna", "audio_asset_id": asset_id, "resolution": "720p"} | fields


def create(stand_in: RunningStandIn, content: dict[str, Any], key: str | None = None) -> requests.Response:
    headers = HEADERS | ({} if key is None else {"Idempotency-Key": key})
    return call(stand_in, "POST", "/v3/videos", json=content, headers=headers)


def video_id(answer: requests.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["video_id"])


def finished(stand_in: RunningStandIn, video: str, seconds: float = 30) -> dict[str, Any]:
    """Poll until a video has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        shown: dict[str, Any] = call(stand_in, "GET", f"/v3/videos/{video}").json()["data"]
        if shown["status"] in ("completed", "failed"):
            return shown
        time.sleep(0.05)
    raise AssertionError(f"The video {video} did not end within {seconds} s.")

"""Calls that several tests make, by the SDK and by hand."""

from __future__ import annotations

import time
import uuid
from typing import Any

import requests
from elevenlabs.client import ElevenLabs
from elevenlabs.types import TextToSpeechGenerationRequest_ElevenV3 as V3

from stand_ins.charge_book import Charge
from stand_ins.running import RunningStandIn

KEY = "draft-key"
HEADERS = {"xi-api-key": KEY}
RACHEL = "21m00Tcm4TlvDq8ikWAM"
ONCE: Any = {"max_retries": 0}
"""The SDK repeats failed calls by itself, paid ones too."""


def unique(text: str) -> str:
    return f"{text} {uuid.uuid4().hex[:6]}"


def submit(sdk: ElevenLabs, text: str, **fields: Any) -> str:
    """Submit a job and return its id."""
    request = V3(text=text, voice=RACHEL, **fields)
    return sdk.flows.text_to_speech.create(request=request, request_options=ONCE).id


def finished(sdk: ElevenLabs, job: str, seconds: float = 15) -> Any:
    """Poll until a job has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        progress: Any = sdk.flows.text_to_speech.get(job, request_options=ONCE)
        if progress.status in ("completed", "failed"):
            return progress
        time.sleep(0.05)
    raise AssertionError(f"The job {job} did not end within {seconds} s.")


def charges_for(stand_in: RunningStandIn, external_id: str) -> list[Charge]:
    return [row for row in stand_in.charges() if row.external_id == external_id]


def call(
    stand_in: RunningStandIn, method: str, path: str, *, headers: Any = HEADERS, timeout: float = 10, **options: Any
) -> requests.Response:
    """One request by hand, with the right key unless `headers` says otherwise."""
    return requests.request(method, stand_in.url + path, headers=headers, timeout=timeout, **options)

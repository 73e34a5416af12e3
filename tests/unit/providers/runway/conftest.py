"""The Runway module in front of a scripted provider, with real storage behind it."""

from __future__ import annotations

import functools
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.unit.media.clips import run_ffmpeg
from tests.unit.providers.scripted import Provider
from video_production.providers.http import ProviderHttp
from video_production.providers.interface import Attempt, Destination, GenerationRequest, InputContent
from video_production.providers.runway import Runway
from video_production.providers.secrets import ApiKey
from video_production.storage import Storage

PROMPT = "A robot waters a plant."
SECRET = "jiki-video/test/runway"
KEY = "key_" + "ab12" * 8
TASK = "17f20503-6c24-4c16-946b-35dbbce2af2f"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Manager:
    """Secrets Manager with one secret; counts how often it is read."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.reads = 0

    def get_secret_value(self, SecretId: str) -> Mapping[str, str]:  # noqa: N803 - the name that boto3 uses
        assert SecretId == SECRET
        self.reads += 1
        if self.error:
            raise self.error
        return {"SecretString": KEY}


@functools.cache
def clip() -> bytes:
    """A quarter of a second of MP4."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        run_ffmpeg("-f", "lavfi", "-i", "testsrc=s=128x72:r=24:d=0.25", "-c:v", "libx264", path)
        return path.read_bytes()


def picture(kind: str = "PNG") -> bytes:
    with io.BytesIO() as file:
        Image.new("RGB", (64, 36), "teal").save(file, kind)
        return file.getvalue()


def task(status: str, **fields: Any) -> dict[str, Any]:
    """A task as Runway shows it."""
    shown = {"id": TASK, "status": status, "createdAt": "2026-11-22T10:00:00.000Z"}
    if status in ("PENDING", "THROTTLED", "RUNNING"):
        shown["estimatedCost"] = {"credits": 60}  # type: ignore[assignment]
    return shown | fields


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def storage(s3: Any) -> Storage:
    return Storage(s3)


@pytest.fixture
def runway(provider: Provider, storage: Storage, manager: Manager, clock: Clock) -> Runway:
    http = ProviderHttp("runway", "Runway", retry_delay=lambda: 7.0, jitter=lambda: 0.0, sleep=lambda seconds: None)
    key = ApiKey(SECRET, client=manager)
    return Runway(key, storage, model="gen4.5", base_url=provider.url + "/", submit_budget=3.0, http=http, clock=clock)


@pytest.fixture
def attempt(bucket: str, runway: Runway, storage: Storage) -> Any:
    """Makes attempts: `attempt(model="veo3.1")`, `attempt(image=picture())`."""

    def make(prompt: str = PROMPT, image: bytes | None = None, **config: Any) -> Attempt:
        effective = runway.effective_config("generate-animation", {"duration": 5} | config)
        inputs = {"prompt": (InputContent("text", "0", prompt),)}
        if image is not None:
            storage.put_bytes(image, bucket, "assets/slide 1.png", "image/png")
            inputs["referenceImage"] = (InputContent("image", "1", None, bucket, "assets/slide 1.png"),)
        request = GenerationRequest("generate-animation", effective, inputs)
        return Attempt("a1", runway.way(request), 1_790_000_000.5, request, Destination(bucket, "takes/t1/a1/"))

    return make

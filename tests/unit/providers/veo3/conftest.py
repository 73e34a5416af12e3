"""The Veo module in front of a scripted Google, with real storage behind it."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.unit.media.clips import run_ffmpeg
from tests.unit.providers.scripted import Provider
from video_production.providers.http import ProviderHttp
from video_production.providers.interface import Attempt, Destination, GenerationRequest, InputContent
from video_production.providers.veo3 import Veo
from video_production.storage import Storage

PROMPT = "A paper boat drifts down a rainy street"
SECRET = "jiki-video/test/veo3"
TOKEN = "ya29.a-token-of-the-test"
MODEL = "projects/p1/locations/us-central1/publishers/google/models/veo-3.1-generate-001"
OPERATION = f"{MODEL}/operations/0b1c"
PREFIX = "takes/t1/a1/"


@functools.cache
def film() -> bytes:
    """Half a second of MP4, with sound."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        sources = ("-f", "lavfi", "-i", "testsrc2=d=0.5:s=64x36:r=24", "-f", "lavfi", "-i", "sine=d=0.5")
        run_ffmpeg(*sources, "-pix_fmt", "yuv420p", path)
        return path.read_bytes()


class Access:
    """Stands for Google's token service: hands out one token, and counts what becomes of it."""

    class secret:  # noqa: N801 (an attribute of the real one)
        name = SECRET

    def __init__(self) -> None:
        self.project = "p-of-the-key"
        self.error: Exception | None = None
        self.forgotten = 0

    def token(self) -> str:
        if self.error:
            raise self.error
        return TOKEN

    def forget(self) -> None:
        self.forgotten += 1


@pytest.fixture
def access() -> Access:
    return Access()


@pytest.fixture
def storage(s3: Any) -> Storage:
    return Storage(s3)


@pytest.fixture
def veo(provider: Provider, storage: Storage, access: Any) -> Veo:
    http = ProviderHttp("veo3", "Vertex AI", retry_delay=lambda: 33.0, jitter=lambda: 0.0, sleep=lambda seconds: None)
    return Veo(
        access,
        storage,
        project="p1",
        bucket="films",
        model="veo-3.1-generate-001",
        base_url=provider.url + "/",
        submit_budget=3.0,
        http=http,
    )


@pytest.fixture
def attempt(bucket: str, veo: Veo) -> Any:
    """Makes attempts: `attempt(image=content, seed=7)`; a picture lies in the bucket."""

    def make(image: InputContent | None = None, **config: Any) -> Attempt:
        effective = veo.effective_config("generate-animation", {"duration": 4} | config)
        inputs = {"prompt": (InputContent("text", "0", PROMPT),)}
        if image is not None:
            inputs["referenceImage"] = (image,)
        request = GenerationRequest("generate-animation", effective, inputs)
        return Attempt("a1", veo.way(request), 1_790_000_000.5, request, Destination(bucket, PREFIX))

    return make

"""The Runway stand-in as a process of its own."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image
from runwayml import RunwayML

from stand_ins.charge_book import Charge
from stand_ins.running import RunningStandIn
from tests.integration.desk import BUCKET
from tests.integration.runway.calls import KEY, unique
from video_production.providers.http import ProviderHttp
from video_production.providers.interface import Attempt, Destination, GenerationRequest, InputContent
from video_production.providers.runway import Runway
from video_production.providers.secrets import ApiKey
from video_production.storage import Storage

GENEROUS = {"concurrency": None, "daily": None, "credit_limit": None}


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStandIn]:
    home = tmp_path_factory.mktemp("runway")
    with RunningStandIn.start(home, "--job-seconds", "0.3", provider="runway") as process:
        yield process


@pytest.fixture
def stand_in(running: RunningStandIn) -> Iterator[RunningStandIn]:
    """No test leaves its rules, balance or plan to the next one."""
    running.change_plan(**GENEROUS)
    yield running
    running.behave()


@pytest.fixture
def sdk(stand_in: RunningStandIn) -> Iterator[RunwayML]:
    """Without its own retries: it would repeat paid calls, too."""
    with RunwayML(api_key=KEY, base_url=stand_in.url, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def key(secrets: Any) -> ApiKey:
    secrets.create_secret(Name="jiki-video/local/runway", SecretString=KEY)
    return ApiKey("jiki-video/local/runway", client=secrets)


@pytest.fixture
def runway(stand_in: RunningStandIn, storage: Storage, key: ApiKey) -> Runway:
    """Looks as often as it is asked to: the stand-in is quicker than the real service."""
    http = ProviderHttp("runway", "Runway", sleep=lambda seconds: None)
    return Runway(key, storage, model="gen4.5", base_url=stand_in.url, submit_budget=20, http=http, pace=0)


@pytest.fixture(scope="session")
def slide() -> bytes:
    with io.BytesIO() as file:
        Image.linear_gradient("L").resize((640, 360)).save(file, "PNG")
        return file.getvalue()


@pytest.fixture
def attempt(runway: Runway, storage: Storage) -> Callable[..., Attempt]:
    """Makes attempts to show something that nobody has shown before."""

    def make(prompt: str | None = None, image: bytes | None = None, **config: Any) -> Attempt:
        name = uuid.uuid4().hex
        words = prompt or unique("A robot waters a plant.")
        inputs = {"prompt": (InputContent("text", "0", words),)}
        if image is not None:
            storage.put_bytes(image, BUCKET, f"{name}/slide.png", "image/png")
            inputs["referenceImage"] = (InputContent("image", "1", None, BUCKET, f"{name}/slide.png"),)
        effective = runway.effective_config("generate-animation", {"duration": 2} | config)
        request = GenerationRequest("generate-animation", effective, inputs)
        return Attempt(name, runway.way(request), 0.0, request, Destination(BUCKET, f"takes/t/{name}/"))

    return make


@pytest.fixture
def charges(stand_in: RunningStandIn) -> Callable[[str], list[Charge]]:
    """What was billed for a task."""
    return lambda external_id: [row for row in stand_in.charges() if row.external_id == external_id]

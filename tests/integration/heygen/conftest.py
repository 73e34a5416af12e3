"""The HeyGen stand-in as a process of its own."""

from __future__ import annotations

import hashlib
import io
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image

from stand_ins.charge_book import Charge
from stand_ins.running import RunningStandIn
from tests.integration.desk import BUCKET
from tests.integration.heygen.calls import KEY, speech
from video_production.providers.heygen import HeyGen
from video_production.providers.http import ProviderHttp
from video_production.providers.interface import Attempt, Destination, GenerationRequest, InputContent
from video_production.providers.secrets import ApiKey
from video_production.storage import Storage

GENEROUS = {"concurrency": 10, "retry_after": 5.0, "usd_limit": None}


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStandIn]:
    home = tmp_path_factory.mktemp("stand-ins") / "heygen"
    arguments = ("--job-seconds", "0.3", "--url-seconds", "60", "--retry-seconds", "0.1")
    with RunningStandIn.start(home, *arguments, provider="heygen") as process:
        yield process


@pytest.fixture
def stand_in(running: RunningStandIn) -> Iterator[RunningStandIn]:
    """No test leaves its rules, balance or plan to the next one."""
    running.change_plan(**GENEROUS)
    yield running
    running.behave()
    running.change_plan(**GENEROUS)


@pytest.fixture(scope="session")
def key(secrets: Any) -> ApiKey:
    secrets.create_secret(Name="jiki-video/local/heygen", SecretString=KEY)
    return ApiKey("jiki-video/local/heygen", client=secrets)


@pytest.fixture
def heygen(stand_in: RunningStandIn, storage: Storage, key: ApiKey) -> HeyGen:
    http = ProviderHttp("heygen", "HeyGen", sleep=lambda seconds: None)
    return HeyGen(key, storage, engine="avatar_iv", base_url=stand_in.url, submit_budget=40, http=http)


@pytest.fixture(scope="session")
def slide() -> bytes:
    with io.BytesIO() as file:
        Image.new("RGB", (640, 360), (40, 180, 60)).save(file, "PNG")
        return file.getvalue()


@pytest.fixture
def attempt(heygen: HeyGen, storage: Storage) -> Callable[..., Attempt]:
    """Makes attempts to say something that nobody has said before."""

    def make(seconds: float = 0.4, background: bytes | None = None, **config: Any) -> Attempt:
        name, sound = uuid.uuid4().hex, speech(seconds)
        inputs = {"audio": (_stored(storage, f"{name}/voice.wav", "audio", sound, seconds),)}
        if background is not None:
            inputs["background"] = (_stored(storage, f"{name}/slide.png", "image", background),)
        effective = heygen.effective_config("generate-talking-head", {"avatarId": "Anna_public_3"} | config)
        request = GenerationRequest("generate-talking-head", effective, inputs)
        return Attempt(name, heygen.way(request), time.time(), request, Destination(BUCKET, f"takes/t/{name}/"))

    return make


def _stored(storage: Storage, key: str, kind: Any, data: bytes, duration: float | None = None) -> InputContent:
    storage.put_bytes(data, BUCKET, key, "application/octet-stream")
    return InputContent(kind, hashlib.sha256(data).hexdigest(), None, BUCKET, key, duration)


@pytest.fixture
def charges(stand_in: RunningStandIn) -> Callable[[Attempt], list[Charge]]:
    """What was billed for an attempt's speech."""

    def for_speech(attempt: Attempt) -> list[Charge]:
        (sound,) = attempt.request.inputs["audio"]
        return [row for row in stand_in.charges() if row.request_sha256 == sound.sha256]

    return for_speech

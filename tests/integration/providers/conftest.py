"""The ElevenLabs module against the stand-in as a process of its own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from video_production.providers.elevenlabs import ElevenLabs
from video_production.providers.http import ProviderHttp
from video_production.providers.interface import Attempt, Destination, GenerationRequest, InputContent
from video_production.providers.secrets import ApiKey
from video_production.storage import Storage

VOICE = "JBFqnCBsd6RMkjVDRZzb"
ROOT = Path(__file__).parents[3]


class StandIn:
    """The handle of a running stand-in."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def misbehave(self, **rule: Any) -> None:
        self._ask("POST", "faults", rule)

    def plan(self, **changes: Any) -> None:
        self._ask("POST", "plan", changes)

    def charges_for(self, text: str) -> int:
        """How often this text was billed; texts are unique per test."""
        return sum(row["quantity"] == len(text) and row["request_sha256"] == _sha256(text) for row in self.book())

    def book(self) -> list[dict[str, Any]]:
        book: list[dict[str, Any]] = self._ask("GET", "book")
        return book

    def reset(self) -> None:
        self._ask("DELETE", "faults")
        self.plan(tier="pro", flows=True, permissions=None, credit_limit=None, concurrency=None)

    def close(self) -> None:
        self._session.close()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._session.request(method, f"{self.url}/stand-in/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    home = tmp_path_factory.mktemp("elevenlabs")
    command = [sys.executable, "-m", "stand_ins.elevenlabs", "--port", "0", "--home", str(home)]
    with subprocess.Popen([*command, "--job-seconds", "0.2"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        stand_in = StandIn(process.stdout.readline().strip())
        yield stand_in
        stand_in.close()
        process.terminate()


@pytest.fixture
def stand_in(running: StandIn) -> StandIn:
    running.reset()
    return running


@pytest.fixture
def key(secrets: Any) -> ApiKey:
    name = f"jiki-video/local/{uuid.uuid4().hex}"
    secrets.create_secret(Name=name, SecretString="draft-key")
    return ApiKey(name, client=secrets)


@pytest.fixture
def elevenlabs(stand_in: StandIn, storage: Storage, key: ApiKey) -> ElevenLabs:
    http = ProviderHttp("elevenlabs", "ElevenLabs", sleep=lambda seconds: None)
    return ElevenLabs(key, storage, base_url=stand_in.url, submit_budget=20, http=http)


@pytest.fixture
def attempt(elevenlabs: ElevenLabs) -> Callable[..., Attempt]:
    """Makes attempts to say something that nobody has said before."""

    def make(way: str, text: str | None = None, **config: Any) -> Attempt:
        script = text if text is not None else f"Take number {uuid.uuid4().hex[:6]}."
        given = {"voiceId": VOICE, "modelId": "eleven_multilingual_v2"} | config
        effective = elevenlabs.effective_config("generate-voiceover", given)
        request = GenerationRequest("generate-voiceover", effective, {"script": (InputContent("text", "0", script),)})
        name = uuid.uuid4().hex
        return Attempt(name, way, time.time(), request, Destination("jiki-videos", f"takes/t/{name}/"))

    return make

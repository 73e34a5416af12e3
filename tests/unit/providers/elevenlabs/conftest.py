"""The ElevenLabs module in front of a scripted provider, with real storage behind it."""

from __future__ import annotations

import base64
import functools
import resource
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.media.clips import run_ffmpeg
from tests.unit.providers.scripted import Provider
from video_production.providers.elevenlabs import ElevenLabs
from video_production.providers.http import ProviderHttp
from video_production.providers.interface import Attempt, Destination, GenerationRequest, InputContent
from video_production.providers.secrets import ApiKey
from video_production.storage import Storage

SCRIPT = "Hello, world."
SENT_AT = 1_790_000_000.5
SECRET = "jiki-video/test/elevenlabs"
KEY = "a-live-key-of-the-test"
VOICE = "JBFqnCBsd6RMkjVDRZzb"


@functools.cache
def speech() -> bytes:
    """Half a second of MP3."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.mp3"
        run_ffmpeg("-f", "lavfi", "-i", "sine=duration=0.5:sample_rate=44100", "-b:a", "128k", path)
        return path.read_bytes()


def times(text: str = SCRIPT) -> dict[str, Any]:
    """A letter every 30 ms."""
    return {
        "characters": list(text),
        "character_start_times_seconds": [place * 0.03 for place in range(len(text))],
        "character_end_times_seconds": [(place + 1) * 0.03 for place in range(len(text))],
    }


def timed_answer(**changes: Any) -> dict[str, Any]:
    sound = base64.b64encode(speech()).decode()
    return {"audio_base64": sound, "alignment": times(), "normalized_alignment": times()} | changes


def history_row(**changes: Any) -> dict[str, Any]:
    return {
        "history_item_id": "h1",
        "request_id": "r1",
        "voice_id": VOICE,
        "model_id": "eleven_multilingual_v2",
        "text": SCRIPT,
        "source": "TTS",
        "date_unix": int(SENT_AT) + 5,
        "output_format": "mp3_44100_128",
        "settings": {"stability": 0.5},
        "alignments": {"alignment": times(), "normalized_alignment": times()},
    } | changes


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


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.fixture
def storage(s3: Any) -> Storage:
    return Storage(s3)


@pytest.fixture
def elevenlabs(provider: Provider, storage: Storage, manager: Manager) -> ElevenLabs:
    http = ProviderHttp(
        "elevenlabs", "ElevenLabs", retry_delay=lambda: 7.0, jitter=lambda: 0.0, sleep=lambda seconds: None
    )
    key = ApiKey(SECRET, client=manager)
    return ElevenLabs(key, storage, base_url=provider.url + "/", submit_budget=3.0, http=http)


@pytest.fixture
def attempt(bucket: str, elevenlabs: ElevenLabs) -> Any:
    """Makes attempts: `attempt("timed", captions=True)`."""

    def make(way: str, **config: Any) -> Attempt:
        given = {"voiceId": VOICE, "modelId": "eleven_multilingual_v2"} | config
        effective = elevenlabs.effective_config("generate-voiceover", given)
        request = GenerationRequest("generate-voiceover", effective, {"script": (InputContent("text", "0", SCRIPT),)})
        return Attempt("a1", way, SENT_AT, request, Destination(bucket, "takes/t1/a1/"))

    return make


@pytest.fixture
def full_disk() -> Any:
    """A disk that takes no file beyond its first kilobytes: writing fails as it does when the disk is full."""

    @contextmanager
    def limited() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited

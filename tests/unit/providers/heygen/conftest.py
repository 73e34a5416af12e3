"""The HeyGen module in front of a scripted provider, with real storage behind it."""

from __future__ import annotations

import functools
import hashlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.media.clips import run_ffmpeg
from tests.unit.providers.scripted import Provider, reply
from video_production.providers.heygen import HeyGen
from video_production.providers.http import ProviderHttp
from video_production.providers.interface import Attempt, Destination, GenerationRequest, InputContent
from video_production.providers.secrets import ApiKey
from video_production.storage import Storage

SENT_AT = 1_790_000_000.5
SECRET = "jiki-video/test/heygen"
KEY = "a-live-key-of-the-test"
AVATAR = "Anna_public_3"
SECONDS = 2.0
HOUR = 3600.0


@functools.cache
def made_by_ffmpeg(suffix: str, *arguments: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        run_ffmpeg(*arguments, path)
        return path.read_bytes()


def speech(seconds: float = SECONDS, suffix: str = ".mp3", *arguments: str) -> bytes:
    tone = ("-f", "lavfi", "-i", f"sine=duration={seconds}:sample_rate=44100")
    return made_by_ffmpeg(suffix, *tone, *arguments)


def film(seconds: float = SECONDS) -> bytes:
    picture = ("-f", "lavfi", "-i", f"color=c=gray:s=64x36:r=25:d={seconds}")
    tone = ("-f", "lavfi", "-i", f"sine=duration={seconds}:sample_rate=48000")
    return made_by_ffmpeg(".mp4", *picture, *tone, "-pix_fmt", "yuv420p", "-movflags", "+faststart")


def picture(suffix: str = ".png") -> bytes:
    return made_by_ffmpeg(suffix, "-f", "lavfi", "-i", "color=c=green:s=64x36:d=0.04", "-frames:v", "1")


def uploaded(asset_id: str = "asset-1") -> Any:
    return reply(body={"data": {"asset_id": asset_id, "url": "u", "mime_type": "audio/mpeg", "size_bytes": 1}})


def accepted(video_id: str = "v1") -> Any:
    return reply(body={"data": {"video_id": video_id, "status": "waiting", "output_format": "mp4"}})


def refused(status: int, code: str, message: str = "Why not.", **more: Any) -> Any:
    return reply(status, {"error": {"code": code, "message": message, **more}})


def video(status: str = "processing", **fields: Any) -> dict[str, Any]:
    return {"data": {"id": "v1", "status": status, "title": "a1", **fields}}


def listing(*rows: Mapping[str, Any], token: str | None = None) -> Any:
    return reply(body={"data": list(rows), "has_more": token is not None, "next_token": token})


class Manager:
    """Secrets Manager with one secret; counts how often it is read."""

    def __init__(self) -> None:
        self.reads = 0

    def get_secret_value(self, SecretId: str) -> Mapping[str, str]:  # noqa: N803 - the name that boto3 uses
        assert SecretId == SECRET
        self.reads += 1
        return {"SecretString": KEY}


class Clock:
    """Seconds since the attempt was sent."""

    def __init__(self) -> None:
        self.age = 60.0

    def __call__(self) -> float:
        return SENT_AT + self.age


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
def heygen(provider: Provider, storage: Storage, manager: Manager, clock: Clock) -> HeyGen:
    http = ProviderHttp("heygen", "HeyGen", retry_delay=lambda: 7.0, jitter=lambda: 0.0, sleep=lambda seconds: None)
    key = ApiKey(SECRET, client=manager)
    return HeyGen(
        key, storage, engine="avatar_iv", base_url=provider.url + "/", submit_budget=25.0, http=http, now=clock
    )


@pytest.fixture
def content(bucket: str, storage: Storage) -> Callable[..., InputContent]:
    """Stores a file and names it as an input: `content("audio", b"…")`."""

    def put(kind: Any, data: bytes, name: str = "", duration: float | None = None) -> InputContent:
        digest = hashlib.sha256(data).hexdigest()
        key = f"inputs/{name or digest}"
        storage.put_bytes(data, bucket, key, "application/octet-stream")
        return InputContent(kind, digest, None, bucket, key, duration)

    return put


@pytest.fixture
def attempt(bucket: str, heygen: HeyGen, content: Callable[..., InputContent]) -> Callable[..., Attempt]:
    """Makes attempts: `attempt(width=1080, height=1920, background=b"…")`."""

    def make(sound: bytes | None = None, background: bytes | None = None, **config: Any) -> Attempt:
        effective = heygen.effective_config("generate-talking-head", {"avatarId": AVATAR} | config)
        inputs = {"audio": (content("audio", speech() if sound is None else sound, duration=SECONDS),)}
        if background is not None:
            inputs["background"] = (content("image", background),)
        request = GenerationRequest("generate-talking-head", effective, inputs)
        return Attempt("a1", "video", SENT_AT, request, Destination(bucket, "takes/t1/a1/"))

    return make

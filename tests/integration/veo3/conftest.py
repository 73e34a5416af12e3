"""Veo's stand-in in its own process and Google's SDK pointed at it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import google.auth.transport.requests
import pytest
import requests
from google import genai
from google.genai import types
from google.oauth2 import service_account

from stand_ins.running import RunningStandIn
from stand_ins.veo3 import draft_secret
from video_production.providers.http import ProviderHttp
from video_production.providers.veo3 import Veo
from video_production.providers.veo3.access import GoogleAccess, GoogleCredentials
from video_production.storage import Storage

PROJECT = "drafts"
LOCATION = "us-central1"
MODEL = "veo-3.1-generate-001"
SECRET = "jiki-video/local/veo3"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
PLAN = {"api": True, "permissions": None, "concurrency": 10, "buckets": None, "writable": True, "limit_usd": None}


def credentials_for(stand_in: RunningStandIn) -> Any:
    """The service account's key as google-auth reads it, to be exchanged at the stand-in."""
    info = json.loads(draft_secret(stand_in.home)) | {"token_uri": f"{stand_in.url}/token"}
    make: Any = service_account.Credentials.from_service_account_info
    return make(info, scopes=[SCOPE])


def bearer(stand_in: RunningStandIn) -> dict[str, str]:
    """The header of a request with a fresh token."""
    own = credentials_for(stand_in)
    own.refresh(google.auth.transport.requests.Request())
    return {"Authorization": f"Bearer {own.token}"}


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStandIn]:
    with RunningStandIn.start(tmp_path_factory.mktemp("veo3"), "--job-seconds", "0.3", provider="veo3") as process:
        yield process


@pytest.fixture
def vertex(running: RunningStandIn) -> Iterator[RunningStandIn]:
    """The stand-in; no test leaves its rules or its plan to the next one."""
    yield running
    running.behave()
    running.change_plan(**PLAN)


@pytest.fixture(scope="session")
def sdk(running: RunningStandIn) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=running.url, timeout=20_000)
    own = credentials_for(running)
    client = genai.Client(enterprise=True, project=PROJECT, location=LOCATION, credentials=own, http_options=options)
    yield client
    client.close()


@pytest.fixture(scope="session")
def headers(running: RunningStandIn) -> dict[str, str]:
    return bearer(running)


@pytest.fixture
def ask(vertex: RunningStandIn, headers: dict[str, str]) -> Callable[..., requests.Response]:
    """One plain HTTP request with a good token: `ask("GET", "/storage/v1/b/films")`."""

    def send(method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        options.setdefault("headers", headers)
        return requests.request(method, vertex.url + path, json=body, timeout=20, **options)

    return send


@pytest.fixture
def prompt() -> str:
    """What nobody has asked for before."""
    return f"A paper boat, take {uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def secret(secrets: Any, running: RunningStandIn) -> GoogleCredentials:
    secrets.create_secret(Name=SECRET, SecretString=draft_secret(running.home))
    return GoogleCredentials(SECRET, client=secrets)


@pytest.fixture
def veo(vertex: RunningStandIn, storage: Storage, secret: GoogleCredentials) -> Veo:
    return Veo(
        GoogleAccess(secret, token_url=f"{vertex.url}/token"),
        storage,
        bucket="films",
        model=MODEL,
        base_url=vertex.url,
        submit_budget=20,
        http=ProviderHttp("veo3", "Vertex AI", sleep=lambda seconds: None),
    )

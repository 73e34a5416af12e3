"""What the rest of the system may expect of the ElevenLabs module."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import boto3
import pytest

from tests.unit.providers.elevenlabs.conftest import (
    VOICE,
)
from tests.unit.providers.scripted import Provider, reply
from video_production.errors import (
    OperatorError,
)
from video_production.providers.elevenlabs import ElevenLabs
from video_production.providers.interface import GenerationProvider, Price
from video_production.settings import FunctionSettings
from video_production.storage import Storage

TIMED_PATH = f"POST /v1/text-to-speech/{VOICE}/with-timestamps?output_format=mp3_44100_128"
JOB_PATH = "POST /v1/flows/text-to-speech"


def test_it_is_a_generation_provider(elevenlabs: ElevenLabs) -> None:
    checked: GenerationProvider = elevenlabs
    assert (checked.name, checked.adapter_version) == ("elevenlabs", 1)
    assert checked.cancel("j1") is False


def test_captions_and_what_the_job_api_can_not_make_are_bought_by_the_timed_call(
    elevenlabs: ElevenLabs, attempt: Any
) -> None:
    plain, captions = attempt("job").request, attempt("job", captions=True).request
    assert elevenlabs.way(plain) == "job"
    assert elevenlabs.way(plain, ("job",)) == "timed"
    assert elevenlabs.way(captions) == "timed"
    assert elevenlabs.way(captions, ("job", "timed")) == "timed"


def test_the_price_counts_characters_as_elevenlabs_does(elevenlabs: ElevenLabs, attempt: Any) -> None:
    assert elevenlabs.price(attempt("job").request) == Price(13, "characters", pytest.approx(13 * 0.08 / 1000))


def test_a_functions_environment_names_the_address_and_the_secret(
    storage: Storage, provider: Provider, attempt: Any, moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("REGION", "us-east-1"), ("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    boto3.client("secretsmanager").create_secret(Name="jiki-video/staging/elevenlabs", SecretString="key-of-staging")
    variables = {"JIKI_ENVIRONMENT": "staging", "ELEVENLABS_BASE_URL": provider.url}
    provider.answers(reply(200, {"id": "j1"}))
    elevenlabs = ElevenLabs.from_settings(FunctionSettings.from_environment(variables), storage)
    elevenlabs.submit(attempt("job"))
    assert provider.received[0].headers["xi-api-key"] == "key-of-staging"


def test_a_network_that_inspects_tls_names_its_authority(storage: Storage) -> None:
    variables = {"JIKI_ENVIRONMENT": "local", "REQUESTS_CA_BUNDLE": "/no/such/bundle.pem"}
    with pytest.raises(OperatorError, match=r"/no/such/bundle\.pem"):
        ElevenLabs.from_settings(FunctionSettings.from_environment(variables), storage)


def test_a_poller_loads_neither_pydantic_nor_numpy_nor_pysubs2() -> None:
    code = (
        "import sys, video_production.providers.elevenlabs;"
        "print([name for name in ('pydantic', 'numpy', 'pysubs2', 'rich', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"

"""The API key: where it comes from, and what to do when it does not."""

from __future__ import annotations

import json
import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.unit.conftest import CREDENTIALS
from video_production.errors import OperatorError, SecretMissing, TransientError
from video_production.providers.secrets import ApiKey
from video_production.secrets import Secret


@pytest.fixture(scope="session")
def manager(moto_url: str) -> Any:
    return boto3.client("secretsmanager", endpoint_url=moto_url, **CREDENTIALS)


@pytest.fixture
def name() -> str:
    return f"jiki-video/test/{uuid.uuid4().hex[:8]}"


class Broken:
    """Secrets Manager, failing in one way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_secret_value(self, **_: str) -> Any:
        raise self.error


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetSecretValue")


@pytest.mark.parametrize(
    "stored", ["the-key", "  the-key\n", '{"api_key": "the-key"}', '{"api_key": " the-key ", "x": 1}']
)
def test_a_key_is_read_as_text_or_as_json(manager: Any, name: str, stored: str) -> None:
    manager.create_secret(Name=name, SecretString=stored)
    assert ApiKey(name, client=manager).read() == "the-key"


def test_a_binary_secret_is_read_too(manager: Any, name: str) -> None:
    manager.create_secret(Name=name, SecretBinary=b"the-key")
    assert ApiKey(name, client=manager).read() == "the-key"


def test_a_secret_that_does_not_exist_is_named_with_the_command_that_sets_it(manager: Any, name: str) -> None:
    with pytest.raises(SecretMissing) as caught:
        ApiKey(name, client=manager).read()
    assert str(caught.value) == (
        f"The secret '{name}' has no value; set it with: aws secretsmanager put-secret-value --secret-id {name} "
        "--secret-string YOUR_API_KEY"
    )


@pytest.mark.parametrize("stored", [" ", "{}", '{"api_key": ""}', '{"api_key": null}'])
def test_an_empty_secret_counts_as_missing(manager: Any, name: str, stored: str) -> None:
    manager.create_secret(Name=name, SecretString=stored)
    with pytest.raises(SecretMissing):
        ApiKey(name, client=manager).read()


def test_a_secret_without_a_value_counts_as_missing(manager: Any, name: str) -> None:
    manager.create_secret(Name=name)
    with pytest.raises(SecretMissing):
        ApiKey(name, client=manager).read()


@pytest.mark.parametrize("stored", ["two keys", "line\nbreak", "kéy", '{"api_key": "half'])
def test_what_can_not_be_a_key_is_said_without_showing_it(manager: Any, name: str, stored: str) -> None:
    manager.create_secret(Name=name, SecretString=stored)
    with pytest.raises(OperatorError, match=name) as caught:
        ApiKey(name, client=manager).read()
    assert stored not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_denied_secret_names_the_permission(name: str) -> None:
    with pytest.raises(OperatorError, match="secretsmanager:GetSecretValue"):
        ApiKey(name, client=Broken(refusal("AccessDeniedException"))).read()


@pytest.mark.parametrize(
    "error",
    [refusal("ThrottlingException"), refusal("InternalServiceError"), EndpointConnectionError(endpoint_url="x")],
)
def test_a_hiccup_is_transient(name: str, error: Exception) -> None:
    with pytest.raises(TransientError, match=name):
        ApiKey(name, client=Broken(error)).read()


class TestCache:
    def test_a_key_is_kept_for_300_seconds(self, manager: Any, name: str) -> None:
        manager.create_secret(Name=name, SecretString="old")
        now = [1000.0]
        key = ApiKey(name, client=manager, clock=lambda: now[0])
        assert key.read() == "old"
        manager.put_secret_value(SecretId=name, SecretString="new")
        now[0] += 299
        assert key.read() == "old"
        now[0] += 2
        assert key.read() == "new"

    def test_a_forgotten_key_is_read_at_once(self, manager: Any, name: str) -> None:
        manager.create_secret(Name=name, SecretString="old")
        key = ApiKey(name, client=manager)
        key.read()
        manager.put_secret_value(SecretId=name, SecretString="new")
        key.forget()
        assert key.read() == "new"

    def test_a_missing_key_is_not_kept(self, manager: Any, name: str) -> None:
        key = ApiKey(name, client=manager)
        with pytest.raises(SecretMissing):
            key.read()
        manager.create_secret(Name=name, SecretString=json.dumps({"api_key": "the-key"}))
        assert key.read() == "the-key"

    def test_a_stranger_who_asks_again_and_again_does_not_have_a_missing_secret_looked_up_each_time(self) -> None:
        asked, now = [0], [1000.0]

        class Empty:
            def get_secret_value(self, **_: str) -> Any:
                asked[0] += 1
                raise refusal("ResourceNotFoundException")

        secret = Secret("webhooks", client=Empty(), clock=lambda: now[0], missing_lifetime=30)
        for _ in range(100):
            with pytest.raises(SecretMissing, match="webhooks"):
                secret.read()
        assert asked == [1]
        now[0] += 31
        with pytest.raises(SecretMissing):
            secret.read()
        assert asked == [2]

    def test_it_never_shows_the_key(self, manager: Any, name: str) -> None:
        manager.create_secret(Name=name, SecretString="the-key")
        key = ApiKey(name, client=manager)
        key.read()
        assert "the-key" not in repr(key)

"""Tokens: fetched once, within a total time, from nothing but the secret; never shown."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from stand_ins.server import Reply, Request, StandInServer, serve
from stand_ins.veo3.errors import ApiError, TokenError
from stand_ins.veo3.service_account import draft_secret
from stand_ins.veo3.tokens import Tokens
from video_production.errors import OperatorError, SecretMissing, TransientError
from video_production.providers.veo3.access import GoogleAccess, GoogleCredentials

AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/aws"
FEDERATED = {
    "type": "external_account",
    "audience": AUDIENCE,
    "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
    "token_url": "https://sts.googleapis.com/v1/token",
    "credential_source": {
        "environment_id": "aws1",
        "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    },
}


class Manager:
    """Secrets Manager with one secret."""

    def __init__(self, value: str) -> None:
        self.value = value

    def get_secret_value(self, **_: str) -> dict[str, str]:
        return {"SecretString": self.value}


class Google:
    """The stand-in's token endpoint; counts the tokens that it gave out."""

    def __init__(self, home: Path) -> None:
        self.tokens = Tokens(home)
        self.forms: list[dict[str, list[str]]] = []
        self.url = ""

    def __call__(self, request: Request) -> Reply:
        self.forms.append(parse_qs(request.body.decode()))
        try:
            return self.tokens.issue(request)
        except TokenError as error:
            return error.reply()

    def accepts(self, token: str) -> bool:
        request = Request("GET", "/", {}, {"authorization": f"Bearer {token}"}, b"", self.url)
        try:
            self.tokens.require(request)
        except ApiError:
            return False
        return True


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "veo3"


@pytest.fixture
def google(home: Path) -> Iterator[Google]:
    served = Google(home)
    with serve(StandInServer(served)) as server:
        served.url = f"{server.url}/token"
        yield served


def access(value: str, url: str, **options: Any) -> GoogleAccess:
    return GoogleAccess(GoogleCredentials("the-secret", client=Manager(value)), token_url=url, **options)


def test_a_service_accounts_key_becomes_a_token_that_is_kept(google: Google, home: Path) -> None:
    tokens = access(draft_secret(home), google.url)
    token = tokens.token()
    assert google.accepts(token)
    assert tokens.token() == token
    assert len(google.forms) == 1
    assert tokens.project == "drafts"


def test_a_forgotten_token_is_fetched_anew(google: Google, home: Path) -> None:
    tokens = access(draft_secret(home), google.url)
    tokens.token()
    tokens.forget()
    tokens.token()
    assert len(google.forms) == 2


def test_new_credentials_in_the_secret_are_used(google: Google, home: Path, tmp_path: Path) -> None:
    manager = Manager(draft_secret(tmp_path / "another"))
    clock = iter(range(0, 10_000, 1000))
    secret = GoogleCredentials("the-secret", client=manager, clock=lambda: float(next(clock)))
    tokens = GoogleAccess(secret, token_url=google.url)
    with pytest.raises(OperatorError, match="invalid_grant"):
        tokens.token()
    manager.value = draft_secret(home)
    assert google.accepts(tokens.token())


def test_a_role_of_aws_becomes_a_google_identity_without_any_key(
    google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "session",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    tokens = access(json.dumps(FEDERATED), google.url)
    assert google.accepts(tokens.token())
    assert tokens.project == ""
    assert google.forms[0]["audience"] == [AUDIENCE]


def test_credentials_of_nobody_are_refused_in_googles_words(google: Google, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"Google refused the credentials in the secret 'the-secret' \(invalid_gra"):
        access(draft_secret(tmp_path / "another"), google.url).token()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("an-api-key", "holds no Google credentials"),
        ('{"api_key": "x"}', "holds no Google credentials"),
        ("[]", "holds no Google credentials"),
        ('{"type": "authorized_user"}', "holds no Google credentials"),
        ('{"type": "service_account"}', "can't be used"),
        ('{"type": "service_account", "private_key": "PRIVATE-PART", "client_email": "e"}', "can't be used"),
        ('{"type": "external_account", "credential_source": {"executable": {}}}', "only AWS is supported"),
        ('{"type": "external_account", "credential_source": {"environment_id": "aws1"}}', "can't be used"),
    ],
)
def test_what_is_no_credential_is_named_and_not_shown(value: str, words: str) -> None:
    with pytest.raises(OperatorError, match=words) as caught:
        access(value, "http://127.0.0.1:9/token").token()
    assert "the-secret" in str(caught.value)
    assert "PRIVATE-PART" not in str(caught.value)


def test_an_empty_secret_is_missing() -> None:
    with pytest.raises(SecretMissing, match="has no value"):
        access(" ", "").token()


def test_a_token_service_that_is_not_there_is_asked_again_later(home: Path) -> None:
    with pytest.raises(TransientError, match="could not be reached"):
        access(draft_secret(home), "http://127.0.0.1:9/token").token()


@pytest.mark.parametrize(
    "answer",
    [
        Reply(200, b"{}").lost(),
        Reply(302, headers={"location": "/elsewhere"}),
        Reply(503, b"{}"),
        Reply(200, b'{"access_token": "half').halved(),
    ],
)
def test_an_answer_that_is_none_is_asked_for_again_later(home: Path, answer: Reply) -> None:
    with serve(StandInServer(lambda _: answer)) as server, pytest.raises(TransientError, match="could not be reached"):
        access(draft_secret(home), f"{server.url}/token", seconds=2.0).token()


def test_a_token_is_fetched_within_a_total_time(home: Path) -> None:
    over = threading.Event()

    def late(_: Request) -> Reply:
        over.wait(10)
        return Reply.json({"access_token": "late", "expires_in": 3600})

    began = time.monotonic()
    with serve(StandInServer(late)) as server:
        with pytest.raises(TransientError):
            access(draft_secret(home), f"{server.url}/token", seconds=0.3).token()
        over.set()
    assert time.monotonic() - began < 5


def test_nothing_secret_reaches_a_log(google: Google, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = access(draft_secret(home), google.url)
    token = tokens.token()
    key = json.loads(draft_secret(home))["private_key"]
    assertion = google.forms[0]["assertion"][0]
    said = caplog.text + repr(tokens.secret) + repr(tokens)
    for secret in (token, assertion, key.splitlines()[1]):
        assert secret not in said

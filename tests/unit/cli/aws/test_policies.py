"""The policies of docs/permissions.md suffice for the commands, which run against an emulated account here."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from tests.infrastructure.runbook import PRODUCTION, record_calls
from tests.unit.cli.aws.conftest import Deployed, Shell
from tests.unit.cli.aws.test_doctor import healthy as healthy
from tests.unit.docs.policies import Access, missing, needs, statements
from tests.unit.takes.stage import LIFE, Stage
from video_production.cli.aws import webhooks
from video_production.errors import MayHaveBeenPaid, ProviderAmbiguous
from video_production.providers.elevenlabs.webhooks import Subscription
from video_production.providers.secrets import ApiKey
from video_production.settings import Names

Call = tuple[str, str, dict[str, Any]]
"""Service, operation and parameters."""


def test_who_is_on_call_may_run_every_command_of_the_page(
    shell: Shell,
    healthy: Deployed,
    dynamodb: Any,
    s3: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is run against an emulated account; what it asks AWS for, refused or not, is held against the policies."""
    stage = Stage(dynamodb, s3, healthy.nodes.name, healthy.takes.name, healthy.bucket)
    stage.provider.answers = [ProviderAmbiguous("The answer was lost.", provider="obedient")]
    stage.buyer().submit(stage.claim())
    stage.now += LIFE + 61
    with pytest.raises(MayHaveBeenPaid):
        stage.buyer().check(stage.claim_of_voice())
    stage.nodes.fail(stage.claim_of_voice(), "It may have been paid.", "MayHaveBeenPaid")
    shell.refusals["Invoke"] = {"Payload": io.BytesIO(b"{}")}
    key = Names("development").secret("elevenlabs")
    healthy.client("secretsmanager").put_secret_value(SecretId=key, SecretString="a-key")
    monkeypatch.setattr(webhooks, "find_webhook", _nothing_registered)
    monkeypatch.setattr(webhooks, "register_webhook", lambda *_, **__: Subscription("wh_1", "shown once"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "start.json").write_text("{}")
    calls = record_calls(tmp_path / "checkout")
    names = {"production": "development", "ID": "lesson", "NODE": "voice", "FUNCTION": "merger"}
    asked = _recorded(monkeypatch)
    for command in sorted({tuple(names.get(word, word) for word in call) for call in calls["jiki-video"]}):
        before = len(asked)
        shell.run(*command)
        assert len(asked) > before + 1, command  # more than who one is
    needed = _needed(asked, healthy)
    assert {"secretsmanager:PutSecretValue", "dynamodb:PutItem", "lambda:InvokeFunction", "logs:FilterLogEvents"} <= {
        access.action for access in needed
    }
    assert missing(statements("operator", "on-call"), needed) == []


def _recorded(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Service, operation and parameters of every call from now on."""
    asked: list[Call] = []
    call = BaseClient._make_api_call

    def record(client: Any, operation: str, given: dict[str, Any]) -> Any:
        asked.append((client.meta.service_model.service_name, operation, given))
        return call(client, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", record)
    return asked


def _needed(asked: list[Call], deployed: Deployed) -> set[Access]:
    """What the calls need, with the names of production."""
    names = {
        deployed.nodes.name: PRODUCTION.nodes_table,
        deployed.takes.name: PRODUCTION.takes_table,
        deployed.bucket: "jiki-videos-production",
        "development": "production",
    }
    found = set()
    for access in (access for call in asked for access in needs(*call)):
        resource = access.resource
        for here, there in names.items():
            resource = resource.replace(here, there)
        found.add(Access(access.action, resource))
    return found


def _nothing_registered(url: str, key: ApiKey, **_: object) -> None:
    key.read()

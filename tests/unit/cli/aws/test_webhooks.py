"""`webhooks register`: the subscription and its secret, and no way to lose the one without being told of the other."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.cli.aws.conftest import ENVIRONMENT, NAMES, Deployed, Shell
from tests.unit.providers.conftest import provider as provider
from tests.unit.providers.scripted import Provider, reply

REGISTER = ("webhooks", "register", *ENVIRONMENT)
SECRET = NAMES.webhook_secret("elevenlabs")
URL = "https://api.example.com/webhooks/elevenlabs"
NONE = reply(body={"webhooks": []})
CREATED = reply(body={"webhook_id": "wh_1", "webhook_secret": "shown once"})
LISTED = reply(body={"webhooks": [{"webhook_id": "wh_0", "webhook_url": URL, "name": "ours"}]})


@pytest.fixture
def secrets(deployed: Deployed, provider: Provider) -> Iterator[Any]:
    """The API key and an empty webhook secret, and a submitter that points at the scripted provider."""
    manager, functions, iam = deployed.client("secretsmanager"), deployed.client("lambda"), deployed.client("iam")
    manager.create_secret(Name=NAMES.secret("elevenlabs"), SecretString="a-key")
    manager.create_secret(Name=SECRET)
    role = iam.create_role(RoleName="webhooks", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("none.py", "")
    for name in ("elevenlabs", "heygen"):
        own = {f"{name.upper()}_MODE": "draft", f"{name.upper()}_BASE_URL": provider.url}
        functions.create_function(
            FunctionName=NAMES.function(f"{name}_submitter"),
            Runtime="python3.13",
            Role=role,
            Handler="none.handler",
            Code={"ZipFile": archive.getvalue()},
            Environment={"Variables": {"JIKI_ENVIRONMENT": "development", **own}},
        )
    yield manager
    for name in ("elevenlabs", "heygen"):
        functions.delete_function(FunctionName=NAMES.function(f"{name}_submitter"))
    iam.delete_role(RoleName="webhooks")
    for name in (NAMES.secret("elevenlabs"), SECRET):
        manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def test_a_subscription_is_made_and_its_secret_stored(shell: Shell, secrets: Any, provider: Provider) -> None:
    provider.answers(NONE, CREATED, reply())
    code, out, _ = shell.run(*REGISTER)
    assert code == 0
    assert out.splitlines()[1:] == [
        f" Webhook wh_1 of elevenlabs reports to {URL}.",
        f" Its secret is stored in {SECRET}; functions read it within five minutes.",
        " Next: set webhooks to true for elevenlabs in cdk.json and deploy it "
        "(./cdk deploy -c environment=development), so that jobs ask for a report.",
    ]
    assert secrets.get_secret_value(SecretId=SECRET)["SecretString"] == "shown once"
    assert provider.paths() == [
        "GET /v1/workspace/webhooks",
        "POST /v1/workspace/webhooks",
        "PATCH /v1/workspace/webhooks/wh_1",
    ]
    settings = provider.received[1].body["settings"]
    assert (settings["webhook_url"], settings["name"]) == (URL, NAMES.stack)


def test_heygen_reports_every_job_so_nothing_else_is_to_be_set(shell: Shell, secrets: Any, provider: Provider) -> None:
    name = NAMES.webhook_secret("heygen")
    secrets.create_secret(Name=name)
    secrets.create_secret(Name=NAMES.secret("heygen"), SecretString="key")
    created = reply(200, {"data": {"endpoint_id": "ep_1", "secret": "whsec_1"}})
    provider.answers(reply(200, {"data": [], "has_more": False}), created)
    code, out, _ = shell.run(*REGISTER, "--provider", "heygen")
    secrets.delete_secret(SecretId=NAMES.secret("heygen"), ForceDeleteWithoutRecovery=True)
    stored = secrets.get_secret_value(SecretId=name)["SecretString"]
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert (code, stored) == (0, "whsec_1")
    assert out.splitlines()[1:] == [
        f" Webhook ep_1 of heygen reports to {URL.replace('elevenlabs', 'heygen')}.",
        f" Its secret is stored in {name}; functions read it within five minutes.",
    ]


def test_a_second_time_changes_nothing(shell: Shell, secrets: Any, provider: Provider) -> None:
    secrets.put_secret_value(SecretId=SECRET, SecretString="kept")
    provider.answers(LISTED)
    code, out, _ = shell.run(*REGISTER)
    assert code == 0
    assert out.splitlines()[1:] == [
        f" Webhook wh_0 reports to {URL} already, and its secret is stored; nothing was changed."
    ]
    assert secrets.get_secret_value(SecretId=SECRET)["SecretString"] == "kept"
    assert provider.paths() == ["GET /v1/workspace/webhooks"]


def test_a_webhook_whose_secret_is_lost_is_told_with_the_way_out(
    shell: Shell, secrets: Any, provider: Provider
) -> None:
    provider.answers(LISTED)
    assert shell.error(*REGISTER) == (
        f"Webhook wh_0 reports to {URL} already, but its secret is not stored in {SECRET}, and it was shown only once. "
        "Delete that webhook on the website of elevenlabs, then run the same command again."
    )
    assert provider.paths() == ["GET /v1/workspace/webhooks"]


def test_a_secret_that_can_not_be_stored_is_told_with_the_webhooks_id_and_not_printed(
    shell: Shell, secrets: Any, provider: Provider
) -> None:
    provider.answers(NONE, CREATED, reply())
    shell.refuse(
        "PutSecretValue",
        "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: secretsmanager:PutSecretValue on "
        f"resource: {SECRET}",
    )
    code, out, err = shell.run(*REGISTER)
    assert code == 1
    assert "shown once" not in out + err
    assert err == (
        f"Webhook wh_1 was created at elevenlabs, but its secret could not be stored in {SECRET}: AWS does not allow "
        f"secretsmanager:PutSecretValue on {SECRET} to arn:aws:iam::123456789012:user/ada. Ask for it, or use other "
        "credentials. It is shown only once and kept nowhere: delete that webhook on the website of elevenlabs, mend "
        "this, then run the same command again.\n"
    )


def test_without_a_place_for_the_secret_nothing_is_created(shell: Shell, secrets: Any, provider: Provider) -> None:
    shell.refuse("DescribeSecret", "ResourceNotFoundException")
    assert shell.error(*REGISTER).startswith(f"There is no secret {SECRET}, so nothing was set up; deploy environment ")
    assert provider.received == []


def test_without_a_key_the_secret_to_fill_is_named(shell: Shell, secrets: Any, provider: Provider) -> None:
    shell.refuse("GetSecretValue", "ResourceNotFoundException")
    assert shell.error(*REGISTER) == (
        "The secret 'jiki-video/development/elevenlabs' has no value; set it with: aws secretsmanager put-secret-value "
        "--secret-id jiki-video/development/elevenlabs --secret-string YOUR_API_KEY"
    )
    assert provider.received == []

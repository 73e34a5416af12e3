"""What `./cdk` stops before the CDK does something else than was meant."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.synthesised import CHECKOUT
from tools import cdk_arguments
from tools.cdk_arguments import check, read
from video_production.errors import OperatorError

NO_CREDENTIALS = (
    "No AWS credentials were found. Name a profile with AWS_PROFILE, sign in with aws sso login, or set "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
)


@pytest.fixture(scope="module")
def registry() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CHECKOUT / cdk_arguments._KNOWN_TO_THE_CDK).read_text())
    return found


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell without credentials."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))


def refusal(line: str, registry: dict[str, Any]) -> str:
    with pytest.raises(OperatorError) as refused:
        check(read(shlex.split(line), registry))
    return str(refused.value)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("deploy --environment production", "There is no option --environment; write -c environment=production."),
        ("destroy --environment=staging", "There is no option --environment; write -c environment=staging."),
        ("synth --enviroment production", "There is no option --enviroment; write -c environment=production."),
        ("diff --env production", "There is no option --env; write -c environment=production."),
        ("synth --environment", "There is no option --environment; write -c environment=…."),
        ("synth --override {}", "There is no option --override; write -c overrides={}."),
        ("synth -cenvironment=staging", "The CDK does not read -cenvironment=staging; write -c environment=staging."),
        (
            "synth --contex environment=staging",
            "The CDK knows no option --contex for synth and would ignore it; ./cdk synth --help lists what there is.",
        ),
        ("--colour", "The CDK knows no option --colour and would ignore it; ./cdk --help lists what there is."),
    ],
)
def test_an_option_that_the_cdk_would_ignore_is_refused(line: str, sentence: str, registry: dict[str, Any]) -> None:
    assert refusal(line, registry) == sentence


@pytest.mark.parametrize(
    "line",
    [
        "synth",
        "list --long",
        "ls -c environment=production",
        "--version",
        "synth --quiet --output out --context environment=staging --context overrides={} --no-lookups",
        "--profile me synth --noColor -vv -c=environment=staging",
        "deploy --help",
        "destroy -h",
        "bootstrap --show-template",
        "diff --template old.json -c environment=staging",
        "init --language python --generate-only",
    ],
)
@pytest.mark.usefixtures("nobody")
def test_what_asks_nothing_of_aws_needs_no_credentials(line: str, registry: dict[str, Any]) -> None:
    check(read(shlex.split(line), registry))


@pytest.mark.parametrize(
    "line",
    [
        "deploy",
        "deploy --all --app out --method direct --require-approval never",
        "diff -c environment=production",
        "destroy -c environment=staging --force",
        "destroy --all --app out --force",
        "bootstrap aws://123456789012/us-east-1 --custom-permissions-boundary edge",
        "import -c environment=production --resource-mapping kept.json",
        "rollback",
    ],
)
@pytest.mark.usefixtures("nobody")
def test_without_credentials_nothing_is_packaged_first(
    line: str, registry: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal(line, registry) == NO_CREDENTIALS
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    check(read(shlex.split(line), registry))


@pytest.mark.usefixtures("nobody")
def test_the_profile_of_the_option_counts(registry: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[studio]\naws_access_key_id = a\naws_secret_access_key = b\n")
    assert refusal("deploy", registry) == NO_CREDENTIALS
    check(read(["deploy", "--profile", "studio"], registry))
    assert refusal("deploy --profile stud", registry).startswith("There is no AWS profile 'stud'")


@pytest.mark.parametrize("line", ["destroy", "destroy --force -c overrides={}", "--profile me destroy"])
def test_an_environment_is_only_destroyed_by_its_name(line: str, registry: dict[str, Any]) -> None:
    assert refusal(line, registry) == (
        "./cdk destroy needs to be told the environment: ./cdk destroy -c environment=NAME, with one of development, "
        "staging, production."
    )


def test_the_command_itself_stops_with_the_sentence_alone() -> None:
    done = subprocess.run(
        ["./cdk", "deploy", "--environment", "production"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    expected = "There is no option --environment; write -c environment=production.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)

"""The CDK app as the CDK's command line starts it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from stacks import application
from stacks.application import add_environment, context_of_checkout, synthesise
from stacks.settings import SettingsError
from tests.infrastructure.synthesised import CHECKOUT, StandInAssets, Template, text


def started(chosen: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
    """The app, as the CDK's command line starts it with `-c` options."""
    environment = {**os.environ, "CDK_CONTEXT_JSON": json.dumps({**context_of_checkout(), **chosen})}
    return subprocess.run(
        [sys.executable, "app.py"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )


def test_wrong_settings_are_told_in_sentences_without_a_traceback() -> None:
    overrides = {"log_level": "LOUD", "vpc": {"kind": "new"}}
    app = started({"environment": "staging", "overrides": json.dumps(overrides)})
    assert app.returncode == 1
    assert app.stderr.splitlines() == [
        "Settings of 'staging': vpc.zones is missing; it must be a list of 1 to 3 availability zones.",
        "Settings of 'staging': log_level is \"LOUD\"; it must be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'.",
    ]


def test_packages_are_made_for_lambda_or_for_this_machine(tmp_path: Path) -> None:
    import aws_cdk as cdk

    app = cdk.App(context={**context_of_checkout(), "bundle_for": "windows"}, outdir=str(tmp_path))
    with pytest.raises(SettingsError, match="bundle_for is 'windows'; it must be 'lambda' or 'local'"):
        add_environment(app)


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"enviroment": "production"}, "There is no context key 'enviroment'; did you mean environment?"),
        ({"Environment": "production"}, "There is no context key 'Environment'; did you mean environment?"),
        ({"env": "production"}, "There is no context key 'env'; there are environment, overrides and bundle_for."),
        ({"override": "{}"}, "There is no context key 'override'; did you mean overrides?"),
        ({"environments": "production"}, "-c environments=… is no choice of one; write -c environment=NAME."),
        (
            {"environment": ""},
            "-c environment= names no environment; there are development, staging and production.",
        ),
        ({"bundle_for": ""}, "bundle_for is ''; it must be 'lambda' or 'local'."),
    ],
)
def test_a_typo_never_means_development(chosen: Mapping[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        synthesise(tmp_path, chosen)
    assert refused.value.problems == (sentence,)


def test_what_the_cdk_itself_keeps_in_the_context_is_no_typo(tmp_path: Path) -> None:
    theirs = {"aws:cdk:bundling-stacks": [], "@aws-cdk/core:newStyle": True, "acknowledged-issue-numbers": [1]}
    with pytest.raises(SettingsError, match="bundle_for is 'windows'"):
        synthesise(tmp_path, {**theirs, "bundle_for": "windows"})


@pytest.mark.parametrize(
    ("chosen", "lines"),
    [
        ({}, ["Environment: development (the default; -c environment=NAME chooses another), us-east-1"]),
        (
            {"environment": "production", "overrides": {"account": "123456789012"}},
            [
                "Environment: production, us-east-1, account 123456789012",
                "Warning: alarm_email is not set, so nobody is told of an alarm. Set it in cdk.json, or subscribe "
                "something else to the topic that the output AlarmTopicArn names.",
            ],
        ),
        (
            {"environment": "staging", "overrides": {"alarm_email": "alarms@example.com"}},
            ["Environment: staging, us-east-1"],
        ),
    ],
)
def test_the_app_says_what_environment_it_is_for_and_whether_alarms_reach_anybody(
    chosen: Mapping[str, Any],
    lines: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = {**context_of_checkout(), **chosen}
    monkeypatch.setattr(application, "context_of_checkout", lambda: context)
    monkeypatch.setattr(application, "VideoProductionStack", lambda app, *, settings, assets: Mock(settings=settings))
    monkeypatch.setattr("aws_cdk.App.synth", lambda app: None)
    assert application.main() == 0
    assert capsys.readouterr().err.splitlines() == lines


def test_the_cdk_starts_the_app_of_the_checkout() -> None:
    configuration = json.loads((CHECKOUT / "cdk.json").read_text())
    assert configuration["app"] == ".venv/bin/python app.py"
    assert (CHECKOUT / "app.py").is_file()
    assert configuration["versionReporting"] is False


def test_an_environment_can_be_pinned_to_an_account_and_its_roles_to_a_boundary(tmp_path: Path) -> None:
    vpc = {"kind": "new", "zones": ["us-east-1a", "us-east-1b"]}
    overrides = {"account": "123456789012", "vpc": vpc}
    boundary = {"@aws-cdk/core:permissionsBoundary": {"name": "company-boundary"}}
    chosen = {"environment": "staging", "overrides": overrides, **boundary}
    template = synthesise(tmp_path / "out", chosen, StandInAssets(tmp_path / "assets"))
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["artifacts"]["jiki-video-production-staging"]["environment"] == "aws://123456789012/us-east-1"
    assert "missing" not in manifest, "nothing is looked up in the account"
    report = json.loads((tmp_path / "out" / "validation-report.json").read_text())
    assert [violation for plugin in report["pluginReports"] for violation in plugin["violations"]] == []
    roles = Template.read(template).properties("AWS::IAM::Role")
    assert roles
    assert all(text(role["PermissionsBoundary"]).endswith(":policy/company-boundary") for role in roles)


def test_make_lists_every_command_that_it_describes() -> None:
    described = set(re.findall(r"^([\w-]+):.*##", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    command = ["make", "--no-print-directory", "help"]  # inside another make it would tell which folder it enters
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    assert "test-e2e" in described
    assert {line.split()[0] for line in listed.splitlines()} == described

"""The CDK app as the CDK's command line starts it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.application import add_environment, context_of_checkout, synthesise
from stacks.settings import SettingsError
from tests.infrastructure.synthesised import CHECKOUT, StandInAssets


def test_wrong_settings_are_told_in_sentences_without_a_traceback() -> None:
    overrides = {"log_level": "LOUD", "vpc": {"kind": "new"}}
    context = {**context_of_checkout(), "environment": "staging", "overrides": json.dumps(overrides)}
    environment = {**os.environ, "CDK_CONTEXT_JSON": json.dumps(context)}
    app = subprocess.run(
        [sys.executable, "app.py"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )
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


def test_the_cdk_starts_the_app_of_the_checkout() -> None:
    configuration = json.loads((CHECKOUT / "cdk.json").read_text())
    assert configuration["app"] == ".venv/bin/python app.py"
    assert (CHECKOUT / "app.py").is_file()
    assert configuration["versionReporting"] is False


def test_an_environment_can_be_pinned_to_an_account(tmp_path: Path) -> None:
    vpc = {"kind": "new", "zones": ["us-east-1a", "us-east-1b"]}
    overrides = {"account": "123456789012", "vpc": vpc}
    synthesise(tmp_path / "out", {"environment": "staging", "overrides": overrides}, StandInAssets(tmp_path / "assets"))
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["artifacts"]["jiki-video-production-staging"]["environment"] == "aws://123456789012/us-east-1"
    assert "missing" not in manifest, "nothing is looked up in the account"
    report = json.loads((tmp_path / "out" / "validation-report.json").read_text())
    assert [violation for plugin in report["pluginReports"] for violation in plugin["violations"]] == []


def test_make_lists_every_command_that_it_describes() -> None:
    described = set(re.findall(r"^([\w-]+):.*##", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    listed = subprocess.run(["make", "help"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    assert "test-e2e" in described
    assert {line.split()[0] for line in listed.splitlines()} == described

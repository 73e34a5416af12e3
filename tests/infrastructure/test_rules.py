"""The templates under the rules of others: cdk-nag, cfn-lint. And as they were: snapshots."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from tests.infrastructure.synthesised import StandInAssets, Template, text
from video_production.settings import ENVIRONMENTS

EXPECTED_OF_CFN_LINT = {
    "W3005": "the CDK names a dependency that a reference implies already",
    "W3010": "a new VPC's zones come from the settings: looking them up would take an account",
}


def test_no_rule_of_cdk_nag_is_broken(variant: Template) -> None:
    """A broken rule ends the synthesis; the report says that the rules were there and found nothing."""
    report = json.loads((variant.path.parent / "validation-report.json").read_text())
    assert [violation for plugin in report["pluginReports"] for violation in plugin["violations"]] == []


def test_a_broken_rule_ends_the_synthesis(tmp_path: Path) -> None:
    import aws_cdk as cdk
    from aws_cdk import aws_sqs as sqs

    from stacks.application import add_environment, context_of_checkout

    app = cdk.App(context=context_of_checkout(), outdir=str(tmp_path / "out"))
    stack = add_environment(app, StandInAssets(tmp_path / "assets"))
    sqs.Queue(stack, "PlainHttpAndNoDeadLetters")
    with pytest.raises(RuntimeError, match=r"(?s)AwsSolutions-SQS3.*AwsSolutions-SQS4"):
        app.synth()


def test_every_acknowledged_rule_lies_on_one_resource_with_its_reason(variant: Template) -> None:
    acknowledged = list(acknowledgements(variant))
    assert acknowledged
    for path, rule, reason in acknowledged:
        assert path.count("/") >= 3, f"{rule} is acknowledged for all of {path}"
        assert len(reason) > 30, f"{path}: {rule} needs a reason"
        assert not re.search(r"IAM5\[Action", rule), "a wildcard action"


def acknowledgements(template: Template) -> list[tuple[str, str, str]]:
    """Path, rule and reason of everything that is acknowledged, as the synthesis notes it."""
    metadata = json.loads((template.path.parent / f"{template.names.stack}.metadata.json").read_text())
    return [
        (path, rule, reason)
        for path, entries in metadata.items()
        for entry in entries
        if entry["type"] == "aws:cdk:acknowledged-rules"
        for rule, reason in entry["data"].items()
        if rule.startswith("AwsSolutions::")  # the CDK acknowledges findings of its own rules by itself
    ]


@pytest.mark.parametrize("name", ["production", "everything"])
def test_cfn_lint_finds_nothing(templates: Mapping[str, Template], name: str) -> None:
    from cfnlint.api import lint_file
    from cfnlint.config import ManualArgs

    config = ManualArgs(regions=["us-east-1"], ignore_checks=list(EXPECTED_OF_CFN_LINT))
    assert [str(finding) for finding in lint_file(templates[name].path, config=config)] == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_template_is_as_it_was(
    templates: Mapping[str, Template], environment: str, snapshot: SnapshotAssertion
) -> None:
    """After a change on purpose: `pytest tests/infrastructure/test_rules.py --snapshot-update`, and read the diff."""
    assert readable(templates[environment].body) == snapshot(extension_class=JSONSnapshotExtension)


def readable(body: Mapping[str, Any]) -> Any:
    """A template without the hashes of packages, references as text, the dashboard left to its own tests."""
    plain = re.sub(r"(CurrentVersion)[0-9A-F]{8}[0-9a-f]{32}", r"\1", json.dumps(body))
    template = json.loads(re.sub(r"[0-9a-f]{64}\.zip", "PACKAGE.zip", plain))
    for entry in template["Resources"].values():
        entry.pop("Metadata", None)
        if entry["Type"] == "AWS::CloudWatch::Dashboard":
            entry["Properties"].pop("DashboardBody")
    return flat(template)


def flat(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() & {"Ref", "Fn::GetAtt", "Fn::Join"}:
        try:
            return text(value)
        except AssertionError:
            pass
    if isinstance(value, dict):
        return {key: flat(each) for key, each in value.items()}
    return [flat(each) for each in value] if isinstance(value, list) else value

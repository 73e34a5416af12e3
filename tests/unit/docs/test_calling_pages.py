"""The pages for callers and deployers: policies, variables, snippets, numbers."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from pydantic import BaseModel

from stacks.settings import Api, Bucket, EnvironmentSettings, ProviderOptions, Tables
from tests.unit.docs.pages import CHECKOUT, table
from video_production.settings import EVENT_SOURCE, Names

EXAMPLES = CHECKOUT / "examples" / "integration"
DEVELOPMENT = Names("development")
_MODELS = {"states": "stepfunctions", "execute-api": ""}
"""Names of services in policies that differ from those of their models; execute-api has none."""
_NOT_OPERATIONS = {
    "lambda:InvokeFunction": "Invoke",
    "s3:ListBucket": "ListObjectsV2",
    "dynamodb:ConditionCheckItem": "TransactWriteItems",
    "execute-api:Invoke": "",
}
"""Actions that are not named like the operation that they permit. Source: Service Authorization Reference."""


def _policies() -> dict[str, dict[str, Any]]:
    page = (CHECKOUT / "docs" / "permissions.md").read_text("utf-8")
    found = re.findall(r"<!-- policy: (\w+) -->\n```json\n(.*?)```", page, re.DOTALL)
    assert len(found) == page.count('"Version"')
    return {name: json.loads(text) for name, text in found}


POLICIES = _policies()


def _actions(policy: dict[str, Any]) -> Iterator[str]:
    for statement in policy["Statement"]:
        yield from [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]


@cache
def _operations(service: str) -> frozenset[str]:
    return frozenset(botocore.session.get_session().get_service_model(service).operation_names)


@pytest.mark.parametrize("name", POLICIES)
def test_every_action_of_a_policy_exists(name: str) -> None:
    for action in _actions(POLICIES[name]):
        service, _, operation = action.partition(":")
        operation, model = _NOT_OPERATIONS.get(action, operation), _MODELS.get(service, service)
        assert not model or operation in _operations(model), action


def test_the_policies_name_what_the_stack_makes() -> None:
    names = Names("production")
    text = json.dumps(POLICIES["caller"])
    for name in (names.function("merger"), names.callback_secret, names.pipeline_machine, names.nodes_table):
        assert name in text
    assert not [action for action in _actions(POLICIES["caller"]) if re.search(r"Put|Update|Delete(?!Message)", action)]


def test_operators_may_do_what_the_command_line_does() -> None:
    """Every call of a client in the part of the command line that works on AWS has its action."""
    permitted = {_NOT_OPERATIONS.get(action, action.partition(":")[2]) for action in _actions(POLICIES["operator"])}
    called = set().union(*(_calls(file) for file in (CHECKOUT / "video_production" / "cli" / "aws").glob("*.py")))
    assert {"DescribeStacks", "GetFunctionConfiguration", "PutSecretValue"} <= called
    assert called - _OTHERWISE_NAMED.keys() <= permitted
    assert {_OTHERWISE_NAMED[name] for name in called & _OTHERWISE_NAMED.keys()} <= set(_actions(POLICIES["operator"]))


def _calls(file: Path) -> set[str]:
    """Operations of AWS that a file names, as methods or as paginators."""
    known = {_snake(name): name for service in _SERVICES for name in _operations(service)}
    nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
    methods = {node.func.attr for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}
    paginators = {
        node.args[0].value
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "get_paginator"
        and isinstance(node.args[0], ast.Constant)
    }
    return {known[name] for name in (methods - _OURS) | paginators if name in known}


_SERVICES = ("cloudformation", "cloudwatch", "lambda", "logs", "s3", "secretsmanager", "sns", "sqs", "sts")
_OTHERWISE_NAMED = {"HeadBucket": "s3:ListBucket", "CreateMultipartUpload": "s3:PutObject"}
_OURS = {"invoke", "list"}
"""Methods of our own that are called like operations."""


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _example_variables() -> dict[str, str]:
    lines = (CHECKOUT / ".env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_variables_of_a_caller_are_those_that_the_examples_read() -> None:
    text = "".join(path.read_text("utf-8") for path in EXAMPLES.glob("*/*.??"))
    read = set(re.findall(r'(?:os\.environ\[|os\.environ\.get\(|ENV\.fetch\(|ENV\[)"([A-Z_]+)"', text))
    given = _example_variables()
    optional = {"CALLBACK_PORT", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"}
    assert read - optional <= given.keys()


def test_the_variables_of_a_caller_have_the_names_of_the_stack() -> None:
    given = _example_variables()
    cdk = json.loads((CHECKOUT / "cdk.json").read_text("utf-8"))["context"]["environments"]["development"]
    assert given["MERGER_FUNCTION"] == DEVELOPMENT.function("merger")
    assert given["PIPELINE_MACHINE_ARN"].endswith(f":stateMachine:{DEVELOPMENT.pipeline_machine}")
    assert given["NODES_TABLE"] == DEVELOPMENT.nodes_table
    assert given["CALLBACK_SECRET"] == DEVELOPMENT.callback_secret
    assert given["ELEVENLABS_SECRET"] == DEVELOPMENT.secret("elevenlabs")
    assert given["VIDEO_BUCKET"] == cdk["bucket"]["name"]


def test_the_environments_are_those_of_the_settings() -> None:
    environments = json.loads((CHECKOUT / "cdk.json").read_text("utf-8"))["context"]["environments"]
    rows = table("deploy.md", "| | development (the default) | staging | production |")
    told = {what: dict(zip(environments, values, strict=True)) for what, *values in rows}
    for name, settings in environments.items():
        assert told["stack"][name] == Names(name).stack
        assert told["video bucket"][name] == settings["bucket"]["name"]
        assert told["log level"][name] == settings.get("log_level", "INFO")
        assert told["alarm on what ElevenLabs takes in a day"][name] == f"${settings['daily_spend_alarm_usd']}"
        kept = settings["tables"]["removal"] == "retain"
        assert told["tables when the stack is destroyed"][name].startswith("kept" if kept else "deleted")


def test_every_setting_is_told_with_its_default() -> None:
    rows = {what: (default, means) for what, default, means in table("deploy.md", "| setting | default | |")}
    told = {name for what in rows for name in what.split(", ")}
    settings = {name for name in EnvironmentSettings.model_fields if name != "environment"}
    assert {name.partition(".")[0] for name in told} == settings
    sections: dict[str, type[BaseModel]] = {
        "bucket": Bucket,
        "api": Api,
        "tables": Tables,
        "providers.elevenlabs": ProviderOptions,
    }
    for section, model in sections.items():
        named = set(re.findall(r"\w+", rows[section][1]))
        assert model.model_fields.keys() - {"base_url"} <= named, section
    for name in ("architecture", "stale_after_seconds", "daily_spend_alarm_usd"):
        assert rows[name][0] == str(EnvironmentSettings.model_fields[name].default), name


def test_the_pages_name_the_source_of_events() -> None:
    assert f"`{EVENT_SOURCE}`" in (CHECKOUT / "docs" / "integration.md").read_text("utf-8")


@pytest.mark.skipif(shutil.which("ruby") is None, reason="Ruby is not installed")
def test_the_ruby_of_the_page_is_ruby(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "integration.md").read_text("utf-8")
    [snippet] = re.findall(r"```ruby\n(.*?)```", page, re.DOTALL)
    (tmp_path / "snippet.rb").write_text(snippet)
    checked = subprocess.run(["ruby", "-wc", tmp_path / "snippet.rb"], capture_output=True, text=True, check=False)
    assert checked.stdout == "Syntax OK\n", checked.stderr


@pytest.mark.skipif(shutil.which("ruby") is None, reason="Ruby is not installed")
def test_the_options_for_rubys_sdk_exist() -> None:
    """Every client of the SDK takes them; the core gem brings the one of STS along."""
    page = (CHECKOUT / "docs" / "integration.md").read_text("utf-8")
    options = re.findall(r"`((?:http_read_timeout|retry_limit): \d+)`", page)
    assert len(options) == 2
    program = f"""
require "aws-sdk-core"
known = {{ region: "us-east-1", credentials: Aws::Credentials.new("a", "b") }}
config = Aws::STS::Client.new(**known, {", ".join(options)}).config
puts [config.http_read_timeout, config.retry_limit].inspect
"""
    done = subprocess.run(["ruby", "-e", program], capture_output=True, text=True, check=False)
    assert done.stdout == "[960, 0]\n", done.stderr

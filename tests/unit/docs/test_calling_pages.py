"""The pages for callers and deployers: policies, variables, snippets, numbers."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import botocore.session
import pytest

from stacks.settings import SettingsError, read_settings
from tests.unit.docs.pages import CHECKOUT, table
from tests.unit.docs.policies import NOT_OPERATIONS, POLICIES, actions, missing, needs, statements
from tests.unit.media.clips import make_clip
from video_production.cli.spending import buying_nodes
from video_production.pipelines.validation import load_valid_document, resolve
from video_production.settings import EVENT_SOURCE, Names

EXAMPLES = CHECKOUT / "examples" / "integration"
DEVELOPMENT = Names("development")
_MODELS = {"states": "stepfunctions", "servicequotas": "service-quotas", "execute-api": ""}
"""Names of services in policies that differ from those of their models; execute-api has none."""


@cache
def _operations(service: str) -> frozenset[str]:
    return frozenset(botocore.session.get_session().get_service_model(service).operation_names)


@pytest.mark.parametrize("name", POLICIES)
def test_every_action_of_a_policy_exists(name: str) -> None:
    for action in actions(POLICIES[name]):
        service, _, operation = action.partition(":")
        operation, model = NOT_OPERATIONS.get(action, operation), _MODELS.get(service, service)
        assert not model or operation in _operations(model), action


def test_the_policies_name_what_the_stack_makes() -> None:
    names = Names("production")
    text = json.dumps(POLICIES["caller"])
    for name in (names.function("merger"), names.callback_secret, names.pipeline_machine, names.nodes_table):
        assert name in text
    tables = [action for action in actions(POLICIES["caller"]) if action.startswith("dynamodb:")]
    assert tables == ["dynamodb:GetItem", "dynamodb:Query"]


@pytest.mark.parametrize("key", ["takes/t1/a1/voice.mp3", "lesson/assets/s/0123.mp4", "lesson/nodes/film/p1/film.mp4"])
def test_callers_bring_clips_to_a_place_of_their_own(key: str) -> None:
    for name, allowed in (("clips/part.mp4", True), (key, False)):
        upload = {"Bucket": "jiki-videos-production", "Key": name}
        for operation in ("PutObject", "CreateMultipartUpload", "UploadPart", "AbortMultipartUpload"):
            assert (not missing(statements("caller"), needs("s3", operation, upload))) == allowed, (operation, name)


def test_callers_are_told_when_nothing_is_there_yet() -> None:
    """S3 answers 403 instead of 404 to those who may not list the bucket."""
    look = {"Bucket": "jiki-videos-production", "Key": "whole.mp4"}
    assert missing(statements("caller"), needs("s3", "HeadObject", look)) == []


def test_callers_may_do_what_the_examples_do() -> None:
    called = set().union(*(_calls(file) for file in EXAMPLES.glob("python/*.py")))
    text = "".join(file.read_text("utf-8") for file in EXAMPLES.glob("ruby/*.rb"))
    called |= set(re.findall(r'"\w+\.([A-Z]\w+)"', text))
    assert called == {
        "Invoke",
        "GetSecretValue",
        "StartExecution",
        "GetItem",
        "Query",
        "ReceiveMessage",
        "DeleteMessage",
    }
    assert called <= {_permitted(action) for action in actions(POLICIES["caller"])}


def _permitted(action: str) -> str:
    return NOT_OPERATIONS.get(action, action.partition(":")[2])


def test_operators_may_do_what_the_command_line_does() -> None:
    """Every call of a client in the part of the command line that works on AWS has its action."""
    permitted = {_permitted(action) for action in actions(POLICIES["operator"])}
    folder = CHECKOUT / "video_production" / "cli" / "aws"
    called = set().union(*(_calls(file, frozenset(("query", "scan"))) for file in folder.glob("*.py")))
    assert {"DescribeStacks", "GetFunctionConfiguration", "PutSecretValue"} <= called
    assert called - _OTHERWISE_NAMED.keys() <= permitted
    assert {_OTHERWISE_NAMED[name] for name in called & _OTHERWISE_NAMED.keys()} <= set(actions(POLICIES["operator"]))


def _calls(file: Path, ours: frozenset[str] = frozenset()) -> set[str]:
    """Operations of AWS that a file names, as methods or as paginators. `ours` are called like operations."""
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
    return {known[name] for name in (methods - ours) | paginators if name in known}


_SERVICES = (
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "lambda",
    "logs",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "stepfunctions",
    "sts",
)
_OTHERWISE_NAMED = {"HeadBucket": "s3:ListBucket", "CreateMultipartUpload": "s3:PutObject"}


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
        assert told["alarm on what the providers take in a day"][name] == f"${settings['daily_spend_alarm_usd']}"
        kept = settings["tables"]["removal"] == "retain"
        assert told["tables when the stack is destroyed"][name].startswith("kept" if kept else "deleted")


def test_the_pages_name_the_source_of_events() -> None:
    assert f"`{EVENT_SOURCE}`" in (CHECKOUT / "docs" / "integration.md").read_text("utf-8")


def test_the_lesson_of_the_load_test_is_valid_and_buys_nothing(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "scaling.md").read_text("utf-8")
    [document] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "load.yaml").write_text(document.replace("NUMBER", "1"))
    make_clip(tmp_path / "recording.mp4", seconds=0.2)
    nodes = resolve(load_valid_document(tmp_path / "load.yaml"), tmp_path)
    assert len(nodes) == 2
    assert buying_nodes(nodes) == []


def test_a_stand_in_can_be_set_as_the_page_says() -> None:
    environments = json.loads((CHECKOUT / "cdk.json").read_text("utf-8"))["context"]["environments"]
    page = (CHECKOUT / "docs" / "scaling.md").read_text("utf-8")
    [given] = re.findall(r'`"elevenlabs": (\{"mode": "draft".*?\})`', page)
    options = json.loads(given)
    for changes in ({"base_url": ""}, {"base_url": "http://stand-in.example.com"}):
        with pytest.raises(SettingsError, match="base_url"):
            read_settings(environments, "staging", {"providers": {"elevenlabs": {**options, **changes}}})
    settings = read_settings(environments, "staging", {"providers": {"elevenlabs": options}})
    assert settings.provider("elevenlabs").mode == "draft"

"""The runbook's commands exist, its names are those of the stack, and its scripts do what they promise.

They need an AWS account, so `tests/e2e/test_docs.py` does not run them. Here a shell runs them with programs that only
write down what they were called with.
"""

from __future__ import annotations

import json
import re
import runpy
import sys
from collections import defaultdict
from pathlib import Path

import boto3
import botocore.session
import click
import pytest
from botocore import xform_name
from moto import mock_aws

from tests.e2e.console import Shell, read_blocks
from tests.infrastructure.synthesised import Template
from tests.unit.docs.pages import CHECKOUT
from video_production.cli.commands import cli

PAGE = CHECKOUT / "docs" / "runbook.md"
_RECORDER = """#!/bin/sh
{ printf '%s\\037' "${0##*/}" "$@"; printf '\\036'; } >> "$CALLS"
"""
_PROGRAMS = ("jiki-video", "cdk", "bin/aws", "bin/git", ".venv/bin/python")
_OF_EVERY_COMMAND = {"query", "output", "max-items"}
"""Options that the AWS CLI has besides those of the operations."""
_BESIDES_OPERATIONS = {("logs", "tail"), ("dynamodb", "wait")}
"""Commands that the AWS CLI has besides the operations."""
Calls = dict[str, list[list[str]]]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    """The arguments of every call on the page, by program."""
    folder = tmp_path_factory.mktemp("runbook") / "checkout"
    for name in _PROGRAMS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(_RECORDER)
        (folder / name).chmod(0o755)
    log = folder / "calls"
    with Shell(folder, {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "CALLS": str(log)}) as shell:
        for command in [*(command.text for block in read_blocks(PAGE) for command in block.commands), *_in_the_text()]:
            shell.run(command, 20)
    made: Calls = defaultdict(list)
    for record in log.read_text().split("\036")[:-1]:
        program, *arguments = record.split("\037")[:-1]
        made[program].append(arguments)
    return made


def _in_the_text() -> list[str]:
    """Commands that stand in a sentence."""
    text = re.sub(r"^```.*?^```", "", PAGE.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(code.split()) for code in re.findall(r"`((?:\./|aws )[^`]+)`", text)]


def test_every_call_of_the_command_line_is_one_that_it_takes(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "start.json").write_text("{}")
    assert len(calls["jiki-video"]) > 30
    for name, *arguments in calls["jiki-video"]:
        command: click.Command = cli.commands[name]
        while isinstance(command, click.Group):
            command = command.commands[arguments.pop(0)]
        with command.make_context(name, arguments):  # raises UsageError for what the command does not take
            pass


def test_every_call_of_the_aws_cli_names_operations_and_options_that_exist(calls: Calls) -> None:
    session = botocore.session.get_session()
    assert len(calls["aws"]) > 30
    for service, command, *rest in calls["aws"]:
        if (service, command) in _BESIDES_OPERATIONS:
            continue
        model = session.get_service_model({"s3api": "s3"}.get(service, service))
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        assert command in operations, (service, command)
        shape = model.operation_model(operations[command]).input_shape
        known = {xform_name(member, "-") for member in shape.members} if shape else set()
        given = {word.removeprefix("--").removeprefix("no-") for word in rest if word.startswith("--")}
        assert given <= known | _OF_EVERY_COMMAND, (service, command)


def test_every_call_of_the_cdk_chooses_the_environment(calls: Calls) -> None:
    assert {arguments[0] for arguments in calls["cdk"]} == {"diff", "deploy", "synth", "import"}
    for arguments in calls["cdk"]:
        assert arguments[1:3] == ["-c", "environment=production"]


def test_every_name_on_the_page_is_one_of_the_stacks(production: Template) -> None:
    everything = json.dumps(production.body)
    named = set(re.findall(r"\bjiki-[a-z-]+-production\b", PAGE.read_text("utf-8")))
    assert len(named) > 10
    assert [name for name in named if name not in everything] == []


def test_every_output_on_the_page_is_one_of_the_stacks(production: Template) -> None:
    asked = set(re.findall(r"\boutput ([A-Z]\w+)", PAGE.read_text("utf-8")))
    assert len(asked) >= 4
    assert asked <= production.body["Outputs"].keys()


def _script(containing: str) -> str:
    """The Python of the here-document in which some words stand."""
    [command] = [
        c.text for block in read_blocks(PAGE) for c in block.commands if containing in c.text and "<<" in c.text
    ]
    return re.split(r"^END$", command.split("<<'END'\n")[1] if "<<'END'\n" in command else command, flags=re.MULTILINE)[
        0
    ]


def _run(script: str, folder: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "script.py").write_text(script)
    monkeypatch.setattr(sys, "argv", ["script.py", *arguments])
    runpy.run_path(str(folder / "script.py"))


def test_the_map_for_the_import_has_what_outlives_the_stack(
    everything: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(_script("AWS::S3::Bucket"), tmp_path, [str(everything.path)], monkeypatch)
    mapped = json.loads(capsys.readouterr().out)
    assert sorted(mapped.values(), key=str) == [
        {"BucketName": "jiki-videos-staging"},
        {"TableName": everything.names.nodes_table},
        {"TableName": everything.names.takes_table},
    ]
    assert all(everything.body["Resources"][id]["DeletionPolicy"] for id in mapped)


@mock_aws
def test_copying_back_restores_what_is_missing_and_leaves_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("dynamodb")
    for table in ("restored", "present"):
        client.create_table(
            TableName=table,
            KeySchema=[
                {"AttributeName": "pipeline_id", "KeyType": "HASH"},
                {"AttributeName": "id", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pipeline_id", "id")],
            BillingMode="PAY_PER_REQUEST",
        )
    for table, pipeline, node, state in (
        ("restored", "lesson", "a", "old"),
        ("restored", "lesson", "b", "old"),
        ("restored", "another", "a", "old"),
        ("present", "lesson", "a", "new"),
    ):
        item = {"pipeline_id": {"S": pipeline}, "id": {"S": node}, "state": {"S": state}}
        client.put_item(TableName=table, Item=item)
    _run(_script("put_item"), tmp_path, ["restored", "present", "pipeline_id", "lesson"], monkeypatch)
    items = client.scan(TableName="present")["Items"]
    assert {(i["pipeline_id"]["S"], i["id"]["S"], i["state"]["S"]) for i in items} == {
        ("lesson", "a", "new"),
        ("lesson", "b", "old"),
    }
    assert capsys.readouterr().out == "is there lesson a\nrestored lesson b\n"

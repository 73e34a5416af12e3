"""The runbook's commands exist, its names are those of the stack, and its scripts do what they promise.

They need an AWS account, so `tests/e2e/test_docs.py` does not run them. What they may do when they run against an
emulated one: `tests/unit/cli/aws/test_policies.py`.
"""

from __future__ import annotations

import json
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import click
import pytest
from moto import mock_aws

from tests.e2e.console import read_blocks
from tests.infrastructure.runbook import PAGE, Calls, as_request, members, operations, record_calls
from tests.infrastructure.synthesised import Template
from tests.unit.docs.policies import POLICIES, Access, actions, missing, needs, statements
from video_production.cli.commands import cli

_OF_EVERY_COMMAND = {"query", "output", "max-items"}
"""Options that the AWS CLI has besides those of the operations."""
_BESIDES_OPERATIONS = {("logs", "tail"), ("dynamodb", "wait")}
"""Commands that the AWS CLI has besides the operations."""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    """The arguments of every call on the page, by program."""
    return record_calls(tmp_path_factory.mktemp("runbook") / "checkout")


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
    assert len(calls["aws"]) > 30
    for service, command, *rest in calls["aws"]:
        if (service, command) in _BESIDES_OPERATIONS:
            continue
        known = operations(service)
        assert command in known, (service, command)
        given = {word.removeprefix("--").removeprefix("no-") for word in rest if word.startswith("--")}
        assert given <= set(members(service, known[command])) | _OF_EVERY_COMMAND, (service, command)


# Permissions


def test_who_is_on_call_may_make_every_call_of_the_page(calls: Calls) -> None:
    needed = set(_needed(calls))
    assert len(needed) > 40
    assert missing(statements("operator", "on-call"), needed) == []


def test_who_is_on_call_may_do_no_more_than_the_page_says(calls: Calls) -> None:
    needed = {access.action for access in _needed(calls)}
    assert set(actions(POLICIES["on-call"])) - needed == {
        "iam:CreateServiceLinkedRole"
    }  # for the first quota asked for
    assert not set(actions(POLICIES["on-call"])) & set(actions(POLICIES["operator"])) - _ON_OTHER_RESOURCES


_ON_OTHER_RESOURCES = {
    *(f"dynamodb:{name}Item" for name in ("Get", "Put", "Update", "Delete")),
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:DescribeTable",
    "sqs:GetQueueAttributes",
}
"""What both policies name: operators for the tables, who is on call for the restored copies of them, too."""


@pytest.mark.parametrize("resource", ["table/jiki-video-takes-production", "table/somebody-elses"])
def test_who_is_on_call_can_not_delete_a_table_of_the_product(resource: str) -> None:
    delete = Access("dynamodb:DeleteTable", f"arn:aws:dynamodb:us-east-1:123456789012:{resource}")
    assert missing(statements("operator", "on-call"), [delete]) == [delete]


def test_who_is_on_call_can_not_touch_what_is_not_the_products() -> None:
    """Whatever changes something names this product in its resource; what looks may be wider."""
    for statement in POLICIES["on-call"]["Statement"]:
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        about = json.dumps([resources, statement.get("Condition", {})])
        changing = [
            name for name in actions({"Statement": [statement]}) if not re.search(r":(List|Get|Describe)", name)
        ]
        assert not changing or "production" in about or statement["Sid"] in ("RaiseTheQuota", "RaiseTheFirstQuota")


def _needed(calls: Calls) -> Iterator[Access]:
    for service, command, *rest in calls["aws"]:
        yield from needs(*as_request(service, command, rest))
    for arguments in calls["python"]:
        if len(arguments) == 5:  # the copying back: of nodes, as shown, or of purchases
            for kind in ("nodes", "takes"):
                source, target = (name.replace("nodes", kind) for name in arguments[1:3])
                yield from needs("dynamodb", "Query", {"TableName": source})
                yield from needs("dynamodb", "PutItem", {"TableName": target})
                yield from needs("dynamodb", "DeleteTable", {"TableName": source})
                restore = {"SourceTableName": target, "TargetTableName": source}
                yield from needs("dynamodb", "RestoreTableToPointInTime", restore)


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

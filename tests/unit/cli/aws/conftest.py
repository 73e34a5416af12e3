"""An AWS account on moto with an environment's stack in it, and a shell that reaches nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.loaders import create_loader

from tests.unit.conftest import CREDENTIALS, TableNames
from video_production.cli import commands
from video_production.nodes.table import NodeTable
from video_production.settings import Names
from video_production.takes.table import TakeTable

NAMES = Names("development")
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:"
_LOADER = create_loader()
"""boto3 reads the models of its services anew for every session; here one reading serves all tests."""
ENVIRONMENT = ("--environment", "development")


@dataclass
class Shell:
    """Runs commands in this process; `refusals` maps operations to what AWS answers instead of carrying them out."""

    capsys: pytest.CaptureFixture[str]
    refusals: dict[str, ClientError | dict[str, Any]] = field(default_factory=dict)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self.capsys.readouterr()
        code = commands._run([*arguments])
        printed = self.capsys.readouterr()
        return code, printed.out, printed.err

    def error(self, *arguments: str) -> str:
        """The one sentence on standard error of a command that fails."""
        code, _, words = self.run(*arguments)
        assert code == 1
        return words.removesuffix("\n")

    def refuse(self, operation: str, code: str, message: str = "no") -> None:
        self.refusals[operation] = ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.fixture
def shell(moto_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    """A user's shell: credentials and a region in variables, no AWS configuration, moto in place of AWS."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    variables = {
        "HOME": str(tmp_path),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("botocore.session.create_loader", lambda *_: _LOADER)
    found = Shell(capsys)
    call = BaseClient._make_api_call

    def answer(client: Any, operation: str, request: dict[str, Any]) -> Any:
        given = found.refusals.get(operation)
        if isinstance(given, ClientError):
            raise client.exceptions.from_code(given.response["Error"]["Code"])(given.response, operation)
        return call(client, operation, request) if given is None else given

    monkeypatch.setattr(BaseClient, "_make_api_call", answer)
    return found


@pytest.fixture
def client(moto_url: str) -> Callable[[str], Any]:
    return lambda service: boto3.client(service, endpoint_url=moto_url, **CREDENTIALS)


@dataclass(frozen=True)
class Deployed:
    """A development environment: its tables and its bucket."""

    nodes: NodeTable
    takes: TakeTable
    bucket: str
    client: Callable[[str], Any]


@pytest.fixture
def deployed(
    shell: Shell, client: Callable[[str], Any], dynamodb: Any, tables: TableNames, bucket: str
) -> Iterator[Deployed]:
    """The stack with its outputs, and the tables and the bucket that they name."""
    outputs = {
        "BucketName": bucket,
        "NodesTable": tables.nodes,
        "TakesTable": tables.takes,
        "PipelineMachineArn": MACHINE + NAMES.pipeline_machine,
        "NodeMachineArn": MACHINE + NAMES.node_machine,
        "MergerName": NAMES.function("merger"),
        "ApiUrl": "https://api.example.com/",
        "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:jiki-video-alarms-development",
    }
    template = {
        "Resources": {"Any": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    formation = client("cloudformation")
    formation.create_stack(StackName=NAMES.stack, TemplateBody=json.dumps(template))
    nodes = NodeTable(dynamodb, tables.nodes)
    yield Deployed(nodes, TakeTable(dynamodb, tables.takes, tables.nodes), bucket, client)
    formation.delete_stack(StackName=NAMES.stack)

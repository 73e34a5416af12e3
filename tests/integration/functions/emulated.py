"""The functions themselves, imported as Lambda imports them, over emulated tables, queues, secrets and machines."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from typing import Any

import boto3

from tests.unit.conftest import CREDENTIALS
from video_production.nodes.table import NodeTable
from video_production.settings import PROVIDERS, Names
from video_production.takes.table import TakeTable

ENVIRONMENT = "staging"
NAMES = Names(ENVIRONMENT)
_ROLE = "arn:aws:iam::123456789012:role/states"


class Context:
    """What the runtime hands to a handler; `milliseconds` are left."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id = "request"

    def __init__(self, milliseconds: int = 60_000) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


class Emulated:
    """One environment in a moto server; `variables` are those of the functions."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.dynamodb = self.client("dynamodb")
        self.queues = self.client("sqs")
        self.secrets = self.client("secretsmanager")
        self.states = self.client("stepfunctions")
        self._create_table(NAMES.nodes_table, ("pipeline_id", "id"), "active", [("active", "S"), ("pipeline_id", "S")])
        self._create_table(NAMES.takes_table, ("take_id", "record"), "open", [("open", "S"), ("open_since", "N")])
        self.machine = self._create_machine()
        self.nodes = NodeTable(self.dynamodb, NAMES.nodes_table)
        self.takes = TakeTable(self.dynamodb, NAMES.takes_table, NAMES.nodes_table)
        self.scheduling = self.queues.create_queue(QueueName=NAMES.scheduling_queue)["QueueUrl"]
        self.jobs = self.queues.create_queue(QueueName=NAMES.provider_queue("elevenlabs"))["QueueUrl"]

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url, **CREDENTIALS)

    def variables(self, role: str) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "JIKI_ENVIRONMENT": ENVIRONMENT,
            "PIPELINE_MACHINE_ARN": self.machine,
            "NODE_MACHINE_ARN": self.machine,
            "SCHEDULING_QUEUE_URL": self.scheduling,
            **{f"{provider.upper()}_QUEUE_URL": self.jobs for provider in PROVIDERS},
            "CALLBACK_HOSTS": "127.0.0.1",
            "POWERTOOLS_SERVICE_NAME": role,
        }

    def handler(self, role: str) -> Any:
        """The module of a role, imported afresh with the variables that are set now. Its metrics are strict."""
        for name in [name for name in sys.modules if name.split(".")[0] == "functions" and name != "functions"]:
            if name != "functions.telemetry":
                del sys.modules[name]
        module = importlib.import_module(f"functions.{role}.handler")
        for made in (module, sys.modules.get("functions.buying")):
            if hasattr(made, "telemetry"):
                made.telemetry.strict = True
        return module

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """What lies in a queue; it is empty afterwards."""
        found = list(self._received(queue))
        return sorted(found, key=json.dumps)

    def set_secret(self, name: str, value: str | None) -> None:
        existing = [secret["Name"] for secret in self.secrets.list_secrets()["SecretList"]]
        if name in existing:
            self.secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        if value is not None:
            self.secrets.create_secret(Name=name, SecretString=value)

    def _received(self, queue: str) -> Iterator[dict[str, Any]]:
        while batch := self.queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                self.queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                yield json.loads(message["Body"])

    def _create_machine(self) -> str:
        definition = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}}
        answer = self.states.create_state_machine(name="pipeline", definition=json.dumps(definition), roleArn=_ROLE)
        return str(answer["stateMachineArn"])

    def _create_table(self, name: str, keys: tuple[str, str], index: str, index_keys: list[tuple[str, str]]) -> None:
        attributes = dict([(keys[0], "S"), (keys[1], "S"), *index_keys])
        kinds = ("HASH", "RANGE")
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, kinds, strict=True)],
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": kind} for k, kind in attributes.items()],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": index,
                    "KeySchema": [
                        {"AttributeName": key, "KeyType": kind}
                        for (key, _), kind in zip(index_keys, kinds, strict=True)
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )


def batch(*bodies: Any) -> dict[str, Any]:
    """SQS's event; message `m1` has the first body."""
    return {
        "Records": [
            {"messageId": f"m{number}", "body": body if isinstance(body, str) else json.dumps(body)}
            for number, body in enumerate(bodies, 1)
        ]
    }

"""The policies of docs/permissions.md, and what a call of AWS needs of them.

Source: "Actions, resources, and condition keys", service authorization reference. What is not known here fails loudly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.unit.docs.pages import CHECKOUT

__all__ = ["NOT_OPERATIONS", "POLICIES", "Access", "actions", "missing", "needs", "statements"]

ACCOUNT = "123456789012"
NOT_OPERATIONS = {
    "lambda:InvokeFunction": "Invoke",
    "s3:ListBucket": "ListObjectsV2",
    "s3:GetEncryptionConfiguration": "GetBucketEncryption",
    "dynamodb:ConditionCheckItem": "TransactWriteItems",
    "execute-api:Invoke": "",
}
"""Actions that are not named like the operation that they permit."""
_ACTIONS = {
    "Invoke": "InvokeFunction",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
}
"""Operations whose action has another name."""
_PREFIXES = {"stepfunctions": "states", "service-quotas": "servicequotas"}
"""Services of botocore that policies call otherwise."""
_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_RESTORED = (
    "GetItem",
    "Query",
    "Scan",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchWriteItem",
)
"""What a restoration does to its target in the name of who asks for it. Source: "Using IAM with DynamoDB backup"."""
_MOVED = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
"""What a redrive does to its source in the name of who asks for it."""


def _policies() -> dict[str, dict[str, Any]]:
    page = (CHECKOUT / "docs" / "permissions.md").read_text("utf-8")
    found = re.findall(r"<!-- policy: ([\w-]+) -->\n```json\n(.*?)```", page, re.DOTALL)
    assert len(found) == page.count('"Version"')
    return {name: json.loads(text) for name, text in found}


POLICIES = _policies()


@dataclass(frozen=True, order=True)
class Access:
    """One action on one resource, as a policy knows them."""

    action: str
    resource: str


def actions(policy: Mapping[str, Any]) -> Iterator[str]:
    """Every action that a policy names."""
    for statement in policy["Statement"]:
        yield from _listed(statement["Action"])


def statements(*names: str) -> list[dict[str, Any]]:
    """The statements of some policies together."""
    return [statement for name in names for statement in POLICIES[name]["Statement"]]


def missing(given: Iterable[Mapping[str, Any]], accesses: Iterable[Access]) -> list[Access]:
    """The accesses that no statement allows. Conditions are taken as fulfilled."""
    allowed = list(given)
    return sorted({access for access in accesses if not any(_allows(statement, access) for statement in allowed)})


def needs(service: str, operation: str, given: Mapping[str, Any]) -> Iterator[Access]:
    """What a call needs. `service` and `operation` as botocore names them, `given` its parameters."""
    prefix = _PREFIXES.get(service, service)
    match service, operation:
        case "sts", "GetCallerIdentity":
            return  # everybody may ask who they are
        case "dynamodb", "TransactWriteItems":
            for item in given["TransactItems"]:
                [(kind, request)] = item.items()
                yield Access(f"dynamodb:{_TRANSACTED[kind]}", _table(request["TableName"]))
            return
        case "dynamodb", "RestoreTableToPointInTime":
            for action in _RESTORED:
                yield Access(f"dynamodb:{action}", _table(given["TargetTableName"]))
        case "sqs", "StartMessageMoveTask":
            for action in _MOVED:
                yield Access(f"sqs:{action}", given["SourceArn"])
            yield Access("sqs:SendMessage", given["DestinationArn"])
        case "s3", "GetObject" | "HeadObject":  # else what is missing looks like what is forbidden
            yield Access("s3:ListBucket", f"arn:aws:s3:::{given['Bucket']}")
    yield Access(f"{prefix}:{_ACTIONS.get(operation, operation)}", _resource(service, given))


def _resource(service: str, given: Mapping[str, Any]) -> str:
    """The ARN that a call is about; `*` for one about nothing in particular."""
    match service:
        case "cloudformation":
            return _arn(service, f"stack/{given['StackName']}/0123")
        case "dynamodb" if "TableName" in given or "SourceTableName" in given:
            index = f"/index/{given['IndexName']}" if "IndexName" in given else ""
            return _table(given.get("TableName") or given["SourceTableName"]) + index
        case "events":
            return _arn(service, f"rule/{given['Name']}")
        case "lambda" if "UUID" in given:
            return _arn(service, f"event-source-mapping:{given['UUID']}")
        case "lambda" if "FunctionName" in given:
            return _arn(service, f"function:{given['FunctionName']}")
        case "logs":
            return _arn(service, f"log-group:{given['logGroupName']}:*")
        case "s3":
            return "arn:aws:s3:::" + "/".join(given[name] for name in ("Bucket", "Key") if name in given)
        case "secretsmanager":
            return _arn(service, f"secret:{given['SecretId']}-a1B2c3")
        case "service-quotas":
            return _arn("servicequotas", f"{given['ServiceCode']}/{given['QuotaCode']}")
        case "sqs":
            name = given.get("SourceArn") or given.get("QueueName") or given["QueueUrl"].rpartition("/")[2]
            return _arn(service, str(name).rpartition(":")[2])
        case "stepfunctions":
            return str(given.get("executionArn") or given["stateMachineArn"])
        case "sns":
            return str(given["TopicArn"])
        case "cloudwatch" | "dynamodb" | "lambda":
            return "*"
    raise NotImplementedError(service)


def _allows(statement: Mapping[str, Any], access: Access) -> bool:
    assert statement["Effect"] == "Allow"
    return access.action in _listed(statement["Action"]) and any(
        fnmatchcase(access.resource, resource) for resource in _listed(statement["Resource"])
    )


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _table(name: str) -> str:
    return _arn("dynamodb", f"table/{name}")


def _arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{rest}"

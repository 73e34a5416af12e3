"""AWS clients that allow a role what its policies in the template allow, and nothing else.

No emulator enforces policies. This one knows what our code calls and what our policies say; anything else is refused
loudly rather than guessed. Source: "Actions, resources, and condition keys", service authorization reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.infrastructure.synthesised import Template, text

__all__ = ["Denied", "PolicyGuard"]

ACCOUNT = "123456789012"
_TABLE_ACTIONS = {
    "get_item": "GetItem",
    "put_item": "PutItem",
    "update_item": "UpdateItem",
    "delete_item": "DeleteItem",
}
_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_OBJECT_ACTIONS = {
    "get_object": "GetObject",
    "head_object": "GetObject",
    "put_object": "PutObject",
    "create_multipart_upload": "PutObject",
    "upload_part": "PutObject",
    "upload_part_copy": "PutObject",
    "complete_multipart_upload": "PutObject",
    "abort_multipart_upload": "AbortMultipartUpload",
}
_PARTITIONS = {"nodes": "pipeline_id", "takes": "take_id"}


class Denied(Exception):
    """The role's policies don't allow the call."""


@dataclass(frozen=True)
class Access:
    """What one call needs: an action on a resource, with the values of the condition keys that our policies use."""

    action: str
    resource: str
    keys: Mapping[str, str]


class PolicyGuard:
    """Watches clients. `guard.acting_as("scheduler")`: until its end every call needs that role's permission."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self.role = ""
        self.used: set[tuple[str, str]] = set()
        secrets = template.resources("AWS::SecretsManager::Secret")
        self._secrets = {entry["Properties"]["Name"]: f"<{id}>" for id, entry in secrets.items()}

    @contextmanager
    def acting_as(self, role: str) -> Iterator[None]:
        self.role = role
        try:
            yield
        finally:
            self.role = ""

    def watch(self, service: str, client: Any) -> Any:
        """`client`, whose every call is checked while somebody acts."""
        return _Watched(self, service, client)

    def check(self, service: str, method: str, arguments: Mapping[str, Any]) -> None:
        """Raise Denied unless the acting role may make the call."""
        if not self.role:
            return
        statements = self.template.statements(self.role)
        for access in self._needed(service, method, arguments):
            fitting = [statement for statement in statements if _fits(statement, access)]
            if not fitting or any(statement["Effect"] == "Deny" for statement in fitting):
                raise Denied(f"{self.role}: {access.action} on {access.resource}")
            self.used.add((self.role, access.action))

    def _needed(self, service: str, method: str, given: Mapping[str, Any]) -> Iterator[Access]:
        match service:
            case "dynamodb":
                yield from _table_accesses(method, given)
            case "s3":
                yield from _object_accesses(method, given)
            case "sqs" if method == "send_message_batch":
                queue = given["QueueUrl"].rpartition("/")[2]
                yield Access("sqs:SendMessage", f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}", {})
            case "states" if method == "start_execution":
                yield Access("states:StartExecution", given["stateMachineArn"], {})
            case "events" if method == "put_events":
                for entry in given["Entries"]:
                    bus = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/{entry['EventBusName']}"
                    yield Access("events:PutEvents", bus, {"events:source": entry["Source"]})
            case "secretsmanager" if method == "get_secret_value":
                yield Access("secretsmanager:GetSecretValue", self._secrets[given["SecretId"]], {})
            case _:
                raise NotImplementedError(f"{service}.{method}")


class _Watched:
    def __init__(self, guard: PolicyGuard, service: str, client: Any) -> None:
        self._guard, self._service, self._client = guard, service, client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name == "exceptions":
            return found

        def call(**arguments: Any) -> Any:
            self._guard.check(self._service, name, arguments)
            return found(**arguments)

        return call


def _table_accesses(method: str, given: Mapping[str, Any]) -> Iterator[Access]:
    if method == "transact_write_items":
        for item in given["TransactItems"]:
            [(kind, request)] = item.items()
            yield _table_access(_TRANSACTED[kind], request)
    elif method == "batch_get_item":
        for name, asked in given["RequestItems"].items():
            for key in asked["Keys"]:
                yield _table_access("BatchGetItem", {"TableName": name, "Key": key})
    elif method == "query":
        suffix = f"/index/{given['IndexName']}" if "IndexName" in given else ""
        yield Access("dynamodb:Query", _table(given["TableName"]) + suffix, {})
    else:
        yield _table_access(_TABLE_ACTIONS[method], given)


def _table_access(action: str, request: Mapping[str, Any]) -> Access:
    key = request.get("Key") or request["Item"]
    partition = next(name for kind, name in _PARTITIONS.items() if f"-{kind}-" in request["TableName"])
    return Access(f"dynamodb:{action}", _table(request["TableName"]), {"dynamodb:LeadingKeys": key[partition]["S"]})


def _table(name: str) -> str:
    return f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{name}"


def _object_accesses(method: str, given: Mapping[str, Any]) -> Iterator[Access]:
    bucket, keys = f"arn:aws:s3:::{given['Bucket']}", {"aws:ResourceAccount": ACCOUNT}
    if method == "list_multipart_uploads":
        yield Access("s3:ListBucketMultipartUploads", bucket, keys)
        return
    yield Access(f"s3:{_OBJECT_ACTIONS[method]}", f"{bucket}/{given['Key']}", keys)
    if method == "upload_part_copy":
        source = given["CopySource"]
        yield Access("s3:GetObject", f"arn:aws:s3:::{source['Bucket']}/{source['Key']}", keys)
    if "Tagging" in given:
        yield Access("s3:PutObjectTagging", f"{bucket}/{given['Key']}", keys)
    if _OBJECT_ACTIONS[method] == "GetObject":  # else a missing object looks like a forbidden one
        yield Access("s3:ListBucket", bucket, keys)


def _fits(statement: Mapping[str, Any], access: Access) -> bool:
    resources = (resource.replace("<AWS::AccountId>", ACCOUNT) for resource in statement["Resource"])
    return (
        access.action in statement["Action"]
        and any(fnmatchcase(access.resource, resource) for resource in resources)
        and all(_holds(operator, wanted, access) for operator, wanted in statement.get("Condition", {}).items())
    )


def _holds(operator: str, wanted: Mapping[str, Any], access: Access) -> bool:
    match operator:
        case "StringEquals":
            return all(
                access.keys.get(key) == text(value).replace("<AWS::AccountId>", ACCOUNT)
                for key, value in wanted.items()
            )
        case "ForAllValues:StringLike":
            return all(
                any(fnmatchcase(access.keys[key], pattern) for pattern in patterns)
                for key, patterns in wanted.items()
                if key in access.keys
            )
        case "Null":
            return all((key in access.keys) == (value == "false") for key, value in wanted.items())
    raise NotImplementedError(operator)

"""moto, wired up: a server on a free port whose state is made here and lives in memory.

Importing this module imports moto; call `moto_patches.prepare` first.
"""

from __future__ import annotations

import base64
import io
import logging
import sys
import threading
import time
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.secretsmanager.models import secretsmanager_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local_cloud.functions import ACCOUNT, REGION, Function
from local_cloud.journal import Item, Tables
from local_cloud.tables import Table

__all__ = ["MotoTables", "create_functions", "create_machine", "create_secret", "moto_app", "write_logs"]

ROLE = "local"
"""Nothing checks permissions locally, but every function and state machine wants a role that exists."""

logging.getLogger("werkzeug").setLevel(logging.WARNING)


def moto_app() -> Any:
    """moto's WSGI application."""
    return DomainDispatcherApplication(create_backend_app)


class MotoTables:
    """moto's DynamoDB tables, item by item. Not locked: the gateway calls it one request at a time."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        """Create the tables."""
        self._backend = dynamodb_backends[ACCOUNT][REGION]
        self._tables = tables
        for name, table in tables.items():
            types = dict.fromkeys(table.keys, "S")
            for index in table.indexes:
                types |= index.keys
            indexes = [
                {
                    "IndexName": index.name,
                    "KeySchema": _key_schema(index.keys),
                    "Projection": {"ProjectionType": "ALL" if index.whole else "KEYS_ONLY"},
                }
                for index in table.indexes
            ]
            self._backend.create_table(
                name,
                schema=_key_schema(table.keys),
                attr=[{"AttributeName": attribute, "AttributeType": kind} for attribute, kind in types.items()],
                throughput=None,
                global_indexes=indexes,
                indexes=[],
                streams=None,
                billing_mode="PAY_PER_REQUEST",
                sse_specification=None,
                tags=[],
                deletion_protection_enabled=False,
                warm_throughput=None,
            )

    def load(self, tables: Tables) -> None:
        """Fill the tables from a journal; tables that do not exist any more are left out."""
        for table in self._tables:
            for item in tables.get(table, {}).values():
                self._backend.put_item(table, dict(item))

    def get(self, table: str, key: Item) -> Item | None:
        item = self._backend.get_item(table, dict(key))
        return None if item is None else {name: _image(value) for name, value in item.attrs.items()}

    def restore(self, table: str, key: Item, item: Item | None) -> None:
        if item is None:
            self._backend.delete_item(table, dict(key))
        else:
            self._backend.put_item(table, dict(item))


def _key_schema(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def _image(value: Any) -> Any:
    """moto's attribute value as DynamoDB's JSON, sharing nothing with it."""
    if not isinstance(value, DynamoType):
        return value
    content = value.value
    if isinstance(content, dict):
        content = {name: _image(inner) for name, inner in content.items()}
    elif isinstance(content, list):
        content = [_image(inner) for inner in content]
    elif isinstance(content, bytes):
        content = base64.b64encode(content).decode()
    return {value.type: content}


def create_secret(name: str, value: str) -> None:
    secretsmanager_backends[ACCOUNT][REGION].create_secret(
        name,
        secret_string=value,
        secret_binary=None,
        description=None,
        tags=[],
        kms_key_id=None,
        client_request_token=None,
        replica_regions=[],
        force_overwrite=False,
    )


def create_functions(functions: Iterable[Function]) -> None:
    """Make the functions known to Lambda's API. Their code is the checkout, so the package only says so."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("README.txt", "The local cloud runs this function from the checkout.\n")
    code = base64.b64encode(archive.getvalue()).decode()
    role = _role_arn()
    for function in functions:
        lambda_backends[ACCOUNT][REGION].create_function(
            {
                "FunctionName": function.name,
                "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
                "Handler": function.handler,
                "Role": role,
                "MemorySize": function.memory_mb,
                "Timeout": int(function.timeout),
                "Environment": {"Variables": dict(function.environment)},
                "Code": {"ZipFile": code},
            }
        )
        logs_backends[ACCOUNT][REGION].ensure_log_group(function.log_group)


def _role_arn() -> str:
    backend = iam_backends[ACCOUNT]["aws"]
    for role in backend.get_roles():
        return str(role.arn)
    return str(backend.create_role(ROLE, "{}", "/", None, "", [], None).arn)


def create_machine(name: str, definition: str) -> None:
    """Create a state machine, or give it a new definition. Raises moto's InvalidDefinition."""
    backend = stepfunctions_parser_backends[ACCOUNT][REGION]
    machine = backend.create_state_machine(name=name, definition=definition, roleArn=_role_arn())
    if machine.definition != definition:
        backend.update_state_machine(machine.arn, definition=definition)


_logs = threading.Lock()


def write_logs(group: str, stream: str, messages: list[str]) -> None:
    """Append messages to a CloudWatch log stream, which is made when it is new.

    A group is not made: functions may not do that on AWS either, and what still ends after its stack was destroyed must
    not bring the group back.
    """
    now = int(time.time() * 1000)
    backend = logs_backends[ACCOUNT][REGION]
    with _logs:
        if group not in backend.groups:
            return
        backend.ensure_log_stream(group, stream)
        backend.put_log_events(group, stream, [{"timestamp": now, "message": message} for message in messages])

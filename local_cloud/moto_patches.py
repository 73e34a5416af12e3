"""Everything that we change in moto, in one place; `tests/unit/local_cloud/test_moto_patches.py` fails when moto moves.

    LambdaFunction.invoke          runs our Lambda host instead of Docker; `Event` answers at once; the caller hears the
                                   request id under which the function ran
    SQS queues                     messages are received, added and deleted one at a time: moto loses some otherwise;
                                   event source mappings are not served inside SendMessage
    EventBridge rules              deliver through our doors
    executions                     tell when they end
    Step Functions clients         made once and shared: boto3's default session is not safe to use from many threads
    StartExecution                 one at a time: the check for a duplicate name and the start must not interleave
    TransactWriteItems             takes back what it changed; moto copies whole tables for that, once for each action
    models                         nobody keeps a list of every instance that ever was: it grew by gigabytes
    Query                          looks at one partition; moto sorts the whole table for each. A whole partition that
                                   fits into one page is not copied
    sizes of items                 are added up; moto copies what it measures, anew for each attribute that is set
    answers with items             attributes are written as they are; moto asks each for ten types by all their names
    state machines                 are parsed once, not at each start of an execution; so are their paths
    the interpreter's threads      are forgotten when they end
    the service of a request       is found once for each host; moto lists its own folder each time
    moto.batch                     not loaded: one exception class of it costs a second of start-up

moto is private inside; pyproject.toml pins it exactly.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import functools
import json
import os
import sys
import threading
import time
import types
import uuid
from collections import deque
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from local_cloud.lambda_host import HostClosed
from local_cloud.sandbox.sandbox import Outcome

__all__ = ["Hooks", "installed", "prepare"]


_REQUEST_ID = "x-amzn-requestid"
_PLAIN = frozenset(("S", "N", "SS", "NS", "NULL", "BOOL"))
_ATTRIBUTES = frozenset(("S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"))
_KEY_CONDITIONS = {"hash_key_conditions", "range_key_conditions"}
"""What `Table.query` is given beside the fields of filters in the old style."""


class Hooks(Protocol):
    """What happens inside moto, told to the doors. `function`, `execution` and `rule` are moto's own objects."""

    def invoke(self, function: Any, event: bytes, request_id: str) -> Outcome:
        """Run a function and wait for it; see `local_cloud.doors.lambdas.Invoke`."""
        ...

    def invoke_later(self, function: Any, event: bytes, request_id: str) -> None:
        """Take an asynchronous invocation."""
        ...

    def message_arrived(self) -> None:
        """A message was added to some queue."""
        ...

    def execution_ended(self, execution: Any) -> None:
        """An execution's status is final. Called in the execution's own thread."""
        ...

    def event_sent(self, rule: Any, event: dict[str, Any]) -> None:
        """An event on the bus of `rule`; whether it matches is not known yet."""
        ...


def prepare(port: int) -> None:
    """Before anything of moto is imported: where it will listen, and that state machines are executed."""
    os.environ["MOTO_PORT"] = str(port)
    _leave_out_batch()
    from moto.core.config import default_user_config

    default_user_config["stepfunctions"] = {"execute_state_machine": True}


@contextlib.contextmanager
def installed(hooks: Hooks) -> Iterator[None]:
    """Our replacements are in place while the block runs."""
    with contextlib.ExitStack() as undo:
        _replace_lambda(hooks, undo)
        _mend_queues(hooks, undo)
        _hand_over_events(hooks, undo)
        _watch_executions(hooks, undo)
        _share_step_functions_clients(undo)
        _serialise_start_execution(undo)
        _copy_no_tables(undo)
        _forget_instances(undo)
        _query_one_partition(undo)
        _measure_without_copies(undo)
        _serialise_items_directly(undo)
        _parse_machines_once(undo)
        _forget_threads(undo)
        _remember_services(undo)
        yield


def _replace(owner: Any, name: str, replacement: Any, undo: contextlib.ExitStack) -> Any:
    """Set an attribute until `undo` is unwound; returns what it was."""
    original = getattr(owner, name)
    if name in vars(owner):
        undo.callback(setattr, owner, name, vars(owner)[name])  # as it stands there: a static method stays one
    else:
        undo.callback(delattr, owner, name)
    setattr(owner, name, replacement)
    return original


def _leave_out_batch() -> None:
    spec = find_spec("moto")
    if spec is None or spec.origin is None:
        raise ImportError("moto is not installed")
    package = types.ModuleType("moto.batch")
    package.__path__ = [str(Path(spec.origin).parent / "batch")]
    sys.modules.setdefault("moto.batch", package)


def _replace_lambda(hooks: Hooks, undo: contextlib.ExitStack) -> None:
    from moto.awslambda.exceptions import LambdaClientError
    from moto.awslambda.models import LambdaFunction
    from moto.awslambda.responses import LambdaResponse

    def run_now(function: Any, event: bytes, request_id: str) -> Outcome:
        try:
            return hooks.invoke(function, event, request_id)
        except HostClosed:
            raise LambdaClientError("ServiceException", "The local cloud is stopping.") from None
        except KeyError:
            message = f"The local cloud runs only its own functions; {function.function_name} is none of them."
            raise LambdaClientError("ServiceException", message) from None

    def run(function: Any, event: Any = None) -> tuple[str, bool, str]:
        outcome = run_now(function, json.dumps({} if event is None else event).encode(), str(uuid.uuid4()))
        return outcome.payload.decode(), outcome.failed, outcome.log_tail

    def serve(function: Any, body: str | bytes, request_headers: Any, response_headers: Any) -> bytes:
        event = (body.encode() if isinstance(body, str) else body) or b"{}"
        kind = request_headers.get("x-amz-invocation-type", "RequestResponse")
        if kind == "DryRun":
            return b""
        request_id = str(uuid.uuid4())
        response_headers[_REQUEST_ID] = request_id
        if kind == "Event":
            hooks.invoke_later(function, event, request_id)
            return b""
        outcome = run_now(function, event, request_id)
        if outcome.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        response_headers["x-amz-log-result"] = base64.b64encode(outcome.log_tail.encode()).decode()
        return outcome.payload

    def keep_request_id(headers: dict[str, str], body: Any) -> Any:
        own = {_REQUEST_ID: headers[_REQUEST_ID]} if _REQUEST_ID in headers else {}
        headers, body = enrich(headers, body)
        return {**headers, **own}, body

    _replace(LambdaFunction, "_invoke_lambda", run, undo)
    _replace(LambdaFunction, "invoke", serve, undo)
    enrich = _replace(LambdaResponse, "_enrich_response", staticmethod(keep_request_id), undo)


def _mend_queues(hooks: Hooks, undo: contextlib.ExitStack) -> None:
    from moto.sqs.models import Queue, SQSBackend

    def add_message(queue: Any, message: Any) -> None:
        with queue._messages_lock:
            add(queue, message)
        hooks.message_arrived()

    def delete_message(queue: Any, receipt_handle: str) -> None:
        with queue._messages_lock:
            delete(queue, receipt_handle)

    def receive_message(
        backend: Any, queue_name: str, count: int, wait: int, visibility: int, names: list[str] | None = None
    ) -> list[Any]:
        queue = backend.get_queue(queue_name)
        deadline = time.monotonic() + (wait or 0)
        while True:
            with queue._messages_lock:
                messages: list[Any] = receive(backend, queue_name, count, 0, visibility, names)
            left = deadline - time.monotonic()
            if messages or left <= 0:
                return messages
            queue.wait_for_messages(min(left, 1.0))

    add = _replace(Queue, "add_message", add_message, undo)
    delete = _replace(Queue, "delete_message", delete_message, undo)
    receive = _replace(SQSBackend, "receive_message", receive_message, undo)
    # Reads as empty, so that moto never serves a mapping itself.
    key = "lambda_event_source_mappings"
    setattr(Queue, key, property(lambda _: {}, lambda queue, mappings: vars(queue).__setitem__(key, mappings)))
    undo.callback(delattr, Queue, key)


def _hand_over_events(hooks: Hooks, undo: contextlib.ExitStack) -> None:
    from moto.events.models import Rule

    def send_to_targets(rule: Any, original_event: dict[str, Any], transform_input: bool = True) -> None:  # noqa: ARG001
        hooks.event_sent(rule, original_event)

    _replace(Rule, "send_to_targets", send_to_targets, undo)


def _watch_executions(hooks: Hooks, undo: contextlib.ExitStack) -> None:
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication

    def ended(communication: Any) -> None:
        terminated(communication)
        hooks.execution_ended(communication.execution)

    terminated = _replace(BaseExecutionWorkerCommunication, "terminated", ended, undo)


def _share_step_functions_clients(undo: contextlib.ExitStack) -> None:
    import boto3
    from moto.stepfunctions.parser.asl.utils import boto_client

    clients: dict[tuple[str, str], Any] = {}
    lock = threading.Lock()
    session = boto3.Session()

    def client(*, service_name: str, region_name: str, **settings: Any) -> Any:
        with lock:
            key = (service_name, region_name)
            if key not in clients:
                settings["config"] = settings["config"].merge(
                    type(settings["config"])(max_pool_connections=64, proxies={})
                )
                clients[key] = session.client(service_name=service_name, region_name=region_name, **settings)
            return clients[key]

    _replace(boto_client, "boto3", types.SimpleNamespace(client=client), undo)


def _serialise_start_execution(undo: contextlib.ExitStack) -> None:
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    lock = threading.Lock()

    def start_execution(backend: Any, state_machine_arn: str, name: str | None = None, *rest: Any, **more: Any) -> Any:
        with lock:
            return start(backend, state_machine_arn, name or str(uuid.uuid4()), *rest, **more)

    start = _replace(StepFunctionsParserBackend, "start_execution", start_execution, undo)


def _copy_no_tables(undo: contextlib.ExitStack) -> None:
    """A transaction that is cancelled puts back the items that it names; one at a time, as the gateway lets them in."""
    from moto.dynamodb import models
    from moto.dynamodb.models.table import Table

    def deep_copy(thing: Any, *memo: Any) -> Any:
        return thing if isinstance(thing, Table) else copy.deepcopy(thing, *memo)

    def transact_write_items(backend: Any, transact_items: list[dict[str, Any]]) -> None:
        before = list(_items_of(backend, transact_items))
        try:
            transact(backend, transact_items)
        except Exception:
            for table, hash_key, range_key, item in before:
                if item is None:
                    table.delete_item(hash_key, range_key)
                elif range_key is None:
                    table.items[hash_key] = item
                else:
                    table.items[hash_key][range_key] = item
            raise

    _replace(models, "copy", types.SimpleNamespace(deepcopy=deep_copy), undo)
    transact = _replace(models.DynamoDBBackend, "transact_write_items", transact_write_items, undo)


def _items_of(backend: Any, actions: list[dict[str, Any]]) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Table, keys and a copy of every item that a transaction may change; what is malformed is refused later."""
    for action in actions:
        with contextlib.suppress(Exception):
            [(kind, operation)] = action.items()
            table = backend.get_table(operation["TableName"])
            key = operation["Item" if kind == "Put" else "Key"]
            hash_key, range_key = backend.get_keys_value(table, key)
            yield table, hash_key, range_key, copy.deepcopy(table.get_item(hash_key, range_key))


def _forget_instances(undo: contextlib.ExitStack) -> None:
    from moto.core.common_models import BaseModel

    def make(cls: type, *_: Any, **__: Any) -> Any:
        return object.__new__(cls)

    _replace(BaseModel, "__new__", staticmethod(make), undo)


def _query_one_partition(undo: contextlib.ExitStack) -> None:
    from moto.dynamodb.comparisons import OpDefault
    from moto.dynamodb.models import table as tables

    def query(
        table: Any,
        hash_key: Any,
        range_comparison: Any,
        range_objs: Any,
        limit: Any,
        start: Any,
        forward: Any,
        projection: Any,
        index_name: str | None = None,
        consistent_read: bool = False,
        filter_expression: Any = None,
        **more: Any,
    ) -> Any:
        of_page = (range_comparison, range_objs, limit, start, forward, projection)
        rest = (index_name, consistent_read, filter_expression)
        if index_name or hash_key is None:
            return of_all(table, hash_key, *of_page, *rest, **more)
        part = copy.copy(table)
        part.items = {hash_key: table.items[hash_key]} if hash_key in table.items else {}
        filtered = not isinstance(filter_expression, OpDefault | None) or more.keys() - _KEY_CONDITIONS
        if not (range_comparison or limit or start or forward is False or projection or filtered):
            items = part.all_items()
            if sum(item.size() for item in items) <= tables.RESULT_SIZE_LIMIT:
                return items, len(items), None
        return of_all(part, hash_key, *of_page, *rest, **more)

    of_all = _replace(tables.Table, "query", query, undo)


def _measure_without_copies(undo: contextlib.ExitStack) -> None:
    from moto.dynamodb.models.dynamo_type import DynamoType

    def size(thing: Any) -> int:
        if thing.type == "S":
            return len(thing.value) if thing.value.isascii() else len(thing.value.encode())
        if thing.type == "M":
            return sum(len(name.encode()) + size(value) for name, value in thing.value.items())
        if thing.type == "L":
            return sum(map(size, thing.value))
        return int(measured(thing))

    measured = _replace(DynamoType, "size", size, undo)


def _serialise_items_directly(undo: contextlib.ExitStack) -> None:
    """Attribute values are written as they are: they have DynamoDB's own form already, but for their bytes."""
    from moto.core.serialize import BaseJSONSerializer
    from moto.dynamodb import responses
    from moto.dynamodb.models import utilities
    from moto.dynamodb.models.dynamo_type import DynamoType, LimitedSizeDict

    def plain(thing: Any) -> Any:
        kind = type(thing)
        if kind is DynamoType and thing.type in _PLAIN:
            return {thing.type: thing.value}
        if kind is dict or kind is LimitedSizeDict:
            return {name: plain(inner) for name, inner in thing.items()}
        return thing if kind is str else to_dict(thing)

    def structure(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and type(value) is dict:
            serialized[key] = _attribute(value)
        else:
            serialise_structure(serializer, serialized, value, shape, key)

    def mapping(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.value.name == "AttributeValue" and type(value) is dict:
            serialized[key] = {name: _attribute(inner) for name, inner in value.items()}
        else:
            serialise_map(serializer, serialized, value, shape, key)

    to_dict = _replace(utilities, "dynamo_to_dict", plain, undo)
    _replace(responses, "dynamo_to_dict", plain, undo)
    serialise_structure = _replace(BaseJSONSerializer, "_serialize_type_structure", structure, undo)
    serialise_map = _replace(BaseJSONSerializer, "_serialize_type_map", mapping, undo)


def _attribute(value: Any) -> Any:
    if type(value) is not dict or len(value) != 1:
        return value
    [(kind, content)] = value.items()
    if kind == "M":
        content = {name: _attribute(inner) for name, inner in content.items()}
    elif kind == "L":
        content = [_attribute(inner) for inner in content]
    elif kind == "B":
        content = base64.b64encode(content).decode()
    elif kind == "BS":
        content = [base64.b64encode(each).decode() for each in content]
    return {kind: content} if kind in _ATTRIBUTES else {}


def _parse_machines_once(undo: contextlib.ExitStack) -> None:
    """Executions share the components of their machine: what an execution changes is kept in its own environment,
    under the components' keys. moto makes those when they are first asked for, which several threads may do at once."""
    from moto.stepfunctions.parser.asl.component.common.path import result_path
    from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
    from moto.stepfunctions.parser.asl.utils import json_path

    parse = functools.lru_cache(maxsize=16)(AmazonStateLanguageParser.parse)
    _replace(AmazonStateLanguageParser, "parse", staticmethod(parse), undo)
    _replace(EvalComponent, "heap_key", property(lambda component: str(id(component))), undo)
    for module in (json_path, result_path):
        _replace(module, "parse", functools.lru_cache(maxsize=512)(module.parse), undo)


def _forget_threads(undo: contextlib.ExitStack) -> None:
    from moto.stepfunctions.parser.asl.component.program import program
    from moto.stepfunctions.parser.asl.component.state.exec import execute_state
    from moto.stepfunctions.parser.backend import execution_worker

    for module in (execution_worker, program, execute_state):
        _replace(module, "TMP_THREADS", deque(maxlen=0), undo)


def _remember_services(undo: contextlib.ExitStack) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    find = functools.lru_cache(maxsize=64)(DomainDispatcherApplication.get_backend_for_host)
    _replace(DomainDispatcherApplication, "get_backend_for_host", find, undo)

"""What moto is spared: the same answers for a fraction of the work. Ten nodes that end together need it.

`tests/unit/local_cloud/test_moto_patches.py` fails when moto moves; the files beside it compare the answers.

    TransactWriteItems             takes back what it changed; moto copies whole tables for that, once for each action
    models                         nobody keeps a list of every instance that ever was: it grew by gigabytes
    Query                          looks at one partition; moto sorts the whole table for each. A whole partition that
                                   fits into one page is not copied
    sizes of items                 are added up; moto copies what it measures, anew for each attribute that is set
    answers with items             attributes are written as they are; moto asks each for ten types by all their names
    state machines                 are parsed once, not at each start of an execution; so are their paths
    the interpreter's threads      are forgotten when they end
    the service of a request       is found once for each host; moto lists its own folder each time
"""

from __future__ import annotations

import base64
import contextlib
import copy
import functools
import types
from collections import deque
from collections.abc import Iterator
from typing import Any

from local_cloud.replacing import replace

__all__ = ["spare"]

_PLAIN = frozenset(("S", "N", "SS", "NS", "NULL", "BOOL"))
_ATTRIBUTES = frozenset(("S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"))
_KEY_CONDITIONS = {"hash_key_conditions", "range_key_conditions"}
"""What `Table.query` is given beside the fields of filters in the old style."""


def spare(undo: contextlib.ExitStack) -> None:
    """Put all of it in place until `undo` is unwound."""
    _copy_no_tables(undo)
    _forget_instances(undo)
    _query_one_partition(undo)
    _measure_without_copies(undo)
    _serialise_items_directly(undo)
    _parse_machines_once(undo)
    _forget_threads(undo)
    _remember_services(undo)


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

    replace(models, "copy", types.SimpleNamespace(deepcopy=deep_copy), undo)
    transact = replace(models.DynamoDBBackend, "transact_write_items", transact_write_items, undo)


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

    replace(BaseModel, "__new__", staticmethod(make), undo)


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

    of_all = replace(tables.Table, "query", query, undo)


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

    measured = replace(DynamoType, "size", size, undo)


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

    to_dict = replace(utilities, "dynamo_to_dict", plain, undo)
    replace(responses, "dynamo_to_dict", plain, undo)
    serialise_structure = replace(BaseJSONSerializer, "_serialize_type_structure", structure, undo)
    serialise_map = replace(BaseJSONSerializer, "_serialize_type_map", mapping, undo)


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
    replace(AmazonStateLanguageParser, "parse", staticmethod(parse), undo)
    replace(EvalComponent, "heap_key", property(lambda component: str(id(component))), undo)
    for module in (json_path, result_path):
        replace(module, "parse", functools.lru_cache(maxsize=512)(module.parse), undo)


def _forget_threads(undo: contextlib.ExitStack) -> None:
    from moto.stepfunctions.parser.asl.component.program import program
    from moto.stepfunctions.parser.asl.component.state.exec import execute_state
    from moto.stepfunctions.parser.backend import execution_worker

    for module in (execution_worker, program, execute_state):
        replace(module, "TMP_THREADS", deque(maxlen=0), undo)


def _remember_services(undo: contextlib.ExitStack) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    find = functools.lru_cache(maxsize=64)(DomainDispatcherApplication.get_backend_for_host)
    replace(DomainDispatcherApplication, "get_backend_for_host", find, undo)

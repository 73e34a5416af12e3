"""What our changes to moto rely on. When one of these fails, moto moved: look at `local_cloud/moto_patches.py`
and `moto_savings.py`.

That the changes work is shown in tests/integration/local_cloud, in the cloud's own process.
"""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

PINNED = "5.2.5"


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)


def test_moto_is_the_version_that_the_changes_were_made_for() -> None:
    assert importlib.metadata.version("moto") == PINNED


def test_lambda_functions_are_invoked_through_the_methods_that_we_replace() -> None:
    from moto.awslambda import models, responses

    function = models.LambdaFunction
    assert parameters(function.invoke) == ["self", "body", "request_headers", "response_headers"]
    assert parameters(function._invoke_lambda) == ["self", "event"]
    assert "fn.invoke(body, headers, response_headers)" in inspect.getsource(models.LambdaBackend.invoke)
    assert "202" in inspect.getsource(responses.LambdaResponse.invoke)


def test_the_interpreter_makes_its_clients_through_the_name_that_we_replace() -> None:
    from moto.stepfunctions.parser.asl.utils import boto_client

    source = inspect.getsource(boto_client.boto_client_for)
    assert "boto3.client(" in source
    for name in ("service_name=", "region_name=", "config=", '"endpoint_url"'):
        assert name in source


def test_executions_are_started_through_the_method_that_we_wrap() -> None:
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    names = ["self", "state_machine_arn", "name", "execution_input", "trace_header"]
    assert parameters(StepFunctionsParserBackend.start_execution) == names


@pytest.mark.parametrize("module", ["moto.stepfunctions.parser.models", "local_cloud.backend"])
def test_leaving_out_batch_leaves_out_the_whole_of_ec2(module: str) -> None:
    script = f"""
import sys
from local_cloud import moto_patches
moto_patches.prepare(5000)
import {module}
print("moto.ec2" in sys.modules, "moto.batch.exceptions" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False True\n"


def test_answers_get_their_request_id_in_the_method_that_we_wrap() -> None:
    from moto.core.responses import BaseResponse

    assert parameters(BaseResponse._enrich_response) == ["headers", "body"]
    assert "self._enrich_response(headers, body)" in inspect.getsource(BaseResponse.call_action)


def test_queues_are_used_through_the_methods_that_we_wrap() -> None:
    from moto.sqs.models import Queue, SQSBackend

    assert parameters(Queue.add_message) == ["self", "message"]
    assert "self.lambda_event_source_mappings.items()" in inspect.getsource(Queue.add_message)
    assert parameters(Queue.delete_message) == ["self", "receipt_handle"]
    assert parameters(SQSBackend.receive_message)[1:] == [
        "queue_name",
        "count",
        "wait_seconds_timeout",
        "visibility_timeout",
        "message_attribute_names",
    ]
    queue = Queue("q", "us-east-1", "123456789012")
    with queue._messages_lock, queue._messages_lock:
        assert queue._messages == []


def test_events_and_executions_pass_the_methods_that_we_replace() -> None:
    from moto.events.models import EventsBackend, Rule
    from moto.stepfunctions.parser.backend import execution, execution_worker

    assert parameters(Rule.send_to_targets) == ["self", "original_event", "transform_input"]
    assert "rule.send_to_targets(event_msg)" in inspect.getsource(EventsBackend.put_events)
    assert parameters(execution.BaseExecutionWorkerCommunication.terminated) == ["self"]
    source = inspect.getsource(execution_worker.ExecutionWorker._execution_logic)
    assert "self._execution_communication.terminated()" in source


def test_transactions_copy_tables_where_we_replace_that() -> None:
    from moto.core.common_models import BaseModel
    from moto.dynamodb import models

    backend = models.DynamoDBBackend
    assert parameters(backend.transact_write_items) == ["self", "transact_items"]
    source = inspect.getsource(models)
    assert source.count("copy.") == source.count("copy.deepcopy(") == 2  # the other one copies an item
    assert "cls.instances_tracked.append(instance)" in inspect.getsource(BaseModel.__new__)


def test_tables_are_queried_by_the_method_that_we_wrap() -> None:
    from moto.dynamodb.models.table import Table

    from local_cloud import moto_savings

    given = ["self", "hash_key", "range_comparison", "range_objs", "limit", "exclusive_start_key", "scan_index_forward"]
    given += ["projection_expressions", "index_name", "consistent_read", "filter_expression"]
    assert parameters(Table.query) == [*given, *sorted(moto_savings._KEY_CONDITIONS), "filter_kwargs"]
    source = inspect.getsource(Table.query)
    assert (
        "for item in self.all_items()\n                if isinstance(item, Item) and item.hash_key == hash_key"
        in source
    )
    assert "self.items" not in source  # only what all_items reads is replaced


def test_items_are_serialised_by_the_method_that_we_replace() -> None:
    from moto.core import serialize

    dynamodb = serialize.get_serializer_class("dynamodb", "json")
    names = ["self", "serialized", "value", "shape", "key"]
    assert parameters(dynamodb._serialize_type_structure) == parameters(dynamodb._serialize) == names
    assert dynamodb._serialize_type_structure is serialize.BaseJSONSerializer._serialize_type_structure
    assert parameters(dynamodb._serialize_type_map) == names
    assert dynamodb._serialize_type_map is serialize.BaseJSONSerializer._serialize_type_map


def test_machines_and_paths_are_parsed_through_the_names_that_we_replace() -> None:
    from moto.stepfunctions.parser.asl.component.common.path import result_path
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
    from moto.stepfunctions.parser.asl.utils import json_path
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

    assert "AmazonStateLanguageParser.parse(" in inspect.getsource(ExecutionWorker._get_evaluation_entrypoint)
    source = inspect.getsource(AmazonStateLanguageParser.parse)
    assert "program = preprocessor.visit(tree)\n\n        return program, tree" in source
    assert "= parse(path)" in inspect.getsource(json_path.extract_json)
    assert "= parse(self.result_path_src)" in inspect.getsource(result_path.ResultPath)


def test_components_of_machines_keep_nothing_of_an_execution_but_under_their_keys() -> None:
    """Those that do are made anew by every execution: the workers of Map and Parallel."""
    from moto.stepfunctions.parser.asl import component

    changed = set()
    for path in Path(*component.__path__).rglob("*.py"):
        if "state_map" in path.parts or "state_parallel" in path.parts:
            continue
        for kind in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)):
            for method in (node for node in kind.body if isinstance(node, ast.FunctionDef)):
                stored = (node for node in ast.walk(method) if isinstance(node, ast.Attribute | ast.Subscript))
                if method.name not in ("__init__", "from_state_props") and any(
                    isinstance(node.ctx, ast.Store) and ast.unparse(node).startswith("self.") for node in stored
                ):
                    changed.add(f"{kind.name}.{method.name}")
    assert changed == {"EvalComponent.heap_key"}


def test_the_interpreter_only_adds_to_its_list_of_threads() -> None:
    from moto.stepfunctions.parser.asl.component.program import program
    from moto.stepfunctions.parser.asl.component.state.exec import execute_state
    from moto.stepfunctions.parser.backend import execution_worker

    for module in (execution_worker, program, execute_state):
        source = inspect.getsource(module)
        assert source.count("TMP_THREADS") == source.count("TMP_THREADS.append(") + 1 == 2


def test_items_become_plain_where_we_replace_that() -> None:
    from moto.dynamodb import responses
    from moto.dynamodb.models import utilities

    assert responses.dynamo_to_dict is utilities.dynamo_to_dict
    assert parameters(utilities.dynamo_to_dict) == ["obj"]
    source = inspect.getsource(utilities.dynamo_to_dict)
    assert "return {obj.type: dynamo_to_dict(obj.value)}" in source
    assert "return [dynamo_to_dict(item) for item in obj]" in source


def test_the_service_of_a_request_is_found_by_the_method_that_we_wrap() -> None:
    from moto import backends
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    assert parameters(DomainDispatcherApplication.get_backend_for_host) == ["self", "host"]
    source = inspect.getsource(DomainDispatcherApplication.get_backend_for_host)
    assert "host in backends.list_of_moto_modules()" in source
    assert "os.listdir(path)" in inspect.getsource(backends.list_of_moto_modules)

"""What our changes to moto's CloudFormation rely on. When one of these fails, moto moved: look at
`local_cloud/deployed/moto_mends.py` and `moto_stacks.py`.

That the changes work is shown by everything else in this folder.
"""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import textwrap
from pathlib import Path

import pytest

from local_cloud import deployed

PINNED = "5.2.5"


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)


def source(function: object) -> str:
    return textwrap.dedent(inspect.getsource(function))  # type: ignore[arg-type]


def test_moto_is_the_version_that_the_changes_were_made_for() -> None:
    assert importlib.metadata.version("moto") == PINNED


def test_resources_are_made_through_the_functions_that_we_replace() -> None:
    from moto.cloudformation import parsing

    assert parameters(parsing.resource_class_from_type) == ["resource_type"]
    assert parameters(parsing.parse_and_create_resource) == [
        "logical_id", "resource_json", "resources_map", "account_id", "region_name"
    ]  # fmt: skip
    assert parameters(parsing.clean_json) == ["resource_json", "resources_map"]
    assert "resource_class_from_type(resource_type)" in source(parsing.parse_resource)
    assert "clean_json(resource_json, resources_map)" in source(parsing.parse_resource)
    assert "parse_and_create_resource(" in source(parsing.ResourceMap.__getitem__)
    created = source(parsing.parse_and_create_resource)
    for name in ('"LogicalId": logical_id', '"StackId": resources_map.stack_id', "create_from_cloudformation_json("):
        assert name in created


def test_resources_are_read_as_we_write_them() -> None:
    from moto.cloudformation import parsing

    reading = source(parsing.clean_json)
    assert "resource.physical_resource_id" in reading
    assert "resource.get_cfn_attribute(" in reading
    assert "resource_class.has_cfn_attr(attr)" in source(parsing.ResourceMap.validate_outputs)


def test_a_map_of_resources_has_the_parts_that_we_use() -> None:
    from moto.cloudformation import parsing

    resources = parsing.ResourceMap
    assert parameters(resources.update) == ["self", "template", "parameters"]
    assert parameters(resources.delete) == ["self"]
    made = source(resources.__init__)
    for name in ("_resource_json_map", "_parsed_resources", "_account_id", "_region_name", "tags", "input_parameters"):
        assert f"self.{name}" in made
    for name in ("load_mapping", "load_parameters", "load_conditions", "_delete_resource"):
        assert hasattr(resources, name)
    assert {"_account_id", "_region_name"} >= _own_attributes(resources._delete_resource)


def _own_attributes(function: object) -> set[str]:
    """What a method reads of `self`."""
    attributes = (node for node in ast.walk(ast.parse(source(function))) if isinstance(node, ast.Attribute))
    return {each.attr for each in attributes if isinstance(each.value, ast.Name) and each.value.id == "self"}


def test_stacks_are_deployed_through_the_methods_that_we_replace() -> None:
    from moto.cloudformation import responses
    from moto.cloudformation.models import CloudFormationBackend, Event, Stack

    backend = CloudFormationBackend
    assert parameters(backend.create_stack)[:2] == ["self", "name"]
    assert parameters(backend.update_stack) == ["self", "name", "template", "role_arn", "parameters", "tags"]
    assert parameters(backend.delete_stack) == ["self", "name_or_stack_id"]
    assert parameters(backend.execute_change_set) == ["self", "change_set_name", "stack_name"]
    asked = source(responses.CloudFormationResponse.update_stack)
    for name in ("name=", "template=", "role_arn=", "parameters=", "tags="):
        assert name in asked.partition("cloudformation_backend.update_stack(")[2]
    assert parameters(Event.__init__)[1:] == [
        "stack_id", "stack_name", "logical_resource_id", "physical_resource_id", "resource_type", "resource_status",
        "resource_status_reason", "resource_properties",
    ]  # fmt: skip
    for name in ("_parse_template", "_create_output_map", "_add_stack_event", "exports"):
        assert hasattr(Stack, name)


def test_functions_have_the_parts_that_we_add_to() -> None:
    from moto.awslambda.models import LambdaFunction, LambdaStorage

    assert parameters(LambdaFunction.__init__)[:4] == ["self", "account_id", "spec", "region"]
    assert parameters(LambdaFunction.update_configuration) == ["self", "config_updates"]
    assert parameters(LambdaFunction.update_function_code) == ["self", "updated_spec"]
    assert parameters(LambdaStorage.publish_version) == ["self", "name_or_arn", "description"]
    assert 'self._functions[name]["versions"]' in source(LambdaStorage.publish_version)
    made = source(LambdaFunction.__init__)
    for name in ("logs_group_name", "environment_vars", "memory_size", "timeout", "handler", "reserved_concurrency"):
        assert f"self.{name}" in made
    assert "code_bytes" in source(LambdaFunction._set_function_code)


@pytest.mark.parametrize("dropped", ["LoggingConfig", "EphemeralStorage", "TracingConfig"])
def test_moto_still_drops_what_we_remember_for_it(dropped: str) -> None:
    """When it does not any more, the mend can go."""
    from moto.awslambda.models import LambdaFunction

    assert dropped not in source(LambdaFunction.update_configuration)


def test_bucket_policies_are_asked_through_the_method_that_we_replace() -> None:
    from moto.s3.models import FakeBucket

    assert parameters(FakeBucket.get_permission) == ["self", "action", "resource"]


def test_nothing_else_of_the_emulator_touches_what_is_private_in_moto() -> None:
    folder = Path(deployed.__file__).parent
    importing = {
        file.name
        for file in folder.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("moto.")
    }
    assert importing == {"moto_mends.py", "moto_stacks.py", "packages.py", "emulator.py"}

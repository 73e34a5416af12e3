"""How moto makes, changes and removes the resources of a stack: mended, for `moto_mends`, which says why."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

from local_cloud.deployed.resource import Properties, ResourceType
from local_cloud.deployed.template import dependency_order

__all__ = ["ResourceFailed", "mend_resource_map", "mend_stacks", "with_stack_tags"]

log = logging.getLogger(__name__)


class ResourceFailed(Exception):
    """A resource could not be made, changed or removed."""

    def __init__(self, logical_id: str, resource_type: str, status: str, error: Exception) -> None:
        reason = getattr(error, "message", "") or str(error) or repr(error)
        super().__init__(f"{logical_id} ({resource_type}): {type(error).__name__}: {reason}")
        self.logical_id = logical_id
        self.resource_type = resource_type
        self.status = status


def with_stack_tags(template: dict[str, Any], resources: Any) -> dict[str, Any]:
    """A resource's template with the tags of its stack, as CloudFormation adds them; its own ones win."""
    from moto.cloudformation import parsing

    kind = getattr(parsing.resource_class_from_type(template["Type"]), "resource_type", None)
    tags = {key: value for key, value in resources.tags.items() if not key.startswith("aws:")}
    if kind is None or not kind.tags or not tags:
        return template
    properties = template.get("Properties", {})
    if kind.tags == "map":
        return {**template, "Properties": {**properties, "Tags": {**tags, **properties.get("Tags", {})}}}
    own = properties.get("Tags", [])
    named = {tag["Key"] for tag in own}
    added = [{"Key": key, "Value": value} for key, value in tags.items() if key not in named]
    return {**template, "Properties": {**properties, "Tags": [*own, *added]}}


def mend_resource_map() -> None:
    from moto.cloudformation import parsing

    def update(resources: Any, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
        former = resources._resource_json_map
        removed = {
            name: resource
            for name in former
            if name not in template["Resources"] and (resource := resources._parsed_resources.pop(name, None))
        }
        resources._template = template
        if parameters:
            resources.input_parameters = parameters
        resources.load_mapping()
        resources.load_parameters()
        resources.load_conditions()
        resources._resource_json_map = template["Resources"]
        replaced = []
        for name in dependency_order(template["Resources"]):
            if name not in resources._parsed_resources:
                _ = resources[name]  # makes it
            elif gone := _change(resources, name, former.get(name, {})):
                replaced.append((name, gone))
        for name, resource in reversed(replaced):
            _remove(name, resource, former[name], "UpdateReplacePolicy")
        for name in reversed(dependency_order(former)):
            if name in removed:
                _remove(name, removed[name], former[name], "DeletionPolicy")

    def delete(resources: Any) -> None:
        for name in reversed(dependency_order(resources._resource_json_map)):
            resource = resources._parsed_resources.get(name)
            if resource is not None:
                _remove(name, resource, resources._resource_json_map[name], "DeletionPolicy")
                resources._parsed_resources.pop(name, None)

    parsing.ResourceMap.update = update
    parsing.ResourceMap.delete = delete


def _change(resources: Any, name: str, former: Mapping[str, Any]) -> Any:
    """Bring one resource up to date. Returns the old one when it was replaced."""
    from moto.cloudformation import parsing

    wanted = resources._resource_json_map[name]
    current = resources._parsed_resources[name]
    try:
        if not hasattr(current, "resource_type"):  # one of moto's own
            if wanted != former:
                changed = parsing.parse_and_update_resource(
                    name, wanted, resources, resources._account_id, resources._region_name
                )
                resources._parsed_resources[name] = changed or current
            return None
        template = with_stack_tags(wanted, resources)
        properties = copy.deepcopy(parsing.clean_json(template.get("Properties", {}), resources))
        if properties == current.properties:
            return None
        kind: ResourceType = current.resource_type
        if kind.replaces(current.properties, properties):
            if kind.name_property and kind.name_property in properties and not kind.always_replaced:
                _refuse_same_name(kind, current.properties, properties)
            del resources._parsed_resources[name]
            _ = resources[name]
            return current
        current.made = kind.update(current.made, current.properties, properties)
        current.properties = properties
    except ResourceFailed:
        raise
    except Exception as error:
        log.exception("%s (%s)", name, wanted["Type"])
        raise ResourceFailed(name, wanted["Type"], "UPDATE_FAILED", error) from error
    return None


def _refuse_same_name(kind: ResourceType, old: Properties, new: Properties) -> None:
    """CloudFormation can't replace a resource whose name was chosen, unless the name changes too."""
    if old.get(kind.name_property) == new[kind.name_property]:
        raise ValueError(
            f"CloudFormation cannot update a stack when a custom-named resource requires replacing. "
            f"Rename {new[kind.name_property]} and update the stack again."
        )


def _remove(name: str, resource: Any, template: Mapping[str, Any], policy: str) -> None:
    from moto.cloudformation import parsing

    if template.get(policy, "Delete") in ("Retain", "RetainExceptOnCreate"):
        return
    try:
        if hasattr(resource, "resource_type"):
            resource.resource_type.delete(resource.made, resource.properties)
        else:
            parsing_delete = parsing.ResourceMap._delete_resource
            parsing_delete(_Place(resource), resource, {**template, "Properties": template.get("Properties", {})})
    except Exception as error:
        log.exception("%s (%s)", name, template["Type"])
        raise ResourceFailed(name, template["Type"], "DELETE_FAILED", error) from error


class _Place:
    """What `ResourceMap._delete_resource` reads of its map."""

    def __init__(self, resource: Any) -> None:
        from local_cloud.functions import ACCOUNT, REGION

        self._account_id = getattr(resource, "account_id", ACCOUNT)
        self._region_name = getattr(resource, "region_name", REGION)


def mend_stacks() -> None:
    from moto.cloudformation.models import CloudFormationBackend, Event

    create_stack, update_stack = CloudFormationBackend.create_stack, CloudFormationBackend.update_stack
    delete_stack, execute_change_set = CloudFormationBackend.delete_stack, CloudFormationBackend.execute_change_set

    def empty(stack: Any) -> None:
        """Whatever a stack lists, moto makes when it is asked for it: also after its deletion."""
        stack.resource_map._resource_json_map = {}
        stack.output_map._output_json_map = {}

    def failed(stack: Any, error: ResourceFailed, then: str) -> None:
        if then == "ROLLBACK_COMPLETE":
            try:
                stack.resource_map.delete()
            except ResourceFailed:
                then = "ROLLBACK_FAILED"  # what made the rollback necessary is what has to be told
            empty(stack)
        stack.events.append(
            Event(
                stack_id=stack.stack_id,
                stack_name=stack.name,
                logical_resource_id=error.logical_id,
                physical_resource_id="",
                resource_type=error.resource_type,
                resource_status=error.status,
                resource_status_reason=str(error),
                resource_properties=None,
            )
        )
        stack.status = then
        stack._add_stack_event(then, resource_status_reason=str(error))

    def create(backend: Any, name: str, *rest: Any, **more: Any) -> Any:
        try:
            return create_stack(backend, name, *rest, **more)
        except ResourceFailed as error:
            stack = next(stack for stack in backend.stacks.values() if stack.name == name)
            failed(stack, error, "ROLLBACK_COMPLETE")
            return stack

    def update(backend: Any, name: str, template: str, role_arn: Any, parameters: Any, tags: Any) -> Any:
        stack = backend.get_stack(name)
        # A parameter that is to keep its value may never have been given one besides its default.
        given = [each for each in parameters if "ParameterValue" in each or each["ParameterKey"] in stack.parameters]
        if tags is not None:
            stack.resource_map.tags = dict(tags)
        try:
            update_stack(backend, name, template, role_arn, given, tags)
        except ResourceFailed as error:
            # AWS would go back to how it was; here the stack says that it is neither old nor new.
            failed(stack, error, "UPDATE_ROLLBACK_FAILED")
        else:
            export(backend, stack)
        return stack

    def execute(backend: Any, change_set_name: str, stack_name: str | None = None) -> None:
        change_set = backend.describe_change_set(change_set_name)
        stack = change_set.stack
        try:
            execute_change_set(backend, change_set_name, stack_name)
        except ResourceFailed as error:
            change_set.execution_status = "EXECUTE_FAILED"
            if change_set.change_set_type == "CREATE":
                failed(stack, error, "ROLLBACK_COMPLETE")
            else:
                failed(stack, error, "UPDATE_ROLLBACK_FAILED")
            return
        stack._parse_template()
        stack.description = stack.template_dict.get("Description")
        stack.parameters = change_set.parameters
        if change_set.tags:
            stack.tags = change_set.tags
        stack.output_map = stack._create_output_map()
        export(backend, stack)

    def export(backend: Any, stack: Any) -> None:
        for name in [name for name, each in backend.exports.items() if each.exporting_stack_id == stack.stack_id]:
            del backend.exports[name]
        backend.exports.update({export.name: export for export in stack.exports})

    def delete(backend: Any, name_or_stack_id: str) -> None:
        found = [s for s in backend.stacks.values() if name_or_stack_id in (s.name, s.stack_id)]
        try:
            delete_stack(backend, name_or_stack_id)
        except ResourceFailed as error:
            failed(found[0], error, "DELETE_FAILED")
            backend.stacks[found[0].stack_id] = found[0]
        else:
            for stack in found:
                empty(stack)

    CloudFormationBackend.create_stack = create
    CloudFormationBackend.update_stack = update
    CloudFormationBackend.delete_stack = delete
    CloudFormationBackend.execute_change_set = execute

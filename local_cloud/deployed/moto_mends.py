"""Everything that we change in moto for deploying; `tests/deployed/test_moto_mends.py` fails when moto moves.

    CloudFormation's types      made through the API (`types/`) instead of moto's shortened ones; an unknown one fails
    tags                        a stack's tags reach its resources
    ResourceMap.update/delete   in dependency order; what replaces a resource reaches everything that refers to it; what
                                is gone goes last; DeletionPolicy and UpdateReplacePolicy count
    UpdateTerminationProtection added; a protected stack can't be deleted
    Stack create/update/delete  what fails says which resource and why; exports follow an update
    Fn::Sub                     as CloudFormation does it (moto's makes `$` of `$$`)
    Lambda                      remembers the settings that moto drops; numbers versions once
    S3 bucket policies          kept, not enforced: moto ignores their conditions and would shut everybody out

What we change for the local cloud is in `local_cloud/moto_patches.py` and counts here too.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from local_cloud.deployed.resource import Made, Properties, ResourceType
from local_cloud.deployed.template import dependency_order, substitute

__all__ = ["LEFT_OUT", "OF_MOTO", "install"]

log = logging.getLogger(__name__)

LEFT_OUT = frozenset({"AWS::CDK::Metadata"})
"""Types that make nothing."""

OF_MOTO = frozenset(
    {
        "AWS::ECR::Repository", "AWS::IAM::ManagedPolicy", "AWS::KMS::Alias", "AWS::KMS::Key", "AWS::SSM::Parameter",
        "AWS::EC2::EIP", "AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route",
        "AWS::EC2::RouteTable", "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::Subnet",
        "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPC", "AWS::EC2::VPCEndpoint",
        "AWS::EC2::VPCGatewayAttachment",
    }
)  # fmt: skip
"""Types that moto makes well enough by itself: the CDK's bootstrap stack and networks. All others are ours or fail."""


def install(types: Iterable[ResourceType]) -> None:
    """Put everything in place, before the first stack is made."""
    ours = {kind.type: _model(kind) for kind in types}
    _use_types(ours)
    _mend_substitution()
    _mend_resource_map()
    _mend_stacks()
    _mend_lambda()
    _mend_bucket_policies()


def _model(kind: ResourceType) -> type:
    """A moto model that makes resources of `kind`."""
    from moto.core.common_models import CloudFormationModel

    class Model(CloudFormationModel):  # type: ignore[misc]  # moto is untyped here
        resource_type = kind

        def __init__(self, made: Made, properties: Properties) -> None:
            self.made = made
            self.properties = properties

        @property
        def physical_resource_id(self) -> str:
            return self.made.id

        @staticmethod
        def cloudformation_name_type() -> str:
            return ""

        @staticmethod
        def cloudformation_type() -> str:
            return kind.type

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return attr in kind.attributes

        def get_cfn_attribute(self, name: str) -> Any:
            if name not in self.made.attributes:
                raise ValueError(f"{kind.type} has no attribute {name}")
            return self.made.attributes[name]

        def is_created(self) -> bool:
            return True

        @classmethod
        def create_from_cloudformation_json(cls, _name: str, template: Any, *_: Any, **context: Any) -> Any:
            properties = copy.deepcopy(template["Properties"])
            name = kind.name_for(context["StackId"].split("/")[1], context["LogicalId"], properties)
            return cls(kind.create(name, properties), properties)

        @classmethod
        def update_from_cloudformation_json(cls, *_: Any, **__: Any) -> Any:
            raise NotImplementedError("ResourceMap.update changes resources itself")

        @classmethod
        def delete_from_cloudformation_json(cls, *_: Any) -> None:
            raise NotImplementedError("ResourceMap.delete removes resources itself")

    Model.__name__ = kind.type.rpartition(":")[2]
    return Model


def _use_types(ours: Mapping[str, type]) -> None:
    from moto.cloudformation import parsing

    of_moto = parsing.resource_class_from_type

    def resource_class_from_type(resource_type: str) -> Any:
        if resource_type in ours:
            return ours[resource_type]
        if resource_type in OF_MOTO:
            return of_moto(resource_type)
        raise parsing.ValidationError(message=f"The emulated AWS can't make resources of type {resource_type}.")

    create = parsing.parse_and_create_resource

    def parse_and_create_resource(
        logical_id: str, resource_json: Any, resources_map: Any, account_id: str, region_name: str
    ) -> Any:
        if resource_json["Type"] in LEFT_OUT:
            return None
        # Outputs are read before anything is made, so resources are made when they are first asked for.
        depends = resource_json.get("DependsOn", ())
        for name in [depends] if isinstance(depends, str) else depends:
            _ = resources_map[name]
        try:
            template = _with_stack_tags(resource_json, resources_map)
            return create(logical_id, template, resources_map, account_id, region_name)
        except ResourceFailed:
            raise
        except Exception as error:
            log.exception("%s (%s)", logical_id, resource_json["Type"])
            raise ResourceFailed(logical_id, resource_json["Type"], "CREATE_FAILED", error) from error

    parsing.resource_class_from_type = resource_class_from_type
    parsing.parse_and_create_resource = parse_and_create_resource


def _with_stack_tags(template: dict[str, Any], resources: Any) -> dict[str, Any]:
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


class ResourceFailed(Exception):
    """A resource could not be made, changed or removed."""

    def __init__(self, logical_id: str, resource_type: str, status: str, error: Exception) -> None:
        reason = getattr(error, "message", "") or str(error) or repr(error)
        super().__init__(f"{logical_id} ({resource_type}): {type(error).__name__}: {reason}")
        self.logical_id = logical_id
        self.resource_type = resource_type
        self.status = status


def _mend_substitution() -> None:
    from moto.cloudformation import parsing

    clean = parsing.clean_json

    def clean_json(part: Any, resources: Any) -> Any:
        if isinstance(part, dict) and "Fn::Sub" in part:
            given = part["Fn::Sub"]
            text, values = (given, {}) if isinstance(given, str) else given

            def value(name: str) -> Any:
                if name in values:
                    return clean_json(values[name], resources)
                resource, _, attribute = name.partition(".")
                reference = {"Fn::GetAtt": [resource, attribute]} if attribute else {"Ref": name}
                return clean_json(reference, resources)

            return substitute(text, value)
        return clean(part, resources)

    parsing.clean_json = clean_json


def _mend_resource_map() -> None:
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
        template = _with_stack_tags(wanted, resources)
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


def _mend_stacks() -> None:
    from moto.cloudformation.exceptions import ValidationError
    from moto.cloudformation.models import CloudFormationBackend, Event
    from moto.cloudformation.responses import ActionResult, CloudFormationResponse

    create_stack, update_stack = CloudFormationBackend.create_stack, CloudFormationBackend.update_stack
    delete_stack, execute_change_set = CloudFormationBackend.delete_stack, CloudFormationBackend.execute_change_set

    def empty(stack: Any) -> None:
        """Whatever a stack lists, moto makes when it is asked for it: also after its deletion."""
        stack.resource_map._resource_json_map = {}
        stack.output_map._output_json_map = {}

    def failed(stack: Any, error: ResourceFailed, then: str) -> None:
        if then == "ROLLBACK_COMPLETE":
            stack.resource_map.delete()
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

    def update_termination_protection(response: Any) -> Any:
        stack = response.cloudformation_backend.get_stack(response._get_param("StackName"))
        stack.enable_termination_protection = response._get_param("EnableTerminationProtection")
        return ActionResult({"StackId": stack.stack_id})

    def export(backend: Any, stack: Any) -> None:
        for name in [name for name, each in backend.exports.items() if each.exporting_stack_id == stack.stack_id]:
            del backend.exports[name]
        backend.exports.update({export.name: export for export in stack.exports})

    def delete(backend: Any, name_or_stack_id: str) -> None:
        found = [s for s in backend.stacks.values() if name_or_stack_id in (s.name, s.stack_id)]
        for stack in found:
            if stack.enable_termination_protection:
                why = f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
                raise ValidationError(message=why)
        try:
            delete_stack(backend, name_or_stack_id)
        except ResourceFailed as error:
            failed(found[0], error, "DELETE_FAILED")
            backend.stacks[found[0].stack_id] = found[0]
        else:
            for stack in found:
                empty(stack)

    CloudFormationResponse.update_termination_protection = update_termination_protection
    CloudFormationBackend.create_stack = create
    CloudFormationBackend.update_stack = update
    CloudFormationBackend.delete_stack = delete
    CloudFormationBackend.execute_change_set = execute


def _mend_lambda() -> None:
    from moto.awslambda.models import LambdaFunction, LambdaStorage

    start, configure, describe = LambdaFunction.__init__, LambdaFunction.update_configuration, (
        LambdaFunction.get_configuration
    )  # fmt: skip
    update_code, publish = LambdaFunction.update_function_code, LambdaStorage.publish_version

    def remember(function: Any, settings: Mapping[str, Any]) -> None:
        if "LoggingConfig" in settings:
            function.logging_config = settings["LoggingConfig"]
            function.logs_group_name = settings["LoggingConfig"].get("LogGroup", function.logs_group_name)
        if "EphemeralStorage" in settings:
            function.ephemeral_storage = settings["EphemeralStorage"]["Size"]
        if "TracingConfig" in settings:
            function.tracing_config = settings["TracingConfig"]

    def begin(function: Any, account_id: str, spec: dict[str, Any], *rest: Any, **more: Any) -> None:
        start(function, account_id, spec, *rest, **more)
        function.logging_config = None
        remember(function, spec)

    def update_configuration(function: Any, config_updates: dict[str, Any]) -> Any:
        remember(function, config_updates)
        return configure(function, config_updates)

    def update_function_code(function: Any, updated_spec: dict[str, Any]) -> Any:
        if updated_spec.get("Architectures"):
            function.architectures = updated_spec["Architectures"]
        function.code = dict(function.code)  # published versions share it
        return update_code(function, updated_spec)

    def get_configuration(function: Any, *rest: Any, **more: Any) -> Any:
        default = {"LogFormat": "Text", "LogGroup": function.logs_group_name}
        return {**describe(function, *rest, **more), "LoggingConfig": {**default, **(function.logging_config or {})}}

    def publish_version(storage: Any, name_or_arn: str, description: str = "") -> Any:
        versions = storage._functions[storage.get_function_by_name_or_arn_forbid_qualifier(name_or_arn).function_name]
        known = {id(each) for each in versions["versions"]}
        published = publish(storage, name_or_arn, description)
        if id(published) not in known:
            # moto counts the versions that exist; AWS never gives a number twice.
            versions["published"] = max(versions.get("published", 0) + 1, int(published.version))
            del storage._arns[published.function_arn]
            published.set_version(versions["published"])
            storage._arns[published.function_arn] = published
        return published

    LambdaFunction.__init__ = begin
    LambdaFunction.update_configuration = update_configuration
    LambdaFunction.update_function_code = update_function_code
    LambdaFunction.get_configuration = get_configuration
    LambdaStorage.publish_version = publish_version


def _mend_bucket_policies() -> None:
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL

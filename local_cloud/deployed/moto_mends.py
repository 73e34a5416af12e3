"""Everything that we change in moto for deploying; `tests/deployed/test_moto_mends.py` fails when moto moves.

    CloudFormation's types      made through the API (`types/`) instead of moto's shortened ones; an unknown one fails
    tags                        a stack's tags reach its resources
    ResourceMap.update/delete   in dependency order; what replaces a resource reaches everything that refers to it; what
                                is gone goes last; DeletionPolicy and UpdateReplacePolicy count
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

from local_cloud.deployed.moto_stacks import ResourceFailed, mend_resource_map, mend_stacks, with_stack_tags
from local_cloud.deployed.resource import Made, Properties, ResourceType
from local_cloud.deployed.template import substitute

__all__ = ["LEFT_OUT", "OF_MOTO", "install"]

log = logging.getLogger(__name__)

LEFT_OUT = frozenset({"AWS::CDK::Metadata"})
"""Types that make nothing."""

OF_MOTO = frozenset(
    {"AWS::ECR::Repository", "AWS::IAM::ManagedPolicy", "AWS::KMS::Alias", "AWS::KMS::Key", "AWS::SSM::Parameter"}
)
"""Types that moto makes well enough by itself: those of the CDK's bootstrap stack. All others are ours or fail."""


def install(types: Iterable[ResourceType]) -> None:
    """Put everything in place, before the first stack is made."""
    ours = {kind.type: _model(kind) for kind in types}
    _use_types(ours)
    _mend_substitution()
    mend_resource_map()
    mend_stacks()
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
            template = with_stack_tags(resource_json, resources_map)
            return create(logical_id, template, resources_map, account_id, region_name)
        except ResourceFailed:
            raise
        except Exception as error:
            log.exception("%s (%s)", logical_id, resource_json["Type"])
            raise ResourceFailed(logical_id, resource_json["Type"], "CREATE_FAILED", error) from error

    parsing.resource_class_from_type = resource_class_from_type
    parsing.parse_and_create_resource = parse_and_create_resource


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

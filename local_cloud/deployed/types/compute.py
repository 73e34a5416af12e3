"""Lambda: functions, versions, aliases, layers, permissions, event sources, asynchronous invocations."""

from __future__ import annotations

import io
import uuid
import zipfile
from typing import Any

from local_cloud.deployed.resource import Made, Properties, ResourceType, tag_map

__all__ = ["TYPES"]

_CONFIGURATION = (
    "Description", "EphemeralStorage", "Environment", "Handler", "KMSKeyArn", "Layers", "LoggingConfig", "MemorySize",
    "Role", "Runtime", "SnapStart", "Timeout", "TracingConfig", "VpcConfig", "DeadLetterConfig",
)  # fmt: skip
_DEFAULTS: dict[str, Any] = {
    "Description": "", "EphemeralStorage": {"Size": 512}, "Environment": {"Variables": {}}, "Layers": [],
    "MemorySize": 128, "Timeout": 3, "TracingConfig": {"Mode": "PassThrough"},
}  # fmt: skip
"""What a property goes back to when a template leaves it out again."""


class Function(ResourceType):
    type = "AWS::Lambda::Function"
    tags = "list"
    name_property = "FunctionName"
    attributes = ("Arn",)
    replaced_by = frozenset({"PackageType"})

    def create(self, name: str, properties: Properties) -> Made:
        request = {key: value for key, value in properties.items() if key not in _BESIDE}
        request |= {"FunctionName": name, "Code": _code(properties["Code"]), "Tags": tag_map(properties)}
        made = self.aws("lambda").create_function(**_numbers(request))
        self._reserve(name, properties)
        return Made(name, {"Arn": made["FunctionArn"]})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        client = self.aws("lambda")
        changed = {key: new.get(key, _DEFAULTS.get(key)) for key in _CONFIGURATION if old.get(key) != new.get(key)}
        if changed := {key: value for key, value in changed.items() if value is not None}:
            client.update_function_configuration(FunctionName=made.id, **_numbers(changed))
        code = {"Code": new["Code"], "Architectures": new.get("Architectures")}
        if code != {"Code": old["Code"], "Architectures": old.get("Architectures")}:
            where = {"Architectures": new["Architectures"]} if "Architectures" in new else {}
            client.update_function_code(FunctionName=made.id, **_code(new["Code"]), **where)
        if old.get("ReservedConcurrentExecutions") != new.get("ReservedConcurrentExecutions"):
            self._reserve(made.id, new)
        if tag_map(old) != tag_map(new):
            arn = made.attributes["Arn"]
            client.untag_resource(Resource=arn, TagKeys=list(tag_map(old)))
            client.tag_resource(Resource=arn, Tags=tag_map(new))
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("lambda").delete_function(FunctionName=made.id)

    def _reserve(self, name: str, properties: Properties) -> None:
        if (limit := properties.get("ReservedConcurrentExecutions")) is None:
            self.aws("lambda").delete_function_concurrency(FunctionName=name)
        else:
            self.aws("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(limit))


_BESIDE = {"ReservedConcurrentExecutions"}
"""Properties of the resource that the API's create request has not."""


def _code(code: Properties) -> dict[str, Any]:
    """The package. Text in the template itself becomes `index.py`, as with AWS."""
    if "ZipFile" not in code:
        return dict(code)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr(zipfile.ZipInfo("index.py"), code["ZipFile"])
    return {"ZipFile": archive.getvalue()}


def _numbers(request: dict[str, Any]) -> dict[str, Any]:
    """CloudFormation takes a number in quotes for a number."""
    for key in ("MemorySize", "Timeout"):
        if key in request:
            request[key] = int(request[key])
    return request


class Version(ResourceType):
    type = "AWS::Lambda::Version"
    attributes = ("Version", "FunctionArn")
    always_replaced = True

    def create(self, name: str, properties: Properties) -> Made:
        wanted = {key: properties[key] for key in ("FunctionName", "Description", "CodeSha256") if key in properties}
        made = self.aws("lambda").publish_version(**wanted)
        return Made(made["FunctionArn"], {"Version": made["Version"], "FunctionArn": made["FunctionArn"]})

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("lambda").delete_function(
            FunctionName=properties["FunctionName"], Qualifier=made.attributes["Version"]
        )


class Alias(ResourceType):
    type = "AWS::Lambda::Alias"
    name_property = "Name"
    attributes = ("AliasArn",)
    replaced_by = frozenset({"FunctionName"})

    def create(self, name: str, properties: Properties) -> Made:
        arn = self.aws("lambda").create_alias(**properties)["AliasArn"]
        return Made(arn, {"AliasArn": arn})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        self.aws("lambda").update_alias(**new)
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("lambda").delete_alias(FunctionName=properties["FunctionName"], Name=properties["Name"])


class LayerVersion(ResourceType):
    type = "AWS::Lambda::LayerVersion"
    name_property = "LayerName"
    attributes = ("LayerVersionArn",)
    always_replaced = True

    def create(self, name: str, properties: Properties) -> Made:
        arn = self.aws("lambda").publish_layer_version(**{**properties, "LayerName": name})["LayerVersionArn"]
        return Made(arn, {"LayerVersionArn": arn})

    def delete(self, made: Made, properties: Properties) -> None:
        *_, layer, version = made.id.split(":")
        self.aws("lambda").delete_layer_version(LayerName=layer, VersionNumber=int(version))


class Permission(ResourceType):
    type = "AWS::Lambda::Permission"
    attributes = ("Id",)
    always_replaced = True

    def create(self, name: str, properties: Properties) -> Made:
        sid = f"{name}-{uuid.uuid4().hex[:8]}"
        self.aws("lambda").add_permission(StatementId=sid, **properties)
        return Made(sid, {"Id": sid})

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("lambda").remove_permission(FunctionName=properties["FunctionName"], StatementId=made.id)


class EventSourceMapping(ResourceType):
    type = "AWS::Lambda::EventSourceMapping"
    tags = "list"
    attributes = ("Id", "EventSourceMappingArn")
    replaced_by = frozenset({"EventSourceArn"})

    def create(self, name: str, properties: Properties) -> Made:
        made = self.aws("lambda").create_event_source_mapping(**{**properties, "Tags": tag_map(properties)})
        arn = made.get("EventSourceMappingArn", "")
        return Made(made["UUID"], {"Id": made["UUID"], "EventSourceMappingArn": arn})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        changed = {key: value for key, value in new.items() if key not in ("Tags", "EventSourceArn")}
        self.aws("lambda").update_event_source_mapping(UUID=made.id, **changed)
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("lambda").delete_event_source_mapping(UUID=made.id)


class EventInvokeConfig(ResourceType):
    type = "AWS::Lambda::EventInvokeConfig"
    replaced_by = frozenset({"FunctionName", "Qualifier"})

    def create(self, name: str, properties: Properties) -> Made:
        self.aws("lambda").put_function_event_invoke_config(**_invoke_numbers(properties))
        return Made(f"{properties['FunctionName']}|{properties['Qualifier']}")

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        self.delete(made, old)
        return self.create(made.id, new)

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("lambda").delete_function_event_invoke_config(
            FunctionName=properties["FunctionName"], Qualifier=properties["Qualifier"]
        )


def _invoke_numbers(properties: Properties) -> dict[str, Any]:
    numbers = ("MaximumEventAgeInSeconds", "MaximumRetryAttempts")
    return {key: int(value) if key in numbers else value for key, value in properties.items()}


TYPES: tuple[type[ResourceType], ...] = (
    Function,
    Version,
    Alias,
    LayerVersion,
    Permission,
    EventSourceMapping,
    EventInvokeConfig,
)

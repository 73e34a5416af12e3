"""Step Functions, EventBridge, its scheduler, and HTTP APIs."""

from __future__ import annotations

import json
from typing import Any

from local_cloud.deployed.resource import Made, Properties, ResourceType, document, lower_keys, tag_map, tags_of

__all__ = ["TYPES"]


class StateMachine(ResourceType):
    type = "AWS::StepFunctions::StateMachine"
    tags = "list"
    name_property = "StateMachineName"
    name_limit = 80
    attributes = ("Arn", "Name")
    replaced_by = frozenset({"StateMachineType"})

    def create(self, name: str, properties: Properties) -> Made:
        kind = {"type": properties["StateMachineType"]} if "StateMachineType" in properties else {}
        tags = lower_keys(tags_of(properties))
        arn = self.aws("stepfunctions").create_state_machine(name=name, tags=tags, **kind, **_machine(properties))
        return Made(arn["stateMachineArn"], {"Arn": arn["stateMachineArn"], "Name": name})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        client = self.aws("stepfunctions")
        client.update_state_machine(stateMachineArn=made.id, **_machine(new))
        if tags_of(old) != tags_of(new):
            client.untag_resource(resourceArn=made.id, tagKeys=list(tag_map(old)))
            client.tag_resource(resourceArn=made.id, tags=lower_keys(tags_of(new)))
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("stepfunctions").delete_state_machine(stateMachineArn=made.id)


def _machine(properties: Properties) -> dict[str, Any]:
    known = {
        "StateMachineName", "StateMachineType", "DefinitionString", "Definition", "RoleArn", "Tags",
        "LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration",
    }  # fmt: skip
    if unknown := properties.keys() - known:
        raise ValueError(f"settings that nothing here knows: {', '.join(sorted(unknown))}")
    definition = properties.get("DefinitionString") or json.dumps(properties["Definition"])
    more = {key: value for key, value in properties.items() if key.endswith("Configuration")}
    return {"definition": definition, "roleArn": properties["RoleArn"], **lower_keys(more)}


class Rule(ResourceType):
    type = "AWS::Events::Rule"
    tags = "list"
    name_property = "Name"
    attributes = ("Arn",)
    replaced_by = frozenset({"EventBusName"})

    def create(self, name: str, properties: Properties) -> Made:
        request = {key: value for key, value in properties.items() if key != "Targets"}
        if "EventPattern" in request:
            request["EventPattern"] = document(request["EventPattern"])
        events = self.aws("events")
        arn = events.put_rule(**{**request, "Name": name, "Tags": tags_of(properties)})["RuleArn"]
        if targets := properties.get("Targets"):
            answer = events.put_targets(Rule=name, Targets=targets, **_bus(properties))
            if answer["FailedEntryCount"]:
                raise ValueError(f"targets were refused: {answer['FailedEntries']}")
        return Made(name, {"Arn": arn})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        kept = {target["Id"] for target in new.get("Targets", ())}
        self._remove_targets(made, [t["Id"] for t in old.get("Targets", ()) if t["Id"] not in kept], old)
        return self.create(made.id, new)

    def delete(self, made: Made, properties: Properties) -> None:
        self._remove_targets(made, [target["Id"] for target in properties.get("Targets", ())], properties)
        self.aws("events").delete_rule(Name=made.id, **_bus(properties))

    def _remove_targets(self, made: Made, ids: list[str], properties: Properties) -> None:
        if ids:
            self.aws("events").remove_targets(Rule=made.id, Ids=ids, **_bus(properties))


def _bus(properties: Properties) -> dict[str, Any]:
    return {"EventBusName": properties["EventBusName"]} if "EventBusName" in properties else {}


class Schedule(ResourceType):
    type = "AWS::Scheduler::Schedule"
    name_property = "Name"
    attributes = ("Arn",)
    replaced_by = frozenset({"GroupName"})

    def create(self, name: str, properties: Properties) -> Made:
        arn = self.aws("scheduler").create_schedule(**{**properties, "Name": name})["ScheduleArn"]
        return Made(name, {"Arn": arn})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        self.aws("scheduler").update_schedule(**{**new, "Name": made.id})
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        group = {"GroupName": properties["GroupName"]} if "GroupName" in properties else {}
        self.aws("scheduler").delete_schedule(Name=made.id, **group)


class Api(ResourceType):
    type = "AWS::ApiGatewayV2::Api"
    tags = "map"
    attributes = ("ApiId", "ApiEndpoint")
    replaced_by = frozenset({"ProtocolType"})

    def create(self, name: str, properties: Properties) -> Made:
        made = self.aws("apigatewayv2").create_api(**{**properties, "Tags": tag_map(properties)})
        # AWS's own address would lead to AWS.
        return Made(made["ApiId"], {"ApiId": made["ApiId"], "ApiEndpoint": self.aws.api_url(made["ApiId"])})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        changed = {key: value for key, value in new.items() if key not in ("ProtocolType", "Tags")}
        self.aws("apigatewayv2").update_api(ApiId=made.id, **changed)
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("apigatewayv2").delete_api(ApiId=made.id)


class _ApiPart(ResourceType):
    """A part of an HTTP API: `create_KIND`, `update_KIND` and `delete_KIND` of the API take what the template has."""

    kind = ""
    id_name = ""
    replaced_by = frozenset({"ApiId"})

    def create(self, name: str, properties: Properties) -> Made:
        made = getattr(self.aws("apigatewayv2"), f"create_{self.kind}")(**properties)
        return Made(made[self.id_name])

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        request = {**{key: value for key, value in new.items() if key != "Tags"}, self.id_name: made.id}
        getattr(self.aws("apigatewayv2"), f"update_{self.kind}")(**request)
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        request = {"ApiId": properties["ApiId"], self.id_name: made.id}
        getattr(self.aws("apigatewayv2"), f"delete_{self.kind}")(**request)


class Stage(_ApiPart):
    type = "AWS::ApiGatewayV2::Stage"
    tags = "map"
    name_property = "StageName"
    kind, id_name = "stage", "StageName"

    def create(self, name: str, properties: Properties) -> Made:
        return super().create(name, {**properties, "Tags": tag_map(properties)})


class Integration(_ApiPart):
    type = "AWS::ApiGatewayV2::Integration"
    kind, id_name = "integration", "IntegrationId"


class Route(_ApiPart):
    type = "AWS::ApiGatewayV2::Route"
    kind, id_name = "route", "RouteId"


class Authorizer(_ApiPart):
    type = "AWS::ApiGatewayV2::Authorizer"
    kind, id_name = "authorizer", "AuthorizerId"


TYPES: tuple[type[ResourceType], ...] = (StateMachine, Rule, Schedule, Api, Stage, Integration, Route, Authorizer)

"""All that AWS's API tells of an account's resources, as text by identifier: to see what a deployment changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["changed", "inventory"]

Client = Callable[[str], Any]
Entry = tuple[str, Any]

_PASSING = {
    "ResponseMetadata", "LastModified", "RevisionId", "LastAccessedDate", "LastChangedDate", "ItemCount", "revisionId",
    "TableSizeBytes", "IndexSizeBytes", "storedBytes", "lastIngestionTime", "StateUpdatedTimestamp", "updateDate",
    "AlarmConfigurationUpdatedTimestamp", "LastUpdatedDate", "RoleLastUsed", "StateTransitionedTimestamp", "NextToken",
    "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed",
    "LastModifiedTimestamp", "EarliestRestorableDateTime", "LatestRestorableDateTime", "Size",
}  # fmt: skip
"""What changes without a deployment."""


def inventory(client: Client, belongs: str = "") -> dict[str, str]:
    """Identifier → JSON of every resource whose identifier holds `belongs`."""
    found: dict[str, str] = {}
    for read in (
        _functions, _layers, _mappings, _roles, _tables, _buckets, _queues, _topics, _alarms, _dashboards, _rules,
        _log_groups, _secrets, _machines, _apis,
    ):  # fmt: skip
        for identifier, content in read(client):
            if belongs in identifier:
                assert identifier not in found, identifier
                found[identifier] = json.dumps(_lasting(content), indent=1, sort_keys=True, default=str)
    return found


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """The identifiers that are new, gone or different."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _lasting(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _lasting(value) for key, value in content.items() if key not in _PASSING}
    return [_lasting(each) for each in content] if isinstance(content, list) else content


def _functions(client: Client) -> Iterator[Entry]:
    aws = client("lambda")
    for each in _pages(aws, "list_functions", "Functions"):
        name = each["FunctionName"]
        yield f"function {name}", aws.get_function(FunctionName=name)
        for version in _pages(aws, "list_versions_by_function", "Versions", FunctionName=name):
            if version["Version"] != "$LATEST":
                yield f"function {name} version {version['Version']}", version
        for alias in aws.list_aliases(FunctionName=name)["Aliases"]:
            yield f"function {name} alias {alias['Name']}", alias
        yield f"function {name} invocations", aws.list_function_event_invoke_configs(FunctionName=name)
        try:
            yield f"function {name} permissions", aws.get_policy(FunctionName=name)
        except aws.exceptions.ResourceNotFoundException:
            continue


def _layers(client: Client) -> Iterator[Entry]:
    aws = client("lambda")
    for layer in aws.list_layers()["Layers"]:
        versions = aws.list_layer_versions(LayerName=layer["LayerName"])["LayerVersions"]
        yield f"layer {layer['LayerName']}", versions


def _mappings(client: Client) -> Iterator[Entry]:
    for each in client("lambda").list_event_source_mappings()["EventSourceMappings"]:
        yield f"mapping {each['EventSourceArn']} → {each['FunctionArn']}", each


def _roles(client: Client) -> Iterator[Entry]:
    aws = client("iam")
    for role in _pages(aws, "list_roles", "Roles"):
        name = role["RoleName"]
        if name.startswith("cdk-"):
            continue
        policies = aws.list_role_policies(RoleName=name)["PolicyNames"]
        inline = {each: aws.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"] for each in policies}
        attached = aws.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        yield f"role {name}", {"role": aws.get_role(RoleName=name)["Role"], "inline": inline, "attached": attached}


def _tables(client: Client) -> Iterator[Entry]:
    aws = client("dynamodb")
    for name in aws.list_tables()["TableNames"]:
        yield (
            f"table {name}",
            [
                aws.describe_table(TableName=name)["Table"],
                aws.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
                aws.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"],
            ],
        )


def _buckets(client: Client) -> Iterator[Entry]:
    aws = client("s3")
    for bucket in aws.list_buckets()["Buckets"]:
        yield f"bucket {bucket['Name']}", bucket["Name"]


def _queues(client: Client) -> Iterator[Entry]:
    aws = client("sqs")
    for url in aws.list_queues().get("QueueUrls", ()):
        attributes = aws.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        yield f"queue {url.rpartition('/')[2]}", [attributes, aws.list_queue_tags(QueueUrl=url).get("Tags")]


def _topics(client: Client) -> Iterator[Entry]:
    aws = client("sns")
    for topic in aws.list_topics()["Topics"]:
        arn = topic["TopicArn"]
        subscriptions = aws.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
        yield f"topic {arn}", [aws.get_topic_attributes(TopicArn=arn)["Attributes"], subscriptions]


def _alarms(client: Client) -> Iterator[Entry]:
    answer = client("cloudwatch").describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    for alarm in [*answer["MetricAlarms"], *answer["CompositeAlarms"]]:
        yield f"alarm {alarm['AlarmName']}", alarm


def _dashboards(client: Client) -> Iterator[Entry]:
    aws = client("cloudwatch")
    for each in aws.list_dashboards()["DashboardEntries"]:
        name = each["DashboardName"]
        yield f"dashboard {name}", json.loads(aws.get_dashboard(DashboardName=name)["DashboardBody"])


def _rules(client: Client) -> Iterator[Entry]:
    aws = client("events")
    for rule in aws.list_rules()["Rules"]:
        yield f"rule {rule['Name']}", [rule, aws.list_targets_by_rule(Rule=rule["Name"])["Targets"]]


def _log_groups(client: Client) -> Iterator[Entry]:
    aws = client("logs")
    for group in _pages(aws, "describe_log_groups", "logGroups"):
        name = group["logGroupName"]
        filters = aws.describe_metric_filters(logGroupName=name)["metricFilters"]
        yield f"log group {name}", [group, filters]


def _secrets(client: Client) -> Iterator[Entry]:
    for secret in client("secretsmanager").list_secrets()["SecretList"]:
        yield f"secret {secret['Name']}", secret


def _machines(client: Client) -> Iterator[Entry]:
    aws = client("stepfunctions")
    for machine in aws.list_state_machines()["stateMachines"]:
        yield f"machine {machine['name']}", aws.describe_state_machine(stateMachineArn=machine["stateMachineArn"])


def _apis(client: Client) -> Iterator[Entry]:
    aws = client("apigatewayv2")
    for api in aws.get_apis()["Items"]:
        parts = [getattr(aws, f"get_{kind}")(ApiId=api["ApiId"])["Items"] for kind in _API_PARTS]
        yield f"api {api['Name']}", [api, *parts]


_API_PARTS = ("routes", "integrations", "stages")


def _pages(aws: Any, operation: str, key: str, **request: Any) -> Iterator[Any]:
    for page in aws.get_paginator(operation).paginate(**request):
        yield from page[key]

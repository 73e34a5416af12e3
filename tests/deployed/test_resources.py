"""What a deployment leaves behind, read from the resources themselves: an exit code proves nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.deployed.site import BUCKETS, Environment, Site
from video_production.metrics import NAMESPACE
from video_production.settings import (
    ACTIVE_INDEX,
    LEDGER_INDEX,
    OPEN_INDEX,
    PROVIDER_FACTS,
    PROVIDERS,
    ROLES,
    Names,
    Role,
    poller_of,
)

OUTPUTS = {
    "BucketName", "NodesTable", "TakesTable", "PipelineMachineArn", "NodeMachineArn", "MergerName", "MergerArn",
    "ApiUrl", "SchedulingQueueUrl", "CallbackSecret", "AlarmTopicArn", "DashboardName",
    "ElevenLabsQueueUrl", "ElevenLabsSecret", "ElevenLabsWebhookSecret",
    "HeyGenQueueUrl", "HeyGenSecret", "HeyGenWebhookSecret",
    "Veo3QueueUrl", "Veo3Secret", "RunwayQueueUrl", "RunwaySecret",
}  # fmt: skip
QUEUES = ("scheduling_queue", "failed_merges_queue", *PROVIDERS)


@pytest.mark.parametrize("role", ROLES.values(), ids=lambda role: role.name)
def test_every_function_has_what_it_needs(development: Environment, role: Role) -> None:
    found = development.function(role.name)
    assert (found["MemorySize"], found["Timeout"]) == (role.memory, role.timeout)
    assert found["EphemeralStorage"]["Size"] == role.disk
    assert found["Runtime"] == "python3.13"
    assert found["Handler"] == role.handler
    assert found["TracingConfig"]["Mode"] == "Active"
    assert [layer["Arn"].split(":")[6] for layer in found.get("Layers", ())] == (
        ["jiki-video-ffmpeg-development"] if role.ffmpeg else []
    )
    variables = found["Environment"]["Variables"]
    assert variables["JIKI_ENVIRONMENT"] == "development"
    assert variables["POWERTOOLS_SERVICE_NAME"] == role.name
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == NAMESPACE
    assert not [name for name in variables if name.startswith(("AWS_", "LAMBDA_"))]
    assert found["LoggingConfig"]["LogGroup"] == development.names.function_log_group(role.name)


def test_merger_has_the_memory_disk_and_time_that_its_callers_rely_on(development: Environment) -> None:
    merger = development.function("merger")
    assert (merger["MemorySize"], merger["EphemeralStorage"]["Size"], merger["Timeout"]) == (3008, 10240, 900)


def test_every_log_group_is_kept_fourteen_days(development: Environment) -> None:
    names = development.names
    groups = {
        group["logGroupName"]: group.get("retentionInDays")
        for page in development.client("logs").get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
        if "development" in group["logGroupName"]
    }
    assert {names.function_log_group(role) for role in ROLES} <= groups.keys()
    assert {names.machine_log_group(m) for m in (names.pipeline_machine, names.node_machine)} <= groups.keys()
    assert set(groups.values()) == {14}


def test_machines_call_published_versions(development: Environment) -> None:
    for name in (development.names.pipeline_machine, development.names.node_machine):
        called = set(re.findall(r'arn:aws:lambda:[^"]+', development.machine(name)["definition"]))
        assert called
        for arn in called:
            *_, function, version = arn.split(":")
            assert version.isdecimal(), arn
            found = development.client("lambda").get_function_configuration(FunctionName=function, Qualifier=version)
            assert found["Version"] == version


def test_machines_log_and_trace(development: Environment) -> None:
    for name in (development.names.pipeline_machine, development.names.node_machine):
        machine = development.machine(name)
        assert machine["tracingConfiguration"] == {"enabled": True}
        [destination] = machine["loggingConfiguration"]["destinations"]
        group = development.names.machine_log_group(name)
        assert destination["cloudWatchLogsLogGroup"]["logGroupArn"].endswith(f":log-group:{group}:*")
        assert machine["loggingConfiguration"]["level"] == "ALL"


@pytest.mark.parametrize(
    ("table", "keys", "index", "index_keys"),
    [
        ("nodes_table", ["pipeline_id", "id"], ACTIVE_INDEX, ["active", "pipeline_id"]),
        ("takes_table", ["take_id", "record"], OPEN_INDEX, ["open", "open_since"]),
        ("takes_table", ["take_id", "record"], LEDGER_INDEX, ["ledger_month", "at"]),
    ],
)
def test_tables_have_their_keys_their_index_and_backups(
    development: Environment, table: str, keys: list[str], index: str, index_keys: list[str]
) -> None:
    aws, name = development.client("dynamodb"), getattr(development.names, table)
    found = aws.describe_table(TableName=name)["Table"]
    assert [key["AttributeName"] for key in found["KeySchema"]] == keys
    assert found["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert found["SSEDescription"]["Status"] == "ENABLED"
    [secondary] = [each for each in found["GlobalSecondaryIndexes"] if each["IndexName"] == index]
    assert [key["AttributeName"] for key in secondary["KeySchema"]] == index_keys
    backups = aws.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_only_takes_expire(development: Environment) -> None:
    aws, names = development.client("dynamodb"), development.names
    expiry = {
        table: aws.describe_time_to_live(TableName=table)["TimeToLiveDescription"].get("AttributeName")
        for table in (names.nodes_table, names.takes_table)
    }
    assert expiry == {names.nodes_table: None, names.takes_table: "expires_at"}


@pytest.mark.parametrize("queue", QUEUES)
def test_what_a_queue_can_not_deliver_is_kept_for_two_weeks(development: Environment, queue: str) -> None:
    names = development.names
    name = names.provider_queue(queue) if queue in PROVIDERS else getattr(names, queue)
    redrive = json.loads(_queue(development, name)["RedrivePolicy"])
    assert redrive["maxReceiveCount"] == 5
    assert redrive["deadLetterTargetArn"].endswith(f":{Names.dead_letters(name)}")
    assert _queue(development, Names.dead_letters(name))["MessageRetentionPeriod"] == str(14 * 24 * 3600)


def _queue(environment: Environment, name: str) -> dict[str, str]:
    aws = environment.client("sqs")
    url = aws.get_queue_url(QueueName=name)["QueueUrl"]
    attributes: dict[str, str] = aws.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return attributes


def test_queues_call_the_live_alias_and_learn_which_messages_failed(development: Environment) -> None:
    names = development.names
    readers = {
        names.scheduling_queue: "scheduler",
        **{names.provider_queue(provider): poller_of(provider) for provider in PROVIDERS},
        names.failed_merges_queue: "error_callback",
    }
    for queue, role in readers.items():
        arn = _queue(development, queue)["QueueArn"]
        [mapping] = development.client("lambda").list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"]
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        alias = development.client("lambda").get_alias(FunctionName=names.function(role), Name="live")
        newest = development.function(role, "live")["Version"]
        assert alias["FunctionVersion"] == newest
        assert newest.isdecimal()


def test_asynchronous_merges_are_tried_once_and_their_failures_reported(development: Environment) -> None:
    settings = development.client("lambda").get_function_event_invoke_config(
        FunctionName=development.names.function("merger")
    )
    assert settings["MaximumRetryAttempts"] == 0
    destination = settings["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == _queue(development, development.names.failed_merges_queue)["QueueArn"]


def test_failed_executions_reach_the_scheduling_queue_and_the_sweep_comes_every_five_minutes(
    development: Environment,
) -> None:
    rules = development.client("events").list_rules()["Rules"]
    mine = [rule for rule in rules if "development" in json.dumps(_targets(development, rule))]
    [failed] = [rule for rule in mine if "EventPattern" in rule]
    pattern = json.loads(failed["EventPattern"])
    assert pattern["source"] == ["aws.states"]
    assert set(pattern["detail"]["status"]) == {"FAILED", "TIMED_OUT", "ABORTED"}
    assert [target["Arn"] for target in _targets(development, failed)] == [
        _queue(development, development.names.scheduling_queue)["QueueArn"]
    ]
    [sweep] = [rule for rule in mine if "ScheduleExpression" in rule]
    assert sweep["ScheduleExpression"] == "rate(5 minutes)"
    [target] = _targets(development, sweep)
    assert target["Arn"].endswith(f":{development.names.function('sweeper')}:live")


def _targets(environment: Environment, rule: dict[str, Any]) -> list[dict[str, Any]]:
    targets: list[dict[str, Any]] = environment.client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]
    return targets


def test_the_stack_gives_secrets_no_value(site: Site, development: Environment) -> None:
    """One with an invented value would be sent to the provider as a key."""
    names = development.names
    expected = {names.callback_secret, *map(names.secret, PROVIDERS)}
    expected |= {names.webhook_secret(facts.name) for facts in PROVIDER_FACTS.values() if facts.webhooks}
    assert site.empty_secrets["development"] == expected


def test_every_alarm_tells_the_topic_and_names_its_section_of_the_runbook(development: Environment) -> None:
    topic = development.outputs["AlarmTopicArn"]
    answer = development.client("cloudwatch").describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    alarms = [
        alarm for alarm in [*answer["MetricAlarms"], *answer["CompositeAlarms"]] if "development" in alarm["AlarmName"]
    ]
    assert len(alarms) > 10
    for alarm in alarms:
        assert alarm["AlarmActions"] == [topic], alarm["AlarmName"]
        assert "runbook" in alarm["AlarmDescription"], alarm["AlarmName"]


def test_the_dashboard_is_there(development: Environment) -> None:
    aws = development.client("cloudwatch")
    body = json.loads(aws.get_dashboard(DashboardName=development.outputs["DashboardName"])["DashboardBody"])
    assert len(body["widgets"]) > 5


def test_the_http_api_has_two_routes_and_only_webhooks_need_no_signature(development: Environment) -> None:
    aws = development.client("apigatewayv2")
    [api] = [each for each in aws.get_apis()["Items"] if "development" in each["Name"]]
    routes = {
        each["RouteKey"]: each.get("AuthorizationType", "NONE") for each in aws.get_routes(ApiId=api["ApiId"])["Items"]
    }
    assert routes == {"POST /webhooks/{provider}": "NONE", "POST /pipelines/{id}/executions": "AWS_IAM"}
    [stage] = aws.get_stages(ApiId=api["ApiId"])["Items"]
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 20


def test_outputs_say_what_callers_need_and_are_exported(development: Environment) -> None:
    outputs = {output["OutputKey"]: output for output in development.stack["Outputs"]}
    assert outputs.keys() == OUTPUTS
    assert outputs["BucketName"]["OutputValue"] == BUCKETS["development"]
    exports = {
        export["Name"]: export["Value"] for export in development.client("cloudformation").list_exports()["Exports"]
    }
    for key, output in outputs.items():
        assert exports[f"{development.names.stack}-{key}"] == output["OutputValue"]


def test_resources_bear_the_tags(development: Environment) -> None:
    tags = development.client("lambda").list_tags(Resource=development.outputs["MergerArn"])["Tags"]
    wanted = {"Project": "jiki-video", "Component": "video-production", "Environment": "development"}
    assert wanted.items() <= tags.items()
    table = development.client("dynamodb").describe_table(TableName=development.names.nodes_table)["Table"]
    listed = development.client("dynamodb").list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    assert wanted.items() <= {tag["Key"]: tag["Value"] for tag in listed}.items()


def test_no_role_may_do_everything(development: Environment) -> None:
    aws = development.client("iam")
    roles = [role["RoleName"] for role in aws.list_roles()["Roles"] if development.names.stack in role["RoleName"]]
    assert len(roles) >= len(ROLES) + 2
    for role in roles:
        for name in aws.list_role_policies(RoleName=role)["PolicyNames"]:
            statements = aws.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
            for statement in statements:
                actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
                assert not [action for action in actions if re.search(r"\*", action)], (role, actions)

"""What the template promises about storage, queues, secrets, doors, network, names and outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.infrastructure.synthesised import Template, text
from video_production.settings import (
    ACTIVE_INDEX,
    LEDGER_INDEX,
    OPEN_INDEX,
    PROVIDER_FACTS,
    PROVIDERS,
    ROLES,
    poller_of,
)

OUTPUTS = {
    "BucketName",
    "NodesTable",
    "TakesTable",
    "PipelineMachineArn",
    "NodeMachineArn",
    "MergerName",
    "MergerArn",
    "ApiUrl",
    "SchedulingQueueUrl",
    "ElevenLabsQueueUrl",
    "ElevenLabsSecret",
    "ElevenLabsWebhookSecret",
    "HeyGenQueueUrl",
    "HeyGenSecret",
    "HeyGenWebhookSecret",
    "Veo3QueueUrl",
    "Veo3Secret",
    "RunwayQueueUrl",
    "RunwaySecret",
    "CallbackSecret",
    "AlarmTopicArn",
    "DashboardName",
}


def test_everything_bears_the_names_of_the_design(template: Template) -> None:
    environment, names = template.names.environment, template.names
    assert template.path.name == f"jiki-video-production-{environment}.template.json"
    assert template.function("merger")["FunctionName"] == f"jiki-video-merger-{environment}"
    assert template.function("audio_mixer")["FunctionName"] == f"jiki-audio-mixer-{environment}"
    tables = {properties["TableName"] for properties in template.properties("AWS::DynamoDB::Table")}
    assert tables == {f"jiki-video-nodes-{environment}", f"jiki-video-takes-{environment}"}
    machines = {
        properties["StateMachineName"] for properties in template.properties("AWS::StepFunctions::StateMachine")
    }
    assert machines == {f"jiki-video-node-{environment}", f"jiki-video-pipeline-{environment}"}
    groups = {properties["LogGroupName"] for properties in template.properties("AWS::Logs::LogGroup")}
    assert groups >= {names.function_log_group(role) for role in ROLES}
    assert groups >= {f"/aws/vendedlogs/states/{machine}" for machine in machines}
    assert template.one("AWS::CloudWatch::Dashboard")["DashboardName"] == f"jiki-video-production-{environment}"


def test_callers_find_what_they_need_in_exported_outputs(template: Template) -> None:
    outputs = template.body["Outputs"]
    assert outputs.keys() == OUTPUTS
    for id, entry in outputs.items():
        assert entry["Export"]["Name"] == f"{template.names.stack}-{id}"
        assert entry["Description"]
    buckets = {
        "development": "jiki-videos-dev",
        "staging": "jiki-videos-staging",
        "production": "jiki-videos-production",
    }
    assert outputs["BucketName"]["Value"] == buckets[template.names.environment]
    assert outputs["ElevenLabsSecret"]["Value"] == template.names.secret("elevenlabs")
    assert outputs["Veo3Secret"]["Value"] == template.names.secret("veo3")


def test_everything_that_has_tags_bears_ours(template: Template) -> None:
    manifest = json.loads((template.path.parent / "manifest.json").read_text())
    stack = manifest["artifacts"][template.names.stack]
    wanted = {
        "Project": "jiki-video",
        "Component": "video-production",
        "Environment": template.names.environment,
    }
    assert stack["properties"]["tags"] == wanted


def test_the_stack_is_for_any_account_and_the_settings_region(template: Template) -> None:
    manifest = json.loads((template.path.parent / "manifest.json").read_text())
    assert manifest["artifacts"][template.names.stack]["environment"] == "aws://unknown-account/us-east-1"
    assert "missing" not in manifest  # what a lookup would have to find


# Tables


def test_both_tables_are_on_demand_encrypted_and_can_be_restored(template: Template) -> None:
    for table in template.properties("AWS::DynamoDB::Table"):
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["SSESpecification"] == {"SSEEnabled": True}
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_the_indexes_hold_the_keys_of_what_is_under_way(template: Template) -> None:
    nodes, takes = (
        template.one("AWS::DynamoDB::Table", TableName=name)
        for name in (template.names.nodes_table, template.names.takes_table)
    )
    assert keys(nodes) == {"": ["pipeline_id", "id"], ACTIVE_INDEX: ["active", "pipeline_id"]}
    assert keys(takes) == {
        "": ["take_id", "record"],
        OPEN_INDEX: ["open", "open_since"],
        LEDGER_INDEX: ["ledger_month", "at"],
    }
    assert {"AttributeName": "open_since", "AttributeType": "N"} in takes["AttributeDefinitions"]


def keys(table: Mapping[str, Any]) -> dict[str, list[str]]:
    schemas = {"": table["KeySchema"], **{i["IndexName"]: i["KeySchema"] for i in table["GlobalSecondaryIndexes"]}}
    return {name: [key["AttributeName"] for key in schema] for name, schema in schemas.items()}


def test_records_expire_in_the_table_of_what_was_bought(template: Template) -> None:
    nodes, takes = (
        template.one("AWS::DynamoDB::Table", TableName=name)
        for name in (template.names.nodes_table, template.names.takes_table)
    )
    assert takes["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert "TimeToLiveSpecification" not in nodes


def test_in_production_nobody_deletes_the_tables(templates: Mapping[str, Template]) -> None:
    for environment, kept in (("development", False), ("staging", False), ("production", True)):
        for table in templates[environment].resources("AWS::DynamoDB::Table").values():
            assert table["Properties"]["DeletionProtectionEnabled"] is kept
            assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == ("Retain" if kept else "Delete")


# Bucket


def test_the_bucket_is_imported_unless_the_settings_say_otherwise(template: Template) -> None:
    assert not template.resources("AWS::S3::Bucket")


def test_a_created_bucket_is_private_encrypted_and_outlives_the_stack(everything: Template) -> None:
    [(id, bucket)] = everything.resources("AWS::S3::Bucket").items()
    properties = bucket["Properties"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert "ServerSideEncryptionConfiguration" in properties["BucketEncryption"]
    policy = everything.one("AWS::S3::BucketPolicy", Bucket={"Ref": id})
    denied = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in [statement["Condition"] for statement in denied]


def test_a_created_bucket_forgets_what_nobody_needs(everything: Template) -> None:
    rules = {rule["Id"]: rule for rule in everything.one("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]}
    assert rules["abort-incomplete-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 2}
    assert rules["expire-intermediates"]["ExpirationInDays"] == 60
    assert rules["expire-intermediates"]["TagFilters"] == [{"Key": "jiki-video", "Value": "intermediate"}]


# Queues


def test_every_queue_has_dead_letters_that_stay_14_days(template: Template) -> None:
    names = template.names
    working = {names.scheduling_queue, names.failed_merges_queue, *map(names.provider_queue, PROVIDERS)}
    existing = {queue["QueueName"] for queue in template.properties("AWS::SQS::Queue")}
    assert existing == working | {names.dead_letters(name) for name in working}
    for name in working:
        dead = template.queue_id(names.dead_letters(name))
        assert template.one("AWS::SQS::Queue", QueueName=name)["RedrivePolicy"] == {
            "deadLetterTargetArn": {"Fn::GetAtt": [dead, "Arn"]},
            "maxReceiveCount": 5,
        }
        assert template.body["Resources"][dead]["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_every_queue_is_encrypted_and_refuses_plain_http(template: Template) -> None:
    for id, queue in template.resources("AWS::SQS::Queue").items():
        assert queue["Properties"]["SqsManagedSseEnabled"] is True
        [policy] = [each for each in template.properties("AWS::SQS::QueuePolicy") if each["Queues"] == [{"Ref": id}]]
        denied = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert [s["Condition"] for s in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_only_our_rule_may_send_to_a_queue_from_outside_our_roles(template: Template) -> None:
    for policy in template.properties("AWS::SQS::QueuePolicy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow":
                assert statement["Principal"] == {"Service": "events.amazonaws.com"}
                assert list(statement["Condition"]) == ["ArnEquals"]


def test_a_message_stays_hidden_six_times_as_long_as_its_function_may_run(template: Template) -> None:
    names = template.names
    readers = {
        names.scheduling_queue: ("scheduler", 10),
        names.failed_merges_queue: ("error_callback", 1),
        **{names.provider_queue(provider): (poller_of(provider), 1) for provider in PROVIDERS},
    }
    for name, (role, batch) in readers.items():
        queue = template.one("AWS::SQS::Queue", QueueName=name)
        assert queue["VisibilityTimeout"] == 6 * ROLES[role].timeout
        arn = {"Fn::GetAtt": [template.queue_id(name), "Arn"]}
        mapping = template.one("AWS::Lambda::EventSourceMapping", EventSourceArn=arn)
        assert (mapping["BatchSize"], mapping["FunctionResponseTypes"]) == (batch, ["ReportBatchItemFailures"])


# Doors


def test_executions_that_failed_unseen_go_to_the_scheduler(template: Template) -> None:
    names = template.names
    rule = template.one("AWS::Events::Rule", Name=f"jiki-video-failed-executions-{names.environment}")
    machines = [
        {"Ref": template.id_of("AWS::StepFunctions::StateMachine", StateMachineName=name)}
        for name in (names.node_machine, names.pipeline_machine)
    ]
    assert rule["EventPattern"] == {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"status": ["FAILED", "TIMED_OUT", "ABORTED"], "stateMachineArn": machines},
    }
    [target] = rule["Targets"]
    dead = template.queue_id(names.dead_letters(names.scheduling_queue))
    assert target["Arn"] == {"Fn::GetAtt": [template.queue_id(names.scheduling_queue), "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [dead, "Arn"]}}


def test_everything_under_way_is_looked_at_every_five_minutes(template: Template) -> None:
    rule = template.one("AWS::Events::Rule", Name=f"jiki-video-sweep-{template.names.environment}")
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(5 minutes)", "ENABLED")


def test_the_api_has_one_open_door_and_one_for_iam(template: Template) -> None:
    routes = {
        route["RouteKey"]: route["AuthorizationType"] for route in template.properties("AWS::ApiGatewayV2::Route")
    }
    assert routes == {"POST /webhooks/{provider}": "NONE", "POST /pipelines/{id}/executions": "AWS_IAM"}
    assert {each["PayloadFormatVersion"] for each in template.properties("AWS::ApiGatewayV2::Integration")} == {"2.0"}


def test_the_api_is_throttled_and_logs_every_request(template: Template) -> None:
    stage = template.one("AWS::ApiGatewayV2::Stage")
    assert stage["DefaultRouteSettings"] == {"ThrottlingBurstLimit": 40, "ThrottlingRateLimit": 20}
    logged = json.loads(stage["AccessLogSettings"]["Format"])
    assert {"requestId", "ip", "route", "status"} <= logged.keys()


# Secrets


def test_no_secret_is_created_with_a_value(template: Template) -> None:
    """An invented value would be sent to a provider as a key."""
    secrets = template.properties("AWS::SecretsManager::Secret")
    names = template.names
    wanted = {names.callback_secret}
    wanted |= {names.secret(provider) for provider in PROVIDERS}
    wanted |= {names.webhook_secret(facts.name) for facts in PROVIDER_FACTS.values() if facts.webhooks}
    assert {secret["Name"] for secret in secrets} == wanted
    assert not [secret for secret in secrets if secret.keys() & {"SecretString", "GenerateSecretString"}]


# Network


def test_functions_run_outside_any_vpc_by_default(template: Template) -> None:
    assert not template.resources("AWS::EC2::VPC")
    assert not [function for function in template.properties("AWS::Lambda::Function") if "VpcConfig" in function]


def test_a_new_vpc_has_the_endpoints_that_the_functions_call_and_nat_for_the_providers(everything: Template) -> None:
    endpoints = {
        text(each["ServiceName"]): each["VpcEndpointType"] for each in everything.properties("AWS::EC2::VPCEndpoint")
    }
    services = {name.rpartition("us-east-1.")[2].rpartition(".")[2]: kind for name, kind in endpoints.items()}
    interfaces = dict.fromkeys(("states", "secretsmanager", "sqs", "events"), "Interface")
    assert services == {"s3": "Gateway", "dynamodb": "Gateway", **interfaces}
    assert len(everything.resources("AWS::EC2::NatGateway")) == 1
    assert len(everything.resources("AWS::EC2::FlowLog")) == 1


def test_functions_in_a_vpc_reach_nothing_but_port_443(everything: Template) -> None:
    group = everything.one("AWS::EC2::SecurityGroup", GroupDescription="Functions of the video production")
    assert [(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [
        ("tcp", 443, 443)
    ]
    assert "SecurityGroupIngress" not in group
    for function in everything.properties("AWS::Lambda::Function"):
        assert len(function["VpcConfig"]["SubnetIds"]) == 2


def test_a_vpc_that_exists_is_used_as_it_is(templates: Mapping[str, Template]) -> None:
    template = templates["existing-vpc"]
    kinds = {entry["Type"] for entry in template.body["Resources"].values() if entry["Type"].startswith("AWS::EC2")}
    assert kinds == {"AWS::EC2::SecurityGroup"}
    for function in template.properties("AWS::Lambda::Function"):
        assert function["VpcConfig"]["SubnetIds"] == ["subnet-0123456789abcdef0"]

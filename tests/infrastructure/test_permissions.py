"""What the template promises about permissions, as somebody reads them who has stolen a role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.infrastructure.synthesised import Template, statements_of, text
from video_production.settings import EVENT_SOURCE, PROVIDER_FACTS, PROVIDERS, ROLES, poller_of, submitter_of

WITHOUT_RESOURCES = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
}
"""Actions of this stack that AWS can't restrict to a resource, or that AWS's services ask for on every resource."""


def allowed(statements: list[dict[str, Any]], prefix: str) -> dict[str, set[str]]:
    """What is allowed of the actions with a prefix: action → resources."""
    found: dict[str, set[str]] = {}
    for statement in statements:
        for action in statement["Action"]:
            if statement["Effect"] == "Allow" and action.startswith(prefix):
                found.setdefault(action, set()).update(statement["Resource"])
    return found


def every_statement(template: Template) -> Iterator[dict[str, Any]]:
    """The statements of all roles' policies."""
    for policy in template.properties("AWS::IAM::Policy"):
        yield from statements_of(policy["PolicyDocument"])


def table(template: Template, name: str) -> str:
    return f"arn:aws:dynamodb:us-east-1:<AWS::AccountId>:table/{name}"


def queue(name: str) -> str:
    return f"arn:aws:sqs:us-east-1:<AWS::AccountId>:{name}"


def test_no_action_is_a_wildcard(variant: Template) -> None:
    for statement in every_statement(variant):
        assert not [action for action in statement["Action"] if "*" in action]


def test_every_resource_is_named_where_aws_can_tell_resources_apart(variant: Template) -> None:
    for statement in every_statement(variant):
        if "*" in statement["Resource"]:
            assert set(statement["Action"]) <= WITHOUT_RESOURCES


def test_no_role_has_a_policy_of_aws(variant: Template) -> None:
    for role in variant.properties("AWS::IAM::Role"):
        assert not role.keys() & {"ManagedPolicyArns", "Policies"}


def test_only_services_of_aws_take_a_role(variant: Template) -> None:
    takers = {
        str(statement["Principal"]["Service"])
        for role in variant.properties("AWS::IAM::Role")
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
    }
    assert takers <= {"lambda.amazonaws.com", "states.amazonaws.com", "vpc-flow-logs.amazonaws.com"}


@pytest.mark.parametrize(
    ("role", "secrets"),
    [
        ("merger", ["callbacks"]),
        ("audio_mixer", []),
        *((role, [name]) for name in PROVIDERS for role in (submitter_of(name), poller_of(name))),
        ("scheduler", []),
        ("sweeper", []),
        ("webhook_receiver", ["elevenlabs-webhook", "heygen-webhook"]),
        ("pipeline_starter", []),
        ("error_callback", ["callbacks"]),
    ],
)
def test_each_function_reads_only_its_own_secret(template: Template, role: str, secrets: list[str]) -> None:
    names = [f"jiki-video/{template.names.environment}/{secret}" for secret in secrets]
    ids = {f"<{template.id_of('AWS::SecretsManager::Secret', Name=name)}>" for name in names}
    wanted = {"secretsmanager:GetSecretValue": ids} if ids else {}
    assert allowed(template.statements(role), "secretsmanager:") == wanted


SUBMITTERS = tuple(map(submitter_of, PROVIDERS))
POLLERS = tuple(map(poller_of, PROVIDERS))
NODES = {
    "merger": {"GetItem", "UpdateItem"},
    "audio_mixer": {"GetItem", "UpdateItem"},
    **{role: {"GetItem", "UpdateItem", "ConditionCheckItem"} for role in SUBMITTERS},
    **{role: {"GetItem", "UpdateItem"} for role in POLLERS},  # not enough to write the intent to buy
    "scheduler": {"GetItem", "BatchGetItem", "Query", "UpdateItem", "ConditionCheckItem", "PutItem", "DeleteItem"},
    "pipeline_starter": {"GetItem", "Query", "UpdateItem"},
}
TAKES = {
    **{role: {"GetItem", "UpdateItem", "PutItem"} for role in (*SUBMITTERS, *POLLERS)},
    "scheduler": {"GetItem"},
    "webhook_receiver": {"GetItem", "PutItem"},
    "pipeline_starter": {"GetItem"},
}


@pytest.mark.parametrize("role", ROLES)
def test_each_function_does_with_the_tables_what_its_code_does(template: Template, role: str) -> None:
    names, given = template.names, allowed(template.statements(role), "dynamodb:")
    by_table = {
        name: {action.partition(":")[2] for action, resources in given.items() if table(template, name) in resources}
        for name in (names.nodes_table, names.takes_table)
    }
    assert by_table == {names.nodes_table: NODES.get(role, set()), names.takes_table: TAKES.get(role, set())}


def test_nobody_reads_a_whole_table_or_deletes_anything_but_slots_and_tickets(variant: Template) -> None:
    forbidden = {"dynamodb:Scan", "dynamodb:BatchWriteItem", "dynamodb:DeleteTable"}
    assert not forbidden & {action for statement in every_statement(variant) for action in statement["Action"]}
    [deleting] = [each for each in every_statement(variant) if "dynamodb:DeleteItem" in each["Action"]]
    assert deleting in variant.statements("scheduler")
    assert set(deleting["Action"]) == {"dynamodb:PutItem", "dynamodb:DeleteItem"}
    assert deleting["Resource"] == [table(variant, variant.names.nodes_table)]
    assert deleting["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["#slots#*", "#queue#*"]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def test_a_poller_can_not_buy_because_a_reservation_checks_an_item_that_it_does_not_write(template: Template) -> None:
    checkers = {
        role for role in ROLES if "dynamodb:ConditionCheckItem" in allowed(template.statements(role), "dynamodb:")
    }
    assert checkers == {*SUBMITTERS, "scheduler"}
    assert "dynamodb:PutItem" not in {
        action
        for action, resources in allowed(template.statements("scheduler"), "dynamodb:").items()
        if table(template, template.names.takes_table) in resources
    }


def test_the_sweeper_only_reads_the_two_indexes_of_what_is_under_way(template: Template) -> None:
    names = template.names
    indexes = {f"{table(template, names.nodes_table)}/index/active", f"{table(template, names.takes_table)}/index/open"}
    assert allowed(template.statements("sweeper"), "dynamodb:") == {"dynamodb:Query": indexes}


def test_the_function_that_anybody_may_call_reaches_only_its_own_records(template: Template) -> None:
    [access] = [s for s in template.statements("webhook_receiver") if s["Action"][0].startswith("dynamodb:")]
    assert access["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["webhook#*"]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


@pytest.mark.parametrize(
    ("role", "keys"),
    [
        ("merger", {"*"}),
        ("audio_mixer", {"*/nodes/*"}),
        *((role, {"takes/*"}) for role in (*SUBMITTERS, *POLLERS)),
        *((role, set()) for role in ("scheduler", "sweeper", "webhook_receiver", "pipeline_starter", "error_callback")),
    ],
)
def test_each_function_writes_only_below_its_own_keys(everything: Template, role: str, keys: set[str]) -> None:
    wanted = {f"arn:aws:s3:::jiki-videos-staging/{key}" for key in keys}
    given = allowed(everything.statements(role), "s3:")
    assert given.get("s3:PutObject", set()) == given.get("s3:AbortMultipartUpload", set()) == wanted
    assert given.get("s3:PutObjectTagging", set()) <= {"arn:aws:s3:::jiki-videos-staging/*/nodes/*"}
    known = {"s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:GetObject", "s3:ListBucket"}
    seeing = {"s3:ListBucketMultipartUploads"} if role == "merger" else set()
    assert given.keys() - known == seeing
    assert given.get("s3:ListBucketMultipartUploads", set()) <= {"arn:aws:s3:::jiki-videos-staging"}


def test_nobody_is_fooled_by_a_strangers_bucket_of_the_same_name(variant: Template) -> None:
    """Names of buckets are the whole world's: whoever takes ours first must get no script and bring no video."""
    bucket = f"arn:aws:s3:::{variant.body['Outputs']['BucketName']['Value']}"
    for role in ROLES:
        for statement in variant.statements(role):
            ours = [resource for resource in statement["Resource"] if resource.split("/")[0] == bucket]
            if ours and statement["Effect"] == "Allow":
                account = statement["Condition"]["StringEquals"]["aws:ResourceAccount"]
                assert text(account) == "<AWS::AccountId>", (role, statement)


def test_the_merger_can_not_replace_what_was_bought(template: Template) -> None:
    [denied] = [statement for statement in template.statements("merger") if statement["Effect"] == "Deny"]
    assert set(denied["Action"]) == {"s3:PutObject", "s3:AbortMultipartUpload"}
    [resource] = denied["Resource"]
    assert resource.endswith("/takes/*")


def test_inputs_are_read_from_the_buckets_of_the_settings_only(everything: Template) -> None:
    buckets = {f"arn:aws:s3:::{name}" for name in ("jiki-videos-staging", "recordings-of-somebody")}
    for role in ("merger", "audio_mixer", *SUBMITTERS, *POLLERS):
        given = allowed(everything.statements(role), "s3:")
        assert given["s3:GetObject"] == {f"{bucket}/*" for bucket in buckets}
        assert given["s3:ListBucket"] == buckets


def test_only_the_scheduler_and_the_starter_start_executions(template: Template) -> None:
    def machine(name: str) -> str:
        return f"arn:aws:states:us-east-1:<AWS::AccountId>:stateMachine:{name}"

    names = template.names
    wanted = {
        "scheduler": {machine(names.node_machine), machine(names.pipeline_machine)},
        "pipeline_starter": {machine(names.pipeline_machine)},
    }
    for role in ROLES:
        given = allowed(template.statements(role), "states:")
        assert given == ({"states:StartExecution": wanted[role]} if role in wanted else {}), role


def test_each_function_sends_only_to_the_queues_that_it_feeds(template: Template) -> None:
    names = template.names
    jobs = {names.provider_queue(provider) for provider in PROVIDERS}
    feeds = {
        "merger": {names.failed_merges_queue},
        **{poller: {names.scheduling_queue} for poller in POLLERS},
        "sweeper": {names.scheduling_queue, *jobs},
        "webhook_receiver": {names.provider_queue(facts.name) for facts in PROVIDER_FACTS.values() if facts.webhooks},
    }
    for role in ROLES:
        sent = allowed(template.statements(role), "sqs:").get("sqs:SendMessage", set())
        assert sent == {queue(name) for name in feeds.get(role, set())}, role


def test_each_function_takes_only_from_the_queue_that_it_serves(template: Template) -> None:
    names = template.names
    serves = {
        "scheduler": {names.scheduling_queue},
        **{poller_of(name): {names.provider_queue(name)} for name in PROVIDERS},
        "error_callback": {names.failed_merges_queue},
    }
    for role in ROLES:
        taken = allowed(template.statements(role), "sqs:").get("sqs:ReceiveMessage", set())
        assert taken == {queue(name) for name in serves.get(role, set())}, role


def test_only_the_scheduler_publishes_events_and_only_ours(template: Template) -> None:
    for role in ROLES:
        publishing = [s for s in template.statements(role) if "events:PutEvents" in s["Action"]]
        assert bool(publishing) == (role == "scheduler")
        for statement in publishing:
            assert statement["Resource"] == ["arn:aws:events:us-east-1:<AWS::AccountId>:event-bus/default"]
            assert statement["Condition"] == {"StringEquals": {"events:source": EVENT_SOURCE}}


def test_each_function_writes_only_its_own_log(template: Template) -> None:
    for role in ROLES:
        given = allowed(template.statements(role), "logs:")
        group = template.names.function_log_group(role)
        assert given.keys() == {"logs:CreateLogStream", "logs:PutLogEvents"}
        assert set.union(*given.values()) == {f"arn:aws:logs:us-east-1:<AWS::AccountId>:log-group:{group}:*"}


def test_machines_call_versions_of_their_functions_and_the_node_machine_reads_one_item(template: Template) -> None:
    names = template.names

    def versions(*roles: str) -> set[str]:
        return {f"arn:aws:lambda:us-east-1:<AWS::AccountId>:function:{names.function(role)}:*" for role in roles}

    node, pipeline = (template.machine_statements(name) for name in (names.node_machine, names.pipeline_machine))
    makers = ("merger", "audio_mixer", *SUBMITTERS, *POLLERS)
    assert allowed(node, "lambda:") == {"lambda:InvokeFunction": versions(*makers, "scheduler")}
    assert allowed(node, "dynamodb:") == {"dynamodb:GetItem": {table(template, names.nodes_table)}}
    assert allowed(pipeline, "lambda:") == {"lambda:InvokeFunction": versions("scheduler")}
    assert allowed(pipeline, "dynamodb:") == {}


def test_a_machine_of_another_account_can_not_borrow_a_machines_role(template: Template) -> None:
    for name in (template.names.node_machine, template.names.pipeline_machine):
        [role_id, _] = template.machine(name)["RoleArn"]["Fn::GetAtt"]
        [trust] = template.body["Resources"][role_id]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        assert "ArnLike" in trust["Condition"]


@pytest.mark.parametrize("role", ROLES)
def test_a_functions_code_can_not_use_the_permission_for_network_interfaces(everything: Template, role: str) -> None:
    statements = [s for s in everything.statements(role) if "ec2:CreateNetworkInterface" in s["Action"]]
    grant, denial = sorted(statements, key=lambda statement: str(statement["Effect"]))
    assert (grant["Effect"], denial["Effect"]) == ("Allow", "Deny")
    assert set(denial["Action"]) == {action for action in grant["Action"] if action.startswith("ec2:")}
    function = f"arn:aws:lambda:us-east-1:<AWS::AccountId>:function:{everything.names.function(role)}"
    [(operator, keys)] = denial["Condition"].items()
    assert (operator, text(keys["lambda:SourceFunctionArn"])) == ("ArnEquals", function)


def test_nobody_reaches_ec2_without_a_vpc(template: Template) -> None:
    assert not [s for s in every_statement(template) if any(action.startswith("ec2:") for action in s["Action"])]

"""A stack with the plain resources that Monitoring watches, for tests of Monitoring alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import aws_cdk as cdk
from aws_cdk import assertions
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions

from stacks.monitoring import Monitoring
from video_production.settings import PROVIDERS, ROLES, Names

__all__ = ["Settings", "template", "widgets"]


@dataclass(frozen=True)
class Settings:
    alarm_email: str | None = "alarms@example.com"
    daily_spend_alarm_usd: float = 50


@cache
def template(environment: str = "production", settings: Settings = Settings()) -> dict[str, Any]:  # noqa: B008
    """The synthesised template of a stack that is monitored."""
    stack = cdk.Stack(cdk.App(), "Monitored")
    names = Names(environment)
    Monitoring(
        stack,
        "Monitoring",
        settings=settings,
        names=names,
        functions={role: _function(stack, role, names) for role in ROLES},
        machines={
            kind: stepfunctions.StateMachine(
                stack,
                f"Machine-{kind}",
                definition_body=stepfunctions.DefinitionBody.from_string(
                    json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
                ),
            )
            for kind in ("pipeline", "node")
        },
        queues=_queues(stack, names),
        tables={kind: _table(stack, kind) for kind in ("nodes", "takes")},
        api=apigateway.HttpApi(stack, "Api"),
        bucket_name="jiki-videos-production",
    )
    return dict(assertions.Template.from_stack(stack).to_json())


def widgets(environment: str = "production") -> list[dict[str, Any]]:
    """The dashboard's widgets, references replaced by the names of what they refer to."""
    raise NotImplementedError


def _function(stack: cdk.Stack, role: str, names: Names) -> lambda_.Function:
    return lambda_.Function(
        stack,
        f"Function-{role}",
        function_name=names.function(role),
        runtime=lambda_.Runtime.PYTHON_3_13,
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
        handler="index.handler",
        timeout=cdk.Duration.seconds(ROLES[role].timeout),
        memory_size=ROLES[role].memory,
        log_group=logs.LogGroup(stack, f"Log-{role}", log_group_name=names.function_log_group(role)),
    )


def _queues(stack: cdk.Stack, names: Names) -> dict[str, sqs.IQueue]:
    working = [
        names.scheduling_queue,
        names.failed_merges_queue,
        *(names.provider_queue(provider) for provider in PROVIDERS),
    ]
    every = [*working, *(names.dead_letters(name) for name in working)]
    return {name: sqs.Queue(stack, name, queue_name=name) for name in every}


def _table(stack: cdk.Stack, kind: str) -> dynamodb.Table:
    key = dynamodb.Attribute(name="key", type=dynamodb.AttributeType.STRING)
    return dynamodb.Table(stack, f"Table-{kind}", partition_key=key)

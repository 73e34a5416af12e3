"""What connects the local environment's functions: queues, rules, a schedule, an HTTP API.

The stack defines the same under the same names. Here moto gets the definitions; `local_cloud.doors` acts on them.
Importing this module imports moto; call `moto_patches.prepare` first.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from moto.apigatewayv2.models import apigatewayv2_backends
from moto.awslambda.models import lambda_backends
from moto.events.models import events_backends
from moto.sqs.models import sqs_backends

from local_cloud.functions import ACCOUNT, NAMES, REGION, Function, machine_arn
from video_production.settings import PROVIDERS

__all__ = ["construct", "create_api", "create_queues", "create_rules"]

MAX_RECEIVES = 5
"""Deliveries of a message before it goes to the dead-letter queue."""
RETENTION = 14 * 24 * 3600
SPARE = 5
"""Seconds between a function's time limit and the moment in which its messages show up again."""
SWEEP_MINUTES = 5
REQUESTS_PER_SECOND = 20.0
BURST = 40
"""How many requests the HTTP API takes."""


def create_queues(functions: Mapping[str, Function]) -> None:
    """The queues, each with its dead letters and the function (by role) that it feeds."""
    _create_queue(NAMES.scheduling_queue, functions["scheduler"], batch=10)
    _create_queue(NAMES.failed_merges_queue, functions["error_callback"])
    for provider in PROVIDERS:
        _create_queue(NAMES.provider_queue(provider), functions[f"{provider}_poller"])
    failed = {"OnFailure": {"Destination": _queue_arn(NAMES.failed_merges_queue)}}
    once = {"MaximumRetryAttempts": 0, "DestinationConfig": failed}
    lambda_backends[ACCOUNT][REGION].put_function_event_invoke_config(functions["merger"].name, once)


def _create_queue(name: str, function: Function, *, batch: int = 1) -> None:
    sqs = sqs_backends[ACCOUNT][REGION]
    dead_letters = sqs.create_queue(NAMES.dead_letters(name), MessageRetentionPeriod=RETENTION)
    redrive = {"deadLetterTargetArn": dead_letters.queue_arn, "maxReceiveCount": MAX_RECEIVES}
    sqs.create_queue(
        name,
        MessageRetentionPeriod=RETENTION,
        VisibilityTimeout=int(function.timeout) + SPARE,
        RedrivePolicy=json.dumps(redrive),
    )
    lambda_backends[ACCOUNT][REGION].create_event_source_mapping(
        {
            "EventSourceArn": _queue_arn(name),
            "FunctionName": function.arn,
            "BatchSize": batch,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }
    )


def create_rules(functions: Mapping[str, Function]) -> None:
    """Executions that ended badly go to the scheduler's queue; the sweeper looks around every five minutes."""
    events = events_backends[ACCOUNT][REGION]
    died = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "status": ["FAILED", "TIMED_OUT", "ABORTED"],
            "stateMachineArn": [machine_arn(NAMES.node_machine), machine_arn(NAMES.pipeline_machine)],
        },
    }
    rule = f"jiki-video-failed-executions-{NAMES.environment}"
    events.put_rule(rule, event_pattern=json.dumps(died))
    events.put_targets(rule, None, [{"Id": "scheduling", "Arn": _queue_arn(NAMES.scheduling_queue)}])
    rule = f"jiki-video-sweep-{NAMES.environment}"
    events.put_rule(rule, scheduled_expression=f"rate({SWEEP_MINUTES} minutes)")
    events.put_targets(rule, None, [{"Id": "sweeper", "Arn": functions["sweeper"].arn}])
    once = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": SWEEP_MINUTES * 60}
    lambda_backends[ACCOUNT][REGION].put_function_event_invoke_config(functions["sweeper"].name, once)


def create_api(functions: Mapping[str, Function]) -> str:
    """The HTTP API: webhooks for everybody, starting a pipeline for whoever has a key. Returns its id."""
    api = construct(
        apigatewayv2_backends[ACCOUNT][REGION].create_api, name=f"jiki-video-{NAMES.environment}", protocol_type="HTTP"
    )
    limits = {"throttlingRateLimit": REQUESTS_PER_SECOND, "throttlingBurstLimit": BURST}
    api.create_stage({"stageName": "$default", "autoDeploy": True, "defaultRouteSettings": limits})
    routes = (
        ("POST /webhooks/{provider}", "webhook_receiver", "NONE"),
        ("POST /pipelines/{id}/executions", "pipeline_starter", "AWS_IAM"),
    )
    for key, role, authorization in routes:
        integration = construct(
            api.create_integration,
            integration_type="AWS_PROXY",
            integration_uri=functions[role].arn,
            payload_format_version="2.0",
        )
        target = f"integrations/{integration.id}"
        construct(api.create_route, route_key=key, authorization_type=authorization, target=target)
    return str(api.api_id)


def construct(create: Callable[..., Any], **given: Any) -> Any:
    """Call one of moto's methods that want every parameter named; those that are not given are None."""
    return create(**{name: given.get(name) for name in inspect.signature(create).parameters})


def _queue_arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"

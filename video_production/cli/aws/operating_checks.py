"""`doctor`, second half: quotas, alarms, dead letters, and whether anybody would hear of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from video_production.cli.aws.connection import Connection
from video_production.cli.findings import Finding, broken, note, well
from video_production.cli.words import count
from video_production.settings import PROVIDERS, Names

__all__ = ["alarms", "dead_letters", "mail", "quotas", "throttled"]

_ENOUGH = 100
"""Concurrent executions of Lambda below which a few lessons at once wait for each other; a new account has 10."""
_HOURS = 24


def quotas(connection: Connection) -> Iterator[Finding]:
    """What Lambda allows the account. Nothing tells the memory quota; a deployment that exceeds it fails."""
    answer = connection.client("lambda").get_account_settings()
    limit, used = answer["AccountLimit"], answer["AccountUsage"]
    together = limit["ConcurrentExecutions"]
    words = f"{together:,} functions at once"
    if together < _ENOUGH:
        yield note(
            "quotas",
            words,
            "a new account's quota, which lets lessons wait for each other; ask for more under Service Quotas, Lambda, "
            "Concurrent executions",
        )
    else:
        yield well("quotas", words)
    share = used.get("TotalCodeSize", 0) / max(1, limit.get("TotalCodeSize", 1))
    if share > 0.8:
        yield note("quotas", f"{share:.0%} of Lambda's code storage is used", "delete old versions of functions")


def throttled(connection: Connection) -> Iterator[Finding]:
    """Whether Step Functions or Lambda held executions back in the last day: quotas that are in the way."""
    client = connection.client("cloudwatch")
    end = datetime.now(UTC)
    held = 0.0
    for output in ("PipelineMachineArn", "NodeMachineArn"):
        answer = client.get_metric_statistics(
            Namespace="AWS/States",
            MetricName="ExecutionThrottled",
            Dimensions=[{"Name": "StateMachineArn", "Value": connection.output(output)}],
            StartTime=end - timedelta(hours=_HOURS),
            EndTime=end,
            Period=_HOURS * 3600,
            Statistics=["Sum"],
        )
        held += sum(point["Sum"] for point in answer["Datapoints"])
    if held:
        advice = "lessons still finish; ask for more under Service Quotas, Step Functions, StateTransition"
        yield note("throttling", f"Step Functions held back {held:,.0f} steps in {_HOURS} hours", advice)
    else:
        yield well("throttling", f"none by Step Functions in {_HOURS} hours")


def alarms(connection: Connection) -> Iterator[Finding]:
    """Those of this environment that are in alarm, with what their description says to do."""
    ending, total = f"-{connection.names.environment}", 0
    pages = connection.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix="jiki-video-")
    for page in pages:
        for alarm in page["MetricAlarms"]:
            if not alarm["AlarmName"].endswith(ending):
                continue
            total += 1
            if alarm["StateValue"] == "ALARM":
                yield broken("alarms", f"{alarm['AlarmName']} is in alarm", alarm.get("AlarmDescription", ""))
    yield well("alarms", f"{total} are watching") if total else note("alarms", "there are none")


def dead_letters(connection: Connection) -> Iterator[Finding]:
    """What the queues could not deliver, five times over."""
    names, client, empty = connection.names, connection.client("sqs"), 0
    queues = [names.scheduling_queue, names.failed_merges_queue, *map(names.provider_queue, PROVIDERS)]
    for queue in map(Names.dead_letters, queues):
        try:
            url = client.get_queue_url(QueueName=queue)["QueueUrl"]
        except client.exceptions.QueueDoesNotExist:
            yield broken("dead letters", f"there is no queue {queue}")
            continue
        answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        waiting = int(answer["Attributes"]["ApproximateNumberOfMessages"])
        empty += not waiting
        if waiting:
            advice = "find what failed them with logs, mend it, then start a redrive (docs/runbook.md)"
            yield broken("dead letters", f"{count(waiting, 'message')} in {queue}", advice)
    if empty == len(queues):
        yield well("dead letters", f"none in {count(empty, 'queue')}")


def mail(connection: Connection) -> Iterator[Finding]:
    """Whether anybody hears of an alarm."""
    topic = connection.output("AlarmTopicArn")
    pages = connection.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    subscriptions = [entry for page in pages for entry in page["Subscriptions"]]
    if not subscriptions:
        advice = "set alarm_email of this environment in cdk.json and deploy, or subscribe to it"
        yield note("alarm mail", f"nobody is told of alarms ({topic})", advice)
    for entry in subscriptions:
        who = f"{entry['Endpoint']} ({entry['Protocol']})"
        if entry["SubscriptionArn"] == "PendingConfirmation":
            yield broken("alarm mail", f"{who} has not confirmed", "click the link in the mail that AWS sent there")
        else:
            yield well("alarm mail", f"alarms go to {who}")

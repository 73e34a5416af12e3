"""The doors of a running local cloud, used as other programs use them: queues, events, asynchronous calls, HTTP."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local_cloud.functions import ACCESS_KEY, NAMES, REGION, SECRET_KEY, machine_arn, queue_url
from local_cloud.handle import CloudHandle, attach_or_start
from tests.integration.local_cloud.tiny import processes_of, wait_for

Client = Callable[[str], Any]


@pytest.fixture
def seen(client: Client) -> Callable[[str, str], Any]:
    """seen(role, text): the event with this text that the role's function received."""
    logs = client("logs")

    def find(role: str, text: str) -> Any:
        def look() -> Any:
            events = logs.filter_log_events(logGroupName=NAMES.function_log_group(role))["events"]
            found = [
                each["message"] for each in events if each["message"].startswith("event ") and text in each["message"]
            ]
            return json.loads(found[0].removeprefix("event ")) if found else None

        return wait_for(look)

    return find


def test_a_message_in_the_scheduling_queue_reaches_the_scheduler(
    cloud: CloudHandle, client: Client, seen: Callable[[str, str], Any]
) -> None:
    sqs, mark = client("sqs"), uuid.uuid4().hex
    url = sqs.get_queue_url(QueueName=NAMES.scheduling_queue)["QueueUrl"]
    assert url == queue_url(cloud.endpoints, NAMES.scheduling_queue)
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"pipeline_id": mark}))
    [record] = seen("scheduler", mark)["Records"]
    assert record["eventSourceARN"].endswith(f":{NAMES.scheduling_queue}")
    wait_for(lambda: _waiting(sqs, url) == 0)


def _waiting(sqs: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(told[name]) for name in names)


def test_every_queue_has_its_dead_letters(cloud: CloudHandle, client: Client) -> None:
    sqs = client("sqs")
    for name in (NAMES.scheduling_queue, NAMES.failed_merges_queue, NAMES.provider_queue("elevenlabs")):
        url = queue_url(cloud.endpoints, name)
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        redrive = json.loads(told["RedrivePolicy"])
        assert redrive["deadLetterTargetArn"].endswith(f":{NAMES.dead_letters(name)}")
        assert redrive["maxReceiveCount"] == 5


def test_an_execution_that_died_is_told_to_the_scheduler(client: Client, seen: Callable[[str, str], Any]) -> None:
    mark = f"died-{uuid.uuid4().hex}"
    machine = machine_arn(NAMES.pipeline_machine)
    given = json.dumps({"do": "fail", "pipeline_id": mark})
    client("stepfunctions").start_execution(stateMachineArn=machine, name=mark, input=given)
    [record] = seen("scheduler", "Execution Status Change")["Records"]
    detail = json.loads(record["body"])["detail"]
    assert (detail["stateMachineArn"], detail["name"], detail["status"]) == (machine, mark, "FAILED")
    assert json.loads(detail["input"])["pipeline_id"] == mark
    assert detail["error"] == "ValueError"


def test_a_merge_that_runs_out_of_memory_is_told_to_the_error_callback(
    client: Client, seen: Callable[[str, str], Any]
) -> None:
    lambda_, merger = client("lambda"), NAMES.function("merger")
    lambda_.update_function_configuration(FunctionName=merger, MemorySize=128)
    event = json.dumps({"do": "grow", "megabytes": 600}).encode()
    taken = lambda_.invoke(FunctionName=merger, InvocationType="Event", Payload=event)
    assert taken["StatusCode"] == 202
    request_id = taken["ResponseMetadata"]["RequestId"]
    [message] = seen("error_callback", request_id)["Records"]
    record = json.loads(message["body"])
    assert record["requestContext"]["requestId"] == request_id
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["requestPayload"] == {"do": "grow", "megabytes": 600}
    assert record["responsePayload"]["errorType"] == "Runtime.ExitError"
    assert "signal: killed" in record["responsePayload"]["errorMessage"]
    lambda_.update_function_configuration(FunctionName=merger, MemorySize=3008)


def test_the_api_takes_webhooks_from_anybody_and_executions_from_whoever_has_the_key(
    cloud: CloudHandle, seen: Callable[[str, str], Any]
) -> None:
    api, mark = cloud.endpoints.api, uuid.uuid4().hex
    assert requests.post(f"{api}/webhooks/elevenlabs", json={"mark": mark}, timeout=20).status_code == 200
    assert seen("webhook_receiver", mark)["pathParameters"] == {"provider": "elevenlabs"}
    url = f"{api}/pipelines/{mark}/executions"
    assert requests.post(url, timeout=20).status_code == 403
    request = AWSRequest("POST", url)
    SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "execute-api", REGION).add_auth(request)
    assert requests.post(url, headers=dict(request.headers), timeout=20).status_code == 200
    assert seen("pipeline_starter", mark)["requestContext"]["authorizer"]["iam"]["accessKey"] == ACCESS_KEY


def test_secrets_have_values(client: Client) -> None:
    secrets = client("secretsmanager")
    for name in (NAMES.secret("elevenlabs"), NAMES.webhook_secret("elevenlabs"), NAMES.callback_secret):
        assert secrets.get_secret_value(SecretId=name)["SecretString"]


def test_indexes_show_what_is_under_way_also_after_a_restart(start: Callable[[], CloudHandle]) -> None:
    def under_way(handle: CloudHandle) -> tuple[list[Any], list[Any]]:
        dynamodb = handle.client("dynamodb")
        pipelines = dynamodb.query(
            TableName=NAMES.nodes_table,
            IndexName="active",
            KeyConditionExpression="active = :p",
            ExpressionAttributeValues={":p": {"S": "pipeline"}},
        )["Items"]
        takes = dynamodb.query(
            TableName=NAMES.takes_table,
            IndexName="open",
            KeyConditionExpression="#o = :p AND open_since < :t",
            ExpressionAttributeNames={"#o": "open"},
            ExpressionAttributeValues={":p": {"S": "elevenlabs"}, ":t": {"N": "100"}},
        )["Items"]
        dynamodb.close()
        return pipelines, takes

    first = start()
    dynamodb = first.client("dynamodb")
    for name, more in (("a", {"active": {"S": "pipeline"}, "secret": {"S": "x"}}), ("b", {})):
        item = {"pipeline_id": {"S": name}, "id": {"S": "#pipeline"}, **more}
        dynamodb.put_item(TableName=NAMES.nodes_table, Item=item)
    for name, since in (("old", "99"), ("new", "101")):
        more = {"open": {"S": "elevenlabs"}, "open_since": {"N": since}}
        dynamodb.put_item(TableName=NAMES.takes_table, Item={"take_id": {"S": name}, "record": {"S": "take"}, **more})
    dynamodb.close()
    found = under_way(first)
    keys_only = {"pipeline_id": {"S": "a"}, "id": {"S": "#pipeline"}, "active": {"S": "pipeline"}}
    assert found[0] == [keys_only]
    assert [item["take_id"]["S"] for item in found[1]] == ["old"]
    first.close()
    assert under_way(start()) == found


@pytest.fixture
def quick(checkout: Path, home: Path) -> Iterator[CloudHandle]:
    """A cloud whose five minutes take half a second."""
    with attach_or_start(home, checkout=checkout, speed=600) as handle:
        yield handle


def test_the_sweeper_comes_by_itself_and_a_busy_cloud_still_ends_promptly(quick: CloudHandle, home: Path) -> None:
    logs, sqs = quick.client("logs"), quick.client("sqs")
    group = NAMES.function_log_group("sweeper")
    events = wait_for(lambda: logs.filter_log_events(logGroupName=group, filterPattern='"Scheduled Event"')["events"])
    assert "aws.events" in events[0]["message"]
    for name in (NAMES.scheduling_queue, NAMES.failed_merges_queue):
        sqs.send_message(QueueUrl=queue_url(quick.endpoints, name), MessageBody='{"sleep": 60}')
    group = NAMES.function_log_group("scheduler")
    wait_for(lambda: logs.filter_log_events(logGroupName=group, filterPattern="sleep")["events"])
    requests.get(quick.endpoints.api, timeout=5)
    logs.close()
    sqs.close()
    started = time.monotonic()
    quick.close()
    assert time.monotonic() - started < 5
    assert processes_of(home) == []
    assert "Traceback" not in (home / "cloud.log").read_text()

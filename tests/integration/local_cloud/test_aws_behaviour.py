"""What the product relies on in AWS holds in the local cloud: through boto3, against the cloud's own process."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_cloud.functions import NAMES, ROLES, machine_arn
from local_cloud.handle import CloudHandle
from local_cloud.journal import read_tables
from tests.integration.local_cloud.tiny import wait_for

Client = Callable[[str], Any]
NODES = NAMES.nodes_table
NODE_MACHINE = machine_arn(NAMES.node_machine)


def key(name: str) -> dict[str, Any]:
    return {"pipeline_id": {"S": "behaviour"}, "id": {"S": name}}


def invoke(client: Client, event: Any, **more: Any) -> dict[str, Any]:
    answer = client("lambda").invoke(FunctionName=NAMES.function("merger"), Payload=json.dumps(event), **more)
    return {**answer, "Payload": answer["Payload"].read()}


def finished(machines: Any, arn: str) -> dict[str, Any]:
    def look() -> Any:
        execution = machines.describe_execution(executionArn=arn)
        return execution if execution["status"] != "RUNNING" else None

    result: dict[str, Any] = wait_for(look)
    return result


class TestTables:
    def test_every_write_is_on_disk_when_it_is_answered(self, client: Client, shared_home: Path) -> None:
        dynamodb = client("dynamodb")
        for status in ("pending", "in_progress", "completed"):
            dynamodb.update_item(
                TableName=NODES,
                Key=key("journaled"),
                UpdateExpression="SET #s = :s, metadata = :m",
                ExpressionAttributeNames={"#s": "status"},
                ExpressionAttributeValues={
                    ":s": {"S": status},
                    ":m": {"M": {"l": {"L": [{"N": "1"}]}}},
                },
            )
            item = read_tables(shared_home / "journal.jsonl")[NODES]["behaviour", "journaled"]
            assert item["status"] == {"S": status}
            assert item == dynamodb.get_item(TableName=NODES, Key=key("journaled"))["Item"]
        dynamodb.delete_item(TableName=NODES, Key=key("journaled"))
        assert ("behaviour", "journaled") not in read_tables(shared_home / "journal.jsonl")[NODES]

    def test_a_condition_that_fails_shows_the_item_as_it_is(self, client: Client) -> None:
        dynamodb = client("dynamodb")
        dynamodb.put_item(TableName=NODES, Item={**key("fenced"), "process_uuid": {"S": "current"}})
        with pytest.raises(ClientError) as failure:
            dynamodb.update_item(
                TableName=NODES,
                Key=key("fenced"),
                UpdateExpression="SET x = :x",
                ConditionExpression="process_uuid = :mine",
                ExpressionAttributeValues={":x": {"S": "late"}, ":mine": {"S": "stale"}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        assert failure.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
        assert failure.value.response["Item"]["process_uuid"] == {"S": "current"}

    def test_a_cancelled_transaction_changes_nothing_and_tells_why(self, client: Client, shared_home: Path) -> None:
        dynamodb = client("dynamodb")
        dynamodb.put_item(TableName=NODES, Item={**key("there"), "status": {"S": "in_progress"}})
        before = (shared_home / "journal.jsonl").stat().st_size
        with pytest.raises(ClientError) as failure:
            dynamodb.transact_write_items(
                TransactItems=[
                    {"Put": {"TableName": NODES, "Item": key("new")}},
                    {
                        "Update": {
                            "TableName": NODES,
                            "Key": key("there"),
                            "UpdateExpression": "SET #s = :s",
                            "ConditionExpression": "#s = :pending",
                            "ExpressionAttributeNames": {"#s": "status"},
                            "ExpressionAttributeValues": {":s": {"S": "x"}, ":pending": {"S": "pending"}},
                            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                        }
                    },
                ]
            )
        reasons = failure.value.response["CancellationReasons"]
        assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
        assert reasons[1]["Item"] == {**key("there"), "status": {"S": "in_progress"}}
        assert "Item" not in dynamodb.get_item(TableName=NODES, Key=key("new"))
        assert (shared_home / "journal.jsonl").stat().st_size == before

    def test_a_transaction_is_one_line_of_the_journal(self, client: Client, shared_home: Path) -> None:
        journal = shared_home / "journal.jsonl"
        before = len(journal.read_text().splitlines())
        client("dynamodb").transact_write_items(
            TransactItems=[{"Put": {"TableName": NODES, "Item": key(name)}} for name in ("one", "two")]
        )
        lines = journal.read_text().splitlines()
        assert len(lines) == before + 1
        assert [write["key"] for write in json.loads(lines[-1])["writes"]] == [key("one"), key("two")]

    def test_of_sixteen_claims_at_once_one_wins(self, client: Client) -> None:
        dynamodb = client("dynamodb")
        dynamodb.put_item(TableName=NODES, Item={**key("contested"), "status": {"S": "pending"}})
        winners: list[int] = []

        def claim(number: int) -> None:
            try:
                dynamodb.update_item(
                    TableName=NODES,
                    Key=key("contested"),
                    UpdateExpression="SET #s = :taken, process_uuid = :me",
                    ConditionExpression="#s = :pending",
                    ExpressionAttributeNames={"#s": "status"},
                    ExpressionAttributeValues={
                        ":taken": {"S": "in_progress"},
                        ":pending": {"S": "pending"},
                        ":me": {"S": str(number)},
                    },
                )
                winners.append(number)
            except dynamodb.exceptions.ConditionalCheckFailedException:
                return

        _together([lambda number=number: claim(number) for number in range(16)])
        item = dynamodb.get_item(TableName=NODES, Key=key("contested"))["Item"]
        assert [item["process_uuid"]["S"]] == [str(winner) for winner in winners]


class TestFunctions:
    def test_a_function_answers_from_a_process_of_its_own(self, client: Client, cloud: CloudHandle) -> None:
        answer = invoke(client, {"a": "ö"})
        body = json.loads(answer["Payload"])
        assert (answer["StatusCode"], "FunctionError" in answer) == (200, False)
        assert body["event"] == {"a": "ö"}
        assert body["role"] == "merger"
        assert body["pid"] != cloud.pid

    def test_an_exception_is_a_function_error(self, client: Client) -> None:
        answer = invoke(client, {"do": "fail"})
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        body = json.loads(answer["Payload"])
        assert (body["errorType"], body["errorMessage"]) == ("ValueError", "as told")

    def test_the_end_of_the_log_comes_with_the_answer_when_asked_for(self, client: Client) -> None:
        answer = invoke(client, {"do": "talk"}, LogType="Tail")
        tail = base64.b64decode(answer["LogResult"]).decode()
        assert tail.startswith("did talk\nEND RequestId: ")
        assert "REPORT RequestId: " in tail
        assert "LogResult" not in invoke(client, {})

    def test_an_event_is_accepted_at_once_and_runs_on(self, client: Client, shared_home: Path) -> None:
        began = time.monotonic()
        write = {"do": "write", "item": {**key("asynchronous"), "done": {"BOOL": True}}}
        answer = invoke(client, write, InvocationType="Event")
        assert (answer["StatusCode"], answer["Payload"]) == (202, b"")
        slow = invoke(client, {"do": "sleep", "seconds": 3}, InvocationType="Event")
        assert slow["StatusCode"] == 202
        assert time.monotonic() - began < 2.5
        wait_for(lambda: ("behaviour", "asynchronous") in read_tables(shared_home / "journal.jsonl").get(NODES, {}))

    def test_a_dry_run_runs_nothing(self, client: Client) -> None:
        answer = invoke(client, {"do": "dry"}, InvocationType="DryRun")
        assert answer["StatusCode"] == 204
        events = client("logs").filter_log_events(logGroupName=NAMES.function_log_group("merger"), filterPattern="dry")
        assert [event for event in events["events"] if event["message"] == "did dry"] == []

    def test_all_functions_are_listed_with_their_settings(self, client: Client) -> None:
        listed = {function["FunctionName"]: function for function in client("lambda").list_functions()["Functions"]}
        assert set(listed) == {NAMES.function(role) for role in ROLES}
        merger = listed["jiki-video-merger-local"]
        assert (merger["MemorySize"], merger["Timeout"]) == (3008, 900)
        assert merger["Environment"]["Variables"]["NODES_TABLE"] == NODES

    def test_an_unknown_function_is_refused(self, client: Client) -> None:
        with pytest.raises(ClientError) as failure:
            client("lambda").invoke(FunctionName="no-such-function", Payload=b"{}")
        assert failure.value.response["Error"]["Code"] == "ResourceNotFoundException"

    def test_a_function_reaches_s3_on_disk(self, client: Client, cloud: CloudHandle, shared_home: Path) -> None:
        cloud.ensure_bucket("from-a-function")
        cloud.ensure_bucket("from-a-function")
        invoke(client, {"do": "store", "bucket": "from-a-function", "key": "folder/file.txt", "text": "hello"})
        assert (shared_home / "s3" / "from-a-function" / "folder" / "file.txt").read_text() == "hello"

    def test_logs_are_in_the_functions_log_group(self, client: Client) -> None:
        pid = json.loads(invoke(client, {"do": "be-logged"})["Payload"])["pid"]
        logs = client("logs")
        group = NAMES.function_log_group("merger")
        messages = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
        end = messages.index("did be-logged")
        assert messages[end - 1].startswith("START RequestId: ")
        assert messages[end + 1].startswith("END RequestId: ")
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        assert streams
        assert pid


class TestMachines:
    def test_the_described_definition_is_the_file_after_substitution(self, client: Client, checkout: Path) -> None:
        machines = client("stepfunctions")
        definition = json.loads(machines.describe_state_machine(stateMachineArn=NODE_MACHINE)["definition"])
        text = (checkout / "workflows" / "node.asl.json").read_text()
        for name, value in {
            "SchedulerArn": "function:jiki-scheduler-local",
            "MergerArn": "function:jiki-video-merger-local",
            "AudioMixerArn": "function:jiki-audio-mixer-local",
            "ElevenlabsSubmitterArn": "function:jiki-elevenlabs-submitter-local",
            "ElevenlabsPollerArn": "function:jiki-elevenlabs-poller-local",
            "HeygenSubmitterArn": "function:jiki-heygen-submitter-local",
            "HeygenPollerArn": "function:jiki-heygen-poller-local",
            "Veo3SubmitterArn": "function:jiki-veo3-submitter-local",
            "Veo3PollerArn": "function:jiki-veo3-poller-local",
            "RunwaySubmitterArn": "function:jiki-runway-submitter-local",
            "RunwayPollerArn": "function:jiki-runway-poller-local",
        }.items():
            text = text.replace(f"${{{name}}}", f"arn:aws:lambda:us-east-1:123456789012:{value}")
        assert definition == json.loads(text.replace("${NodesTable}", NODES))

    def test_an_execution_runs_the_real_functions(self, client: Client) -> None:
        machines = client("stepfunctions")
        started = machines.start_execution(stateMachineArn=NODE_MACHINE, name="runs", input='{"do": "task"}')
        execution = finished(machines, started["executionArn"])
        assert execution["status"] == "SUCCEEDED"
        assert json.loads(execution["output"])["result"]["Payload"]["did"] == "task"

    def test_an_exception_is_caught_by_its_class(self, client: Client) -> None:
        machines = client("stepfunctions")
        started = machines.start_execution(stateMachineArn=NODE_MACHINE, name="fails", input='{"do": "fail"}')
        execution = finished(machines, started["executionArn"])
        failure = json.loads(execution["output"])["failure"]
        assert failure["Error"] == "ValueError"
        assert json.loads(failure["Cause"])["errorMessage"] == "as told"
        item = client("dynamodb").get_item(
            TableName=NODES, Key={"pipeline_id": {"S": "failures"}, "id": {"S": "fails"}}
        )["Item"]
        assert item["error"] == {"S": "ValueError"}

    def test_starting_twice_starts_once(self, client: Client) -> None:
        machines = client("stepfunctions")
        event = '{"do": "sleep", "seconds": 1}'
        answers: list[str] = []

        def start() -> None:
            answer = machines.start_execution(stateMachineArn=NODE_MACHINE, name="once", input=event)
            answers.append(answer["executionArn"])

        _together([start] * 16)
        assert len(answers) == 16
        assert len(set(answers)) == 1
        running = machines.list_executions(stateMachineArn=NODE_MACHINE)["executions"]
        assert [execution["name"] for execution in running].count("once") == 1
        with pytest.raises(ClientError) as other_input:
            machines.start_execution(stateMachineArn=NODE_MACHINE, name="once", input='{"do": "else"}')
        assert other_input.value.response["Error"]["Code"] == "ExecutionAlreadyExists"
        finished(machines, answers[0])
        with pytest.raises(ClientError) as closed:
            machines.start_execution(stateMachineArn=NODE_MACHINE, name="once", input=event)
        assert closed.value.response["Error"]["Code"] == "ExecutionAlreadyExists"

    def test_executions_without_a_name_get_names_of_their_own(self, client: Client) -> None:
        machines = client("stepfunctions")
        arns = [machines.start_execution(stateMachineArn=NODE_MACHINE, input="{}")["executionArn"] for _ in range(2)]
        assert len(set(arns)) == 2
        assert {finished(machines, arn)["status"] for arn in arns} == {"SUCCEEDED"}

    def test_many_executions_at_once_all_succeed(self, client: Client) -> None:
        machines = client("stepfunctions")
        arns: list[str] = []

        def start(number: int) -> None:
            answer = machines.start_execution(stateMachineArn=NODE_MACHINE, name=f"many-{number}", input="{}")
            arns.append(answer["executionArn"])

        _together([lambda number=number: start(number) for number in range(20)])
        assert [finished(machines, arn)["status"] for arn in arns] == ["SUCCEEDED"] * 20

    def test_a_function_can_start_an_execution(self, client: Client) -> None:
        invoke(client, {"do": "start", "name": "from-a-function", "input": {}})
        machines = client("stepfunctions")
        arn = NODE_MACHINE.replace(":stateMachine:", ":execution:") + ":from-a-function"
        assert finished(machines, arn)["status"] == "SUCCEEDED"


def test_the_stand_ins_key_is_in_secrets_manager(client: Client) -> None:
    secret = client("secretsmanager").get_secret_value(SecretId=NAMES.secret("elevenlabs"))
    assert secret["SecretString"] == "draft-key"


def test_a_saved_source_file_is_live_at_the_next_invocation(client: Client, checkout: Path) -> None:
    source = checkout / "functions" / "audio_mixer" / "handler.py"
    lambda_ = client("lambda")
    for answer in ("one", "two"):
        source.write_text(f"def handler(event, context): return {answer!r}\n")
        said = lambda_.invoke(FunctionName=NAMES.function("audio_mixer"), Payload=b"{}")
        assert json.loads(said["Payload"].read()) == answer


def test_nothing_of_the_users_own_configuration_is_used(
    cloud: CloudHandle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configuration = tmp_path / "config"
    configuration.write_text("[default]\nregion = eu-west-1\nendpoint_url = http://127.0.0.1:9\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "mine")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    for service in ("dynamodb", "s3"):
        client = cloud.client(service)
        assert client.meta.region_name == "us-east-1"
        assert client.list_tables()["TableNames"] if service == "dynamodb" else client.list_buckets() is not None
        client.close()


def _together(calls: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

"""The functions behind the doors: the sweep, webhooks, starting over HTTP, queues, callbacks of merges that died."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.functions.emulated import NAMES, Context, Emulated, batch
from tests.unit.graphs import node, text_output, write
from tests.unit.scheduling.test_executions import event as ended_execution
from tests.unit.webhooks.test_callbacks import Receiver
from tests.unit.webhooks.test_unanswered import record
from video_production.settings import PROVIDERS
from video_production.tables import Put
from video_production.webhooks import elevenlabs, heygen
from video_production.webhooks.callbacks import SIGNATURE_HEADER, verify

SECRET = "wsec_of_the_subscription"
BODY = json.dumps({"type": "flows_generation", "event_timestamp": 1, "data": {"id": "job-1", "status": "completed"}})


@pytest.fixture(scope="module")
def site(moto: str) -> Emulated:
    return Emulated(moto)


@pytest.fixture
def aws(site: Emulated, monkeypatch: pytest.MonkeyPatch) -> Emulated:
    """The environment, with empty queues."""
    for name, value in site.variables("").items():
        monkeypatch.setenv(name, value)
    site.messages(site.jobs), site.messages(site.scheduling)
    return site


class Role:
    """One function, as it is deployed."""

    def __init__(self, aws: Emulated, name: str, monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
        for variable, value in {"POWERTOOLS_SERVICE_NAME": name, **variables}.items():
            monkeypatch.setenv(variable, value)
        self.module = aws.handler(name)

    def __call__(self, event: Any, milliseconds: int = 60_000) -> Any:
        return self.module.handler(event, Context(milliseconds))


def counted(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """The metrics in what was printed."""
    found: dict[str, float] = {}
    for line in capsys.readouterr().out.splitlines():
        told = json.loads(line)
        for group in told.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in group["Metrics"]:
                found[metric["Name"]] = found.get(metric["Name"], 0) + sum(told[metric["Name"]])
    return found


# The sweep


def test_the_sweep_has_everything_looked_at(
    aws: Emulated, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(aws.nodes, [node("s", "asset"), node("a", inputs=["s"])], {"s": text_output()})
    job = {"take_id": "t1", "record": "take", "open": "elevenlabs", "open_since": time.time() - 400}
    aws.takes.table.write(Put(table=aws.takes.name, item=job))
    report = Role(aws, "sweeper", monkeypatch)({})
    assert report == {"pipelines": 1, "jobs": 1, "complete": True}
    told = [{"pipeline_id": "lesson"}, *({"provider": name} for name in PROVIDERS)]
    assert sorted(map(str, aws.messages(aws.scheduling))) == sorted(map(str, told))
    assert aws.messages(aws.jobs) == [{"take_id": "t1"}]
    assert counted(capsys) == {"SweptPipelines": 1, "SweptJobs": 1}


# Webhooks


def delivery(signed: str = BODY, provider: str = "elevenlabs", **changes: Any) -> dict[str, Any]:
    signature = elevenlabs.sign(signed.encode(), SECRET, int(time.time()))
    return {
        "version": "2.0",
        "routeKey": "POST /webhooks/{provider}",
        "pathParameters": {"provider": provider},
        "headers": {"content-type": "application/json", "elevenlabs-signature": signature},
        "body": signed,
        "isBase64Encoded": False,
        **changes,
    }


@pytest.fixture
def receive(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> Role:
    aws.set_secret(NAMES.webhook_secret("elevenlabs"), SECRET)
    return Role(aws, "webhook_receiver", monkeypatch)


def fresh(job: str) -> str:
    return BODY.replace("job-1", job)


def test_a_webhook_is_passed_on_once(aws: Emulated, receive: Role, capsys: pytest.CaptureFixture[str]) -> None:
    body = fresh("once")
    assert receive(delivery(body))["statusCode"] == 200
    assert receive(delivery(body))["statusCode"] == 200
    assert aws.messages(aws.jobs) == [{"external_id": "once", "provider": "elevenlabs"}]
    assert counted(capsys) == {"WebhooksReceived": 2}


def test_every_provider_signs_in_its_own_way(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.set_secret(NAMES.webhook_secret("heygen"), SECRET)
    body = json.dumps({"event_type": "avatar_video.success", "event_data": {"video_id": "v-1"}})
    headers = {"Heygen-Signature": heygen.sign(body.encode(), SECRET), "Heygen-Timestamp": str(int(time.time()))}
    receive = Role(aws, "webhook_receiver", monkeypatch)
    forged = {**headers, "Heygen-Signature": heygen.sign(b"{}", SECRET)}
    assert receive(delivery(body, "heygen", headers=forged))["statusCode"] == 401
    for event_id in ("e-1", "e-2"):  # the id is not signed: another one does not make another delivery of it
        sent = {**headers, "Heygen-Event-Id": event_id}
        assert receive(delivery(body, "heygen", headers=sent))["statusCode"] == 200
    assert aws.messages(aws.jobs) == [{"external_id": "v-1", "provider": "heygen"}]


def test_a_provider_without_webhooks_is_not_found(receive: Role) -> None:
    assert receive(delivery(provider="runway"))["statusCode"] == 404


def test_the_bytes_that_were_signed_are_the_bytes_that_came(aws: Emulated, receive: Role) -> None:
    body = fresh("bytes")
    encoded = base64.b64encode(body.encode()).decode()
    assert receive(delivery(body, body=encoded, isBase64Encoded=True))["statusCode"] == 200
    assert len(aws.messages(aws.jobs)) == 1


def test_a_bad_signature_is_refused(aws: Emulated, receive: Role, capsys: pytest.CaptureFixture[str]) -> None:
    for changes in ({"headers": {}}, {"body": fresh("forged")}, {"headers": {"elevenlabs-signature": "t=1,v0=00"}}):
        answer = receive(delivery(fresh("x"), **changes))
        assert answer["statusCode"] == 401
        assert json.loads(answer["body"])["error"] == "The signature does not fit the body, or it is too old."
    assert aws.messages(aws.jobs) == []
    assert counted(capsys) == {"WebhooksRejected": 3}


def test_an_unknown_provider_is_not_found(receive: Role) -> None:
    assert receive(delivery(provider="acme"))["statusCode"] == 404


def test_other_events_are_taken_and_ignored(aws: Emulated, receive: Role) -> None:
    assert receive(delivery('{"type": "agent_qa", "data": {}}'))["statusCode"] == 200
    assert aws.messages(aws.jobs) == []


def test_a_webhook_that_could_not_be_passed_on_is_passed_on_when_it_comes_again(
    aws: Emulated, receive: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = fresh("twice")
    with monkeypatch.context() as broken:
        broken.setenv("ELEVENLABS_QUEUE_URL", aws.jobs + "-gone")
        with pytest.raises(Exception, match="could not be reached"):
            Role(aws, "webhook_receiver", monkeypatch)(delivery(body))
    again = Role(aws, "webhook_receiver", monkeypatch)
    assert again(delivery(body))["statusCode"] == 200
    assert aws.messages(aws.jobs) == [{"external_id": "twice", "provider": "elevenlabs"}]


def test_before_anybody_subscribed_there_is_nothing_to_check_with(
    aws: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.set_secret(NAMES.webhook_secret("elevenlabs"), None)
    answer = Role(aws, "webhook_receiver", monkeypatch)(delivery())
    assert answer["statusCode"] == 503


# Starting over HTTP


def start(role: Role, pipeline_id: str) -> tuple[int, dict[str, Any]]:
    answer = role({"version": "2.0", "pathParameters": {"id": pipeline_id}, "headers": {}, "body": None})
    assert answer["headers"]["content-type"] == "application/json"
    return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def starter(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> Role:
    return Role(aws, "pipeline_starter", monkeypatch)


def test_a_pipeline_is_started_once(aws: Emulated, starter: Role) -> None:
    write(aws.nodes, [node("s", "asset"), node("a", inputs=["s"])], {"s": text_output()})
    status, first = start(starter, "lesson")
    assert (status, first["pipeline_id"], first["status"]) == (202, "lesson", "started")
    status, second = start(starter, "lesson")
    assert (status, second) == (202, {**first, "status": "running"})
    described = aws.states.describe_execution(executionArn=first["execution_arn"])
    assert json.loads(described["input"]) == {"pipeline_id": "lesson"}


@pytest.mark.parametrize("pipeline_id", ["nope", "", "x" * 3000])
def test_an_unknown_pipeline_is_a_404(starter: Role, pipeline_id: str) -> None:
    assert start(starter, pipeline_id)[0] == 404


def test_a_half_edited_pipeline_is_a_409_with_the_reason(aws: Emulated, starter: Role) -> None:
    aws.nodes.edits.begin("half")
    status, body = start(starter, "half")
    assert (status, body["error_type"]) == (409, "RequestError")
    assert "is being changed" in body["error"]


def test_an_outage_is_a_503_without_its_details(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    role = Role(aws, "pipeline_starter", monkeypatch, NODES_TABLE="gone")
    assert start(role, "lesson") == (
        503,
        {"error": "The pipeline could not be started just now; try again.", "error_type": "OperatorError"},
    )


# The scheduler's queue


def test_one_bad_message_does_not_hold_up_the_others(
    aws: Emulated, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(aws.nodes, [node("s", "asset"), node("a", inputs=["s"])], {"s": text_output()})
    scheduler = Role(aws, "scheduler", monkeypatch)
    answer = scheduler(batch("no json", {"pipeline_id": 7}, {"pipeline_id": "gone"}, {"pipeline_id": "lesson"}, [1]))
    assert answer == {"batchItemFailures": [{"itemIdentifier": name} for name in ("m1", "m2", "m5")]}
    found = aws.nodes.node("lesson", "a")
    assert found is not None
    assert found.status == "in_progress"
    execution = {"pipeline_id": "lesson", "node_id": "a", "process_uuid": found.process_uuid or ""}
    assert scheduler(batch(ended_execution("x", "FAILED", **execution))) == {"batchItemFailures": []}
    found = aws.nodes.node("lesson", "a")
    assert found is not None
    assert found.status == "failed"
    metrics = counted(capsys)
    assert metrics.pop("NodeSeconds") >= 0
    assert metrics == {"CouldNotSettle": 1, "NodesEnded": 1, "PipelinesEnded": 1}


def test_what_there_is_no_time_for_is_delivered_again(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Role(aws, "scheduler", monkeypatch)(batch({"pipeline_id": "lesson"}), milliseconds=1000)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}]}


def test_the_state_machine_asks_the_scheduler_directly(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    write(aws.nodes, [node("s", "asset"), node("a", inputs=["s"])], {"s": text_output()})
    assert Role(aws, "scheduler", monkeypatch)({"pipeline_id": "lesson"}) == {"outcome": None}


# The poller's queue


def test_a_job_of_somebody_else_is_no_failure(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook of the workspace tells of every job in it."""
    poller = Role(aws, "elevenlabs_poller", monkeypatch)
    messages = batch({"provider": "elevenlabs", "external_id": "theirs"}, {"take_id": "never"}, {"nothing": 1})
    assert poller(messages, 120_000) == {"batchItemFailures": [{"itemIdentifier": "m3"}]}
    assert aws.messages(aws.scheduling) == []


def test_a_poller_without_time_for_another_download_leaves_it(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    poller = Role(aws, "elevenlabs_poller", monkeypatch)
    assert poller(batch({"take_id": "never"}), 30_000) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}


# Callbacks of merges that died


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver([200]) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def died(url: str | None) -> dict[str, Any]:
    request = {"callback_url": url, "node_uuid": "n-1", "executor_type": "merge-videos", "process_uuid": "p-1"}
    return record({"errorType": "Runtime.OutOfMemory", "errorMessage": "…"}, request=request)


@pytest.fixture
def error_callback(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> Role:
    aws.set_secret(NAMES.callback_secret, "shared")
    return Role(aws, "error_callback", monkeypatch)


def test_the_caller_of_a_merge_that_ran_out_of_memory_hears_of_it(error_callback: Role, receiver: Receiver) -> None:
    assert error_callback(batch(died(receiver.url))) == {"batchItemFailures": []}
    [(headers, body)] = receiver.got
    told = json.loads(body)
    assert (told["node_uuid"], told["process_uuid"], told["error_type"]) == ("n-1", "p-1", "Runtime.OutOfMemory")
    assert "ran out of memory" in told["error"]
    assert verify(body, headers[SIGNATURE_HEADER], "shared", time.time())


def test_a_caller_who_did_not_ask_is_not_called(error_callback: Role) -> None:
    assert error_callback(batch(died(None))) == {"batchItemFailures": []}


@pytest.mark.parametrize("url", ["https://evil.example.com/", "http://127.0.0.1:9/closed"])
def test_a_callback_that_nobody_takes_is_tried_again_and_counted(
    error_callback: Role, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    monkeypatch.setattr("video_production.webhooks.callbacks._TRIES", 1)
    assert error_callback(batch(died(url))) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert counted(capsys) == {"CallbacksFailed": 1}


def test_a_missing_callback_secret_is_one_sentence(
    aws: Emulated, error_callback: Role, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    aws.set_secret(NAMES.callback_secret, None)
    assert error_callback(batch(died(receiver.url))) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert "The secret 'jiki-video/staging/callbacks' has no value; set it with" in caplog.text
    assert receiver.got == []

"""HeyGen's webhooks from end to end: the stand-in signs and sends them to the local cloud's HTTP API, and from there on
everything is the product: receiver, queue, poller, tables, scheduler. Nobody asks for a job within two minutes, so
whatever ends here within seconds was told by a webhook.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
import requests

from local_cloud.functions import NAMES, machine_arn, queue_url
from local_cloud.handle import CloudHandle, attach_or_start
from stand_ins.running import RunningStandIn
from tests.integration.heygen.calls import body, call, create, speech, upload, video_id
from video_production.nodes.model import Desired, Node, NodeStatus, Outcome, Pipeline
from video_production.nodes.table import NodeTable
from video_production.providers.heygen.webhooks import register_webhook
from video_production.providers.secrets import ApiKey
from video_production.scheduling.asking import Asking
from video_production.scheduling.publishing import Publisher
from video_production.storage import Storage
from video_production.tables import decode
from video_production.takes.model import Take, TakeState
from video_production.takes.table import TakeTable
from video_production.webhooks.heygen import sign

POLL_INTERVAL = 120
SOON = POLL_INTERVAL / 2
"""Seconds within which a webhook has had its effect. It takes two or three; a machine may be busy."""
BUCKET = "videos"


@dataclass
class Studio:
    """A local cloud and HeyGen's stand-in that knows where to report, signing with `secret`.

    Every test has a pipeline of its own name, which is also its avatar's: rules of misbehaviour go by that.
    """

    cloud: CloudHandle
    heygen: RunningStandIn
    secret: str

    @cached_property
    def nodes(self) -> NodeTable:
        return NodeTable(self.cloud.client("dynamodb"), NAMES.nodes_table)

    @cached_property
    def takes(self) -> TakeTable:
        return TakeTable(self.cloud.client("dynamodb"), NAMES.takes_table, NAMES.nodes_table)

    @cached_property
    def asking(self) -> Asking:
        states = self.cloud.client("stepfunctions")
        return Asking(self.nodes, self.takes, states, machine_arn(NAMES.pipeline_machine))

    def order(self, name: str, *rules: dict[str, Any]) -> str:
        """Ask for a talking head that is then dubbed with the same speech; the id of its video, once it was sent."""
        self.heygen.misbehave(*({"match": name, **rule} for rule in rules))
        storage = Storage(self.cloud.client("s3"))
        storage.put_bytes(speech(), BUCKET, f"{name}.wav", "audio/wav")
        voice = {"type": "audio", "source": f"s3://{BUCKET}/{name}.wav"}
        graph = [
            Node(name, "voice", "Voice", "asset", asset=voice),
            Node(
                name,
                "head",
                "Head",
                "generate-talking-head",
                {"audio": ("voice",)},
                {"provider": "heygen", "avatarId": name, "width": 1280, "height": 720},
            ),
            Node(name, "film", "Film", "mix-audio", {"video": ("head",), "audio": ("voice",)}),
        ]
        Publisher(self.nodes, storage).publish(
            graph, Pipeline(name, name, 0, Desired.RUN, (), graph[-1].id, BUCKET, "")
        )
        self.asking.run(name)
        return str(wait_for(lambda: self.node(name).metadata.get("external_id")))

    def node(self, name: str, node_id: str = "head") -> Node:
        found = self.nodes.node(name, node_id)
        assert found is not None
        return found

    def take(self, name: str) -> Take:
        [take_id] = self.node(name).metadata["takes"]
        found = self.takes.get(take_id)
        assert found is not None
        return found

    def outcome(self, name: str) -> Outcome | None:
        pipeline = self.nodes.pipeline(name)
        return pipeline.outcome if pipeline else None

    def bought(self) -> list[dict[str, Any]]:
        """Everything in the table of purchases but the webhooks that were passed on."""
        pages = self.cloud.client("dynamodb").get_paginator("scan").paginate(TableName=NAMES.takes_table)
        items = [decode(item) for page in pages for item in page["Items"]]
        return sorted((item for item in items if item["record"] != "webhook"), key=str)

    # What HeyGen saw and did

    def looks_at(self, video: str) -> int:
        """How often somebody asked for a video."""
        return sum(row["method"] == "GET" and row["path"] == f"/v3/videos/{video}" for row in self.heygen.requests())

    def charges_for(self, video: str) -> int:
        return sum(row.external_id == video for row in self.heygen.charges())

    def event_of(self, video: str) -> dict[str, Any]:
        """What HeyGen told, or would have told, of a video's end, once it has ended."""
        path = f"/v3/webhooks/events?entity_id={video}"
        event: dict[str, Any] = wait_for(lambda: call(self.heygen, "GET", path).json()["data"])[0]
        return event

    # Webhooks

    def deliver(self, video: str, secret: str) -> int:
        """Send the webhook of a video's end, signed with `secret`; the status of the answer."""
        event = self.event_of(video)
        content = json.dumps({"event_type": event["event_type"], "event_data": event["event_data"]}).encode()
        headers = {"Heygen-Signature": sign(content, secret), "Heygen-Timestamp": str(int(time.time()))}
        url = f"{self.cloud.endpoints.api}/webhooks/heygen"
        return requests.post(url, data=content, headers=headers, timeout=20).status_code

    def logged(self, role: str, message: str, word: str) -> list[dict[str, Any]]:
        """The lines of a function's log with this message that hold the word."""
        group = NAMES.function_log_group(role)
        found = self.cloud.client("logs").filter_log_events(logGroupName=group, filterPattern=f'"{word}"')["events"]
        return [line for event in found if (line := json.loads(event["message"]))["message"] == message]


def wait_for(look: Callable[[], Any], seconds: float = SOON) -> Any:
    """What `look` finds, as soon as it finds anything."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"not within {seconds:g} s"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = tmp_path_factory.mktemp("studio")
    with RunningStandIn.start(home / "provider", "--job-seconds", "2", provider="heygen") as heygen:
        variables = {
            "HEYGEN_BASE_URL": heygen.url,
            "HEYGEN_POLL_INTERVAL_SECONDS": str(POLL_INTERVAL),
            "STALE_AFTER_SECONDS": str(POLL_INTERVAL),
        }
        prewarm = ("scheduler", "heygen_submitter", "heygen_poller", "webhook_receiver", "audio_mixer")
        with attach_or_start(home / "cloud", live={}, prewarm=prewarm, variables=variables) as cloud:
            cloud.ensure_bucket(BUCKET)
            secrets = cloud.client("secretsmanager")
            key = ApiKey(NAMES.secret("heygen"), client=secrets)
            made = register_webhook(f"{cloud.endpoints.api}/webhooks/heygen", "studio", key, base_url=heygen.url)
            secrets.put_secret_value(SecretId=NAMES.webhook_secret("heygen"), SecretString=made.secret)
            yield Studio(cloud, heygen, made.secret)


def test_a_webhook_completes_the_node_and_the_pipeline_goes_on(studio: Studio) -> None:
    video = studio.order("plain")
    outcome = wait_for(lambda: studio.outcome("plain"))
    assert outcome.status == "completed"
    head = studio.node("plain")
    assert (head.status, studio.node("plain", "film").status) == (NodeStatus.COMPLETED, NodeStatus.COMPLETED)
    assert head.metadata["finished_at"] - studio.take("plain").current.sent_at < SOON
    assert studio.looks_at(video) == 1  # the poller's, since the webhook's body is not believed
    assert studio.charges_for(video) == 1
    [told] = studio.logged("webhook_receiver", "webhook", video)
    assert (told["provider"], told["known"]) == ("heygen", False)


def test_a_webhook_that_is_sent_twice_is_passed_on_once(studio: Studio) -> None:
    video = studio.order("twice", {"on": "webhook", "do": "repeat-webhook"})
    told = wait_for(lambda: len(found := studio.logged("webhook_receiver", "webhook", video)) == 2 and found)
    assert sorted(each["known"] for each in told) == [False, True]
    assert wait_for(lambda: studio.outcome("twice")).status == "completed"
    assert studio.looks_at(video) == 1
    [looked] = wait_for(lambda: studio.logged("heygen_poller", "followed", studio.take("twice").id))
    assert looked["state"] == TakeState.MADE


def test_a_webhook_of_a_failure_fails_the_node_with_the_providers_reason(studio: Studio) -> None:
    video = studio.order("fails", {"on": "videos.submit", "do": "fail-job", "reason": "moderation_failed"})
    outcome = wait_for(lambda: studio.outcome("fails"))
    assert (outcome.status, outcome.failed, outcome.blocked) == ("failed", ("head",), ("film",))
    head = studio.node("fails")
    assert head.metadata["error_type"] == "ProviderJobFailed"
    assert "HeyGen's moderation rejected" in head.metadata["error"]
    assert (studio.take("fails").state, studio.take("fails").current.charged) == (TakeState.FAILED, False)
    assert (studio.looks_at(video), studio.charges_for(video)) == (1, 0)


def test_a_forged_webhook_is_refused_and_changes_nothing(studio: Studio) -> None:
    video = studio.order("forged", {"on": "webhook", "do": "lose-webhook"})
    studio.event_of(video)
    node, bought = studio.node("forged"), studio.bought()
    assert studio.deliver(video, "guessed") == 401
    assert studio.deliver(video, "") == 401
    assert (studio.node("forged"), studio.bought(), studio.looks_at(video)) == (node, bought, 0)
    assert node.status == NodeStatus.IN_PROGRESS
    assert studio.deliver(video, studio.secret) == 200  # nor is the genuine one taken for known afterwards
    assert wait_for(lambda: studio.outcome("forged")).status == "completed"
    assert studio.looks_at(video) == 1


def test_a_webhook_of_somebody_elses_job_does_nothing(studio: Studio) -> None:
    bought = studio.bought()
    video = video_id(create(studio.heygen, body(upload(studio.heygen, speech()))))
    wait_for(lambda: studio.logged("heygen_poller", "a job that is not ours", video))
    assert studio.bought() == bought
    assert studio.looks_at(video) == 0


def test_a_webhook_brings_the_result_of_a_job_that_heygen_did_not_know(studio: Studio) -> None:
    video = studio.order("unknown", {"on": "videos.check", "status": 404}, {"on": "webhook", "do": "lose-webhook"})
    take_id = studio.take("unknown").id
    queue = queue_url(studio.cloud.endpoints, NAMES.provider_queue("heygen"))
    message = json.dumps({"take_id": take_id})
    studio.cloud.client("sqs").send_message(QueueUrl=queue, MessageBody=message)  # as the sweep does
    wait_for(lambda: studio.outcome("unknown"))
    assert studio.take("unknown").state == TakeState.UNKNOWN
    head = studio.node("unknown")
    assert (head.status, head.metadata["error_type"]) == (NodeStatus.FAILED, "MayHaveBeenPaid")

    assert studio.deliver(video, studio.secret) == 200
    wait_for(lambda: studio.take("unknown").state == TakeState.MADE)
    assert studio.node("unknown").status == NodeStatus.FAILED  # a person asks for it again

    studio.asking.retry("unknown", "head")
    studio.asking.run("unknown")
    assert wait_for(lambda: studio.outcome("unknown")).status == "completed"
    assert studio.node("unknown").metadata["reused"]
    assert (studio.charges_for(video), len(studio.take("unknown").attempts)) == (1, 1)
    totals = studio.takes.totals("unknown", "draft")
    assert (totals.unknown, totals.settled > 0) == (0, True)

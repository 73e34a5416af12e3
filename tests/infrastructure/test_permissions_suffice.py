"""The code makes its calls under the policies of the template: what it needs is allowed, what it must not do is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.infrastructure.policy_guard import ACCOUNT, Denied, PolicyGuard
from tests.infrastructure.synthesised import Template, text
from tests.unit.conftest import dynamodb, moto_url, s3  # noqa: F401
from tests.unit.graphs import claim, node, text_output, write
from tests.unit.scheduling.machines import Machines
from tests.unit.takes.stage import Stage
from video_production.errors import ProviderRefused
from video_production.media.abandoned import abort_abandoned
from video_production.media.captions import Cue
from video_production.media.mp4.source import S3Object
from video_production.media.splice.parts import LEAST_PART, Range
from video_production.media.splice.transfer import write_object
from video_production.nodes.model import Node
from video_production.nodes.table import Claim, NodeTable
from video_production.nodes.work import NodeWork
from video_production.providers.interface import Progress, Submission
from video_production.queues import send
from video_production.scheduling.announcing import Announcer
from video_production.scheduling.asking import Asking
from video_production.scheduling.failures import Failure
from video_production.scheduling.scheduler import Scheduler
from video_production.scheduling.sweeping import Sweep
from video_production.secrets import Secret
from video_production.settings import PROVIDERS, poller_of, submitter_of
from video_production.storage import PART, S3Location, Storage
from video_production.tables import Delete, Table
from video_production.takes.table import TakeTable
from video_production.webhooks.deduplication import Deliveries

FAILED = Failure("MediaError", "It could not be read.")


class World:
    """Tables and bucket under their deployed names, reached through guarded clients."""

    def __init__(self, template: Template, dynamodb: Any, s3: Any) -> None:  # noqa: F811
        self.guard = PolicyGuard(template)
        self.names = template.names
        self.bucket = template.body["Outputs"]["BucketName"]["Value"]
        for table in template.properties("AWS::DynamoDB::Table"):
            kept = ("TableName", "KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode")
            dynamodb.create_table(**{name: table[name] for name in kept})
        s3.create_bucket(Bucket=self.bucket)
        self.dynamodb, self.s3 = self.guard.watch("dynamodb", dynamodb), self.guard.watch("s3", s3)
        self.machines = Machines()
        self.states = self.guard.watch("states", self.machines)
        self.sent: list[dict[str, Any]] = []
        self.sqs = self.guard.watch("sqs", SimpleNamespace(send_message_batch=self._take_messages))
        self.events = self.guard.watch("events", SimpleNamespace(put_events=_take_events))
        self.nodes = NodeTable(self.dynamodb, self.names.nodes_table)
        self.takes = TakeTable(self.dynamodb, self.names.takes_table, self.names.nodes_table)
        self.storage = Storage(self.s3)

    def url(self, queue: str) -> str:
        return f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{queue}"

    def machine(self, role: str, variable: str) -> str:
        """A machine's ARN as the function of `role` gets it."""
        return text(self.guard.template.variables(role)[variable]).replace("<AWS::AccountId>", ACCOUNT)

    def scheduler(self) -> Scheduler:
        return Scheduler(
            self.nodes,
            self.takes,
            self.states,
            self.machine("scheduler", "NODE_MACHINE_ARN"),
            limits={"elevenlabs": 1, "heygen": 1},
            pipeline_machine_arn=self.machine("scheduler", "PIPELINE_MACHINE_ARN"),
            announcer=Announcer(self.nodes, self.events, "default", self.names.environment),
            stale_after=0,
        )

    def stage(self) -> Stage:
        return Stage(self.dynamodb, self.s3, self.names.nodes_table, self.names.takes_table, self.bucket)

    def claim_of(self, node_id: str) -> Claim:
        found = self.nodes.node("lesson", node_id)
        assert found is not None
        assert found.process_uuid
        return Claim("lesson", node_id, found.process_uuid)

    def _take_messages(self, **given: Any) -> dict[str, Any]:
        self.sent += given["Entries"]
        return {}


def _take_events(**given: Any) -> dict[str, Any]:
    return {"Entries": [{"EventId": "e"} for _ in given["Entries"]]}


@pytest.fixture
def world(production: Template, dynamodb: Any, s3: Any) -> Iterator[World]:  # noqa: F811
    made = World(production, dynamodb, s3)
    yield made
    for table in (made.names.nodes_table, made.names.takes_table):
        dynamodb.delete_table(TableName=table)
    for entry in s3.list_objects_v2(Bucket=made.bucket).get("Contents", []):
        s3.delete_object(Bucket=made.bucket, Key=entry["Key"])
    s3.delete_bucket(Bucket=made.bucket)


def test_the_scheduler_may_claim_start_fail_restart_announce_and_end(world: World) -> None:
    write(world.nodes, [node("s", "asset"), node("a", inputs=["s"]), node("b", inputs=["s"])], {"s": text_output()})
    scheduler = world.scheduler()
    with world.guard.acting_as("scheduler"):
        assert scheduler.advance("lesson") is None
        first = world.claim_of("a")
        world.machines.close(first.process_uuid)
        scheduler.advance("lesson")
        assert world.claim_of("a") != first
        for name in ("a", "b"):
            assert scheduler.fail(world.claim_of(name), FAILED)
        assert scheduler.take({"pipeline_id": "lesson", "node_id": "b"}) == "failed"


def test_the_scheduler_may_share_job_slots_and_keep_the_queue_for_them(world: World) -> None:
    heads = [Node("lesson", name, name, "generate-talking-head", {}, {"provider": "heygen"}) for name in ("a", "b")]
    write(world.nodes, heads, {})
    scheduler = world.scheduler()
    with world.guard.acting_as("scheduler"):
        scheduler.advance("lesson")
        states = {name: world.nodes.node("lesson", name) for name in ("a", "b")}
        [running] = [name for name, state in states.items() if state and state.status == "in_progress"]
        [waiting] = [name for name, state in states.items() if state and state.ticket]
        assert scheduler.fail(world.claim_of(running), FAILED)
        scheduler.take({"provider": "heygen", "pipeline_id": "lesson"})
        assert scheduler.fail(world.claim_of(waiting), FAILED)
        assert scheduler.advance("lesson") == "failed"
    assert {("scheduler", f"dynamodb:{action}") for action in ("PutItem", "DeleteItem", "BatchGetItem")} <= (
        world.guard.used
    )


def test_the_scheduler_deletes_nothing_but_slots_and_tickets(world: World) -> None:
    write(world.nodes, [node("a")])
    table = Table(world.dynamodb, world.names.nodes_table)
    with world.guard.acting_as("scheduler"), pytest.raises(Denied, match="DeleteItem"):
        table.write(Delete(table=table.name, key={"pipeline_id": "lesson", "id": "a"}))


def test_the_submitter_may_buy_and_the_poller_may_finish_what_was_bought(world: World) -> None:
    stage = world.stage()
    stage.provider.answers = [Submission("job-1", aliases=("alias-1",))]
    stage.provider.progress = [Progress("running", "generating"), Progress("completed", "completed")]
    stage.claim()
    with world.guard.acting_as("elevenlabs_submitter"):
        assert stage.buyer().submit(stage.claim_of_voice()).status == "waiting"
    with world.guard.acting_as("elevenlabs_poller"):
        assert stage.buyer().check(stage.claim_of_voice()).status == "waiting"
        taken = stage.buyer().take_of("job-1")
        assert taken is not None
        assert stage.buyer().follow(taken).made
        send(world.sqs, world.url(world.names.scheduling_queue), [{"pipeline_id": "lesson"}])
    assert stage.voice().status == "completed"


def test_the_submitter_may_write_down_a_refusal(world: World) -> None:
    stage = world.stage()
    stage.provider.answers = [ProviderRefused("no", provider="obedient", code="moderation")]
    stage.claim()
    with world.guard.acting_as("elevenlabs_submitter"), pytest.raises(ProviderRefused):
        stage.buyer().submit(stage.claim_of_voice())
    assert stage.take().state == "refused"


def test_the_poller_can_not_buy(world: World) -> None:
    stage = world.stage()
    stage.provider.answers = [Submission("job-1")]
    stage.claim()
    with world.guard.acting_as("elevenlabs_poller"), pytest.raises(Denied, match="ConditionCheckItem"):
        stage.buyer().submit(stage.claim_of_voice())
    assert stage.provider.sent == []


@pytest.mark.parametrize("role", ["merger", "audio_mixer"])
def test_the_ffmpeg_functions_may_fetch_their_inputs_and_store_what_they_made(
    world: World, tmp_path: Path, role: str
) -> None:
    key = "lesson/assets/s/script.txt"
    world.storage.put_bytes(b"Hello.", world.bucket, key, "text/plain")
    script = text_output(bucket=world.bucket, key=key)
    write(world.nodes, [node("s", "asset"), node("a", inputs=["s"]), node("b", inputs=["a"])], {"s": script})
    claimed = claim(world.nodes, "a")
    video = tmp_path / "video.mp4"
    video.write_bytes(b"x" * (PART + 1))
    with world.guard.acting_as(role):
        work = NodeWork(claimed, world.nodes, world.storage, tmp_path)
        [fetched] = work.fetch("segments")
        assert fetched.path.read_bytes() == b"Hello."
        work.store(video, duration=1.0, draft=False, cues=[Cue(0.0, 1.0, "Hello.")], details={})


def test_a_direct_caller_gets_a_video_anywhere_but_over_what_was_bought(world: World, tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(b"x")
    with world.guard.acting_as("merger"):
        for wanted in (S3Location(world.bucket, "somewhere/film.mp4"), S3Location(world.bucket, "film.mp4")):
            world.storage.upload(video, wanted.bucket, wanted.key, "video/mp4")
        with pytest.raises(Denied, match="PutObject"):
            world.storage.upload(video, world.bucket, "takes/t1/a1/voice.mp3", "audio/mpeg")
        with pytest.raises(Denied, match="PutObject"):
            world.storage.upload(video, "somebody-elses-bucket", "film.mp4", "video/mp4")


def test_the_merger_may_let_s3_copy_and_clean_up_what_it_left_open(world: World) -> None:
    bucket, client, size = world.bucket, world.s3, 2 * LEAST_PART
    world.storage.put_bytes(bytes(size), bucket, "clips/a.mp4", "video/mp4")
    tries = "lesson/nodes/joined/"
    client.create_multipart_upload(Bucket=bucket, Key=f"{tries}first/video.mp4")
    target = S3Location(bucket, f"{tries}second/video.mp4")
    tags = [("jiki-video", "intermediate")]

    def clean_up() -> None:
        assert abort_abandoned(client, target, folder=tries, lifetime=0.0) == 1

    with world.guard.acting_as("merger"):
        source = S3Object(client, bucket, "clips/a.mp4")
        moved = write_object(client, [Range(0, 0, size)], [source], target, tags=tags, before_upload=clean_up)
    assert moved.copied == size
    assert ("merger", "s3:AbortMultipartUpload") in world.guard.used
    assert ("merger", "s3:PutObjectTagging") in world.guard.used


def test_the_sweeper_may_find_what_is_under_way_and_say_so(world: World) -> None:
    stage = world.stage()
    queues = {"elevenlabs": world.url(world.names.provider_queue("elevenlabs"))}
    with world.guard.acting_as("sweeper"):
        sweep = Sweep(
            Table(world.dynamodb, world.names.nodes_table),
            Table(world.dynamodb, world.names.takes_table),
            world.sqs,
            scheduling_queue=world.url(world.names.scheduling_queue),
            provider_queues=queues,
        )
        assert sweep.run().pipelines == 1
        send(world.sqs, queues["elevenlabs"], [{"take_id": "t"}])
        with pytest.raises(Denied):
            stage.nodes.load("lesson")


def test_the_webhook_receiver_may_remember_a_delivery_and_pass_it_on(world: World) -> None:
    records = Table(world.dynamodb, world.names.takes_table)
    with world.guard.acting_as("webhook_receiver"):
        deliveries = Deliveries(records)
        assert not deliveries.known("elevenlabs", b"{}")
        deliveries.remember("elevenlabs", b"{}")
        assert deliveries.known("elevenlabs", b"{}")
        send(world.sqs, world.url(world.names.provider_queue("elevenlabs")), [{"external_id": "job-1"}])
        with pytest.raises(Denied, match="GetItem"):
            records.get({"take_id": "bought", "record": "take"})


def test_the_starter_may_start_a_pipeline_again(world: World) -> None:
    stage = world.stage()
    stage.provider.answers = [ProviderRefused("no", provider="obedient", code="moderation")]
    stage.claim()
    with pytest.raises(ProviderRefused):
        stage.buyer().submit(stage.claim_of_voice())
    scheduler = world.scheduler()
    scheduler.fail(stage.claim_of_voice(), FAILED)
    assert scheduler.advance("lesson") == "failed"
    machine = world.machine("pipeline_starter", "PIPELINE_MACHINE_ARN")
    with world.guard.acting_as("pipeline_starter"):
        run = Asking(world.nodes, world.takes, world.states, machine).start("lesson")
    assert run.status == "started"
    assert ("pipeline_starter", "dynamodb:GetItem") in world.guard.used


def test_each_secret_is_read_by_those_whose_it_is_alone(world: World) -> None:
    names = world.names
    readers = {
        **{names.secret(provider): {submitter_of(provider), poller_of(provider)} for provider in PROVIDERS},
        names.webhook_secret("elevenlabs"): {"webhook_receiver"},
        names.webhook_secret("heygen"): {"webhook_receiver"},
        names.callback_secret: {"merger", "error_callback"},
    }
    value = SimpleNamespace(get_secret_value=lambda SecretId: {"SecretString": "s"}, exceptions=None)  # noqa: N803
    client = world.guard.watch("secretsmanager", value)
    for secret, allowed in readers.items():
        for role in ("merger", "scheduler", "webhook_receiver", *map(poller_of, PROVIDERS), *sorted(allowed)):
            with world.guard.acting_as(role):
                if role in allowed:
                    assert Secret(secret, client=client).read() == "s"
                else:
                    with pytest.raises(Denied):
                        Secret(secret, client=client).read()


def test_without_a_permission_the_call_is_denied(world: World) -> None:
    """The guard itself: what the template doesn't allow fails."""
    write(world.nodes, [node("a")])
    with world.guard.acting_as("error_callback"), pytest.raises(Denied, match="error_callback: dynamodb:GetItem"):
        world.nodes.pipeline("lesson")

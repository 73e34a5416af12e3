"""The policies of docs/permissions.md suffice for the commands, which run against an emulated account here."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from botocore.client import BaseClient
from PIL import Image

from tests.infrastructure.runbook import PRODUCTION, record_calls
from tests.unit.cli.aws.conftest import ENVIRONMENT, Deployed, Shell
from tests.unit.cli.aws.test_doctor import healthy as healthy
from tests.unit.docs.policies import POLICIES, Access, actions, missing, needs, statements
from tests.unit.takes.stage import LIFE, Stage
from video_production.cli.aws import webhooks
from video_production.errors import MayHaveBeenPaid, ProviderAmbiguous
from video_production.nodes.model import Outcome, Output
from video_production.providers.secrets import ApiKey
from video_production.providers.subscribing import Subscription
from video_production.settings import Names
from video_production.storage import Storage

Call = tuple[str, str, dict[str, Any]]
"""Service, operation and parameters."""


def test_who_is_on_call_may_run_every_command_of_the_page(
    shell: Shell,
    healthy: Deployed,
    dynamodb: Any,
    s3: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is run against an emulated account; what it asks AWS for, refused or not, is held against the policies."""
    stage = Stage(dynamodb, s3, healthy.nodes.name, healthy.takes.name, healthy.bucket)
    stage.provider.answers = [ProviderAmbiguous("The answer was lost.", provider="obedient")]
    stage.buyer().submit(stage.claim())
    stage.now += LIFE + 61
    with pytest.raises(MayHaveBeenPaid):
        stage.buyer().check(stage.claim_of_voice())
    stage.nodes.fail(stage.claim_of_voice(), "It may have been paid.", "MayHaveBeenPaid")
    shell.refusals["Invoke"] = {"Payload": io.BytesIO(b"{}")}
    key = Names("development").secret("elevenlabs")
    healthy.client("secretsmanager").put_secret_value(SecretId=key, SecretString="a-key")
    made = SimpleNamespace(
        find_webhook=_nothing_registered, register_webhook=lambda *_, **__: Subscription("wh_1", "shown once")
    )
    monkeypatch.setattr(webhooks, "webhooks_of", lambda _: made)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "start.json").write_text("{}")
    calls = record_calls(tmp_path / "checkout")
    names = {"production": "development", "ID": "lesson", "NODE": "voice", "FUNCTION": "merger"}
    asked = _recorded(monkeypatch)
    for command in sorted({tuple(names.get(word, word) for word in call) for call in calls["jiki-video"]}):
        before = len(asked)
        shell.run(*command)
        assert len(asked) > before + 1, command  # more than who one is
    needed = _needed(asked, healthy)
    assert {"secretsmanager:PutSecretValue", "dynamodb:PutItem", "lambda:InvokeFunction", "logs:FilterLogEvents"} <= {
        access.action for access in needed
    }
    assert missing(statements("operator", "on-call"), needed) == []


def _recorded(monkeypatch: pytest.MonkeyPatch, at_start: Callable[[str], None] | None = None) -> list[Call]:
    """Service, operation and parameters of every call from now on.

    `at_start` is what a started execution does with its pipeline; its calls are not the command's.
    """
    asked: list[Call] = []
    call = BaseClient._make_api_call
    machine_runs = False

    def record(client: Any, operation: str, given: dict[str, Any]) -> Any:
        nonlocal machine_runs
        if machine_runs:
            return call(client, operation, given)
        asked.append((client.meta.service_model.service_name, operation, given))
        answer = call(client, operation, given)
        if operation == "StartExecution" and at_start:
            machine_runs = True
            at_start(json.loads(given["input"])["pipeline_id"])
            machine_runs = False
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", record)
    return asked


def _needed(asked: list[Call], deployed: Deployed) -> set[Access]:
    """What the calls need, with the names of production."""
    names = {
        deployed.nodes.name: PRODUCTION.nodes_table,
        deployed.takes.name: PRODUCTION.takes_table,
        deployed.bucket: "jiki-videos-production",
        "development": "production",
    }
    found = set()
    for access in (access for call in asked for access in needs(*call)):
        resource = access.resource
        for here, there in names.items():
            resource = resource.replace(here, there)
        found.add(Access(access.action, resource))
    return found


def _nothing_registered(url: str, key: ApiKey, **_: object) -> None:
    key.read()


# Publishing


def test_a_publisher_may_make_exactly_the_calls_of_produce(
    shell: Shell, healthy: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From nothing, after an edit that takes a node out, and once more after a failure."""
    recording = _recording(healthy)
    asked = _recorded(monkeypatch, at_start=lambda pipeline_id: _make(healthy, pipeline_id))
    for script, more in (("One.", [recording]), ("Two.", []), ("fail", []), ("fail", [])):
        done = shell.run("produce", str(_lesson(tmp_path, script, more)), *ENVIRONMENT, "--yes", "--json")
        outcome = json.loads(done[1].splitlines()[-1])["status"]
        assert outcome == ("failed" if script == "fail" else "completed"), done
    needed = _needed(asked, healthy)
    publisher = statements("publisher")
    assert missing(publisher, needed) == []
    unused = set(actions(POLICIES["publisher"])) - {access.action for access in needed}
    assert unused == {"s3:AbortMultipartUpload"}  # an upload that breaks off
    for statement in publisher:
        rest = [other for other in publisher if other is not statement]
        assert statement["Action"] == "s3:AbortMultipartUpload" or missing(rest, needed), statement["Sid"]


def test_a_publisher_can_not_write_what_was_bought_or_made() -> None:
    for key in ("takes/t1/a1/voice.mp3", "lesson/nodes/film/p1/film.mp4"):
        upload = set(needs("s3", "PutObject", {"Bucket": "jiki-videos-production", "Key": key}))
        assert missing(statements("publisher"), upload) == sorted(upload)


def _lesson(folder: Path, script: str, more: list[dict[str, Any]]) -> Path:
    """A recording, a picture with a voice, and what more is given, joined."""
    Image.new("RGB", (320, 180), "teal").save(folder / "slide.png")
    speaker = {"provider": "elevenlabs", "voiceId": "JBFqnCBsd6RMkjVDRZzb", "modelId": "eleven_multilingual_v2"}
    nodes = [
        {"id": "script", "type": "asset", "asset": {"type": "text", "content": script}},
        {"id": "slide", "type": "asset", "asset": {"type": "image", "source": "slide.png"}},
        {"id": "voice", "type": "generate-voiceover", "inputs": {"script": "script"}, "config": speaker},
        {"id": "scene", "type": "mix-audio", "inputs": {"video": "slide", "audio": "voice"}},
        *more,
        {
            "id": "film",
            "type": "merge-videos",
            "inputs": {"segments": ["scene", *(node["id"] for node in more), "scene"]},
        },
    ]
    document = {"id": "lesson", "title": "Lesson", "version": "1", "nodes": nodes}
    (folder / "pipeline.json").write_text(json.dumps(document))
    return folder / "pipeline.json"


def _recording(deployed: Deployed) -> dict[str, Any]:
    """An asset that lies in the bucket already."""
    Storage(deployed.client("s3")).put_bytes(b"a recording", deployed.bucket, "clips/phone.mp4", "video/mp4")
    return {
        "id": "phone",
        "type": "asset",
        "asset": {"type": "video", "source": f"s3://{deployed.bucket}/clips/phone.mp4"},
    }


def _make(deployed: Deployed, pipeline_id: str) -> None:
    """What the functions do, at once: a script `fail` makes the voice fail."""
    table, storage = deployed.nodes, Storage(deployed.client("s3"))
    pipeline, nodes = table.load(pipeline_id)
    assert pipeline is not None
    failed = (nodes["script"].asset or {})["content"] == "fail"
    for node in (nodes[id] for id in pipeline.node_ids):
        if node.type == "asset" or node.status == "completed":
            continue
        claim = table.claim(pipeline, node.id, f"{node.id}-{pipeline.run}")
        assert claim is not None
        if failed:
            table.fail(claim, "The provider refused it.", "ProviderRefused")
            break
        key = f"lesson/nodes/{node.id}/{pipeline.run}/made.mp4"
        stored = storage.put_bytes(b"made", deployed.bucket, key, "video/mp4")
        kind: Literal["audio", "video"] = "audio" if node.id == "voice" else "video"
        table.complete(claim, Output(kind, key, stored.size, stored.sha256, deployed.bucket, duration=1.0))
    outcome = Outcome("failed" if failed else "completed", pipeline.revision, 1_790_000_000.0)
    table.write_outcome(pipeline, pipeline.run, outcome)

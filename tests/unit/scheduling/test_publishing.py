"""Publishing a document: what is written, what is remade, and what an interruption leaves."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.unit.conftest import TableNames
from tests.unit.graphs import claim
from video_production.errors import DocumentError, RequestError
from video_production.nodes.model import Desired, Node, NodeStatus, Output, Pipeline
from video_production.nodes.table import NodeTable
from video_production.scheduling.asking import Asking
from video_production.scheduling.publishing import Publication, Publisher
from video_production.storage import Storage
from video_production.takes.table import TakeTable

MADE = Output("video", "v.mp4", 1, "00" * 32, "bucket", duration=1.0)


class Desk:
    def __init__(self, dynamodb: Any, s3: Any, table: str, bucket: str, folder: Path) -> None:
        self.nodes = NodeTable(dynamodb, table)
        self.storage = Storage(s3)
        self.publisher = Publisher(self.nodes, self.storage)
        self.bucket = bucket
        self.folder = folder

    def asset(self, node_id: str, text: str) -> Node:
        path = self.folder / f"{node_id}.txt"
        path.write_text(text)
        asset = {
            "type": "text",
            "source": path.name,
            "path": str(path),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }
        return Node("lesson", node_id, node_id, "asset", asset=asset)

    def graph(self, text: str = "Hello.", speed: float = 1.0, title: str = "Voice") -> list[Node]:
        return [
            self.asset("script", text),
            self.asset("other", "Unchanged."),
            Node("lesson", "voice", title, "generate-voiceover", {"script": ("script",)}, {"speed": speed}),
            Node("lesson", "second", "Second", "generate-voiceover", {"script": ("other",)}),
            Node("lesson", "film", "Film", "merge-videos", {"segments": ("voice", "second")}),
        ]

    def publish(self, graph: Sequence[Node], **options: Any) -> Publication:
        pipeline = Pipeline("lesson", "Lesson", 0, Desired.RUN, (), "", self.bucket, "")
        return self.publisher.publish(graph, pipeline, **options)

    def finish(self) -> None:
        for number, node_id in enumerate(("voice", "second", "film")):
            self.nodes.complete(claim(self.nodes, node_id, f"p{number}"), MADE)

    def status(self) -> dict[str, str]:
        return {node_id: str(entry.status) for node_id, entry in self.nodes.load("lesson")[1].items()}


@pytest.fixture
def desk(dynamodb: Any, s3: Any, tables: TableNames, bucket: str, tmp_path: Path) -> Desk:
    return Desk(dynamodb, s3, tables.nodes, bucket, tmp_path)


def test_a_new_document_is_written_whole_and_its_assets_uploaded(desk: Desk) -> None:
    publication = desk.publish(desk.graph())
    pipeline, nodes = desk.nodes.load("lesson")
    assert pipeline is not None
    assert (publication.revision, pipeline.revision, pipeline.final_node) == (1, 1, "film")
    output = nodes["script"].output
    assert output is not None
    assert desk.storage.read(output.bucket, output.s3_key) == b"Hello."
    assert "path" not in (nodes["script"].asset or {})


def test_the_same_document_again_changes_nothing(desk: Desk) -> None:
    desk.publish(desk.graph())
    desk.finish()
    publication = desk.publish(desk.graph())
    assert publication.revision is None
    assert set(publication.reused) == {"script", "other", "voice", "second", "film"}


def test_an_edited_sentence_remakes_its_descendants_and_reuses_the_rest(desk: Desk) -> None:
    desk.publish(desk.graph())
    desk.finish()
    publication = desk.publish(desk.graph(text="Hello again."))
    assert publication.changed == ("script",)
    assert publication.affected == ("voice", "film")
    assert publication.reused == ("other", "second")
    assert desk.status() == {
        "script": "completed",
        "other": "completed",
        "voice": "pending",
        "second": "completed",
        "film": "pending",
    }


def test_a_changed_setting_remakes_its_node(desk: Desk) -> None:
    desk.publish(desk.graph())
    desk.finish()
    assert desk.publish(desk.graph(speed=1.1)).changed == ("voice",)


def test_a_new_title_remakes_nothing(desk: Desk) -> None:
    desk.publish(desk.graph())
    desk.finish()
    publication = desk.publish(desk.graph(title="The voice"))
    assert publication.changed == ()
    found = desk.nodes.node("lesson", "voice")
    assert found is not None
    assert (found.title, found.status) == ("The voice", NodeStatus.COMPLETED)


def test_a_removed_node_is_gone(desk: Desk) -> None:
    desk.publish(desk.graph())
    graph = desk.graph()
    graph[4] = replace(graph[4], inputs={"segments": ("voice", "voice")})
    assert desk.publish([graph[0], graph[2], graph[4]]).removed == ("other", "second")
    assert set(desk.status()) == {"script", "voice", "film"}


def test_every_node_knows_who_takes_it_and_learns_of_others_without_being_made_again(desk: Desk) -> None:
    def users() -> dict[str, tuple[str, ...] | None]:
        return {node_id: found.users for node_id, found in desk.nodes.load("lesson")[1].items()}

    desk.publish(desk.graph())
    desk.finish()
    before = {"script": ("voice",), "other": ("second",), "voice": ("film",), "second": ("film",), "film": ()}
    assert users() == before
    reel = Node("lesson", "reel", "Reel", "merge-videos", {"segments": ("second", "voice", "second")})
    publication = desk.publish([*desk.graph(), reel])
    assert publication.new == ("reel",)
    assert publication.affected == publication.changed == ()
    assert users() == before | {"voice": ("film", "reel"), "second": ("film", "reel"), "reel": ()}
    assert desk.status()["voice"] == "completed"
    assert desk.publish(desk.graph()).removed == ("reel",)
    assert users() == before


def test_starting_afresh_remakes_everything(desk: Desk) -> None:
    desk.publish(desk.graph())
    desk.finish()
    desk.publish(desk.graph(), fresh=True)
    assert desk.status()["film"] == "pending"


class Interrupted:
    """A client whose process ends after `left` writes."""

    def __init__(self, client: Any, left: int) -> None:
        self._client = client
        self.left = left
        self.exceptions = client.exceptions

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def counted(**request: Any) -> Any:
            if name in ("update_item", "delete_item", "transact_write_items"):
                if self.left == 0:
                    raise KeyboardInterrupt
                self.left -= 1
            return method(**request)

        return counted


def test_whoever_makes_all_anew_asks_after_the_last_failure_even_where_their_clock_is_behind(desk: Desk) -> None:
    desk.publish(desk.graph())
    desk.nodes.fail(claim(desk.nodes, "voice"), "No credit.", "ProviderRefused")
    failed = desk.nodes.node("lesson", "voice")
    assert failed is not None
    desk.nodes.edits.clock = lambda: failed.touched_at - 600
    desk.publish(desk.graph(), fresh=True)
    again = desk.nodes.node("lesson", "voice")
    assert again is not None
    assert again.asked_at >= failed.touched_at
    desk.publish(desk.graph(), fresh=True)
    assert desk.nodes.node("lesson", "voice").asked_at > again.asked_at  # type: ignore[union-attr]


@pytest.mark.parametrize("writes_before_the_interruption", range(1, 16))
def test_an_interrupted_edit_is_simply_done_again(desk: Desk, writes_before_the_interruption: int) -> None:
    desk.publish(desk.graph())
    desk.finish()
    client = desk.nodes.client
    desk.nodes.client = desk.nodes.table.client = Interrupted(client, writes_before_the_interruption)
    try:
        desk.publish(desk.graph(text="Hello again."))
    except KeyboardInterrupt:
        pipeline = desk.nodes.pipeline("lesson")
        assert pipeline is not None
        assert pipeline.desired == Desired.EDITING
        assert pipeline.editing
    desk.nodes.client = desk.nodes.table.client = client
    desk.publish(desk.graph(text="Hello again."))
    assert desk.status()["voice"] == desk.status()["film"] == "pending"
    assert desk.status()["second"] == "completed"
    found = desk.nodes.node("lesson", "script")
    assert found is not None
    assert found.output is not None
    assert desk.storage.read(found.output.bucket, found.output.s3_key) == b"Hello again."


# Two people at once


def overtake(owner: object, method: str, overtaking: Callable[[], object]) -> None:
    """Let somebody else act just before `method` of the node table, or of its edits, is called for the first time."""
    real, waiting = getattr(owner, method), [overtaking]

    def after_the_other(*arguments: Any, **options: Any) -> Any:
        if waiting:
            waiting.pop()()
        return real(*arguments, **options)

    setattr(owner, method, after_the_other)


@pytest.mark.parametrize("method", ["reset", "save_structure", "provide_asset", "publish"])
def test_of_two_edits_at_once_the_later_one_stands_and_nothing_of_the_earlier_one(desk: Desk, method: str) -> None:
    desk.publish(desk.graph())
    desk.finish()
    overtake(desk.nodes.edits, method, lambda: desk.publish(desk.graph(speed=2.0)))
    with pytest.raises(RequestError, match="Somebody else is changing pipeline 'lesson' at the same time"):
        desk.publish(desk.graph(text="Hello again.", speed=1.1))
    pipeline, nodes = desk.nodes.load("lesson")
    assert pipeline is not None
    assert (pipeline.desired, pipeline.revision, pipeline.editing) == (Desired.RUN, 2, False)
    assert nodes["voice"].config == {"speed": 2}
    script = nodes["script"].output
    assert script is not None
    assert desk.storage.read(script.bucket, script.s3_key) == b"Hello."


def test_an_edit_is_compared_with_what_stands_there_when_it_begins(desk: Desk) -> None:
    desk.publish(desk.graph())
    desk.finish()
    overtake(desk.nodes.edits, "begin", lambda: desk.publish(desk.graph(speed=2.0)))
    desk.publish(desk.graph(text="Hello again."))
    assert desk.nodes.load("lesson")[1]["voice"].config == {"speed": 1}


def test_a_half_edited_pipeline_can_not_be_run_but_cancelled(desk: Desk) -> None:
    desk.publish(desk.graph())
    desk.nodes.fail(claim(desk.nodes, "second", "p1"), "Broken.", "MediaError")
    desk.nodes.edits.begin("lesson")
    for ask in (
        lambda: desk.nodes.retry("lesson", "second", "retry"),
        lambda: desk.nodes.set_desired("lesson", Desired.RUN),
    ):
        with pytest.raises(RequestError, match="run produce to finish that"):
            ask()
    desk.nodes.set_desired("lesson", Desired.CANCELLED)
    with pytest.raises(RequestError, match="run produce to finish that"):
        desk.nodes.set_desired("lesson", Desired.RUN)
    assert desk.publish(desk.graph()).revision == 2


def test_who_cancels_while_an_edit_is_under_way_is_not_overruled_by_its_end(desk: Desk) -> None:
    overtake(desk.nodes.edits, "save_structure", lambda: desk.nodes.set_desired("lesson", Desired.CANCELLED))
    with pytest.raises(RequestError, match="was cancelled while it was being published, so nothing was started"):
        desk.publish(desk.graph())
    pipeline, _ = desk.nodes.load("lesson")
    assert pipeline is not None
    assert (pipeline.desired, pipeline.revision) == (Desired.CANCELLED, 0)
    assert desk.publish(desk.graph()).revision == 1
    pipeline, _ = desk.nodes.load("lesson")
    assert pipeline is not None
    assert pipeline.desired == Desired.RUN


def test_two_who_ask_for_the_failed_nodes_at_once_disturb_nobody(desk: Desk, tables: TableNames) -> None:
    desk.publish(desk.graph())
    desk.nodes.fail(claim(desk.nodes, "second", "p1"), "Broken.", "MediaError")
    asking = Asking(desk.nodes, TakeTable(desk.nodes.client, tables.takes, tables.nodes), None, "")
    overtake(desk.nodes, "retry", lambda: asking.retry("lesson", "second", "run"))
    assert asking.retry_failed("lesson") == {}
    assert desk.status()["second"] == "pending"


@pytest.mark.parametrize(
    ("elsewhere", "fetched"),
    [("http://169.254.169.254/latest/meta-data/", False), ("https://cdn.example.com/script.txt", True)],
)
def test_an_asset_is_fetched_over_tls_wherever_its_address_redirects_to(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, elsewhere: str, fetched: bool
) -> None:
    """A document's writer must not have the machine that publishes it read what only that machine can reach."""
    called: list[str] = []

    def answered(_: object, request: requests.PreparedRequest, **options: object) -> requests.Response:
        called.append(str(request.url))
        answer = requests.Response()
        answer.request, answer.url, answer.raw = request, str(request.url), io.BytesIO(b"Hello.")
        answer.status_code = 302 if len(called) == 1 else 200
        answer.headers.update({"Location": elsewhere} if len(called) == 1 else {"Content-Type": "text/plain"})
        return answer

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", answered)
    asset = {"type": "text", "source": "https://files.example.com/script.txt"}
    graph = [Node("lesson", "script", "script", "asset", asset=asset), *desk.graph()[1:]]
    if fetched:
        desk.publish(graph)
        assert called == ["https://files.example.com/script.txt", elsewhere]
    else:
        with pytest.raises(DocumentError, match="can't be fetched"):
            desk.publish(graph)
        assert called == ["https://files.example.com/script.txt"]

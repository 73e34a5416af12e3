"""Publishing a document: what is written, what is remade, and what an interruption leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import TableNames
from tests.unit.graphs import claim
from video_production.nodes.model import Desired, Node, NodeStatus, Output, Pipeline
from video_production.nodes.table import NodeTable
from video_production.scheduling.publishing import Publication, Publisher
from video_production.storage import Storage

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


def test_starting_afresh_remakes_everything(desk: Desk) -> None:
    desk.publish(desk.graph())
    desk.finish()
    desk.publish(desk.graph(), fresh=True)
    assert desk.status()["film"] == "pending"


@pytest.mark.parametrize("writes_before_the_interruption", range(1, 16))
def test_an_interrupted_edit_is_simply_done_again(desk: Desk, writes_before_the_interruption: int) -> None:
    desk.publish(desk.graph())
    desk.finish()
    write, left = desk.nodes.table.write, [writes_before_the_interruption]

    def interrupted(action: Any) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        write(action)

    desk.nodes.table.write = interrupted  # type: ignore[method-assign]
    try:
        desk.publish(desk.graph(text="Hello again."))
    except KeyboardInterrupt:
        pipeline = desk.nodes.pipeline("lesson")
        assert pipeline is not None
        assert pipeline.desired == Desired.EDITING
    desk.nodes.table.write = write  # type: ignore[method-assign]
    desk.publish(desk.graph(text="Hello again."))
    assert desk.status()["voice"] == desk.status()["film"] == "pending"
    assert desk.status()["second"] == "completed"
    found = desk.nodes.node("lesson", "script")
    assert found is not None
    assert found.output is not None
    assert desk.storage.read(found.output.bucket, found.output.s3_key) == b"Hello again."

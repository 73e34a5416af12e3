"""The places of nodes in queues, as people and programs see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.scheduling.crowd import PROVIDER, Crowd, head
from video_production.cli.events import node_moved
from video_production.cli.inspecting import status_lines, status_object
from video_production.cli.local_workspace import LocalSnapshot
from video_production.cli.place import ON_THIS_MACHINE
from video_production.cli.rows import doing
from video_production.cli.waiting import Places, ordinal, places_of
from video_production.nodes.model import Desired, Node, NodeStatus, Pipeline
from video_production.settings import LOCAL, Names
from video_production.tables import decode


@pytest.fixture
def crowd() -> Crowd:
    made = Crowd(limit=1)
    made.ask("a", "b", "c", "d")
    return made


def shown(crowd: Crowd, name: str) -> tuple[list[str], dict[str, Any]]:
    pipeline, nodes = crowd.nodes.load(name)
    assert pipeline is not None
    places = places_of(crowd.nodes.queue, nodes)
    lines = list(status_lines(ON_THIS_MACHINE, pipeline, nodes, {}, places))
    return lines, status_object(ON_THIS_MACHINE, pipeline, nodes, {}, places)


def test_status_says_for_whom_a_node_waits_and_where_it_stands(crowd: Crowd) -> None:
    lines, told = shown(crowd, "d")
    assert lines[1].endswith("heygen      waiting for heygen: 3rd in the queue")
    assert told["nodes"][0]["queue"] == {"provider": "heygen", "place": 3}
    crowd.finish("a")
    assert shown(crowd, "d")[0][1].endswith("waiting for heygen: 2nd in the queue")


def test_status_names_the_inputs_that_a_node_lacks() -> None:
    pipeline = Pipeline("p", "P", 1, Desired.RUN, (), "film", "bucket", "", live=())
    made = Node("p", "made", "Made", "generate-animation", {}, {"provider": PROVIDER}, status=NodeStatus.COMPLETED)
    ready = Node("p", "ready", "Ready", "merge-videos", {"segments": ("made",)}, {"provider": "ffmpeg"})
    film = Node("p", "film", "Film", "merge-videos", {"segments": ("made", "ready", "ready")}, {"provider": "ffmpeg"})
    nodes = {node.id: node for node in (made, ready, film)}
    lines = list(status_lines(ON_THIS_MACHINE, pipeline, nodes, {}, {}))
    assert [line.split("ffmpeg")[-1].strip() for line in lines[2:]] == ["not started", "waiting for ready"]


def test_who_does_not_wait_has_no_place(crowd: Crowd) -> None:
    lines, told = shown(crowd, "a")
    assert "queue" not in lines[1]
    assert told["nodes"][0]["queue"] is None


def test_the_journal_shows_the_same_places(crowd: Crowd) -> None:
    items = [decode(item) for item in crowd.dynamodb.tables["nodes"].values()]
    snapshot = LocalSnapshot({Names(LOCAL).nodes_table: items[::-1]})
    assert snapshot.queue(PROVIDER) == crowd.nodes.queue(PROVIDER)
    assert [entry.pipeline.id for entry in snapshot.pipelines()] == ["a", "b", "c", "d"]
    assert "known: a, b, c, d)" in str(snapshot.no_such_pipeline("x"))


def test_following_reads_a_queue_every_two_seconds_at_most(crowd: Crowd) -> None:
    now, asked = [0.0], []

    def queue(provider: str) -> Mapping[tuple[str, str], int]:
        asked.append(provider)
        return crowd.nodes.queue(provider)

    places = Places(queue, lambda: now[0])
    nodes = crowd.nodes.load("c")[1]
    assert [places.of(nodes) for _ in range(5)] == [{"head": 2}] * 5
    assert asked == [PROVIDER]
    now[0] = 2.0
    assert places.of({"head": replace(nodes["head"], status=NodeStatus.IN_PROGRESS)}) == {}
    assert asked == [PROVIDER]


def test_a_waiting_node_says_so_while_it_is_followed() -> None:
    event = node_moved(head("a"), 0, since=0, place=21)
    assert doing(event) == "waiting for heygen: 21st in the queue"
    assert doing(node_moved(head("a"), 0, since=0)) == "waiting for its inputs"


def test_ordinals() -> None:
    numbers = (1, 2, 3, 4, 11, 12, 13, 22, 101, 111, 1003)
    assert " ".join(map(ordinal, numbers)) == "1st 2nd 3rd 4th 11th 12th 13th 22nd 101st 111th 1,003rd"

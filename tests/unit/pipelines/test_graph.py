"""Orders, cycles and pictures of graphs, on examples and on random ones."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from video_production.nodes.model import Node, NodeStatus
from video_production.pipelines.graph import (
    descendants,
    final_nodes,
    find_cycle,
    find_cycles,
    mermaid,
    ready,
    topological_order,
)

DIAMOND = {"top": (), "left": ("top",), "right": ("top",), "bottom": ("left", "right")}


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """A random graph whose nodes take only nodes with a smaller number, listed in random order."""
    count = draw(st.integers(1, 12))
    inputs = {
        f"n{number}": tuple(f"n{other}" for other in draw(st.lists(st.integers(0, number - 1), max_size=4)))
        if number
        else ()
        for number in range(count)
    }
    order = draw(st.permutations(list(inputs)))
    return {node: inputs[node] for node in order}


@st.composite
def any_graph(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    names = [f"n{number}" for number in range(draw(st.integers(1, 8)))]
    return {name: tuple(draw(st.lists(st.sampled_from(names), max_size=3))) for name in names}


def reaches(graph: dict[str, tuple[str, ...]], start: str, goal: str) -> bool:
    """Whether `start` takes `goal`, directly or through others; written differently from the code under test."""
    level, seen = set(graph[start]), set(graph[start])
    while level:
        if goal in level:
            return True
        level = {input for node in level for input in graph[node]} - seen
        seen |= level
    return False


@given(acyclic())
def test_every_node_comes_after_all_of_its_inputs(graph: dict[str, tuple[str, ...]]) -> None:
    order = topological_order(graph)
    assert sorted(order) == sorted(graph)
    position = {node: index for index, node in enumerate(order)}
    assert all(position[input] < position[node] for node, inputs in graph.items() for input in inputs)


def test_the_document_decides_where_the_graph_does_not() -> None:
    assert topological_order({"c": (), "b": (), "a": ()}) == ["c", "b", "a"]
    assert topological_order({"bottom": ("left", "right"), "right": ("top",), "left": ("top",), "top": ()}) == [
        "top",
        "right",
        "left",
        "bottom",
    ]


@given(acyclic())
def test_a_graph_without_cycles_has_none(graph: dict[str, tuple[str, ...]]) -> None:
    assert find_cycle(graph) is None


@given(any_graph())
def test_a_cycle_is_found_exactly_when_some_node_reaches_itself(graph: dict[str, tuple[str, ...]]) -> None:
    assert (find_cycle(graph) is not None) == any(reaches(graph, node, node) for node in graph)


@given(any_graph())
def test_each_step_of_a_reported_cycle_feeds_the_next(graph: dict[str, tuple[str, ...]]) -> None:
    for cycle in find_cycles(graph):
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        assert all(giver in graph[taker] for giver, taker in itertools.pairwise(cycle))


@given(any_graph())
def test_taking_away_the_closing_connection_of_each_cycle_leaves_none(graph: dict[str, tuple[str, ...]]) -> None:
    closing = {(cycle[0], cycle[1]) for cycle in find_cycles(graph)}
    left = {node: tuple(input for input in inputs if (input, node) not in closing) for node, inputs in graph.items()}
    assert find_cycle(left) is None


def test_cycles_are_named_in_the_direction_of_the_media() -> None:
    assert find_cycle({"a": ("a",)}) == ["a", "a"]
    assert find_cycle({"a": ("c",), "b": ("a",), "c": ("b",)}) == ["a", "b", "c", "a"]
    assert len(list(find_cycles({"a": ("b", "c"), "b": ("a",), "c": ("a",)}))) == 2


def test_an_order_of_a_cycle_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="The graph has a cycle: a → b → a"):
        topological_order({"a": ("b",), "b": ("a",)})


def test_an_input_that_is_no_node_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'a' takes 'ghost', which is not a node of this graph"):
        topological_order({"a": ("ghost",)})


@given(acyclic(), st.data())
def test_descendants_are_exactly_the_nodes_that_reach_a_changed_one(
    graph: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    changed = data.draw(st.sets(st.sampled_from(sorted(graph))))
    expected = {node for node in graph if any(reaches(graph, node, one) for one in changed)}
    assert descendants(graph, changed) == expected


def test_a_deep_graph_needs_no_deep_stack() -> None:
    chain = {"n0": ()} | {f"n{number}": (f"n{number - 1}",) for number in range(1, 5000)}
    assert topological_order(chain)[-1] == "n4999"
    assert find_cycle(chain) is None
    assert len(descendants(chain, ["n0"])) == 4999


def test_ready_is_what_is_pending_with_every_input_completed() -> None:
    statuses = dict.fromkeys(DIAMOND, "pending")
    assert ready(DIAMOND, statuses) == ["top"]
    assert ready(DIAMOND, statuses | {"top": "completed"}) == ["left", "right"]
    assert ready(DIAMOND, statuses | {"top": "completed", "left": "in_progress"}) == ["right"]
    assert ready(DIAMOND, statuses | {"top": "completed", "left": "failed", "right": "completed"}) == []


@given(acyclic())
def test_running_what_is_ready_again_and_again_completes_every_graph(graph: dict[str, tuple[str, ...]]) -> None:
    statuses = dict.fromkeys(graph, str(NodeStatus.PENDING))
    while batch := ready(graph, statuses):
        statuses |= dict.fromkeys(batch, str(NodeStatus.COMPLETED))
    assert set(statuses.values()) == {"completed"}


def test_final_nodes_are_those_that_nobody_takes() -> None:
    assert final_nodes(DIAMOND) == ["bottom"]
    assert final_nodes({"a": (), "b": ("a",), "c": ()}) == ["b", "c"]


def test_the_picture_shows_titles_inputs_and_states() -> None:
    nodes = [
        Node("p", "text", 'Say "hi" <b>&amp; #1', "asset", asset={"type": "text"}, status=NodeStatus.COMPLETED),
        Node("p", "end", "The end", "merge-videos", inputs={"segments": ("text", "text")}),
    ]
    assert mermaid(nodes) == (
        "flowchart LR\n"
        '    n0[/"Say #34;hi#34; #60;b#62;#38;amp; #35;1<br/>text asset"/]\n'
        '    n1["The end<br/>merge-videos"]\n'
        '    n0 -->|"segments 1"| n1\n'
        '    n0 -->|"segments 2"| n1\n'
        "    classDef pending fill:#f1f3f5,stroke:#868e96,color:#212529\n"
        "    class n1 pending\n"
        "    classDef completed fill:#d3f9d8,stroke:#2f9e44,color:#212529\n"
        "    class n0 completed\n"
    )


def test_the_picture_survives_a_title_of_several_lines() -> None:
    (line,) = [line for line in mermaid([Node("p", "a", "one\ntwo", "mix-audio")]).splitlines() if "n0[" in line]
    assert line == '    n0["one two<br/>mix-audio"]'


def test_the_scheduler_gets_the_graph_without_loading_pydantic_or_yaml() -> None:
    code = (
        "import sys, video_production.pipelines.graph; print(sorted({'pydantic', 'yaml', 'boto3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

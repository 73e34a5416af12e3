"""The order of a pipeline's nodes. Standard library only: the scheduler's Lambda imports this too.

A graph is a mapping from each node's id to the ids that it takes as inputs, in the order of the document. Every id that
is named must be a key; an unknown one raises ValueError. Repeated inputs count once.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence

from video_production.nodes.model import Node, NodeStatus

__all__ = [
    "Graph",
    "descendants",
    "final_nodes",
    "find_cycle",
    "find_cycles",
    "mermaid",
    "ready",
    "topological_order",
    "users_of",
]

Graph = Mapping[str, Sequence[str]]


def topological_order(graph: Graph) -> list[str]:
    """Every node after all of its inputs; among those that could come next, the document's order decides.

    Raises ValueError when the graph has a cycle.
    """
    position = {node: index for index, node in enumerate(graph)}
    users = users_of(graph)
    waiting = {node: len(set(inputs)) for node, inputs in graph.items()}
    heap = [position[node] for node, count in waiting.items() if count == 0]
    names = list(graph)
    order: list[str] = []
    while heap:
        node = names[heapq.heappop(heap)]
        order.append(node)
        for user in users[node]:
            waiting[user] -= 1
            if waiting[user] == 0:
                heapq.heappush(heap, position[user])
    if len(order) < len(graph):
        raise ValueError("The graph has a cycle: " + " → ".join(find_cycle(graph) or []))
    return order


def find_cycle(graph: Graph) -> list[str] | None:
    """One cycle as the nodes that are passed, first and last the same (`a → b → a`: each feeds the next), or None."""
    return next(find_cycles(graph), None)


def find_cycles(graph: Graph) -> Iterator[list[str]]:
    """One cycle for each connection that closes one; without those connections the graph has none."""
    users_of(graph)
    done: set[str] = set()
    for start in graph:
        if start in done:
            continue
        path, on_path = [start], {start}
        branches = [iter(dict.fromkeys(graph[start]))]
        while branches:
            following = next(branches[-1], None)
            if following is None:
                branches.pop()
                node = path.pop()
                on_path.remove(node)
                done.add(node)
            elif following in on_path:
                # The path runs from user to input; media flow the other way round.
                yield [following, *reversed(path[path.index(following) :])]
            elif following not in done:
                path.append(following)
                on_path.add(following)
                branches.append(iter(dict.fromkeys(graph[following])))


def descendants(graph: Graph, changed: Iterable[str]) -> set[str]:
    """Every node that takes one of `changed`, directly or through others; a changed node only if it does so itself."""
    users = users_of(graph)
    found: set[str] = set()
    stack = list(changed)
    while stack:
        for user in users[stack.pop()]:
            if user not in found:
                found.add(user)
                stack.append(user)
    return found


def ready(graph: Graph, statuses: Mapping[str, str]) -> list[str]:
    """The pending nodes whose inputs are all completed, in the document's order."""
    return [
        node
        for node, inputs in graph.items()
        if statuses[node] == NodeStatus.PENDING and all(statuses[id] == NodeStatus.COMPLETED for id in inputs)
    ]


def final_nodes(graph: Graph) -> list[str]:
    """The nodes that no other node takes as an input, in the document's order."""
    users = users_of(graph)
    return [node for node in graph if not users[node]]


def users_of(graph: Graph) -> dict[str, list[str]]:
    """For each node the nodes that take it as an input, in the document's order."""
    users: dict[str, list[str]] = {node: [] for node in graph}
    for node, inputs in graph.items():
        for id in dict.fromkeys(inputs):
            if id not in users:
                raise ValueError(f"'{node}' takes '{id}', which is not a node of this graph.")
            users[id].append(node)
    return users


_COLORS = {
    NodeStatus.PENDING: "fill:#f1f3f5,stroke:#868e96,color:#212529",
    NodeStatus.IN_PROGRESS: "fill:#fff3bf,stroke:#f08c00,color:#212529",
    NodeStatus.COMPLETED: "fill:#d3f9d8,stroke:#2f9e44,color:#212529",
    NodeStatus.FAILED: "fill:#ffe3e3,stroke:#e03131,color:#212529",
}


def mermaid(nodes: Sequence[Node]) -> str:
    """The graph as Mermaid flowchart text: one box per node, one arrow per input, colored by status."""
    names = {node.id: f"n{index}" for index, node in enumerate(nodes)}
    lines = ["flowchart LR"]
    for node in nodes:
        opening, closing = ("[/", "/]") if node.type == "asset" else ("[", "]")
        kind = f"{node.asset['type']} asset" if node.asset else node.type
        lines.append(f'    {names[node.id]}{opening}"{_escaped(node.title)}<br/>{_escaped(kind)}"{closing}')
    for node in nodes:
        for slot, ids in node.inputs.items():
            for number, id in enumerate(ids, start=1):
                label = f"{slot} {number}" if len(ids) > 1 else slot
                lines.append(f'    {names[id]} -->|"{_escaped(label)}"| {names[node.id]}')
    for status, style in _COLORS.items():
        members = [names[node.id] for node in nodes if node.status == status]
        if members:
            lines += [f"    classDef {status} {style}", f"    class {','.join(members)} {status}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Mermaid's own entities for everything that could end a label, start markup or name another entity."""
    plain = " ".join(text.split())
    return "".join(f"#{ord(char)};" if char in '"#<>&`' else char for char in plain)

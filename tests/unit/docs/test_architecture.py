"""The rooms import each other as docs/architecture.md draws it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from tests.unit.docs.pages import CHECKOUT

_ROOMS = ("pipelines", "nodes", "scheduling", "takes", "providers", "media", "webhooks", "cli")
_BESIDE = ("functions", "local_cloud", "stand_ins")
_BASE = {
    "attributes",
    "clients",
    "errors",
    "metrics",
    "provider_facts",
    "queues",
    "secrets",
    "settings",
    "storage",
    "tables",
}


def _folders() -> dict[str, Path]:
    inside = {room: CHECKOUT / "video_production" / room for room in _ROOMS}
    return inside | {room: CHECKOUT / room for room in _BESIDE}


def _imported(file: Path) -> Iterator[str]:
    """The rooms that a file imports from, and the modules under all rooms."""
    for statement in ast.walk(ast.parse(file.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            deeper = [f"{statement.module}.{alias.name}" for alias in statement.names]
            names = deeper if statement.module == "video_production" else [statement.module]
        for name in names:
            first, _, rest = name.partition(".")
            if first in _BESIDE:
                yield first
            elif first == "video_production":
                yield rest.partition(".")[0]


def _imports() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for room, folder in _folders().items():
        files = folder.rglob("*.py")
        found[room] = {name for file in files for name in _imported(file)} - {room}
    return found


def _drawn() -> set[tuple[str, str]]:
    page = (CHECKOUT / "docs" / "architecture.md").read_text("utf-8")
    block = page.split("%% rooms\n", 1)[1].split("```", 1)[0]
    return set(re.findall(r"^\s*(\w+) --> (\w+)$", block, re.MULTILINE))


def test_the_drawn_directions_are_the_imports() -> None:
    actual = {(room, other) for room, others in _imports().items() for other in others - _BASE}
    assert _drawn() == actual


def test_no_room_imports_one_that_imports_it() -> None:
    TopologicalSorter({room: others - _BASE for room, others in _imports().items()}).prepare()


def test_what_lies_under_all_rooms_imports_none_of_them() -> None:
    for name in _BASE:
        imported = set(_imported(CHECKOUT / "video_production" / f"{name}.py"))
        assert imported <= _BASE, name


def test_emulation_knows_names_settings_and_errors_only() -> None:
    imports = _imports()
    assert imports["local_cloud"] <= {"errors", "metrics", "settings", "stand_ins"}
    assert imports["stand_ins"] <= {"media"}  # the profile alone: drafts shall be joined without re-encoding

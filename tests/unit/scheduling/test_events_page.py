"""The examples of docs/events.md have exactly the shape of what is published."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import TableNames
from tests.unit.memory import MemoryDynamo
from tests.unit.scheduling.test_announcing import Told
from tests.unit.scheduling.test_scheduler import MADE
from video_production.nodes.model import Captions, Desired
from video_production.scheduling.failures import Failure
from video_production.settings import EVENT_SOURCE

PAGE = Path(__file__).parents[3] / "docs" / "events.md"
VOICE = replace(MADE, type="audio", voice=True, captions=Captions("v.srt", "v.vtt"), details={"reason": "long"})


def examples() -> dict[str, dict[str, Any]]:
    blocks = map(json.loads, re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))
    return {block["detail-type"]: block for block in blocks}


@pytest.fixture
def world() -> Told:
    return Told(MemoryDynamo(), TableNames("nodes", "takes").nodes)


@pytest.fixture
def published(world: Told) -> dict[str, dict[str, Any]]:
    """One event of every kind, out of the lives of one pipeline."""
    world.advance()
    world.scheduler.fail(world.claim_of("a"), Failure("MediaError", "Broken."))
    world.nodes.complete(world.claim_of("b"), VOICE)
    world.advance()
    world.nodes.set_desired("lesson", Desired.CANCELLED)
    world.advance()
    world.nodes.retry("lesson", "a", "retry")
    world.advance()
    world.complete("a")
    world.advance()
    world.complete("c")
    world.advance()
    entries = [entry for request in world.bus.requests for entry in request]
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        event = {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
        found.setdefault(entry["DetailType"], event)
    return found


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [shape(entry) for entry in value[:1]]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def test_every_kind_of_event_has_an_example_of_its_shape(published: dict[str, dict[str, Any]]) -> None:
    assert shape(examples()) == shape(published)


def test_the_examples_are_named_as_the_real_ones_are(published: dict[str, dict[str, Any]]) -> None:
    for kind, example in examples().items():
        detail = example["detail"]
        assert example["source"] == EVENT_SOURCE
        assert detail["id"].split(":")[-1] == detail["status"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", published[kind]["detail"]["at"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", detail["at"])


def test_the_table_lists_every_kind(published: dict[str, dict[str, Any]]) -> None:
    listed = re.findall(r"^\| `((?:Node|Pipeline) \w+)`", PAGE.read_text("utf-8"), re.MULTILINE)
    assert listed == list(examples())
    assert set(listed) == set(published)

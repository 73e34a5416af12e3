"""Whatever is wrong with any setting of any type is told in a sentence about that setting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from video_production.pipelines.node_types import NODE_TYPES

Problems = Callable[[dict[str, Any]], list[str]]

SETTINGS = [
    (kind, provider, str(field.alias))
    for kind, node_type in NODE_TYPES.items()
    for provider, config in node_type.configs.items()
    for field in config.model_fields.values()
    if field.alias != "provider"
]


@pytest.mark.parametrize("value", [{"a": "b"}, [["a"]], "no such thing?", -7.5, None])
@pytest.mark.parametrize(("kind", "provider", "setting"), SETTINGS)
def test_a_setting_of_the_wrong_kind_is_told_in_a_sentence(
    problems: Problems, kind: str, provider: str, setting: str, value: object
) -> None:
    node = {"id": "odd", "type": kind, "config": {"provider": provider, setting: value}}

    found = [one for one in problems({"id": "p", "title": "P", "nodes": [node]}) if f"config.{setting}" in one]

    for sentence in found:
        assert sentence.endswith((".", "?")), sentence
        assert "is not usable" not in sentence, "pydantic's own words are not for people"
    assert found or value in (None, "no such thing?"), "text may be free, and what is empty may be left out"


@pytest.mark.parametrize(
    ("provider", "sentence"),
    [
        (
            "veo3",
            "nodes.odd.config.model: 'veo-2.0-generate-001' is not possible here; did you mean "
            "'veo-3.1-generate-001'? Use 'veo-3.1-generate-001', 'veo-3.1-fast-generate-001' or "
            "'veo-3.1-lite-generate-001'.",
        ),
        (
            "runway",
            "nodes.odd.config.model: 'veo-2.0-generate-001' is not possible here. "
            "Use 'gen4.5', 'veo3.1' or 'veo3.1_fast'.",
        ),
    ],
)
def test_a_model_that_does_not_exist_is_answered_with_those_that_do(
    problems: Problems, provider: str, sentence: str
) -> None:
    config = {"provider": provider, "duration": 8, "model": "veo-2.0-generate-001"}
    node = {"id": "odd", "type": "generate-animation", "config": config, "inputs": {"prompt": "text"}}

    assert sentence in problems({"id": "p", "title": "P", "nodes": [node]})

"""The published schema and the reference page are current, and agree with what the reader accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.unit.pipelines.conftest import LESSON, VOICE, node
from tools import generate_docs
from video_production.pipelines.documents import PipelineDocument
from video_production.pipelines.examples import EXAMPLES
from video_production.pipelines.node_types import NODE_TYPES
from video_production.pipelines.schema import SCHEMA_PATH, json_schema

ROOT = Path(__file__).resolve().parents[3]
Data = dict[str, Any]


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA_PATH.read_text("utf-8")))


@pytest.mark.parametrize("path", list(generate_docs.generated()), ids=lambda path: path.name)
def test_generated_files_are_current(path: Path) -> None:
    assert path.read_text("utf-8") == generate_docs.generated()[path], "run .venv/bin/python -m tools.generate_docs"


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


def test_every_type_is_in_the_schema_and_on_the_page() -> None:
    members = json_schema()["properties"]["nodes"]["items"]["oneOf"]
    assert [member["$ref"].split("/")[-1] for member in members] == [
        kind.model.__name__ for kind in NODE_TYPES.values()
    ]
    page = generate_docs.page()
    for kind in NODE_TYPES.values():
        assert f"\n### {kind.name}\n" in page
        keys = [field.alias for config in kind.configs.values() for field in config.model_fields.values()]
        section = page.split(f"\n### {kind.name}\n")[1].split("\n### ")[0]
        assert all(f"| `{key}` |" in section for key in [*kind.slots, *keys])


def test_every_key_of_the_schema_is_explained() -> None:
    definitions = [json_schema(), *json_schema()["$defs"].values()]
    unexplained = [
        key
        for definition in definitions
        for key, field in definition["properties"].items()
        if not field.get("description") and "$ref" not in field and key != "type"
    ]
    assert unexplained == []
    assert all(definition.get("description") for definition in definitions)


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_the_examples_are_right(schema: Draft202012Validator, name: str) -> None:
    document = {"id": "x", "title": "x", "nodes": [dict(EXAMPLES[name])]}
    schema.validate(document)
    assert PipelineDocument.model_validate(document).nodes[0].type == name


def test_the_document_on_the_page_is_right(schema: Draft202012Validator) -> None:
    text = generate_docs.page().split("```yaml\n")[1].split("```")[0]
    document = yaml.safe_load(text)
    schema.validate(document)
    PipelineDocument.model_validate(document)


def test_documents_in_the_repository_fit_the_schema(schema: Draft202012Validator) -> None:
    for path in [*ROOT.glob("examples/*/pipeline.yaml"), *ROOT.glob("examples/*/pipeline.json")]:
        schema.validate(yaml.safe_load(path.read_text("utf-8")))


def test_a_document_of_the_rails_app_fits_the_schema(schema: Draft202012Validator) -> None:
    asset = {"uuid": "a", "title": "T", "type": "asset", "asset": {"type": "script", "url": "a.txt"}}
    voice = {"uuid": "b", "title": "T", "type": "generate-voiceover", "asset": None, "inputs": {"script": ["a"]}}
    state = {"status": "pending", "metadata": {}, "output": None, "is_valid": True, "validation_errors": {}}
    document = {
        "uuid": "x",
        "title": "T",
        "version": "1.0",
        "config": {"storage": {"bucket": "b-1", "prefix": ""}, "workingDirectory": "./output"},
        "metadata": {},
        "nodes": [asset | state, voice | {"config": VOICE} | state],
    }
    schema.validate(document)
    PipelineDocument.model_validate(document)


@pytest.mark.parametrize(
    ("id", "change"),
    [
        ("voice", {"config": VOICE | {"stability": 2}}),
        ("voice", {"config": VOICE | {"speed": 0.5}}),
        ("voice", {"config": VOICE | {"modelId": "eleven_v9"}}),
        ("voice", {"config": VOICE | {"voice_id": "x"}}),
        ("voice", {"config": {"provider": "elevenlabs"}}),
        ("voice", {"inputs": {}}),
        ("voice", {"inputs": {"script": ["a", "b"]}}),
        ("voice", {"inputs": {"text": "a"}}),
        ("voice", {"type": "sing"}),
        ("voice", {"id": "a b"}),
        ("final", {"inputs": {"segments": ["intro"]}}),
        ("intro", {"config": {"volume": 11}}),
        ("intro", {"asset": {"type": "text", "content": "x"}}),
        ("text", {"asset": {"type": "text"}}),
        ("text", {"asset": {"type": "text", "content": "x", "source": "x"}}),
        ("text", {"asset": {"type": "words", "content": "x"}}),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(
    schema: Draft202012Validator, lesson: Data, id: str, change: Data
) -> None:
    assert schema.is_valid(lesson)
    node(lesson, id).update(change)
    assert not schema.is_valid(lesson)


def test_an_id_or_a_uuid_is_required(schema: Draft202012Validator) -> None:
    assert not schema.is_valid({key: value for key, value in LESSON.items() if key != "id"})


def test_checking_says_when_a_file_is_not_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "page.md"
    path.write_text("old")
    monkeypatch.setattr(generate_docs, "ROOT", tmp_path)
    monkeypatch.setattr(generate_docs, "generated", lambda: {path: "new"})
    assert generate_docs.main(["--check"]) == 1
    assert capsys.readouterr().out == "page.md is not current; run .venv/bin/python -m tools.generate_docs\n"
    assert path.read_text() == "old"
    assert generate_docs.main([]) == 0
    assert path.read_text() == "new"
    assert generate_docs.main(["--check"]) == 0

"""Files that are no documents at all: what is said, and on which line."""

# ruff: noqa: E501  a table of sentences is read line by line

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.pipelines.conftest import LESSON
from video_production.errors import DocumentError
from video_production.pipelines import syntax
from video_production.pipelines.syntax import read_data

EXPECTED = "A document is a mapping with id, title and nodes; ./jiki-video new my-lesson writes one to start from."


def said(path: Path) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        read_data(path)
    return [str(problem) for problem in caught.value.problems]


def said_of(folder: Path, text: str | bytes, name: str = "pipeline.yaml") -> list[str]:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return said(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"The file is empty. {EXPECTED}"),
        ("  \n\n", f"The file is empty. {EXPECTED}"),
        ("# only a comment\n", f"The file is empty. {EXPECTED}"),
        ("- id: a\n- id: b\n", f"The document is a list. {EXPECTED}"),
        ("hello\n", f"The document is a single value. {EXPECTED}"),
        (
            "id: a\nnodes:\n\t- id: b\n",
            "line 3, column 1: the line is indented with a tab. YAML allows only spaces there.",
        ),
        ("id: a\n  title: b\n", "line 2, column 8: not valid YAML (mapping values are not allowed here)."),
        (
            "id: a\nnodes: [b\n",
            "line 3, column 1: not valid YAML (while parsing a flow sequence on line 2, "
            "expected ',' or ']', but got '<stream end>').",
        ),
        (
            "title: 'open\n",
            "line 2, column 1: not valid YAML (while scanning a quoted scalar on line 1, found unexpected end of stream).",
        ),
        ("id: a\ntitle: b\nid: c\n", "line 3: the key 'id' is there twice (first on line 1). Keep one of them."),
        (
            "nodes:\n  - id: a\n    config:\n      speed: 1\n      volume: 2\n      speed: 3\n",
            "line 6: the key 'speed' is there twice (first on line 4). Keep one of them.",
        ),
        ("id: a\n---\nid: b\n", "line 2, column 1: a second document starts here ('---'). Keep one document per file."),
        ("id: !!python/object:os.system a\n", None),
        ("id: *nobody\n", "line 1, column 5: not valid YAML (found undefined alias 'nobody')."),
        ("id: a\nx: \x07\n", "line 2: the character #x0007 is not allowed in YAML."),
    ],
)
def test_broken_yaml_is_explained_with_its_line(tmp_path: Path, text: str, message: str | None) -> None:
    expected = message or (
        "line 1, column 5: the tag 'tag:yaml.org,2002:python/object:os.system' is not allowed. Write plain values."
    )
    assert said_of(tmp_path, text) == [expected]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"The file is empty. {EXPECTED}"),
        ("[]", f"The document is a list. {EXPECTED}"),
        ("3", f"The document is a single value. {EXPECTED}"),
        ('{\n  "id": "a"\n  "title": "b"\n}', "line 3, column 3: not valid JSON (expecting ',' delimiter)."),
        ('{"id": NaN}', "NaN is not a number that JSON knows."),
        (
            '{\n  "id": "a",\n  "nodes": [{"x": {"id": 1}, "id": 2}],\n  "id": "b"\n}',
            "line 4: the key 'id' is there twice (first on line 2). Keep one of them.",
        ),
        ('{"a": 1, "a": 2}', "line 1: the key 'a' is there twice (first on line 1). Keep one of them."),
        ("[" * 100_000, "The document is nested too deeply."),
    ],
)
def test_broken_json_is_explained_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    assert said_of(tmp_path, text, "pipeline.json") == [message]


def test_every_repeated_key_is_named_at_once(tmp_path: Path) -> None:
    assert said_of(tmp_path, "a: 1\nb: 1\na: 2\nb: 2\nb: 3\n") == [
        "line 3: the key 'a' is there twice (first on line 1). Keep one of them.",
        "line 4: the key 'b' is there twice (first on line 2). Keep one of them.",
        "line 5: the key 'b' is there twice (first on line 2). Keep one of them.",
    ]


def test_equal_keys_and_colons_inside_of_strings_are_no_repetition(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"id": "id", "x": "\\"id\\": {[", "y": ["id", "id"], "z": {"id": "x"}}')
    assert read_data(path) == {"id": "id", "x": '"id": {[', "y": ["id", "id"], "z": {"id": "x"}}


def test_merge_keys_may_be_overridden(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("base: &base {a: 1, b: 2}\nuse:\n  <<: *base\n  a: 3\nagain: *base\n")
    assert read_data(path) == {"base": {"a": 1, "b": 2}, "use": {"a": 3, "b": 2}, "again": {"a": 1, "b": 2}}


def test_yaml_booleans_are_booleans_and_ratios_times_and_dates_are_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("a: yes\nb: Off\nc: 16:9\nd: 2026-11-22\ne: 12:30:00\nf: 0x10\ng: 007\nh: 1_0\n")
    expected = {
        "a": True,
        "b": False,
        "c": "16:9",
        "d": "2026-11-22",
        "e": "12:30:00",
        "f": "0x10",
        "g": "007",
        "h": "1_0",
    }
    assert read_data(path) == expected


def test_yaml_numbers_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("a: 0\nb: -3\nc: 0.5\nd: .5\ne: 1e3\nf: 1.0\n")
    assert read_data(path) == {"a": 0, "b": -3, "c": 0.5, "d": 0.5, "e": 1000.0, "f": 1.0}


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"id": "a"}')
    assert read_data(path) == {"id": "a"}


def test_a_file_in_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    assert said_of(tmp_path, b"id: a\ntitle: caf\xe9\n") == ["line 2: not UTF-8 text. Save the file as UTF-8."]


def test_a_missing_file_is_named_with_a_way_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        read_data(tmp_path / "nothing.yaml")
    assert str(caught.value) == (
        f"{tmp_path}/nothing.yaml: 1 problem, nothing was made or paid\n"
        "  The file does not exist. Check the path; ./jiki-video new my-lesson writes one to start from."
    )


def test_a_folder_is_not_a_document(tmp_path: Path) -> None:
    folder = tmp_path / "lesson.yaml"
    folder.mkdir()
    assert said(folder) == [f"This is a folder, not a file. Did you mean '{folder}/pipeline.yaml'?"]


def test_a_folder_without_a_suffix_is_recognised_too(tmp_path: Path) -> None:
    assert said(tmp_path) == [f"This is a folder, not a file. Did you mean '{tmp_path}/pipeline.yaml'?"]


def test_another_kind_of_file_is_not_a_document(tmp_path: Path) -> None:
    assert said_of(tmp_path, "x", "clip.mp4") == [
        "A pipeline document is a .yaml, .yml or .json file; 'clip.mp4' is none of these."
    ]


def test_an_unreadable_file_is_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.symlink_to(path)
    assert said(path) == ["The file can't be read (Too many levels of symbolic links)."]


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syntax, "LARGEST_DOCUMENT", 2_000_000)
    assert said_of(tmp_path, b"#" * 2_000_001) == [
        "The file is larger than 2 MB. Keep long scripts in files beside it."
    ]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(["a.yaml", "a.json"]))
def test_no_damage_to_a_file_makes_reading_crash(tmp_path: Path, data: st.DataObject, name: str) -> None:
    content = (yaml.safe_dump(LESSON) if name == "a.yaml" else json.dumps(LESSON, indent=1)).encode()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 20)))
    damage = data.draw(
        st.binary(max_size=6)
        | st.sampled_from([b"\t", b"&a", b"*a", b"!!set", b"{", b"- ", b": ", b"<<", b"---", b'"'])
    )
    (tmp_path / name).write_bytes(content[:start] + damage + content[end:])
    try:
        found, messages = read_data(tmp_path / name), []
    except DocumentError as error:
        found, messages = {}, [problem.message for problem in error.problems]
    assert isinstance(found, dict)
    assert all(message.endswith((".", "?")) for message in messages)

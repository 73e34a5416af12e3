"""The graph and the files of documents: every mistake has its sentence, and all of them come at once."""

# ruff: noqa: E501  a table of sentences is read line by line

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.pipelines.conftest import LESSON, VOICE, node
from video_production.errors import DocumentError, Problem
from video_production.pipelines.documents import load_document, parse_document
from video_production.pipelines.validation import load_valid_document, validate_document

Problems = Callable[[dict[str, Any]], list[str]]
Data = dict[str, Any]


# --- references, media types, cycles, endings -------------------------------------------------------------------------


def test_a_reference_to_nothing_names_the_node_that_was_probably_meant(lesson: Data, problems: Problems) -> None:
    node(lesson, "voice")["inputs"] = {"script": "tekst"}
    assert problems(lesson) == ["nodes.voice.inputs.script: There is no node 'tekst'; did you mean 'text'?"]


def test_a_reference_to_nothing_like_anything_says_just_that(lesson: Data, problems: Problems) -> None:
    node(lesson, "final")["inputs"] = {"segments": ["intro", "qqq", "clip"]}
    assert problems(lesson) == ["nodes.final.inputs.segments[1]: There is no node 'qqq'. Add it, or name another one."]


@pytest.mark.parametrize(
    ("id", "inputs", "line"),
    [
        ("voice", {"script": "slide"}, "nodes.voice.inputs.script: needs text, but 'slide' makes an image."),
        ("intro", {"video": "slide", "audio": "text"}, "nodes.intro.inputs.audio: needs audio, but 'text' makes text. Put a generate-voiceover node between them."),
        ("intro", {"video": "voice", "audio": "voice"}, "nodes.intro.inputs.video: needs video or an image, but 'voice' makes audio."),
        ("intro", {"video": "slide", "audio": "clip"}, "nodes.intro.inputs.audio: needs audio, but 'clip' makes video."),
        ("final", {"segments": ["intro", "slide"]}, "nodes.final.inputs.segments[1]: needs video, but 'slide' makes an image. Put a mix-audio node between them, which holds the picture while a sound lasts."),
    ],
)  # fmt: skip
def test_media_only_go_where_they_fit(lesson: Data, problems: Problems, id: str, inputs: Data, line: str) -> None:
    node(lesson, id)["inputs"] = inputs
    assert line in problems(lesson)


@pytest.mark.parametrize("kind", ["video", "image"])
def test_sound_goes_on_clips_and_on_stills(lesson: Data, problems: Problems, kind: str) -> None:
    source = {"video": "clip", "image": "slide"}[kind]
    node(lesson, "intro")["inputs"]["video"] = source
    node(lesson, "final")["inputs"]["segments"] = ["intro", "clip", "intro"]
    lesson["nodes"] = [item for item in lesson["nodes"] if kind == "image" or item["id"] != "slide"]
    assert problems(lesson) == []


def test_a_cycle_is_named_from_node_to_node(lesson: Data, problems: Problems) -> None:
    lesson["nodes"] += [
        {"id": "a", "type": "merge-videos", "inputs": {"segments": ["clip", "b"]}},
        {"id": "b", "type": "merge-videos", "inputs": {"segments": ["clip", "a"]}},
    ]
    assert problems(lesson) == [
        "nodes.a.inputs: The nodes feed each other in a circle: a → b → a. Remove one of these connections."
    ]


def test_a_node_can_not_take_its_own_result(lesson: Data, problems: Problems) -> None:
    node(lesson, "final")["inputs"]["segments"].append("final")
    assert problems(lesson) == ["nodes.final.inputs: 'final' takes its own result (final → final). Name another node."]


def test_a_long_cycle_is_named_once_at_the_node_where_it_closes(lesson: Data, problems: Problems) -> None:
    lesson["nodes"] += [
        {"id": id, "type": "merge-videos", "inputs": {"segments": ["clip", source]}}
        for id, source in (("a", "c"), ("b", "a"), ("c", "b"))
    ]
    assert problems(lesson) == [
        "nodes.a.inputs: The nodes feed each other in a circle: a → b → c → a. Remove one of these connections."
    ]


def test_an_id_that_is_there_twice_is_said_with_both_places(lesson: Data, problems: Problems) -> None:
    lesson["nodes"].append({"id": "clip", "type": "asset", "asset": {"type": "video", "source": "clip.mp4"}})
    assert problems(lesson) == ["nodes.clip.id: 'clip' is there twice (node 3 and node 7). Give every node its own id."]


def test_several_endings_are_named(lesson: Data, problems: Problems) -> None:
    lesson["nodes"] = [item for item in lesson["nodes"] if item["id"] != "final"]
    assert problems(lesson) == [
        "nodes: No other node uses 'clip' and 'intro', so there are 2 endings. Join them, or remove all but one."
    ]


def test_a_pipeline_ends_in_a_video(lesson: Data, problems: Problems) -> None:
    lesson["nodes"] = [item for item in lesson["nodes"] if item["id"] in ("text", "voice")]
    assert problems(lesson) == [
        "nodes.voice: 'voice' is the end of the pipeline, but makes audio. A pipeline ends in a video."
    ]


def test_a_pipeline_makes_something(lesson: Data, problems: Problems) -> None:
    lesson["nodes"] = [node(lesson, "clip")]
    assert problems(lesson) == ["nodes.clip: 'clip' is the end of the pipeline, but an asset; nothing would be made."]


def test_a_misspelled_reference_is_one_mistake_not_two(lesson: Data, problems: Problems) -> None:
    node(lesson, "final")["inputs"]["segments"] = ["intro", "clipp"]
    lesson["nodes"].append({"id": "extra", "type": "asset", "asset": {"type": "text", "content": "x"}})
    assert problems(lesson) == [
        "nodes.final.inputs.segments[1]: There is no node 'clipp'; did you mean 'clip'?",
        "nodes: No other node uses 'final' and 'extra', so there are 2 endings. Join them, or remove all but one.",
    ]


@pytest.mark.parametrize(
    ("type", "inputs", "config"),
    [
        ("render-code", {"config": "settings"}, {"provider": "remotion"}),
        ("compose-video", {"background": "clip", "overlay": "slide"}, {}),
    ],
)
def test_nodes_that_can_not_be_made_yet_are_refused(
    lesson: Data, problems: Problems, type: str, inputs: Data, config: Data
) -> None:
    lesson["nodes"].append({"id": "new", "type": type, "inputs": inputs, "config": config})
    if type == "render-code":
        lesson["nodes"].append({"id": "settings", "type": "asset", "asset": {"type": "json", "content": {}}})
    node(lesson, "final")["inputs"]["segments"].append("new")
    assert problems(lesson) == [
        f"nodes.new.type: {type} can't be made yet. What can: 'generate-voiceover', 'generate-talking-head', "
        "'generate-animation', 'mix-audio' and 'merge-videos'."
    ]


@pytest.mark.parametrize("model", ["eleven_v3", "eleven_multilingual_v2", "eleven_flash_v2_5", "eleven_v4"])
def test_a_script_may_be_longer_than_its_model_speaks_at_once(
    lesson: Data, problems: Problems, folder: Path, model: str
) -> None:
    node(lesson, "voice")["config"] = VOICE | {"modelId": model}
    (folder / "intro.txt").write_text("ä" * 200_000)
    assert problems(lesson) == []
    (folder / "intro.txt").write_text("ä" * 200_001)
    assert problems(lesson) == [
        "nodes.voice.inputs.script: The script 'text' has 200,001 characters; one voiceover has at most 200,000. Split "
        "it over several voiceovers."
    ]


def test_a_script_inside_of_the_document_is_measured_too(lesson: Data, problems: Problems) -> None:
    node(lesson, "text")["asset"] = {"type": "text", "content": "a" * 10_000}
    node(lesson, "voice")["config"] = VOICE | {"outputFormat": "opus_48000_64"}
    assert problems(lesson) == []
    node(lesson, "text")["asset"]["content"] += "a"
    assert problems(lesson) == [
        "nodes.voice.inputs.script: The script 'text' has 10,001 characters; eleven_multilingual_v2 speaks at most "
        "10,000 at once, and Opus sound can't be joined as it is. Choose an MP3 or WAV 'outputFormat', or split the "
        "script."
    ]


DICTIONARY = {"id": "21m00Tcm4TlvDq8ikWAM", "version": "KZFyRUq3R6kaqhKI146w"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([DICTIONARY], []),
        ([DICTIONARY] * 4, ["pronunciationDictionaries: has 4 entries; at most 3 are allowed."]),
        (
            [DICTIONARY, {"id": "x"}],
            [
                "pronunciationDictionaries[1].version: 'version' is missing. The version's id. Never the newest by itself, "
                "so that nothing is spoken differently unasked."
            ],
        ),
        (
            [DICTIONARY | {"versoin": "x"}],
            [
                "pronunciationDictionaries[0].versoin: 'versoin' is not a key of 'pronunciationDictionaries'; did you "
                "mean 'version'?"
            ],
        ),
        ("x", ["pronunciationDictionaries: must be a list of mappings, but is the text 'x'."]),
    ],
)
def test_a_pronunciation_dictionary_is_named_with_its_version(
    lesson: Data, problems: Problems, given: Any, expected: list[str]
) -> None:
    node(lesson, "voice")["config"] = VOICE | {"pronunciationDictionaries": given}
    assert problems(lesson) == [f"nodes.voice.config.{line}" for line in expected]


def test_cropping_needs_both_sides(lesson: Data, problems: Problems) -> None:
    lesson["nodes"].append(
        {
            "id": "new",
            "type": "compose-video",
            "inputs": {"background": "clip", "overlay": "slide"},
            "config": {"cropWidth": 100},
        }
    )
    node(lesson, "final")["inputs"]["segments"].append("new")
    assert "nodes.new.config.cropHeight: 'cropWidth' is set, so 'cropHeight' must be set too." in problems(lesson)


# --- everything at once ---------------------------------------------------------------------------------------------


def test_mistakes_of_form_graph_and_files_come_together_in_document_order(lesson: Data, problems: Problems) -> None:
    lesson["titel"] = "x"
    node(lesson, "text")["asset"]["source"] = "nowhere.txt"
    node(lesson, "voice")["config"] = VOICE | {"stability": 7}
    node(lesson, "intro")["inputs"] = {"video": "slied", "audio": "text"}
    node(lesson, "final")["color"] = "red"
    assert problems(lesson) == [
        "titel: 'titel' is not a key of a pipeline document; did you mean 'title'?",
        "nodes.text.asset.source: 'nowhere.txt' does not exist. Paths start at the document's folder.",
        "nodes.voice.config.stability: must be from 0 to 1, but is 7.",
        "nodes.intro.inputs.video: There is no node 'slied'; did you mean 'slide'?",
        "nodes.intro.inputs.audio: needs audio, but 'text' makes text. Put a generate-voiceover node between them.",
        "nodes.final.color: 'color' is not a key of a node. Known: 'id', 'title', 'type', 'inputs' and 'config'.",
        "nodes: No other node uses 'voice' and 'final', so there are 2 endings. Join them, or remove all but one.",
    ]


def test_loading_a_valid_document_reports_file_and_problems(lesson: Data, folder: Path) -> None:
    path = folder / "pipeline.json"
    path.write_text(json.dumps(lesson))
    assert load_valid_document(path).id == "lesson-1"
    (folder / "clip.mp4").unlink()
    with pytest.raises(DocumentError) as caught:
        load_valid_document(path)
    assert str(caught.value) == (
        f"{path}: 1 problem, nothing was made or paid\n"
        "  nodes.clip.asset.source: 'clip.mp4' does not exist. Paths start at the document's folder."
    )


def test_yaml_and_json_say_the_same(lesson: Data, folder: Path) -> None:
    (folder / "a.json").write_text(json.dumps(lesson))
    (folder / "a.yaml").write_text(yaml.safe_dump(lesson))
    assert load_document(folder / "a.json") == load_document(folder / "a.yaml")


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["text", "voice", "asset", "merge-videos", "generate-animation", "veo3", "s3://a/b", "intro.txt"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.sampled_from(
        ["id", "uuid", "type", "inputs", "config", "asset", "provider", "script", "segments", "source", "content"]
    ), inner, max_size=4),
    max_leaves=6,
)  # fmt: skip


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in _places(value[key])]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_document_holds_there_is_a_sentence_and_never_a_crash(folder: Path, data: st.DataObject) -> None:
    document = json.loads(json.dumps(LESSON))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(_places(document)))
        if isinstance(holder, dict) and data.draw(st.booleans()):
            holder[data.draw(st.text(max_size=6))] = data.draw(_VALUES)
        else:
            holder[key] = data.draw(_VALUES)
    try:
        found = validate_document(parse_document(document, folder), folder)
    except DocumentError as error:
        found = error.problems or [Problem("", "nothing was said")]
    for problem in found:
        assert problem.message.rstrip().endswith((".", "?"))
        assert not any(
            word in problem.message for word in ("pydantic", "Input should", "is not usable", "https://errors")
        )

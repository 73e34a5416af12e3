"""Documents that are wrong, as a user meets them: what, where, why, what to do; nothing is written or paid."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lab import Lab

Nodes = list[dict[str, Any]]


def _nodes(lab: Lab) -> dict[str, dict[str, Any]]:
    return {node["id"]: node for node in json.loads(lab.document.read_text())["nodes"]}


def _edit(lab: Lab, change: Callable[[dict[str, dict[str, Any]]], None]) -> None:
    nodes = _nodes(lab)
    change(nodes)
    lab.write_document(list(nodes.values()))


def _missing_asset(lab: Lab) -> None:
    (lab.folder / "slide.png").rename(lab.folder / "slide-1.png")


def _unknown_input(lab: Lab) -> None:
    _edit(lab, lambda nodes: nodes["scene"]["inputs"].update(sound="voice"))


def _cycle(lab: Lab) -> None:
    def change(nodes: dict[str, dict[str, Any]]) -> None:
        nodes["scene"]["inputs"]["video"] = "again"
        nodes["again"] = {"id": "again", "type": "mix-audio", "inputs": {"video": "scene", "audio": "voice"}}
        nodes.pop("still")

    _edit(lab, change)


def _wrong_port_type(lab: Lab) -> None:
    _edit(lab, lambda nodes: nodes["scene"]["inputs"].update(audio="script"))


def _empty_script(lab: Lab) -> None:
    (lab.folder / "script.txt").write_text(" \n")


def _text_named_mp4(lab: Lab) -> None:
    (lab.folder / "clip.mp4").write_text("This is no video.\n")
    _edit(lab, lambda nodes: nodes["still"].update(asset={"type": "video", "source": "clip.mp4"}))


def _not_made_yet(lab: Lab) -> None:
    def change(nodes: dict[str, dict[str, Any]]) -> None:
        nodes["code"] = {"id": "code", "type": "asset", "asset": {"type": "json", "content": {}}}
        nodes["still"] = {
            "id": "still",
            "type": "render-code",
            "inputs": {"config": "code"},
            "config": {"provider": "remotion"},
        }

    _edit(lab, change)


WRONG = {
    "missing asset": (
        _missing_asset,
        "nodes.still.asset.source: 'slide.png' does not exist; did you mean 'slide-1.png'?",
    ),
    "unknown input": (
        _unknown_input,
        "nodes.scene.inputs.sound: 'sound' is not an input of mix-audio. Known: 'video' and 'audio'.",
    ),
    "cycle": (
        _cycle,
        "nodes.scene.inputs: The nodes feed each other in a circle: scene → again → scene. "
        "Remove one of these connections.",
    ),
    "wrong port type": (
        _wrong_port_type,
        "nodes.scene.inputs.audio: needs audio, but 'script' makes text. Put a generate-voiceover node between them.",
    ),
    "empty script": (
        _empty_script,
        "nodes.script.asset.source: 'script.txt' is empty. Put something into it.",
    ),
    "text file named .mp4": (
        _text_named_mp4,
        "nodes.still.asset.source: 'clip.mp4' is a text file, not a video. Check the file, or the asset's 'type'.",
    ),
    "node that can't be made yet": (
        _not_made_yet,
        "nodes.still.type: render-code can't be made yet. What can: 'generate-voiceover', 'generate-talking-head', "
        "'generate-animation', 'mix-audio' and 'merge-videos'.",
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_document_is_refused_with_its_place_and_remedy(lab: Lab, mistake: str) -> None:
    lab.write_scene("A few words.")
    make_wrong, sentence = WRONG[mistake]
    make_wrong(lab)
    done = lab.run("produce", str(lab.document))
    assert done.returncode == 1
    assert done.stdout == ""
    told = done.stderr.splitlines()
    assert told[0].startswith(f"{lab.document}: ")
    assert told[0].endswith(", nothing was made or paid")
    assert f"  {sentence}" in told
    _assert_nothing_was_written(lab)


def test_every_problem_is_told_at_once_also_as_json(lab: Lab) -> None:
    lab.write_scene("A few words.")
    _empty_script(lab)
    _missing_asset(lab)
    _unknown_input(lab)
    done = lab.run("produce", str(lab.document), "--json")
    event = json.loads(done.stdout)
    assert done.returncode == 1
    assert done.stderr == ""
    assert event["status"] == "invalid"
    paths = [problem["path"] for problem in event["problems"]]
    assert paths == ["nodes.script.asset.source", "nodes.still.asset.source", "nodes.scene.inputs.sound"]
    _assert_nothing_was_written(lab)


UNREADABLE = {
    "no such file": ("lesson.yaml", None, "lesson.yaml: 1 problem, nothing was made or paid"),
    "not YAML": ("lesson.yaml", b"nodes: [1, 2", "line 1"),
    "not text": ("lesson.yaml", b"\xff\xfe\x00\x01", "lesson.yaml: 1 problem"),
    "not JSON": ("lesson.json", b'{"id": "a",}', "line 1"),
    "empty": ("lesson.yaml", b"", "empty"),
    "a list": ("lesson.yaml", b"- one\n- two\n", "mapping"),
    "another kind of file": ("lesson.txt", b"id: a\n", ".yaml"),
}


@pytest.mark.parametrize(
    ("command", "case"), [*(("produce", case) for case in UNREADABLE), ("validate", "not YAML"), ("graph", "not YAML")]
)
def test_an_unreadable_document_is_one_sentence(lab: Lab, command: str, case: str) -> None:
    name, content, words = UNREADABLE[case]
    if content is not None:
        (lab.root / name).write_bytes(content)
    done = lab.run(command, name)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    _assert_nothing_was_written(lab)


def test_a_folder_is_no_document(lab: Lab) -> None:
    lab.folder.mkdir()
    done = lab.run("produce", "lesson")
    assert done.returncode == 1
    assert "folder" in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_what_may_be_produced_is_said_to_be_fine(lab: Lab) -> None:
    lab.write_scene("A few words.")
    done = lab.run("validate", "lesson/pipeline.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "lesson/pipeline.json: 4 nodes, no problems.\n", "")
    _assert_nothing_was_written(lab)


def _assert_nothing_was_written(lab: Lab) -> None:
    assert not lab.home.exists() or not any(lab.home.iterdir())
    assert not (lab.folder / "output").exists()


def test_the_output_folder_is_tried_before_anything_is_made(lab: Lab) -> None:
    lab.write_scene("A few words.")
    (lab.folder / "output").write_text("in the way")
    done = lab.run("produce", "lesson/pipeline.json")
    assert done.returncode == 1
    assert done.stderr == (
        "The video could not be written to lesson/output (File exists), so nothing was made; "
        "make that folder writable and run the same command again.\n"
    )
    assert not Path(lab.home, "journal.jsonl").exists()

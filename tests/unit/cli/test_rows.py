from __future__ import annotations

from typing import Any

import pytest

from video_production.cli.rows import Columns, doing, node_details, node_row


def node(**changes: Any) -> dict[str, Any]:
    """A node event as `producing` tells it."""
    return {
        "event": "node",
        "id": "intro-voice",
        "title": "Voice of the intro",
        "type": "generate-voiceover",
        "status": "completed",
        "stage": "done",
        "progress": None,
        "elapsed": 2.1,
        "reused": False,
        "kept": False,
        "draft": True,
        "duration": 3.0,
        "last_answer": None,
        "note": None,
        **changes,
    }


def merged(*joins: tuple[str, str], **details: Any) -> dict[str, Any]:
    told = [{"name": name, "why": why} for name, why in joins]
    return node(
        id="lesson",
        type="merge-videos",
        duration=62.2,
        details={
            "joins": told,
            "frames": 1550,
            "audio_error": 0.0091,
            "picture": {"width": 1280, "height": 720, "rate": 29.97},
            "warnings": [],
            **details,
        },
    )


COPIED = "copied without re-encoding"


def test_rows_stand_below_each_other() -> None:
    nodes = [node(), merged(("a.mp4", COPIED), ("b.mp4", COPIED))]
    columns = Columns.of(nodes)
    assert [node_row(entry, columns) for entry in nodes] == [
        " ✓ intro-voice  voiceover  draft  2.1 s",
        " ✓ lesson       merge      2 clips → 1:02 · 1280×720  2.1 s",
    ]


def test_a_long_id_leaves_room_for_the_rest() -> None:
    columns = Columns.of([node(id="x" * 60)], longest_id=20)
    assert node_row(node(id="x" * 60), columns) == f" ✓ {'x' * 19}…  voiceover  draft  2.1 s"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "pending"}, "waiting for its inputs"),
        ({"status": "in_progress", "stage": None}, "starting"),
        ({"status": "in_progress", "stage": "encoding", "progress": 0.41}, "encoding 41%"),
        ({"status": "failed"}, "failed"),
        ({"reused": True}, "already made, reused"),
        ({"draft": False}, "done"),
    ],
)
def test_what_a_node_does_is_said_in_plain_words(changes: dict[str, Any], words: str) -> None:
    assert doing(node(**changes)) == words


def test_clips_to_which_something_was_done_have_a_line_each_and_the_others_share_one() -> None:
    phone = ("phone.mp4", "rotated, 29.97 fps, mono → re-encoded")
    entry = merged(("intro", COPIED), phone, ("s.mp4", "no sound → silence added"), ("outro", COPIED))
    assert list(node_details(entry)) == [
        "     phone.mp4  rotated, 29.97 fps, mono → re-encoded",
        "     s.mp4      no sound → silence added",
        "     intro, outro copied without re-encoding",
        "    checked: 1,550 frames · every join decodes · sound within 9 ms",
    ]


def test_clips_that_all_fit_are_told_in_one_line() -> None:
    entry = merged(("a", COPIED), ("b", COPIED))
    assert next(iter(node_details(entry))) == "     every clip copied without re-encoding"


def test_a_failure_names_the_node_its_stage_and_the_reason_once() -> None:
    failed = node(status="failed", stage="sending", error="ElevenLabs refused the API key.")
    assert list(node_details(failed)) == ["     Voice of the intro, sending: ElevenLabs refused the API key."]


def test_a_failure_that_this_run_left_alone_is_told_as_an_earlier_one() -> None:
    failed = node(status="failed", stage="sending", error="No.", elapsed=None, earlier=True)
    assert node_row(failed, Columns(11, 9)) == " ✗ intro-voice  voiceover  failed earlier"


def test_what_was_made_in_an_earlier_run_is_not_told_again() -> None:
    entry = {**merged(("a", "rotated → re-encoded"), ("b", COPIED)), "kept": True}
    assert list(node_details(entry)) == []


def test_a_node_in_parts_says_which_one_it_is_at() -> None:
    assert doing(node(status="in_progress", stage="sending", part=2, parts=5)) == "sending · part 2 of 5"
    assert doing(node(status="in_progress", stage="sending", part=None, parts=None)) == "sending"

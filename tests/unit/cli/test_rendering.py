from __future__ import annotations

import io
import itertools
import json

import pytest
from rich.console import Console

from tests.unit.cli.test_rows import node
from video_production.cli import rendering
from video_production.cli.live_picture import LivePicture
from video_production.cli.rendering import JsonLines, PlainLines

STARTED = {
    "event": "started",
    "nodes": [
        {"id": f"scene-{number}", "title": "A", "type": "mix-audio", "status": "pending"} for number in range(40)
    ],
}


def test_plain_lines_give_a_sign_of_life_when_nothing_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = itertools.count(step=6)
    monkeypatch.setattr(rendering.time, "monotonic", lambda: next(clock))
    lines = PlainLines()
    lines.show(node(status="in_progress", stage="waiting", last_answer="accepted"))
    lines.show({"event": "still", "running": ["intro-voice"]})
    assert "   … intro-voice (waiting: accepted)\n" in capsys.readouterr().out


def test_plain_lines_are_silent_while_nothing_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = itertools.count(step=60)
    monkeypatch.setattr(rendering.time, "monotonic", lambda: next(clock))
    PlainLines().show({"event": "still", "running": []})
    assert capsys.readouterr().out == ""


def test_json_lines_keep_every_letter(capsys: pytest.CaptureFixture[str]) -> None:
    JsonLines().show({"event": "validated", "title": "Größe →"})
    out = capsys.readouterr().out
    assert out == json.dumps({"event": "validated", "title": "Größe →"}, ensure_ascii=False) + "\n"


def _picture(width: int, height: int) -> LivePicture:
    return LivePicture(Console(file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None))


def _seen(live: LivePicture, width: int) -> list[str]:
    """The lines of the picture, drawn once more beside its own terminal."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(live._picture())
    return captured.get().splitlines()


def test_a_low_screen_shows_what_moves_and_counts_the_rest() -> None:
    live = _picture(80, 14)
    live.show(STARTED)
    for number in range(40):
        status = "in_progress" if number == 30 else "completed" if number < 30 else "pending"
        live.show(node(id=f"scene-{number}", type="mix-audio", status=status, stage="encoding"))
    lines = _seen(live, 80)
    live.close()
    assert len(lines) <= 14
    assert lines[0].startswith(" • scene-30")
    assert "   … and 33 other nodes" in lines[-3]
    assert " 30 of 40 done " in lines[-1]


@pytest.mark.parametrize(("width", "remark"), [(80, False), (120, True)])
def test_a_wide_screen_also_shows_what_the_provider_said(width: int, remark: bool) -> None:
    live = _picture(width, 30)
    live.show({**STARTED, "nodes": [node()]})
    live.show(node(status="in_progress", stage="waiting", last_answer="in progress at the provider"))
    [line] = [line for line in _seen(live, width) if "intro-voice" in line]
    live.close()
    assert ("in progress at the provider" in line) is remark
    assert len(line) <= width

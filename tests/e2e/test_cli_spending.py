"""Spending from the command line: the real API never by accident, plans that hold, budgets that stop.

The real API is a stand-in at an address of its own here: no test ever talks to a provider.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local_cloud.stand_in import StandIn
from stand_ins.charge_book import Charge, ChargeBook
from tests.e2e.lab import CHECKOUT, Lab
from video_production.takes.entries import balance, read_entry

SCRIPT = "A binary search halves what is left with every look."


@dataclass
class Desk(Lab):
    """A desk with keys: `variables` are in the user's environment."""

    variables: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return super().environment() | self.variables

    def say(self, command: str, *options: str) -> tuple[int, str, str]:
        done = self.run(command, str(self.document), *options)
        return done.returncode, done.stdout, done.stderr

    def plan(self, *options: str) -> dict[str, Any]:
        code, out, words = self.say("plan", "--json", *options)
        assert code == 0, words
        found: dict[str, Any] = json.loads(out)
        return found


@dataclass
class Real:
    """What stands for the real ElevenLabs."""

    home: Path
    url: str

    def charges(self) -> list[Charge]:
        return ChargeBook(self.home / "charge_book.jsonl").rows()

    @property
    def asked(self) -> bool:
        """Whether anybody ever talked to it: it starts with the first connection."""
        return any(self.home.iterdir())


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Real]:
    home = tmp_path / "real"
    with StandIn("elevenlabs", home, CHECKOUT, tmp_path / "bin") as served:
        yield Real(home, served.url)


@pytest.fixture
def desk(tmp_path: Path, real: Real) -> Desk:
    variables = {"ELEVENLABS_API_KEY": "draft-key", "ELEVENLABS_LIVE_BASE_URL": real.url}
    return Desk(tmp_path / "desk", variables=variables)


def write(desk: Desk, script: str = SCRIPT, **config: Any) -> None:
    desk.root.mkdir(exist_ok=True)
    desk.write_scene(script, captions=True)
    document = json.loads(desk.document.read_text())
    next(node for node in document["nodes"] if node["id"] == "voice")["config"] |= config
    desk.document.write_text(json.dumps(document))


def test_the_real_api_is_used_after_a_yes_and_never_before(desk: Desk, real: Real) -> None:
    write(desk)
    code, out, words = desk.say("produce", "--live", "elevenlabs")
    assert (code, words) == (
        1,
        "This buys 52 characters from elevenlabs: about $0.0042 (prices of 2026-10-03). Say --yes to agree; nothing "
        "was started.\n",
    )
    assert "LOCAL · elevenlabs for real, with your keys" in out
    assert not (desk.home / "cloud.json").exists()
    assert not (desk.home / "journal.jsonl").exists()

    write(desk, voiceId="YOUR_VOICE_ID")
    code, _, words = desk.say("produce", "--live", "elevenlabs", "--yes")
    assert code == 1
    assert "'YOUR_VOICE_ID' is a placeholder" in words

    write(desk)
    key = desk.variables.pop("ELEVENLABS_API_KEY")
    code, _, words = desk.say("produce", "--live", "elevenlabs", "--yes")
    assert (code, words.splitlines()[-1]) == (
        1,
        "--live elevenlabs needs an API key of ElevenLabs in the environment variable ELEVENLABS_API_KEY.",
    )
    assert not real.asked

    desk.variables["ELEVENLABS_API_KEY"] = key
    planned = desk.plan("--live", "elevenlabs")
    assert not real.asked
    code, event = desk.produce("--live", "elevenlabs", "--plan", planned["plan"])
    assert (code, event["status"], event["draft"]) == (0, "completed", False)
    assert Path(event["output"]["path"]).name == "scene.mp4"
    [charge] = real.charges()
    assert charge.quantity == 52
    assert planned["usd"] == pytest.approx([charge.usd, charge.usd], rel=0.05)
    assert event["cost"]["live_usd"] == pytest.approx(charge.usd)
    entries = [entry for item in desk.takes_items() if (entry := read_entry(item))]
    assert [entry.mode for entry in entries] == ["live"]
    assert balance(entries).known == pytest.approx(charge.usd)

    # Nothing is bought twice, and without --live nothing real is used: an edit makes a draft.
    assert desk.produce("--live", "elevenlabs", "--yes")[1]["unchanged"] is True
    write(desk, SCRIPT + " Nothing else does.")
    code, event = desk.produce()
    assert (code, event["draft"]) == (0, True)
    assert len(real.charges()) == 1
    code, out, _ = desk.say("cost", "--json")
    told = json.loads(out)
    assert told["totals"]["live"] == {"requests": 1, "paid_usd": pytest.approx(charge.usd), "open_usd": 0}
    assert told["totals"]["draft"]["requests"] == 1


def test_a_plan_holds_and_a_budget_stops_only_what_it_has_no_room_for(lab: Lab) -> None:
    desk = Desk(lab.root)
    write(desk)
    first = desk.plan()
    write(desk, SCRIPT + " And another sentence.")
    code, _, words = desk.say("produce", "--plan", first["plan"])
    assert code == 1
    assert words.startswith(f"Since plan {first['plan']} something has moved: the document or the files that it names.")
    assert not (desk.home / "journal.jsonl").exists()

    write(desk)
    code, event = desk.produce("--plan", desk.plan()["plan"], "--budget", "0.001")
    assert (code, list(event["failed"]), event["blocked"]) == (2, ["voice"], ["scene"])
    assert event["failed"]["voice"].startswith(
        "Nothing was sent: this needs 52 characters from ElevenLabs for about $0.0042"
    )
    assert desk.charges() == []
    code, out, _ = desk.say("why", "voice")
    assert out.splitlines()[-1] == f" Next: ./jiki-video produce {desk.document} --budget USD  with a higher budget"

    planned = desk.plan()
    assert [node["action"] for node in planned["nodes"]] == ["reuse", "reuse", "make", "make"]
    code, event = desk.produce("--plan", planned["plan"], "--budget", "1")
    assert (code, event["status"]) == (0, "completed")
    [charge] = desk.charges()
    assert planned["usd"][1] == pytest.approx(charge.usd, rel=0.05)
    chart = desk.root / "cost.svg"
    code, out, _ = desk.say("cost", "--chart", str(chart))
    assert (code, out.splitlines()[-1]) == (0, str(chart))
    assert chart.read_text("utf-8").startswith("<svg ")

"""What a lesson costs: the arithmetic, and that the pages follow from what was measured."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.docs.pages import CHECKOUT
from tools.cost import __main__ as command
from tools.cost.estimate import HIGH, LOW, Prices, function_usd, lesson_lines, merge_usd, wait_usd
from tools.cost.page import Measured, pages
from tools.cost.stack import read_template
from tools.cost.usage import POLL_TRANSITIONS, WATCH_TRANSITIONS, FunctionUse

PRICES = Prices.load()
MEASURED = Measured.load()
USAGE = MEASURED.usage


def _round_of(machine: str, first: str, last: str) -> int:
    """States from `first` to `last` on the way that is taken while nothing is finished."""
    text = (CHECKOUT / "workflows" / f"{machine}.asl.json").read_text("utf-8").replace("${WatchSeconds}", "60")
    states = json.loads(text)["States"]
    entered = [first]
    while entered[-1] != last:
        state: dict[str, Any] = states[entered[-1]]
        entered.append(state["Next"] if "Next" in state else state["Default"])
    return len(entered)


def test_a_round_of_waiting_has_as_many_states_as_the_machines_say() -> None:
    assert _round_of("node", "Wait", "Is it finished?") == POLL_TRANSITIONS
    assert _round_of("pipeline", "Watch", "Is it over?") == WATCH_TRANSITIONS


def test_a_minute_of_the_merger_costs_what_its_memory_and_disk_cost() -> None:
    use = FunctionUse(invocations=1, seconds=60, starts=0, memory_mb=3008, peak_mb=300)
    expected = 60 * 2.9375 * 0.0000133334 + 60 * 9.5 * 0.0000000309
    assert function_usd("merger", use, 60, PRICES) == pytest.approx(expected)


def test_rounds_of_waiting_become_rarer_with_the_age_of_the_job() -> None:
    assert [wait_usd(USAGE, PRICES, minutes * 60)[0] for minutes in (1, 5, 10, 30)] == [6, 22, 29, 49]
    rounds, transitions, usd = wait_usd(USAGE, PRICES, 1800)
    assert (rounds, transitions) == (49, 245)
    assert 245 * 0.025 / 1000 < usd < 0.02


def test_transitions_of_waiting_are_assumed_and_not_measured() -> None:
    patient = replace(USAGE, watches=USAGE.watches + 100, polls=USAGE.polls + 10)
    assert lesson_lines(patient, PRICES)[0] == lesson_lines(USAGE, PRICES)[0]


def test_the_high_end_is_never_below_the_low_one() -> None:
    lines = lesson_lines(USAGE, PRICES)
    assert [line.what for line in lines if line.high < line.low] == []
    assert merge_usd(USAGE, PRICES, LOW) < merge_usd(USAGE, PRICES, HIGH)


def test_every_price_is_marked_and_used() -> None:
    source = "".join(path.read_text("utf-8") for path in (CHECKOUT / "tools" / "cost").glob("*.py"))
    for name, row in PRICES.rows.items():
        assert row["mark"] in ("V", "S", "B"), name
        assert f'"{name}"' in source, name


def test_the_pages_follow_from_what_was_measured() -> None:
    stale = [path.name for path, text in pages(MEASURED, PRICES).items() if path.read_text("utf-8") != text]
    assert stale == [], "run make cost-docs"


def test_alarms_are_counted_by_the_metrics_that_they_look_at() -> None:
    one = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Errors"}}
    share = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {"Metrics": [{"MetricStat": {}}] * 2 + [{"Expression": ""}]},
    }
    size = read_template({"Resources": {"One": one, "Share": share}})
    assert (size.alarms, size.alarm_metrics, size.secrets) == (2, 3, 0)


# The command


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was kept, by name: nothing is measured and nothing reaches the checkout. The machine is quiet."""
    written: list[str] = []
    monkeypatch.setattr(command, "_measure", lambda: MEASURED)
    monkeypatch.setattr(Measured, "save", lambda _: written.append("cost.json"))
    monkeypatch.setattr(command, "_stale", lambda *_: {CHECKOUT / "docs" / "cost.md": "text"})
    monkeypatch.setattr(Path, "write_text", lambda path, *_: written.append(path.name))
    busy(monkeypatch, 0.1)
    return written


def busy(monkeypatch: pytest.MonkeyPatch, load: float) -> None:
    """A load for each of this machine's cores."""
    monkeypatch.setattr(command.os, "getloadavg", lambda: (load * (os.cpu_count() or 1), 0.0, 0.0))


def test_the_tables_are_printed_and_nothing_is_written(kept: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0
    printed = capsys.readouterr().out
    for heading in ("### One lesson", "### One environment", "### By volume", "| lessons a second |"):
        assert heading in printed
    assert kept == []


def test_the_pages_are_written_when_that_is_asked_for(kept: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--write"]) == 0
    assert kept == ["cost.json", "cost.md"]
    assert capsys.readouterr().out.splitlines()[-2:] == ["wrote benchmarks/results/cost.json", "wrote docs/cost.md"]


def test_a_busy_machine_writes_nothing_unless_it_must(
    kept: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    busy(monkeypatch, 0.6)
    assert command.main(["--write"]) == 1
    assert kept == []
    assert "Nothing was measured or written" in capsys.readouterr().err
    assert command.main([]) == 0  # to look is allowed, with a word
    assert capsys.readouterr().err == (
        "This machine is busy (a load of 0.6 for each core), so durations come out too long.\n"
    )
    assert command.main(["--write", "--force"]) == 0
    assert kept == ["cost.json", "cost.md"]

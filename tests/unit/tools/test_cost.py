"""What videos cost: the arithmetic, and that the pages follow from what was measured."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.docs.pages import CHECKOUT
from tools.cost import __main__ as command
from tools.cost.estimate import (
    HIGH,
    LOW,
    Prices,
    aws_lines,
    function_usd,
    job_seconds,
    merge_usd,
    provider_lines,
    seconds,
    wait_usd,
)
from tools.cost.offers import offers
from tools.cost.page import Measured, pages, tables
from tools.cost.stack import read_template
from tools.cost.usage import POLL_TRANSITIONS, WATCH_TRANSITIONS, FunctionUse, Usage
from video_production.providers.prices import PriceList
from video_production.settings import PROVIDERS

PRICES = Prices.load()
MEASURED = Measured.load()
LESSON, EXPLAINER = MEASURED.both


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
    waits = [wait_usd(LESSON, PRICES, "elevenlabs", minutes * 60) for minutes in (1, 5, 10, 30)]
    assert [rounds for rounds, _, _ in waits] == [6, 22, 29, 49]
    rounds, transitions, usd = waits[-1]
    assert transitions == rounds * POLL_TRANSITIONS
    assert transitions * 0.025 / 1000 < usd < 0.05


def test_a_job_whose_slot_is_waited_for_is_looked_at_about_twice_as_often() -> None:
    alone, awaited = (wait_usd(EXPLAINER, PRICES, "heygen", 600, awaited=each) for each in (False, True))
    assert awaited[0] == pytest.approx(2 * alone[0], abs=2)
    assert awaited[2] / alone[2] == pytest.approx(awaited[0] / alone[0])


def test_long_jobs_of_a_patient_provider_are_looked_at_less_often() -> None:
    heygen, runway = (wait_usd(EXPLAINER, PRICES, name, 3600)[0] for name in ("heygen", "runway"))
    assert heygen < runway


@pytest.mark.parametrize("usage", MEASURED.both)
def test_transitions_of_waiting_are_assumed_and_not_measured(usage: Usage) -> None:
    slower = {name: replace(use, polls=use.polls + 10) for name, use in usage.providers.items()}
    patient = replace(usage, watches=usage.watches + 100, providers=slower)
    assert aws_lines(patient, PRICES)[0] == aws_lines(usage, PRICES)[0]


@pytest.mark.parametrize("usage", MEASURED.both)
def test_the_high_end_is_never_below_the_low_one(usage: Usage) -> None:
    lines = [*aws_lines(usage, PRICES), *provider_lines(usage)]
    assert [line.what for line in lines if line.high < line.low] == []
    assert merge_usd(usage, PRICES, LOW) < merge_usd(usage, PRICES, HIGH)


def test_an_answer_that_is_stood_by_for_is_paid_as_time_of_the_submitter() -> None:
    voices = LESSON.providers["elevenlabs"]
    assert (voices.requests, voices.jobs) == (4, 1)
    waited = replace(LESSON, providers={"elevenlabs": replace(voices, jobs=4)})
    stood_by = seconds(LESSON, "elevenlabs_submitter", HIGH) - seconds(waited, "elevenlabs_submitter", HIGH)
    assert stood_by == pytest.approx(3 * job_seconds(LESSON, "elevenlabs", HIGH))


# The providers


def test_the_explainer_has_all_providers_make_something() -> None:
    assert set(EXPLAINER.providers) == set(PROVIDERS)


def test_what_the_ledger_has_lies_within_what_the_plan_said() -> None:
    for usage in MEASURED.both:
        for name, use in usage.providers.items():
            assert use.usd[0] <= use.settled + 1e-6 <= use.usd[1] + 2e-6, name


def test_offers_are_the_price_lists_own() -> None:
    prices = PriceList.of('{"providers": {"heygen": {"models": {"avatar_v": 1}}, "runway": {"other_models": 0.5}}}')
    found = {(provider, models): usd for _, provider, models, usd in offers(prices)}
    assert found["HeyGen", "`avatar_v`"] == (60.0, 60.0)
    credits = prices.providers["runway"]["credits_per_second"]["gen4.5"]
    assert found["Runway", "`gen4.5`"] == (8 * credits * 0.5,) * 2
    slow, fast = found["ElevenLabs", "`eleven_v4`, `eleven_v3`, `eleven_multilingual_v2`"]
    assert slow < 0.08 < fast


def test_the_summary_says_how_many_times_dearer_the_providers_are() -> None:
    summary = tables(MEASURED, PRICES).partition("### ")[0]
    least = _sold_low(EXPLAINER) / _aws_high(EXPLAINER)
    assert f"{float(f'{least:.2g}'):,.0f} to " in summary


def test_the_readme_has_the_amounts_right() -> None:
    """They are written by hand there, and rounded."""
    readme = " ".join((CHECKOUT / "README.md").read_text("utf-8").split())
    said = re.search(
        r"costs about half a cent on AWS and six cents for.*two cents on AWS and four dollars.*\$20 a month, \$35",
        readme,
    )
    assert said, "the README says it otherwise"
    bills = [line(usage) for usage in MEASURED.both for line in (_aws_high, _sold_low)]
    assert bills == [pytest.approx(usd, rel=0.4) for usd in (0.005, 0.06, 0.02, 4)]
    summary = tables(MEASURED, PRICES)
    found = re.search(r"\$([\d.]+) a month on AWS, \$([\d.]+) in months", summary)
    assert found
    assert [float(usd) for usd in found.groups()] == [pytest.approx(usd, rel=0.1) for usd in (20, 35)]


def _aws_high(usage: Usage) -> float:
    return sum(line.high for line in aws_lines(usage, PRICES))


def _sold_low(usage: Usage) -> float:
    return sum(line.low for line in provider_lines(usage))


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
    for heading in (
        "### One lesson",
        "### One explainer",
        "### What providers charge",
        "### One environment",
        "### By volume",
        "| lessons a second |",
    ):
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

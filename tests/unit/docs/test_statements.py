"""Tables of the documentation say what the code does."""

from __future__ import annotations

import json
from importlib import import_module

from local_cloud.functions import Endpoints, functions
from stand_ins.faults import SORTS
from tests.unit.docs.pages import CHECKOUT, table
from video_production.provider_facts import PROVIDER_FACTS, PROVIDERS
from video_production.providers.elevenlabs.models import MODELS
from video_production.providers.heygen.requests import ENGINES
from video_production.providers.prices import PRICES
from video_production.settings import FunctionSettings
from video_production.takes.model import TakeState

LIVE = FunctionSettings.from_environment({"JIKI_ENVIRONMENT": "development"}).provider("elevenlabs")


def _draft() -> dict[str, str]:
    submitter = functions(Endpoints("http://aws", "http://s3", {"elevenlabs": "http://e"}))["elevenlabs_submitter"]
    return dict(submitter.environment)


def test_the_prices_are_those_of_the_price_list() -> None:
    told = {}
    for models, price in table("elevenlabs.md", "| model | $ |"):
        told |= {model.strip(): float(price) for model in models.split(",")}
    assert told == json.loads(PRICES.read_text())["providers"]["elevenlabs"]["models"]


def test_the_models_and_settings_of_the_job_are_those_of_the_code() -> None:
    rows = table("elevenlabs.md", "| `modelId` | settings that the job takes |")
    told = {model: frozenset(settings.split(", ")) for model, settings in rows}
    assert told == {name: model.job for name, model in MODELS.items() if model.job is not None}


def test_the_limits_are_the_defaults_of_the_settings() -> None:
    rows = {where: value for _, value, where in table("elevenlabs.md", "| what | value | where |")}
    draft = _draft()
    for name, value in {
        "ELEVENLABS_SUBMIT_BUDGET_SECONDS": LIVE.submit_budget,
        "ELEVENLABS_INDEXING_LAG_SECONDS": LIVE.indexing_lag,
        "ELEVENLABS_POLL_INTERVAL_SECONDS": LIVE.poll_interval,
        "ELEVENLABS_POLL_LIMIT": LIVE.poll_limit,
    }.items():
        unit = "" if name.endswith("LIMIT") else " s"
        assert rows[name] == f"{value:g}{unit}; {draft[name]}{unit} with the stand-in", name


def test_the_levers_of_the_stand_in_are_all_told() -> None:
    rows = table("providers.md", "| `do` | what happens |")
    assert {name for row in rows for name in row[0].split(", ")} == set(SORTS)


def test_the_operations_of_the_stand_ins_are_all_told() -> None:
    told = {
        provider: tuple(names.split(", ")) for provider, names in table("providers.md", "| provider | operations |")
    }
    assert told == {name: import_module(f"stand_ins.{name}.workspace").OPERATIONS for name in PROVIDERS}


def test_the_providers_are_told_side_by_side_as_they_are() -> None:
    header = "| | " + " | ".join(f"`{name}`" for name in PROVIDERS) + " |"
    rows = {row[0]: row[1:] for row in table("providers.md", header)}
    facts = PROVIDER_FACTS.values()
    assert [int(cell) for cell in rows["jobs at once"]] == [one.concurrency for one in facts]
    assert rows["first look after"] == [f"{one.first_poll:g} s" for one in facts]
    assert rows["looks no more often than every"] == [f"{one.fastest_poll:g} s" for one in facts]
    told = [cell.replace(" min", "m").replace(" h", "h") for cell in rows["a node waits for at most"]]
    assert told == [f"{one.deadline / 60:g}m" if one.deadline <= 3000 else f"{one.deadline / 3600:g}h" for one in facts]
    assert [cell != "none" for cell in rows["webhooks"]] == [one.webhooks for one in facts]
    listed = json.loads(PRICES.read_text())["providers"]
    assert rows["charged by"] == [listed[name]["unit"] for name in PROVIDERS]


def test_the_prices_of_heygen_are_those_of_the_price_list() -> None:
    told = {}
    for engine, usual, large in table("heygen.md", "| engine | 720p, 1080p | 4K |"):
        told |= {engine: float(usual), f"{engine}/4k": float(large)}
    listed = json.loads(PRICES.read_text())["providers"]["heygen"]
    assert told == {name: listed["models"].get(name, listed["other_models"]) for name in told}
    assert listed["models"].keys() <= told.keys()
    assert {name for name in told if "/" not in name} == set(ENGINES)


def test_the_drawing_of_a_take_has_every_state() -> None:
    page = (CHECKOUT / "docs" / "money.md").read_text("utf-8")
    drawing = page.split("stateDiagram-v2\n", 1)[1].split("```", 1)[0]
    assert {word for word in drawing.replace(":", " ").split() if word in set(TakeState)} == set(TakeState)


def test_the_functions_are_all_told() -> None:
    told = {row[0].split("]")[0].lstrip("[") for row in table("architecture.md", "| role | does | called with |")}
    assert told == set(functions(Endpoints("", "")))

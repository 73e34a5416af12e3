"""The table of local functions."""

from __future__ import annotations

import re

import pytest

from local_cloud.cloud import CHECKOUT
from local_cloud.functions import ROLES, Endpoints, functions
from video_production.settings import PROVIDER_FACTS, PROVIDERS, FunctionSettings, ProviderFacts, submitter_of

STAND_INS = {name: f"http://127.0.0.1:{port}" for port, name in enumerate(PROVIDERS, 3)}
ENDPOINTS = Endpoints("http://127.0.0.1:1", "http://127.0.0.1:2", STAND_INS)


def test_there_is_one_function_per_role_with_a_handler_in_the_checkout() -> None:
    table = functions(ENDPOINTS)
    assert tuple(table) == ROLES
    for function in table.values():
        module, _, name = function.handler.rpartition(".")
        source = (CHECKOUT / (module.replace(".", "/") + ".py")).read_text()
        assert re.search(rf"^(def {name}\(|{name} = )", source, re.MULTILINE)


def test_functions_are_named_as_in_every_other_environment() -> None:
    table = functions(ENDPOINTS)
    assert table["merger"].name == "jiki-video-merger-local"
    assert table["elevenlabs_poller"].log_group == "/aws/lambda/jiki-elevenlabs-poller-local"
    assert table["scheduler"].arn == "arn:aws:lambda:us-east-1:123456789012:function:jiki-scheduler-local"


@pytest.mark.parametrize("role", ROLES)
def test_the_library_understands_the_environment_of_every_function(role: str) -> None:
    settings = FunctionSettings.from_environment(functions(ENDPOINTS)[role].environment)
    assert settings.environment == "local"
    assert settings.stale_after == 2
    assert settings.node_machine_arn.endswith(":stateMachine:jiki-video-node-local")


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_is_a_draft_that_is_asked_every_second_unless_it_is_live(name: str) -> None:
    settings = FunctionSettings.from_environment(functions(ENDPOINTS)["scheduler"].environment)
    provider = settings.provider(name)
    assert (provider.mode, provider.base_url) == ("draft", STAND_INS[name])
    assert (provider.poll_interval, provider.poll_growth, provider.poll_longest) == (1, 0, 1)
    assert provider.poll_limit * provider.poll_interval > provider.deadline, "the deadline ends the waiting"
    assert provider.secret == f"jiki-video/local/{name}"
    assert provider.max_jobs == PROVIDER_FACTS[name].concurrency


def test_a_live_provider_gets_its_own_address_and_patience() -> None:
    table = functions(ENDPOINTS, frozenset({"runway"}))
    settings = FunctionSettings.from_environment(table["runway_submitter"].environment)
    live = settings.provider("runway")
    assert (live.mode, live.base_url, live.poll_interval) == ("live", "", 10)
    assert settings.provider("heygen").mode == "draft"
    assert table["runway_submitter"].timeout == 300 > table["heygen_submitter"].timeout


@pytest.mark.parametrize("facts", PROVIDER_FACTS.values(), ids=PROVIDER_FACTS)
def test_what_shapes_a_draft_is_given_and_what_is_paid_for_is_not(facts: ProviderFacts) -> None:
    """A person who turns to the real provider names model and engine, in the document or by a variable."""
    drafts = FunctionSettings.from_environment(functions(ENDPOINTS)["scheduler"].environment)
    assert all(drafts.provider(facts.name).options.values())
    real = FunctionSettings.from_environment(functions(ENDPOINTS, frozenset({facts.name}))["scheduler"].environment)
    assert real.provider(facts.name).options == dict.fromkeys(facts.options, "")


def test_what_is_given_besides_reaches_every_function() -> None:
    table = functions(ENDPOINTS, variables={"MONTHLY_BUDGET_USD": "25", "HEYGEN_MAX_JOBS": "3"})
    settings = FunctionSettings.from_environment(table["heygen_submitter"].environment)
    assert (settings.monthly_budget_usd, settings.provider("heygen").max_jobs) == (25, 3)


@pytest.mark.parametrize("live", [frozenset(), frozenset(PROVIDERS)])
@pytest.mark.parametrize("name", PROVIDERS)
def test_a_paid_request_always_fits_into_the_submitters_time(live: frozenset[str], name: str) -> None:
    submitter = functions(ENDPOINTS, live)[submitter_of(name)]
    budget = FunctionSettings.from_environment(submitter.environment).provider(name).submit_budget
    assert budget < submitter.timeout

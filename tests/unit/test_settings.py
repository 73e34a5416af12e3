"""What a function knows of its environment, and what follows from the facts of each provider."""

from __future__ import annotations

from pathlib import Path

import pytest

from video_production.errors import OperatorError
from video_production.pipelines.node_types import NODE_TYPES
from video_production.providers.registry import provider_class, webhooks_of
from video_production.settings import (
    NODE_MACHINE_CALLS,
    PROVIDER_FACTS,
    ROLES,
    FunctionSettings,
    ProviderFacts,
    poller_of,
    submitter_of,
)

CHECKOUT = Path(__file__).resolve().parents[2]
EVERY = pytest.mark.parametrize("facts", PROVIDER_FACTS.values(), ids=PROVIDER_FACTS)


@EVERY
def test_a_provider_has_a_submitter_and_a_poller_of_its_own(facts: ProviderFacts) -> None:
    for role in (submitter_of(facts.name), poller_of(facts.name)):
        assert role in ROLES
        assert role in NODE_MACHINE_CALLS
        source = (CHECKOUT / "functions" / role / "handler.py").read_text("utf-8")
        assert f"from video_production.providers.{facts.name} import" in source
    assert facts.submit_budget < ROLES[submitter_of(facts.name)].timeout


@EVERY
def test_a_providers_module_bears_its_words(facts: ProviderFacts) -> None:
    made = provider_class(facts.name)
    assert (made.name, made.title) == (facts.name, facts.title)
    assert facts.name in NODE_TYPES[facts.node_type].makeable
    assert facts.fastest_poll <= facts.first_poll <= facts.longest_poll < facts.deadline
    if facts.webhooks:
        assert {"find_webhook", "register_webhook"} <= set(webhooks_of(facts.name).__all__)
    else:
        with pytest.raises(KeyError):
            webhooks_of(facts.name)


@EVERY
def test_a_provider_of_which_nothing_is_said_is_live_and_as_usual(facts: ProviderFacts) -> None:
    settings = FunctionSettings.from_environment({"JIKI_ENVIRONMENT": "staging"}).provider(facts.name)
    assert (settings.mode, settings.base_url, settings.webhooks) == ("live", "", False)
    assert settings.secret == f"jiki-video/staging/{facts.name}"
    assert (settings.poll_interval, settings.poll_growth) == (facts.first_poll, facts.growth)
    assert (settings.poll_longest, settings.deadline) == (facts.longest_poll, facts.deadline)
    assert settings.max_jobs == facts.concurrency
    assert settings.options == dict.fromkeys(facts.options, "")


def test_what_is_said_of_a_provider_is_read_from_variables_with_its_name() -> None:
    given = {"JIKI_ENVIRONMENT": "staging", "VEO3_MAX_JOBS": "3", "VEO3_BUCKET": "films", "MONTHLY_BUDGET_USD": "12.5"}
    settings = FunctionSettings.from_environment(given)
    assert settings.monthly_budget_usd == 12.5
    assert settings.provider("veo3").max_jobs == 3
    assert settings.provider("veo3").options["bucket"] == "films"
    assert settings.provider("runway").max_jobs == PROVIDER_FACTS["runway"].concurrency


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("MODE", "on", "'live' or 'draft'"), ("WEBHOOKS", "yes", "'on' or 'off'")],
)
def test_a_word_that_means_nothing_is_refused(name: str, value: str, told: str) -> None:
    settings = FunctionSettings.from_environment({"JIKI_ENVIRONMENT": "staging", f"HEYGEN_{name}": value})
    with pytest.raises(OperatorError, match=f"HEYGEN_{name} is '{value}'; it must be {told}"):
        settings.provider("heygen")


def test_without_a_budget_there_is_no_limit() -> None:
    assert FunctionSettings.from_environment({"JIKI_ENVIRONMENT": "staging"}).monthly_budget_usd is None


def test_every_role_names_a_handler_that_is_there() -> None:
    for role in ROLES.values():
        module = role.handler.rpartition(".")[0]
        assert (CHECKOUT / f"{module.replace('.', '/')}.py").is_file()
    assert {name for name in ROLES if name.endswith(("_submitter", "_poller"))} == {
        role for name in PROVIDER_FACTS for role in (submitter_of(name), poller_of(name))
    }

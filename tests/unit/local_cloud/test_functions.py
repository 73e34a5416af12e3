"""The table of local functions."""

from __future__ import annotations

import pytest

from local_cloud.cloud import CHECKOUT
from local_cloud.functions import ROLES, Endpoints, functions
from video_production.settings import FunctionSettings

ENDPOINTS = Endpoints("http://127.0.0.1:1", "http://127.0.0.1:2", {"elevenlabs": "http://127.0.0.1:3"})


def test_there_is_one_function_per_role_with_a_handler_in_the_checkout() -> None:
    table = functions(ENDPOINTS)
    assert tuple(table) == ROLES
    for function in table.values():
        module, _, name = function.handler.rpartition(".")
        source = (CHECKOUT / (module.replace(".", "/") + ".py")).read_text()
        assert f"def {name}(" in source


def test_functions_are_named_as_in_every_other_environment() -> None:
    table = functions(ENDPOINTS)
    assert table["merger"].name == "jiki-video-merger-local"
    assert table["elevenlabs_poller"].log_group == "/aws/lambda/jiki-elevenlabs-poller-local"
    assert table["scheduler"].arn == "arn:aws:lambda:us-east-1:123456789012:function:jiki-scheduler-local"


@pytest.mark.parametrize("role", ROLES)
def test_the_library_understands_the_environment_of_every_function(role: str) -> None:
    settings = FunctionSettings.from_environment(functions(ENDPOINTS)[role].environment)
    provider = settings.provider("elevenlabs")
    assert settings.environment == "local"
    assert settings.stale_after == 2
    assert settings.node_machine_arn.endswith(":stateMachine:jiki-video-node-local")
    assert (provider.mode, provider.base_url) == ("draft", "http://127.0.0.1:3")
    assert (provider.poll_interval, provider.poll_limit) == (1, 120)
    assert provider.secret == "jiki-video/local/elevenlabs"


def test_a_live_provider_gets_its_own_address_and_patience() -> None:
    table = functions(ENDPOINTS, frozenset({"elevenlabs"}))
    provider = FunctionSettings.from_environment(table["elevenlabs_submitter"].environment).provider("elevenlabs")
    assert (provider.mode, provider.base_url, provider.poll_interval) == ("live", "", 10)


@pytest.mark.parametrize("live", [frozenset(), frozenset({"elevenlabs"})])
def test_a_paid_request_always_fits_into_the_submitters_time(live: frozenset[str]) -> None:
    submitter = functions(ENDPOINTS, live)["elevenlabs_submitter"]
    budget = FunctionSettings.from_environment(submitter.environment).provider("elevenlabs").submit_budget
    assert budget < submitter.timeout

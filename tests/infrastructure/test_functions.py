"""What the template promises about the functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from stacks.application import context_of_checkout
from stacks.functions import PYTHON
from stacks.settings import read_settings
from tests.infrastructure.synthesised import Template, text
from tools.set_up import LAMBDA_PYTHON
from video_production.settings import (
    PROVIDER_FACTS,
    PROVIDERS,
    ROLES,
    FunctionSettings,
    poller_of,
    submitter_of,
)

RESERVED = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
}
"""Source: "Defined runtime environment variables", AWS Lambda developer guide."""


def test_the_merger_has_3008_mb_a_10_gb_disk_and_15_minutes(template: Template) -> None:
    merger = template.function("merger")
    assert (merger["MemorySize"], merger["EphemeralStorage"], merger["Timeout"]) == (3008, {"Size": 10240}, 900)


def test_every_function_is_sized_as_its_role_says(template: Template) -> None:
    for name, role in ROLES.items():
        function = template.function(name)
        size = (function["MemorySize"], function["Timeout"], function["EphemeralStorage"]["Size"])
        assert size == (role.memory, role.timeout, role.disk), name
        assert function["Handler"] == role.handler


def test_there_is_no_function_but_those_of_the_roles(variant: Template) -> None:
    """A custom resource would bring a function of its own along, with its own permissions."""
    names = {text(properties.get("FunctionName", "?")) for properties in variant.properties("AWS::Lambda::Function")}
    assert names == {variant.names.function(role) for role in ROLES}


def test_every_function_runs_the_python_that_the_packages_are_made_for(template: Template) -> None:
    assert PYTHON == LAMBDA_PYTHON
    assert {function["Runtime"] for function in template.properties("AWS::Lambda::Function")} == {f"python{PYTHON}"}


def test_only_the_functions_that_run_ffmpeg_have_its_layer(template: Template) -> None:
    [layer] = template.resources("AWS::Lambda::LayerVersion")
    for name, role in ROLES.items():
        assert template.function(name).get("Layers", []) == ([{"Ref": layer}] if role.ffmpeg else [])


def test_functions_and_layer_have_one_architecture(templates: Mapping[str, Template]) -> None:
    for variant, architecture in (("production", "arm64"), ("everything", "x86_64")):
        template = templates[variant]
        functions = template.properties("AWS::Lambda::Function")
        assert [function["Architectures"] for function in functions] == [[architecture]] * len(ROLES)
        [layer] = template.properties("AWS::Lambda::LayerVersion")
        assert layer["CompatibleArchitectures"] == [architecture]


def test_every_function_is_traced(template: Template) -> None:
    assert {f["TracingConfig"]["Mode"] for f in template.properties("AWS::Lambda::Function")} == {"Active"}


def test_every_function_logs_json_into_its_own_group(template: Template) -> None:
    for role in ROLES:
        logging = template.function(role)["LoggingConfig"]
        group = template.id_of("AWS::Logs::LogGroup", LogGroupName=template.names.function_log_group(role))
        assert logging["LogGroup"] == {"Ref": group}
        assert (logging["LogFormat"], logging["SystemLogLevel"]) == ("JSON", "INFO")


def test_the_log_level_never_filters_the_metrics_away(template: Template) -> None:
    levels = {
        function["LoggingConfig"]["ApplicationLogLevel"] for function in template.properties("AWS::Lambda::Function")
    }
    assert levels <= {"DEBUG", "INFO"}


def test_every_log_group_keeps_14_days_and_goes_with_the_stack(variant: Template) -> None:
    for id, group in variant.resources("AWS::Logs::LogGroup").items():
        assert group["Properties"]["RetentionInDays"] == 14, id
        assert group["DeletionPolicy"] == "Delete", id


def test_no_variable_has_a_name_that_lambda_reserves(variant: Template) -> None:
    for role in ROLES:
        assert not RESERVED & variant.variables(role).keys()


def test_the_variables_stay_far_below_4_kb(variant: Template) -> None:
    for role in ROLES:
        size = sum(len(name) + len(text(value)) for name, value in variant.variables(role).items())
        assert size < 2048, role


def test_no_variable_holds_a_secret_value(variant: Template) -> None:
    for role in ROLES:
        assert "{{resolve:" not in json.dumps(variant.variables(role))


@pytest.mark.parametrize("role", ROLES)
def test_the_function_understands_the_variables_that_it_gets(template: Template, role: str) -> None:
    variables = {name: text(value) for name, value in template.variables(role).items()}
    settings = FunctionSettings.from_environment(variables)
    assert settings.environment == template.names.environment


@pytest.mark.parametrize("name", PROVIDERS)
def test_submitter_and_poller_get_the_settings_of_their_provider(template: Template, name: str) -> None:
    wanted = read_settings(context_of_checkout()["environments"], template.names.environment).provider(name)
    for role in (submitter_of(name), poller_of(name)):
        variables = {key: text(value) for key, value in template.variables(role).items()}
        got = FunctionSettings.from_environment(variables).provider(name)
        assert replace(got, max_jobs=wanted.max_jobs) == wanted  # the scheduler alone counts jobs
        assert not [key for key in variables if key.split("_")[0].lower() in set(PROVIDERS) - {name}]


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_scheduler_knows_how_many_jobs_each_provider_takes(everything: Template, name: str) -> None:
    variables = {key: text(value) for key, value in everything.variables("scheduler").items()}
    limit = FunctionSettings.from_environment(variables).provider(name).max_jobs
    assert limit == (7 if name == "runway" else PROVIDER_FACTS[name].concurrency)


def test_the_settings_reach_the_functions(everything: Template) -> None:
    variables = {name: text(value) for name, value in everything.variables("elevenlabs_poller").items()}
    provider = FunctionSettings.from_environment(variables).provider("elevenlabs")
    assert (provider.poll_interval, provider.poll_longest, provider.deadline) == (20, 45, 300)
    variables = {name: text(value) for name, value in everything.variables("veo3_submitter").items()}
    settings = FunctionSettings.from_environment(variables)
    google = {"project": "lessons-1", "location": "us-central1", "bucket": "films-of-lessons"}
    assert settings.provider("veo3").options == {**google, "model": "veo-3.1-generate-001"}
    variables = {name: text(value) for name, value in everything.variables("heygen_submitter").items()}
    assert FunctionSettings.from_environment(variables).provider("heygen").options == {"engine": "avatar_v"}
    assert settings.monthly_budget_usd == 250
    assert json.loads(settings.prices) == {"providers": {"heygen": {"models": {"avatar_iv": 0.05}}}}
    merger = everything.function("merger")
    assert (merger["MemorySize"], merger["ReservedConcurrentExecutions"]) == (4096, 7)
    assert everything.variables("merger")["CALLBACK_HOSTS"] == "app.example.com,other.example.com"


def test_an_asynchronous_merge_is_tried_once_and_its_failure_is_told(template: Template) -> None:
    merger = template.id_of("AWS::Lambda::Function", FunctionName=template.names.function("merger"))
    config = template.one("AWS::Lambda::EventInvokeConfig", FunctionName={"Ref": merger})
    assert (config["Qualifier"], config["MaximumRetryAttempts"]) == ("$LATEST", 0)
    queue = template.queue_id(template.names.failed_merges_queue)
    assert config["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": [queue, "Arn"]}}}


def test_whatever_an_event_calls_asynchronously_is_never_repeated(template: Template) -> None:
    retries = [config["MaximumRetryAttempts"] for config in template.properties("AWS::Lambda::EventInvokeConfig")]
    assert retries == [0, 0]


def test_nothing_calls_a_function_by_its_unpublished_code_but_direct_callers(template: Template) -> None:
    """Queues, events and the API call the alias of the newest version."""
    aliases = template.resources("AWS::Lambda::Alias")
    doors = ("AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission")
    called = [json.dumps(door["FunctionName"]) for kind in doors for door in template.properties(kind)]
    assert called
    assert all(any(f'"{alias}"' in target for alias in aliases) for target in called)

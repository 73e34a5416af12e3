"""What the template promises about the state machines."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.synthesised import CHECKOUT, Template
from video_production.settings import NODE_MACHINE_CALLS, PROVIDER_FACTS, ROLES, poller_of, submitter_of

VALIDATOR = CHECKOUT / "node_modules" / "asl-validator" / "dist" / "bin" / "asl-validator.js"


def machines(template: Template) -> tuple[str, str]:
    return template.names.node_machine, template.names.pipeline_machine


def tasks(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every task that calls a function: the roles that it may call, and the state."""
    for machine in machines(template):
        states = template.definition(machine)["States"].values()
        providers = [state["Result"] for state in states if state.get("ResultPath") == "$.provider"]
        for state in states:
            if state.get("Resource", "").endswith("lambda:invoke"):
                parameters = state["Parameters"]
                named, chosen = parameters.get("FunctionName"), parameters.get("FunctionName.$", "").rpartition(".")[2]
                for target in [named] if named else [provider[chosen] for provider in providers]:
                    yield role_of(template, target), state


def role_of(template: Template, target: str) -> str:
    version = template.body["Resources"][target.strip("<>")]
    assert version["Type"] == "AWS::Lambda::Version"
    function = template.body["Resources"][version["Properties"]["FunctionName"]["Ref"]]["Properties"]["FunctionName"]
    return next(role for role in ROLES if template.names.function(role) == function)


def test_machines_call_published_versions(template: Template) -> None:
    called = {role for role, _ in tasks(template)}
    assert called == set(NODE_MACHINE_CALLS)


def test_the_node_machine_has_each_provider_submit_and_check_with_its_own_functions(template: Template) -> None:
    states = template.definition(template.names.node_machine)["States"]
    found = {}
    for choice in states["Who makes it?"]["Choices"]:
        if conditions := choice.get("And"):
            kind, _, provider = (condition.get("StringEquals") for condition in conditions)
            calls = states[choice["Next"]]["Result"]
            found[provider] = (kind, role_of(template, calls["submit"]), role_of(template, calls["check"]))
    assert found == {
        facts.name: (facts.node_type, submitter_of(facts.name), poller_of(facts.name))
        for facts in PROVIDER_FACTS.values()
    }


def test_published_versions_outlive_the_deployment_that_replaces_them(template: Template) -> None:
    policies = {version["DeletionPolicy"] for version in template.resources("AWS::Lambda::Version").values()}
    assert policies == {"Retain"}


def test_a_task_waits_half_a_minute_longer_than_its_function_may_run(template: Template) -> None:
    for role, state in tasks(template):
        assert state["TimeoutSeconds"] == ROLES[role].timeout + 30, role


def test_the_pipeline_machine_looks_again_after_a_minute(template: Template) -> None:
    assert template.definition(template.names.pipeline_machine)["States"]["Watch"]["Seconds"] == 60


def test_both_machines_are_traced_and_log_everything_but_what_they_pass_on(template: Template) -> None:
    for name in machines(template):
        machine = template.machine(name)
        assert machine["TracingConfiguration"] == {"Enabled": True}
        logging = machine["LoggingConfiguration"]
        group = template.id_of("AWS::Logs::LogGroup", LogGroupName=f"/aws/vendedlogs/states/{name}")
        assert (logging["Level"], logging["IncludeExecutionData"]) == ("ALL", False)
        assert logging["Destinations"] == [{"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": [group, "Arn"]}}}]


def test_machines_reach_aws_only_once_their_role_has_its_permissions(template: Template) -> None:
    for machine in template.resources("AWS::StepFunctions::StateMachine").values():
        kinds = {template.body["Resources"][id]["Type"] for id in machine["DependsOn"]}
        assert "AWS::IAM::Policy" in kinds


@pytest.mark.parametrize("name", ["node", "pipeline"])
def test_the_states_language_has_no_complaint(templates: dict[str, Template], name: str, tmp_path: Path) -> None:
    template = templates["production"]
    machine = dict(zip(("node", "pipeline"), machines(template), strict=True))[name]
    definition = (
        json.dumps(template.definition(machine)).replace("<", "arn:aws:lambda:us-east-1:123456789012:").replace(">", "")
    )
    (tmp_path / "machine.json").write_text(definition)
    assert VALIDATOR.is_file(), "asl-validator is missing from node_modules; run: python3 tools/set_up.py test"
    command = [os.environ["JSII_NODE"], str(VALIDATOR), "--json-path", "machine.json"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
